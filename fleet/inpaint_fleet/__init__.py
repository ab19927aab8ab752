"""The `inpaint` command, and the whole fleet on a single machine."""
