"""What this machine is, as far as it can change a result or its time."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.settings import Settings
from inpaint_db.presence import EnvironmentFacts

#: Packages whose version may change pixels or seconds. Absent ones are left out.
PACKAGES = (
    "inpaint-fleet",
    "opencv-python-headless",
    "numpy",
    "pillow",
    "pi-heif",
    "isal",
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "bitsandbytes",
    "peft",
    "safetensors",
    "openai",
    "celery",
    "kombu",
)
_DRIVER = Path("/proc/driver/nvidia/version")


def describe_environment(
    card: ModelCard, settings: Settings, runtime: Mapping[str, object] | None = None
) -> EnvironmentFacts:
    """Facts of this machine for a worker of `card`; `runtime`: what its pipeline tells once it is loaded."""
    kind, name, memory = _device(card, settings)
    return EnvironmentFacts(
        device_kind=kind,
        device_name=name,
        device_memory_bytes=memory,
        driver_version=_driver() if kind == "cuda" else None,
        python_version=platform.python_version(),
        operating_system=f"{platform.system()} {platform.release()} {platform.machine()}",
        packages={name: found for name in PACKAGES if (found := package_version(name))},
        runtime=dict(runtime or {}),
    )


def package_version(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device(card: ModelCard, settings: Settings) -> tuple[str, str, int | None]:
    """Kind, name and memory of what the model runs on."""
    if card.device == "api":
        return "api", card.family, None
    if card.device == "cuda" and settings.device != "cpu" and (found := _gpu()) is not None:
        return ("cuda", *found)
    return "cpu", _cpu_name(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gpu() -> tuple[str, int] | None:
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    properties: Any = torch.cuda.get_device_properties(0)
    return str(properties.name), int(properties.total_memory)


def _driver() -> str | None:
    """The version of the kernel's NVIDIA module."""
    try:
        words = _DRIVER.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return None
    return next((word for word in words if word[:1].isdigit() and "." in word), None)


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()} ({os.cpu_count()} cores)"
    except OSError:
        pass
    return f"{platform.machine()} ({os.cpu_count()} cores)"
