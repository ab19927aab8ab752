"""Ports and passwords of one local stack: generated at its first start, kept in the data folder."""

from __future__ import annotations

import dataclasses
import json
import secrets
from dataclasses import dataclass, field

from inpaint_core.errors import StackError

from inpaint_fleet.local.folder import DataFolder, disk_errors, write_private
from inpaint_fleet.local.ports import keep_or_pick

#: Flower's customary port, if nobody else has it.
FLOWER_PORT = 5555
#: Likewise of the web server.
WEB_PORT = 8000


def _password() -> str:
    # Hexadecimal, because it travels through URLs, redis.conf, CSV and the shell.
    return secrets.token_hex(20)


@dataclass(slots=True)
class Private:
    """What nobody but the owner of the data folder may know. Passwords hold for ever: Postgres has stored its own."""

    redis_port: int = 0
    postgres_port: int = 0
    s3_port: int = 0
    flower_port: int = FLOWER_PORT
    web_port: int = WEB_PORT
    redis_password: str = field(default_factory=_password, repr=False)
    postgres_password: str = field(default_factory=_password, repr=False)
    s3_access_key: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    s3_secret_key: str = field(default_factory=_password, repr=False)
    flower_user: str = "inpaint"
    flower_password: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    web_token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def choose_ports(self) -> None:
        """Keep the ports of the last start, except those that somebody else has taken since."""
        taken: set[int] = set()
        for name in ("redis_port", "postgres_port", "s3_port", "flower_port", "web_port"):
            port = keep_or_pick(getattr(self, name), taken)
            setattr(self, name, port)
            taken.add(port)


def read_private(folder: DataFolder) -> Private | None:
    """What an earlier start wrote; None if there was none."""
    try:
        with disk_errors(folder.root):
            text = folder.private_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return Private(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise StackError(
            f"{folder.private_file} is damaged ({error}), and with it the password of the Postgres in {folder.root}. "
            "Bring it back from a backup, or delete the whole folder to begin anew.",
            path=str(folder.private_file),
        ) from None


def write_private_file(folder: DataFolder, private: Private) -> None:
    """Keep it for the next start."""
    write_private(folder.private_file, json.dumps(dataclasses.asdict(private), indent=2) + "\n")
