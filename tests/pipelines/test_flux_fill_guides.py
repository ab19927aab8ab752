"""What Redux and the ControlNet of FLUX Fill are told and say, beside diffusers and what is made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract import make_pixels
from diffusers import FluxControlNetModel, FluxPriorReduxPipeline
from inpaint_core.guides import ControlType
from inpaint_worker.pipelines.base import Control
from inpaint_worker.pipelines.flux_fill_pipeline import GuidedFluxFillPipeline
from inpaint_worker.pipelines.flux_union import ControlImage, control_image
from PIL import Image
from tiny.flux import FILL, REDUX, UNION, write_flux_fill, write_redux, write_union

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")
WIDTH, HEIGHT, TOKENS = 96, 64, 32
PROMPT = "a red cup"
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[16:48, 32:64] = 255
SCENE = Image.fromarray(make_pixels(WIDTH, HEIGHT)), Image.fromarray(MASK)
LINES = ControlImage(Image.fromarray(make_pixels(WIDTH, HEIGHT, seed=5)), 0.7, 1.0)
PICTURE = Image.fromarray(make_pixels(50, 30, seed=6))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flux")
    for write in (write_flux_fill, write_redux, write_union):
        write(folder)
    return folder


@pytest.fixture(scope="module")
def fill(root: Path) -> Any:
    redux = FluxPriorReduxPipeline.from_pretrained(root / REDUX, dtype=torch.float32)
    union = FluxControlNetModel.from_pretrained(root / UNION, dtype=torch.float32)
    made = GuidedFluxFillPipeline.from_pretrained(
        root / FILL,
        dtype=torch.float32,
        controlnet=union,
        image_encoder=redux.image_encoder,
        image_embedder=redux.image_embedder,
        feature_extractor=redux.feature_extractor,
    )
    made.set_progress_bar_config(disable=True)
    return made


def test_redux_adds_the_tokens_that_diffusers_adds(fill: Any) -> None:
    prior = FluxPriorReduxPipeline(
        **{part: fill.components[part] for part in ("image_encoder", "feature_extractor", "image_embedder")},
        **{part: fill.components[part] for part in ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")},
    )
    wanted = prior(PICTURE, prompt=PROMPT)
    words = wanted.prompt_embeds.shape[1] - 16
    with watching(fill.transformer) as calls:
        _fill(fill, reference=PICTURE, max_sequence_length=words)
        _fill(fill, reference=PICTURE, reference_strength=0.25, max_sequence_length=words)
        _fill(fill, max_sequence_length=words)
    whole, quarter, plain = (call["encoder_hidden_states"] for call in calls)
    assert torch.equal(whole, wanted.prompt_embeds)
    assert torch.equal(calls[0]["pooled_projections"], wanted.pooled_prompt_embeds)
    assert torch.equal(quarter[:, :words], whole[:, :words])
    assert torch.equal(quarter[:, words:], whole[:, words:] / 4)
    assert torch.equal(plain, whole[:, :words])
    assert calls[0]["txt_ids"].shape == (words + 16, 3) and not calls[0]["txt_ids"].any()


def test_the_control_net_of_fill_reads_what_it_was_trained_with(fill: Any) -> None:
    with watching(fill.transformer) as seen, watching(fill.controlnet) as told:
        _fill(fill, control=LINES, reference=PICTURE, guidance_scale=30)
    call = told[0]
    assert seen[0]["hidden_states"].shape[-1] == 384
    assert torch.equal(call["hidden_states"], seen[0]["hidden_states"][..., :64])
    assert call["guidance"].tolist() == [3.5] and seen[0]["guidance"].tolist() == [30]
    assert call["conditioning_scale"] == 0.7
    for name in ("timestep", "encoder_hidden_states", "pooled_projections", "txt_ids", "img_ids"):
        assert torch.equal(call[name], seen[0][name])
    np.testing.assert_allclose(call["controlnet_cond"][0].numpy(), condition_by_hand(fill), rtol=0, atol=1e-5)


def test_what_the_control_net_says_is_added_in_fill(fill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, Any]] = []
    forward = fill.transformer.forward
    monkeypatch.setattr(fill.transformer, "forward", lambda **named: (got.append(named), forward(**named))[1])
    with watching(fill.controlnet) as told:
        _fill(fill, control=LINES)
    with torch.no_grad():
        unscaled = fill.controlnet(**{**told[0], "conditioning_scale": 1.0})[0]
    for hint, said in zip(got[0]["controlnet_block_samples"], unscaled, strict=True):
        torch.testing.assert_close(hint, said * 0.7)
    assert got[0]["controlnet_single_block_samples"] is None


@pytest.mark.parametrize(("kind", "bound"), [(ControlType.CANNY, 8), (ControlType.DEPTH, 8), (ControlType.POSE, 6)])
def test_a_control_image_binds_the_first_of_the_steps(fill: Any, kind: ControlType, bound: int) -> None:
    given = control_image(Control(make_pixels(WIDTH, HEIGHT), kind, 0.7))
    with watching(fill.controlnet) as told:
        _fill(fill, control=given, num_inference_steps=10)
    assert len(told) == bound
    assert told[0]["timestep"] == 1


def test_nothing_of_the_control_image_stays_on_fill(fill: Any) -> None:
    before = _fill(fill)
    _fill(fill, control=LINES)
    assert not fill.transformer._forward_pre_hooks
    with watching(fill.controlnet) as told:
        assert torch.equal(_fill(fill), before)
    assert not told


def test_a_control_image_of_another_size_is_refused(fill: Any) -> None:
    small = ControlImage(Image.new("RGB", (WIDTH, HEIGHT - 16)), 0.7, 1.0)
    with pytest.raises(ValueError, match="must be as large as the picture"):
        _fill(fill, control=small)


def _fill(pipe: Any, **named: Any) -> torch.Tensor:
    given: dict[str, Any] = {"num_inference_steps": 1, "max_sequence_length": TOKENS, **named}
    image, mask = SCENE
    generator = torch.Generator().manual_seed(5)
    latents: torch.Tensor = pipe(
        PROMPT,
        image=image,
        mask_image=mask,
        width=WIDTH,
        height=HEIGHT,
        generator=generator,
        output_type="latent",
        **given,
    ).images
    return latents


def condition_by_hand(pipe: Any) -> np.ndarray[Any, Any]:
    """The control image's encoding, token for token."""
    pixels = torch.from_numpy(np.asarray(LINES.image, np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.no_grad():
        mean = pipe.vae.encode(pixels).latent_dist.mean[0].numpy()
    channels = (mean - 0.1159) * 0.3611
    return np.array(
        [
            [channels[c, y + dy, x + dx] for c in range(16) for dy in (0, 1) for dx in (0, 1)]
            for y in range(0, HEIGHT // 8, 2)
            for x in range(0, WIDTH // 8, 2)
        ]
    )


@contextmanager
def watching(model: torch.nn.Module) -> Iterator[list[dict[str, Any]]]:
    """What a model is called with."""
    calls: list[dict[str, Any]] = []
    handle = model.register_forward_pre_hook(lambda _model, _args, named: calls.append(named), with_kwargs=True)
    try:
        yield calls
    finally:
        handle.remove()
