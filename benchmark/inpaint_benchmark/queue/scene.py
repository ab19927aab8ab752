"""What the measurements share: a database, a picture, a model card that is in no catalogue."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from typing import Literal

import numpy as np
from inpaint_core.card import ModelCard, PromptUse
from inpaint_core.catalogue import Catalogue
from inpaint_core.settings import Settings, as_environment
from PIL import Image, ImageDraw

Kind = Literal["noop", "sleep"]


def bench_card(kind: Kind) -> ModelCard:
    """A card for a pipeline that the benchmark brings along."""
    return ModelCard(
        name=f"bench-{kind}",
        title="Benchmark",
        summary="Returns the picture as it is, at once or after a while.",
        family="bench",
        architecture="none",
        source="none",
        licence="Apache-2.0",
        released=date(2026, 1, 1),
        device="cpu",
        prompt=PromptUse.IGNORED,
        deterministic=True,
    )


def bench_catalogue() -> Catalogue:
    """Both benchmark cards."""
    return Catalogue({card.name: card for card in (bench_card("noop"), bench_card("sleep"))})


def photo(width: int, height: int, seed: int) -> Image.Image:
    """A picture whose PNG is about as large as a photo's: smooth shapes under sensor noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 215, (height // 64 + 1, width // 64 + 1, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    noise = rng.normal(0, 3, smooth.shape).astype(np.int16)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def mask(width: int, height: int) -> Image.Image:
    """A white box over a sixteenth of the picture."""
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).rectangle((width // 4, height // 4, width // 2 - 1, height // 2 - 1), fill=255)
    return image


def child_environment(settings: Settings) -> Mapping[str, str]:
    """The environment of a child process: ours, with these settings."""
    return {**os.environ, **as_environment(settings)}
