"""Where each setting comes from: the same sources as `Settings` reads, asked one by one."""

from __future__ import annotations

import os
from pathlib import Path

from inpaint_core.settings import PREFIX, STACK_FILE, Settings, config_file
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

DEFAULT = "default"


def origins(settings: Settings) -> dict[str, str]:
    """For each setting: `environment`, the file, or `default`."""
    environment = set(EnvSettingsSource(Settings)())
    config = config_file()
    stack = settings.data_dir / STACK_FILE
    in_config = _names_in(config)
    in_stack = _names_in(stack)
    found = {}
    for name in Settings.model_fields:
        if name in environment:
            found[name] = f"environment ({PREFIX}{name.upper()})"
        elif name in in_config:
            found[name] = str(config)
        elif name in in_stack:
            found[name] = f"local stack ({stack})"
        else:
            found[name] = DEFAULT
    return found


def _names_in(file: Path) -> set[str]:
    return set(TomlConfigSettingsSource(Settings, file)()) if os.access(file, os.R_OK) else set()
