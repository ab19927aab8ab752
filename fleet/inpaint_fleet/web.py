"""The web server as part of the local stack: whether it can run, and what it is told."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint_core.settings import Settings

    from inpaint_fleet.local.private import Private

_NEEDED = ("fastapi", "jinja2", "uvicorn")


def installed() -> bool:
    """Whether its packages are there: where they are, the local stack runs it unless told otherwise."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def stack_settings(settings: Settings, private: Private) -> dict[str, str | int]:
    """Port, address and password of a stack's own web server; what its user has set stays."""
    chosen = settings.model_fields_set
    port = settings.web_port if "web_port" in chosen else private.web_port
    token = settings.web_token.get_secret_value() if settings.web_token else private.web_token
    url = settings.web_url or f"http://{settings.web_host if 'web_host' in chosen else '127.0.0.1'}:{port}"
    return {"web_port": port, "web_url": url, "web_token": token}
