"""Files of a dataset, each read with a refusal that names it. Names that a file gives stay within its folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from inpaint_core.errors import ImageTooLarge, InputNotFound, InvalidRequest
from inpaint_core.images import Limits
from inpaint_core.job import printable

#: What counts as a picture in a folder.
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif", ".hif"})
#: How many of several names a message lists.
_LISTED = 5


def read_text(path: Path) -> str:
    """A file of UTF-8 text, with or without a byte order mark."""
    return _decoded(path, _bytes(path))


def read_picture(path: Path, limits: Limits) -> bytes:
    """An encoded picture. One that is larger than `limits.max_bytes` is refused before it is read."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from None
    if size > limits.max_bytes:
        raise ImageTooLarge(
            f"{path.name} has {size:,} bytes; at most {limits.max_bytes:,} are accepted (INPAINT_MAX_IMAGE_BYTES).",
            size_bytes=size,
            limit=limits.max_bytes,
        )
    return _bytes(path)


def inside(folder: Path, name: str, what: str) -> Path:
    """The file that a manifest or a table in `folder` calls `name`; `what` is its role, for messages.

    A dataset may come from anywhere, and what it names is uploaded: an absolute path, `..` and a link that leads out of
    the folder are refused (`InvalidRequest`). `InputNotFound` if there is no such file.
    """
    shown, home = repr(printable(name)), folder.absolute().name
    if not name.strip() or "\x00" in name:
        raise InvalidRequest(f"{what}: {shown} is not the name of a file.", field=what)
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or name.startswith("\\"):
        raise InvalidRequest(
            f"{what}: {shown} is absolute; paths are relative to {home}/, where they are named.",
            field=what,
        )
    if ".." in PurePosixPath(name).parts or ".." in PureWindowsPath(name).parts:
        raise InvalidRequest(
            f"{what}: {shown} leads out of {home}/ (..). Put the picture into that folder.", field=what
        )
    path = folder / name
    try:
        stays, found = path.resolve().is_relative_to(folder.resolve()), path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name that is too long, a circle of links, a lone surrogate
        stays, found = True, False
    if not stays:
        raise InvalidRequest(
            f"{what}: {shown} is a link that leads out of {home}/. Put the picture itself into that folder.",
            field=what,
        )
    if not found:
        hint = " Write / between folders." if "\\" in name else ""
        raise InputNotFound(f"{what}: there is no file {shown} in {home}/.{hint}", path=str(path))
    return path


def subfolder(folder: Path, name: str, what: str) -> Path:
    """The folder `name` in `folder`, which the caller chose; `InputNotFound` if there is none."""
    path = folder / name
    if not path.is_dir():
        raise InputNotFound(
            f"There is no folder {path}, which should hold the {what}. Check the path, or name another with {what}=.",
            path=str(path),
        )
    return path


def pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, by name; hidden files are left out."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))


def by_stem(folder: Path) -> dict[str, Path]:
    """The pictures in a folder by their name without its ending; `InvalidRequest` if two have the same."""
    found: dict[str, Path] = {}
    for path in pictures(folder):
        if path.stem in found:
            raise InvalidRequest(
                f"{folder.name}/ holds both {found[path.stem].name} and {path.name}, which would be one sample. Rename "
                "or remove one."
            )
        found[path.stem] = path
    if not found:
        raise InvalidRequest(f"{folder} holds no pictures ({', '.join(sorted(PICTURES))}).")
    return found


def listed(names: list[str]) -> str:
    """The first few of several names, and how many more there are."""
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _bytes(path: Path) -> bytes:
    try:
        # Not a pipe or a device: reading one might never end.
        if path.exists() and not path.is_file():
            raise InvalidRequest(f"{path} is not a file{' but a folder' if path.is_dir() else ''}.")
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputNotFound | InvalidRequest:
    if isinstance(error, FileNotFoundError):
        return InputNotFound(f"There is no file {path}. Check the path.", path=str(path))
    return InvalidRequest(f"{path} cannot be read: {error.strerror}.")


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path.name} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
