"""alimama's network and its loop, compared with what is computed here by hand."""

from __future__ import annotations

import copy
import hashlib
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import init_empty_weights
from contract import make_pixels
from diffusers import FluxControlNetPipeline
from inpaint_worker.pipelines.flux_inpaint_controlnet import FluxInpaintControlNetModel
from inpaint_worker.pipelines.flux_inpaint_pipeline import FluxInpaintControlNetPipeline
from PIL import Image
from tiny.flux import CONTROLNET, DEV, write_flux_controlnet

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")
WIDTH, HEIGHT = 96, 64
#: Of the released Beta, as DiffSynth-Studio's table of known checkpoints has it: keys and shapes.
BETA = "52357cb26250681367488a8954c271e8"
PROMPT, NEGATIVE, TOKENS, GUIDANCE, CONTROL = "a red cup", "grey fog", 32, 3.5, 0.9


@pytest.fixture(scope="module")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("controlnet")
    write_flux_controlnet(root)
    net = FluxInpaintControlNetModel.from_pretrained(root / CONTROLNET, dtype=torch.float32)
    made = FluxInpaintControlNetPipeline.from_pretrained(root / DEV, controlnet=net, dtype=torch.float32)
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def scene() -> tuple[Image.Image, Image.Image]:
    """A picture and a mask that keeps to no grid."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[13:41, 21:67] = 255
    mask[50, 3:9] = 255
    return Image.fromarray(make_pixels(WIDTH, HEIGHT)), Image.fromarray(mask)


def test_the_network_has_the_keys_and_shapes_of_the_released_one() -> None:
    with init_empty_weights():
        net = FluxInpaintControlNetModel(num_layers=6, num_single_layers=0, guidance_embeds=True)
    weights = net.state_dict()
    lines = [line for key, value in weights.items() for line in (f"{key}:{'_'.join(map(str, value.shape))}", key)]
    assert len(weights) == 222
    assert hashlib.md5(",".join(sorted(lines)).encode()).hexdigest() == BETA
    assert weights["controlnet_x_embedder.weight"].shape == (3072, 68)


def test_its_configuration_survives_the_disk(tmp_path: Path) -> None:
    folder = write_flux_controlnet(tmp_path)
    net = FluxInpaintControlNetModel.from_pretrained(folder)
    assert net.config.extra_condition_channels == 4 and net.controlnet_x_embedder.in_features == 68


def test_what_the_network_is_told_is_what_was_published(pipe: Any, scene: tuple[Image.Image, Image.Image]) -> None:
    with _watching(pipe.controlnet) as calls:
        _paint(pipe, scene, steps=1)
    told = calls[0]["controlnet_cond"]
    assert told.shape == (1, HEIGHT // 16 * WIDTH // 16, 68)
    np.testing.assert_allclose(told[0].numpy(), _condition_by_hand(pipe, scene), rtol=0, atol=1e-5)


def test_without_true_guidance_it_is_the_loop_of_diffusers(pipe: Any, scene: tuple[Image.Image, Image.Image]) -> None:
    torch.testing.assert_close(_paint(pipe, scene), _paint_with_diffusers(pipe, scene), rtol=0, atol=1e-5)


def test_without_true_guidance_a_step_costs_one_call_of_each(pipe: Any, scene: tuple[Image.Image, Image.Image]) -> None:
    with _watching(pipe.controlnet) as told, _watching(pipe.transformer) as painted:
        _paint(pipe, scene, steps=3)
    assert len(told) == len(painted) == 3


def test_with_true_guidance_the_controlnet_reads_both_prompts(
    pipe: Any, scene: tuple[Image.Image, Image.Image]
) -> None:
    with _watching(pipe.controlnet) as told, _watching(pipe.transformer) as painted:
        _paint(pipe, scene, steps=2, true_guidance=3.5)
    assert len(told) == len(painted) == 4
    for net, model in zip(told, painted, strict=True):
        assert torch.equal(net["encoder_hidden_states"], model["encoder_hidden_states"])
        assert torch.equal(net["pooled_projections"], model["pooled_projections"])
    assert not torch.equal(told[0]["encoder_hidden_states"], told[1]["encoder_hidden_states"])
    for positive, negative in (painted[:2], painted[2:]):
        hints = zip(positive["controlnet_block_samples"], negative["controlnet_block_samples"], strict=True)
        assert not any(torch.equal(one, other) for one, other in hints)


@pytest.mark.parametrize("true_guidance", [1.0, 3.5])
def test_it_paints_what_the_published_loop_paints(
    pipe: Any, scene: tuple[Image.Image, Image.Image], true_guidance: float
) -> None:
    ours, by_hand = _paint(pipe, scene, true_guidance=true_guidance), _paint_by_hand(pipe, scene, true_guidance)
    torch.testing.assert_close(ours, by_hand, rtol=0, atol=2e-5)


def test_diffusers_paints_something_else_with_true_guidance(pipe: Any, scene: tuple[Image.Image, Image.Image]) -> None:
    ours, theirs = _paint(pipe, scene, true_guidance=3.5), _paint_with_diffusers(pipe, scene, true_guidance=3.5)
    assert (ours - theirs).abs().max() > 0.01


def test_it_paints_about_the_same_in_bfloat16(pipe: Any, scene: tuple[Image.Image, Image.Image]) -> None:
    whole = _paint(pipe, scene, true_guidance=2)
    parts = {
        name: copy.deepcopy(part).to(torch.bfloat16) if isinstance(part, torch.nn.Module) else part
        for name, part in pipe.components.items()
    }
    half = FluxInpaintControlNetPipeline(**parts)
    half.set_progress_bar_config(disable=True)
    latents = _paint(half, scene, true_guidance=2)
    assert latents.dtype == torch.bfloat16
    assert (latents.float() - whole).norm() / whole.norm() < 0.05


def test_it_paints_the_same_when_parts_take_turns_on_the_device(
    pipe: Any, scene: tuple[Image.Image, Image.Image]
) -> None:
    whole = _paint(pipe, scene, true_guidance=2)
    turns = FluxInpaintControlNetPipeline(**pipe.components)
    turns.set_progress_bar_config(disable=True)
    turns.enable_model_cpu_offload(device="cpu")
    try:
        assert torch.equal(_paint(turns, scene, true_guidance=2), whole)
    finally:
        turns.remove_all_hooks()


def test_a_picture_of_another_size_is_refused(pipe: Any, scene: tuple[Image.Image, Image.Image]) -> None:
    for width, height in ((WIDTH, HEIGHT + 16), (WIDTH + 8, HEIGHT)):
        with pytest.raises(ValueError, match="in multiples of 16"):
            pipe(PROMPT, *scene, width=width, height=height)


def _arguments(steps: int, true_guidance: float) -> dict[str, Any]:
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "negative_prompt": NEGATIVE,
        "num_inference_steps": steps,
        "guidance_scale": GUIDANCE,
        "controlnet_conditioning_scale": CONTROL,
        "true_cfg_scale": true_guidance,
        "max_sequence_length": TOKENS,
        "generator": torch.Generator().manual_seed(5),
        "output_type": "latent",
    }


def _paint(pipe: Any, scene: tuple[Image.Image, Image.Image], steps: int = 4, true_guidance: float = 1) -> torch.Tensor:
    latents: torch.Tensor = pipe(PROMPT, *scene, **_arguments(steps, true_guidance)).images
    return latents


def _paint_with_diffusers(
    pipe: Any, scene: tuple[Image.Image, Image.Image], steps: int = 4, true_guidance: float = 1
) -> torch.Tensor:
    """diffusers' own pipeline, with the mask's tokens added on their way into the network."""
    image, mask = scene
    black = np.where(np.asarray(mask)[..., None] > 127, np.uint8(0), np.asarray(image))
    tokens = torch.from_numpy(_mask_by_hand(mask))[None]

    def add_mask(_net: Any, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, {**named, "controlnet_cond": torch.cat([named["controlnet_cond"], tokens], dim=-1)}

    theirs = FluxControlNetPipeline(**{name: part for name, part in pipe.components.items() if name != "union"})
    theirs.set_progress_bar_config(disable=True)
    handle = pipe.controlnet.register_forward_pre_hook(add_mask, with_kwargs=True)
    try:
        latents: torch.Tensor = theirs(
            PROMPT, control_image=Image.fromarray(black), **_arguments(steps, true_guidance)
        ).images
    finally:
        handle.remove()
    return latents


@torch.no_grad()
def _paint_by_hand(
    pipe: Any, scene: tuple[Image.Image, Image.Image], true_guidance: float, steps: int = 4
) -> torch.Tensor:
    """alimama's loop: both prompts in one batch, through the network and through the transformer."""
    generator = torch.Generator().manual_seed(5)
    told = torch.from_numpy(_condition_by_hand(pipe, scene, generator))[None]
    noise = torch.randn((1, 16, HEIGHT // 8, WIDTH // 8), generator=generator)
    latents = torch.from_numpy(_tokens(noise[0].numpy()))[None]
    rows, columns = HEIGHT // 16, WIDTH // 16
    places = torch.tensor([[0.0, row, column] for row in range(rows) for column in range(columns)])
    texts = [pipe.encode_prompt(text, max_sequence_length=TOKENS) for text in (NEGATIVE, PROMPT)]
    words, pooled = (torch.cat([text[part] for text in texts]) for part in (0, 1))
    # FLUX's shift: from 0.5 at 256 tokens to 1.15 at 4096.
    shift = math.exp(0.5 + (1.15 - 0.5) * (rows * columns - 256) / (4096 - 256))
    plain = np.linspace(1, 1 / steps, steps)
    sigmas = [*(shift / (shift + 1 / plain - 1)), 0.0]
    for now, then in itertools.pairwise(sigmas):
        given = {
            "hidden_states": torch.cat([latents, latents]),
            "timestep": torch.tensor([now, now], dtype=torch.float32),
            "guidance": torch.tensor([GUIDANCE, GUIDANCE]),
            "encoder_hidden_states": words,
            "pooled_projections": pooled,
            "txt_ids": torch.zeros(TOKENS, 3),
            "img_ids": places,
        }
        hints = pipe.controlnet(controlnet_cond=torch.cat([told, told]), conditioning_scale=CONTROL, **given)
        both = pipe.transformer(controlnet_block_samples=hints.controlnet_block_samples, **given).sample
        away, towards = both.chunk(2)
        latents = latents + (then - now) * (away + true_guidance * (towards - away))
    return latents


def _condition_by_hand(
    pipe: Any, scene: tuple[Image.Image, Image.Image], generator: torch.Generator | None = None
) -> np.ndarray[Any, Any]:
    image, mask = scene
    picture = np.asarray(image, np.float32) / 127.5 - 1
    picture[np.asarray(mask) > 127] = -1
    with torch.no_grad():
        encoded = pipe.vae.encode(torch.from_numpy(picture).permute(2, 0, 1)[None]).latent_dist
    sample = encoded.sample(generator or torch.Generator().manual_seed(5))[0].numpy()
    return np.concatenate([_tokens((sample - 0.1159) * 0.3611), _mask_by_hand(mask)], axis=1)


def _mask_by_hand(mask: Image.Image) -> np.ndarray[Any, Any]:
    """1 = kept, looked up at the upper left pixel of each 8 x 8."""
    return _tokens((np.asarray(mask)[None, ::8, ::8] <= 127).astype(np.float32))


def _tokens(channels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """C x h x w, written out token for token."""
    count, height, width = channels.shape
    return np.array(
        [
            [channels[c, y + dy, x + dx] for c in range(count) for dy in (0, 1) for dx in (0, 1)]
            for y in range(0, height, 2)
            for x in range(0, width, 2)
        ]
    )


@contextmanager
def _watching(model: torch.nn.Module) -> Iterator[list[dict[str, Any]]]:
    """What a model is called with."""
    calls: list[dict[str, Any]] = []
    handle = model.register_forward_pre_hook(lambda _model, _args, named: calls.append(named), with_kwargs=True)
    try:
        yield calls
    finally:
        handle.remove()
