"""Weights of 8 bits: which layers get them, what their products are, and where they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from contract import make_pixels, make_region, paint, small_card
from inpaint_core.errors import DeviceTooSmall
from inpaint_core.settings import load_settings
from inpaint_core.tiers import Tier
from inpaint_worker.pipelines import Edit, build_pipeline, fp8
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.pipelines.fp8 import Fp8Linear, narrowed, quantise
from inpaint_worker.pipelines.runtime import choose_runtime
from tiny.flux import write_flux_controlnet, write_flux_fill
from tiny.flux2 import write_flux2_klein
from tiny.qwen_image import write_qwen_image
from tiny.z_image import write_z_image

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")
MODELS = {
    "flux-1-fill-dev": write_flux_fill,
    "flux-1-dev-controlnet-inpainting-beta": write_flux_controlnet,
    "flux-2-klein-4b": write_flux2_klein,
    "z-image-turbo-inpainting": write_z_image,
    "qwen-image-inpainting": write_qwen_image,
}
#: Wide enough for tiny models to have such layers.
_TINY = 16


def _layer(inputs: int, outputs: int, *, bias: bool = True) -> torch.nn.Linear:
    torch.manual_seed(0)
    layer = torch.nn.Linear(inputs, outputs, bias=bias, dtype=torch.bfloat16)
    # Outputs of very different sizes, as trained weights have them.
    layer.weight.data *= torch.logspace(-3, 2, outputs, dtype=torch.bfloat16)[:, None]
    return layer


def test_numbers_of_8_bits_are_as_near_as_3_bits_of_a_fraction_can_be() -> None:
    rows = torch.randn(64, 256) * torch.logspace(-6, 6, 64)[:, None]
    narrow, scale = narrowed(rows)
    assert narrow.dtype is torch.float8_e4m3fn and scale.shape == (64, 1) and scale.dtype is torch.float32
    back = narrow.float() * scale
    large = rows.abs() > rows.abs().amax(-1, keepdim=True) * 2**-14  # smaller ones are not normal numbers any more
    assert ((back - rows).abs() <= rows.abs() * 2**-4 * 1.001)[large].all()
    assert torch.equal(narrow.float().abs().amax(-1), torch.full((64,), 448.0))


@pytest.mark.parametrize("rows", [torch.zeros(2, 16), torch.full((2, 16), 3e38), torch.full((2, 16), 1e-38)])
def test_nothing_huge_and_tiny_are_numbers_still(rows: torch.Tensor) -> None:
    narrow, scale = narrowed(rows)
    assert torch.isfinite(narrow.float() * scale).all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(256,), (7, 256), (2, 33, 256)])
def test_a_layer_says_what_the_whole_one_says_but_for_the_bits(shape: tuple[int, ...], bias: bool) -> None:
    whole = _layer(256, 512, bias=bias)
    narrow = Fp8Linear(whole, "cpu")
    assert narrow.weight.dtype is torch.float8_e4m3fn and narrow.weight.shape == (512, 256)
    assert sum(part.nbytes for part in narrow.buffers()) < 0.52 * sum(part.nbytes for part in whole.parameters())
    tokens = torch.randn(shape, dtype=torch.bfloat16)
    said, exact = narrow(tokens), whole(tokens)
    assert said.shape == exact.shape and said.dtype is exact.dtype
    # Each output by itself: a scale for the whole weight would lose the small ones.
    error = (said - exact).float().reshape(-1, 512).pow(2).mean(0).sqrt()
    size = exact.float().reshape(-1, 512).pow(2).mean(0).sqrt()
    assert (error / size).median() < 0.08


def test_tokens_are_measured_one_by_one() -> None:
    narrow = Fp8Linear(_layer(256, 256), "cpu")
    small = torch.randn(1, 256, dtype=torch.bfloat16)
    beside = torch.cat([small, small * 1e4])
    assert torch.equal(narrow(small), narrow(beside)[:1])


class FluxTransformerBlock(torch.nn.Module):
    """By its name a block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = torch.nn.ModuleDict({"linear": torch.nn.Linear(256, 1536)})
        self.img_mod = torch.nn.Sequential(torch.nn.SiLU(), torch.nn.Linear(256, 1536))
        self.adaLN_modulation = torch.nn.Sequential(torch.nn.Linear(256, 1024))
        self.attn = torch.nn.ModuleDict({"to_q": torch.nn.Linear(256, 256), "norm_q": torch.nn.LayerNorm(256)})
        self.ff = torch.nn.ModuleList([torch.nn.Linear(256, 1024), torch.nn.GELU(), torch.nn.Linear(1024, 256)])
        self.narrow = torch.nn.Linear(256, 240)
        self.odd = torch.nn.Linear(256, 264)


