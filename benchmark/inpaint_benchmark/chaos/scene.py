"""What a chaos run is made of: two model cards, small pictures, and settings that make recovery a matter of seconds."""

from __future__ import annotations

from datetime import date

from inpaint_core.card import ModelCard, PromptUse
from inpaint_core.catalogue import Catalogue
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_benchmark.queue import scene

MODELS = ("chaos-a", "chaos-b")
#: The least that still leaves room for a busy machine with two cores: a heartbeat may be two seconds late.
QUICK = {
    "lease_s": 3.5,
    "heartbeat_s": 1,
    "sweep_s": 0.3,
    "publish_grace_s": 1,
    "republish_after_s": 3,
    "backoff_s": 0.3,
    "backoff_max_s": 2,
    "grace_s": 4,
    "step_timeout_s": 7,
    # An innocent job may meet several killed workers in a minute; the default of 3 is for a world with fewer of them.
    "max_attempts": 6,
}
#: Attempts of jobs that are known to kill or to block their worker.
FEW_ATTEMPTS = 2
_SIZE = (96, 64)


def chaos_card(name: str) -> ModelCard:
    """A card for the pipeline in `worker_process.py`."""
    return ModelCard(
        name=name,
        title="Chaos",
        summary="Does what the prompt says.",
        family="chaos",
        architecture="none",
        source="none",
        licence="Apache-2.0",
        released=date(2026, 1, 1),
        device="cpu",
        prompt=PromptUse.OPTIONAL,
        deterministic=True,
    )


def chaos_catalogue() -> Catalogue:
    """Both cards."""
    return Catalogue({name: chaos_card(name) for name in MODELS})


def quick(settings: Settings) -> Settings:
    """The same servers, with short times."""
    return settings.model_copy(update={**QUICK, "log_level": "info"})


def pictures(count: int) -> list[Image.Image]:
    """Small pictures, each of its own content."""
    return [scene.photo(*_SIZE, seed) for seed in range(count)]


def marked() -> Image.Image:
    """The mask of all of them."""
    return scene.mask(*_SIZE)
