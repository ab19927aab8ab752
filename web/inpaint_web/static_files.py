"""Scripts, styles and icons: under an address that holds their content's hash, so that browsers keep them for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All of them in memory, by name: a name that is not among them cannot lead anywhere else."""

    version: str
    files: dict[str, tuple[bytes, str]]

    @classmethod
    def read(cls, **added: str) -> StaticFiles:
        """Those of this package, and `added` styles by name without their ending."""
        files = {}
        for entry in resources.files(__package__).joinpath("static").iterdir():
            kind = _TYPES.get(entry.name[entry.name.rfind(".") :])
            if kind is not None:
                files[entry.name] = (entry.read_bytes(), kind)
        for name, text in added.items():
            files[f"{name}.css"] = (text.encode(), "text/css")
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(name.encode() + b"\0" + files[name][0])
        return cls(digest.hexdigest()[:12], files)

    def url(self, name: str) -> str:
        """Where a page finds the file."""
        return f"/static/{self.version}/{name}"
