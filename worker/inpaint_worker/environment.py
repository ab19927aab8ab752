"""What this machine is, as far as it can change a result or its time."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inpaint_core.card import ModelCard
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
    "safetensors",
    "celery",
    "kombu",
)


def describe_environment(card: ModelCard) -> EnvironmentFacts:
    """Facts of this machine for a worker of `card`."""
    return EnvironmentFacts(
        device_kind=card.device,
        device_name=_cpu_name(),
        device_memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        driver_version=None,
        python_version=platform.python_version(),
        operating_system=f"{platform.system()} {platform.release()} {platform.machine()}",
        packages={name: found for name in PACKAGES if (found := package_version(name))},
    )


def package_version(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()} ({os.cpu_count()} cores)"
    except OSError:
        pass
    return f"{platform.machine()} ({os.cpu_count()} cores)"