class Transformer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.x_embedder = torch.nn.Linear(384, 256)
        self.transformer_blocks = torch.nn.ModuleList([FluxTransformerBlock(), FluxTransformerBlock()])
        self.proj_out = torch.nn.Linear(256, 512)


def test_large_layers_of_blocks_are_quantised_and_nothing_else() -> None:
    network = Transformer()
    assert quantise(network, "cpu") == 6
    found = {name for name, module in network.named_modules() if isinstance(module, Fp8Linear)}
    assert found == {f"transformer_blocks.{block}.{name}" for block in (0, 1) for name in ("attn.to_q", "ff.0", "ff.2")}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_paints_nearly_the_same_picture(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fp8, "_SMALLEST", _TINY)
    MODELS[name](tmp_path)
    whole, eight = (_loaded(name, tmp_path, quantisation) for quantisation in (None, "fp8"))
    layers = [layer for layer in eight.pipe.transformer.modules() if isinstance(layer, Fp8Linear)]
    assert len(layers) >= 4
    assert eight.pipe.transformer.dtype is torch.bfloat16
    assert eight.described()["quantisation"] == "fp8"
    assert not [layer for layer in whole.pipe.transformer.modules() if isinstance(layer, Fp8Linear)]
    exact, painted = paint(whole, _edit(whole)), paint(eight, _edit(eight))
    assert not np.array_equal(painted, exact)
    assert np.abs(painted.astype(int) - exact.astype(int)).mean() < 3
    assert np.array_equal(paint(eight, _edit(eight)), painted)


def test_a_quicker_tier_of_8_bits_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fp8, "_SMALLEST", _TINY)
    write_flux_fill(tmp_path)
    pipeline = _loaded("flux-1-fill-dev", tmp_path, "fp8")
    exact = paint(pipeline, _edit(pipeline))
    paint(pipeline, _edit(pipeline, tier=Tier.TURBO))
    assert pipeline.work is not None
    assert np.array_equal(paint(pipeline, _edit(pipeline)), exact)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Have torch tell of a GPU of this compute capability."""

    def seems(major: int, minor: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (major, minor))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA Example")
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (80_000_000_000, 80_000_000_000))

    return seems


@pytest.mark.parametrize("capability", [(8, 9), (9, 0), (10, 0), (12, 0)])
def test_gpus_that_multiply_8_bits_are_taken(gpu: Callable[[int, int], None], capability: tuple[int, int]) -> None:
    gpu(*capability)
    card = small_card("flux-1-fill-dev", quantisation="fp8")
    assert choose_runtime(card, load_settings()).device == "cuda"


@pytest.mark.parametrize("capability", [(8, 0), (8, 6), (7, 5)])
def test_others_are_refused_before_anything_is_read(
    gpu: Callable[[int, int], None], capability: tuple[int, int], tmp_path: Path
) -> None:
    gpu(*capability)
    have = ".".join(map(str, capability))
    card = small_card("flux-1-fill-dev", quantisation="fp8")
    pipeline = build_pipeline(card, load_settings(weights_dir=tmp_path / "nothing"))
    with pytest.raises(
        DeviceTooSmall, match=rf"compute capability 8\.9 or more .* NVIDIA Example has {have}"
    ) as caught:
        pipeline.load()
    assert caught.value.facts["need_capability"] == "8.9" and caught.value.facts["have_capability"] == have
    assert choose_runtime(small_card("flux-1-fill-dev"), load_settings()).device == "cuda"


def _loaded(name: str, root: Path, quantisation: str | None) -> DiffusersPipeline:
    card = small_card(name, quantisation=quantisation, **({} if quantisation else {"dtype": "bfloat16"}))
    pipeline = build_pipeline(card, load_settings(device="cpu", weights_dir=root))
    assert isinstance(pipeline, DiffusersPipeline)
    pipeline.load()
    return pipeline


def _edit(pipeline: DiffusersPipeline, tier: Tier = Tier.EXACT) -> Edit:
    parameters = pipeline.card.resolve({"steps": 3, "prompt_tokens": 64})
    return Edit(make_pixels(), make_region(), seed=1, prompt="a red cup", parameters=parameters, tier=tier)
