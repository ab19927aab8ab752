"""Guidance for some of the steps, beside what diffusers' documentation says to do, and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract import paint
from inpaint_core.tiers import Tier
from inpaint_worker.pipelines.guidance_limit import GuidanceLimit
from inpaint_worker.pipelines.runtime import generator
from PIL import Image
from tiered import MODELS, edit_of, load

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")


def test_it_paints_what_a_callback_paints_that_ends_guidance_in_diffusers_way(tmp_path: Path) -> None:
    model = MODELS["sd2"]
    model.write(tmp_path)
    pipeline = load(model, tmp_path)
    edit = edit_of(model, pipeline, Tier.FAST)
    halved = ("prompt_embeds", "mask", "masked_image_latents")

    def end(pipe: Any, index: int, _timestep: Any, told: dict[str, Any]) -> dict[str, Any]:
        if index == 2:  # of five, the third
            pipe._guidance_scale = 0.0
            return {**told, **{name: told[name].chunk(2)[-1] for name in halved}}
        return told

    pipeline.pipe._callback_tensor_inputs = [*pipeline.pipe._callback_tensor_inputs, *halved]
    with torch.inference_mode():
        image, mask = Image.fromarray(edit.image), Image.fromarray(edit.region.astype(np.uint8) * 255)
        made = pipeline.pipe(
            **pipeline.arguments(edit, image, mask),
            height=edit.image.shape[0],
            width=edit.image.shape[1],
            generator=generator(edit.seed),
            callback_on_step_end=end,
            callback_on_step_end_tensor_inputs=["latents", *halved],
        ).images[0]
    assert np.array_equal(paint(pipeline, edit), np.asarray(made))


class Network:
    """Says twice what it sees, and counts pictures."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, sample: torch.Tensor, step: torch.Tensor, **named: Any) -> tuple[Any, ...]:
        rows = [len(part) for part in (sample, named["text"], *named["more"]["parts"])]
        assert set(rows) == {len(sample)} and named["scale"].ndim == 0 and len(named["ids"]) == 3
        self.seen.append(len(sample))
        return (sample * 2, [named["text"] + 1])


def _ask(limit: GuidanceLimit, network: Network, batch: int) -> Any:
    pictures = torch.arange(batch, dtype=torch.float32).reshape(batch, 1) + 1
    named = {
        "text": pictures * 10, "more": {"parts": [pictures, pictures]}, "scale": torch.tensor(2.0), "ids": [1, 2, 3],
    }  # fmt: skip
    return limit.ask("unet", network, (pictures, torch.tensor(7)), named)


def test_both_halves_of_a_batch_are_then_what_is_said_of_the_prompt() -> None:
    network, spared = Network(), list[tuple[str, int]]()
    limit = GuidanceLimit(0.3, 4, lambda name, count: spared.append((name, count)))  # 1.2 steps: two
    said = []
    for _ in range(4):
        said.append(_ask(limit, network, 2))
        limit.step_done()
    assert network.seen == [2, 2, 1, 1] and spared == [("unet", 1)] * 2
    assert said[1][0].tolist() == [[2], [4]] and said[1][1][0].tolist() == [[11], [21]]
    assert said[2][0].tolist() == [[4], [4]] and said[2][1][0].tolist() == [[21], [21]]


def test_a_second_call_in_a_step_is_then_answered_as_the_first() -> None:
    network, spared = Network(), list[tuple[str, int]]()
    limit = GuidanceLimit(0.5, 2, lambda name, count: spared.append((name, count)))
    for _ in range(2):
        first, second = _ask(limit, network, 1), _ask(limit, network, 1)
        assert (first is second) is (limit._done == 1)
        limit.step_done()
    assert network.seen == [1, 1, 1] and spared == [("unet", 1)]


@pytest.mark.parametrize("name", ["sd2", "controlnet", "qwen-unguided"])
def test_where_there_is_no_guidance_nothing_is_left_out(name: str, tmp_path: Path) -> None:
    model = MODELS["controlnet-true-guidance" if name == "controlnet" else name]
    model.write(tmp_path)
    pipeline = load(model, tmp_path)
    off = {"true_guidance": 1} if name == "controlnet" else {"guidance": 1}
    edits = [edit_of(model, pipeline, tier, parameters=off) for tier in (Tier.EXACT, Tier.TURBO)]
    assert np.array_equal(paint(pipeline, edits[0]), paint(pipeline, edits[1]))
    assert pipeline.work is not None and pipeline.work.computed == pipeline.work.passes
