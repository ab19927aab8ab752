"""S3: `rclone serve s3` over a folder of plain files."""

from __future__ import annotations

import os
import re
from typing import ClassVar

from inpaint_fleet.local import ports, programs
from inpaint_fleet.local.child import ChildSpec
from inpaint_fleet.local.folder import DataFolder, private_folder
from inpaint_fleet.local.private import Private

#: Said at every start.
_ROUTINE = re.compile("Starting s3 server on")


class S3Server:
    """An S3 endpoint on loopback. Buckets are folders in `s3/`, objects are files: they can be looked at."""

    name: ClassVar[str] = "s3"
    service: ClassVar[str] = "S3"

    def __init__(self, folder: DataFolder, private: Private) -> None:
        self._home = folder.root / "s3"
        self._cache = folder.root / "s3-cache"
        self._port = private.s3_port
        self._key = private.s3_access_key
        self._secret = private.s3_secret_key
        self._program = programs.rclone()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._port}"

    def settings(self) -> dict[str, str]:
        """The settings by which clients reach it."""
        return {"s3_url": f"http://{self.address}", "s3_access_key": self._key, "s3_secret_key": self._secret}

    def spec(self) -> ChildSpec:
        """What runs. The keys are in its environment: everybody on the machine may read a command line."""
        private_folder(self._home)
        return ChildSpec(
            name=self.name,
            command=(
                str(self._program),
                "serve",
                "s3",
                f"--addr={self.address}",
                # Each upload goes to a temporary file that is renamed when it is whole, so no cache is needed.
                "--vfs-cache-mode=off",
                # The user's own rclone remotes are none of the stack's business; "/notfound" keeps it all in memory.
                "--config=/notfound",
                f"--cache-dir={self._cache}",
                # Emptying a bucket must not remove it.
                "--no-cleanup",
                "--log-format=",
                str(self._home),
            ),
            environment={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self._home),
                # A list in CSV, whose one entry holds a comma: hence the quotes.
                "RCLONE_AUTH_KEY": f'"{self._key},{self._secret}"',
            },
            cwd=self._home,
            routine=_ROUTINE,
        )

    def answers(self) -> bool:
        """Whether it accepts connections."""
        return ports.answers(self._port)
