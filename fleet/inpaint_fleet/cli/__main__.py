"""`python -m inpaint_fleet.cli`: the same as `inpaint`."""

from inpaint_fleet.cli import main

if __name__ == "__main__":
    main()
