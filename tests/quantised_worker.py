"""`inpaint worker MODEL` for 4-bit weights on a machine without a GPU: run as a script."""

from __future__ import annotations

import sys

from inpaint_fleet.cli import main
from tiny.flux import bitsandbytes_on_cpu

if __name__ == "__main__":
    with bitsandbytes_on_cpu():
        sys.exit(main())
