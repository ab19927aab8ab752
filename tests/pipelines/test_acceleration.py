"""What makes a model quicker: one call of its networks computes what it did before, but for rounding.

Where something is compiled, torch's inductor would take a minute for each of these. What can go wrong here is in the
graph that it gets: `aot_eager` makes the same graph and runs it as it is. Inductor itself is in `test_compiling.py`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerated import SD2, SDXL, WRITERS, autoencoder, denoiser, first_call, load_small, relative_error, tensor
from contract import PipelineContract, Stopped, make_pixels, paint, small_card
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import acceleration_compiling as compiling
from inpaint_worker.pipelines.acceleration_layout import halve
from inpaint_worker.pipelines.acceleration_projections import fuse_projections
from inpaint_worker.pipelines.diffusers import DiffusersPipeline

pytestmark = [
    # Torch's compiler, on being imported; diffusers, of its own use of itself.
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a .functools.lru_cache:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning"),
]
#: A rounding to float32 is an error of 6e-8. They add up like a random walk over the hundreds of operations of a tiny
#: network; a wrong weight or a wrong order would be an error near 1.
CLOSE = 2e-5
#: To bfloat16.
ROUNDING = 4e-3
#: How many modules are compiled of which parts, for the word `compile`.
BLOCKS: dict[str, dict[str, int]] = {
    SD2: {"unet": 4},
    SDXL: {"unet": 8},
    "sd3-controlnet-inpainting": {"transformer": 2, "controlnet": 2},
    "flux-1-fill-dev": {"transformer": 2},
    "flux-1-dev-controlnet-inpainting-beta": {"transformer": 2, "controlnet": 1},
    "flux-2-klein-4b": {"transformer": 2},
    "z-image-turbo-inpainting": {"transformer": 8, "controlnet": 8},
    "qwen-image-inpainting": {"transformer": 2, "controlnet": 1},
}
#: Words that can be computed with here: kernels of attention other than torch's own are the GPU's.
HERE = ("compile", "compile-whole", "fuse-qkv", "channels-last", "attention=native")
OFFERED = [(name, word) for name in WRITERS for word in HERE if word in small_card(name).accelerations]
#: Those in which something is compiled in every run of the tests: a U-Net, and a transformer. It takes long.
COMPILED = (SD2, "flux-1-fill-dev")
FUSED = [name for name, word in OFFERED if word == "fuse-qkv"]


@pytest.fixture(autouse=True)
def _quick_compiler(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(compiling, "_BACKEND", "aot_eager")
    # Thousands of records for each graph, which pytest would keep.
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    yield
    torch.compiler.reset()


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {}


@pytest.fixture
def root(roots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The weights of the model `name`, written once."""
    name: str = request.getfixturevalue("name")
    if name not in roots:
        roots[name] = tmp_path_factory.mktemp("weights")
        WRITERS[name](roots[name])
    return roots[name]


def quick(pipeline: DiffusersPipeline, **changes: Any) -> Any:
    """An edit of few steps."""
    steps = {"steps": 2, "prior_steps": 2}
    edit = PipelineContract().edit(pipeline)
    known = {key: value for key, value in steps.items() if key in pipeline.card.parameters}
    return replace(edit, parameters=pipeline.card.resolve(known), **changes)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param(*each, marks=() if "compile" not in each[1] or each[0] in COMPILED else pytest.mark.thorough)
        for each in OFFERED
    ],
)
def test_one_call_computes_the_same(name: str, word: str, root: Path) -> None:
    plain, quicker = load_small(name, root), load_small(name, root, word)
    with first_call(denoiser(plain)) as calls:
        paint(plain, quick(plain))
    ((args, told, exact),) = calls
    with torch.inference_mode():
        assert exact.std() > 0
        assert relative_error(tensor(denoiser(quicker)(*args, **told)), exact) < CLOSE
        # In bfloat16 plain networks err as well; a quicker one hardly more.
        args, told = torch.utils._pytree.tree_map_only(torch.Tensor, _halved, (args, told))
        half, found = (tensor(denoiser(each).to(torch.bfloat16)(*args, **told)) for each in (plain, quicker))
    assert found.dtype == torch.bfloat16
    assert relative_error(found, exact) < 1.5 * relative_error(half, exact) + ROUNDING


def _halved(one: torch.Tensor) -> torch.Tensor:
    return one.to(torch.bfloat16) if one.is_floating_point() and one.ndim > 1 else one


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in COMPILED else pytest.mark.thorough) for name in WRITERS]
)
def test_a_whole_edit_is_nearly_the_same_and_the_same_again(name: str, root: Path) -> None:
    able = small_card(name).accelerations
    words = ",".join(word for word in ("fuse-qkv", "channels-last", "attention=native") if word in able)
    compiled = "compile" if "compile" in able else "compile-whole"
    plain, quicker = load_small(name, root), load_small(name, root, f"{words},{compiled}")
    exact, found = paint(plain, quick(plain)), paint(quicker, quick(quicker))
    assert np.abs(found.astype(int) - exact.astype(int)).max() <= 1
    with pytest.raises(Stopped):
        quicker.run(quick(quicker, seed=7, prompt="another"), _stop)
    assert paint(quicker, quick(quicker, save_memory=True)).shape == found.shape
    assert np.array_equal(paint(quicker, quick(quicker)), found)
    # What is quicker in one model is nothing to another in the same process.
    assert np.array_equal(paint(plain, quick(plain)), exact)


@pytest.mark.parametrize("name", WRITERS)
def test_a_plain_model_is_plain(name: str, root: Path) -> None:
    pipeline = load_small(name, root, "auto")
    assert pipeline.described()["acceleration"] == "none"
    for net in (denoiser(pipeline), autoencoder(pipeline)):
        assert not any(compiling.is_compiled(module) for module in net.modules())
        assert not any(getattr(module, "fused_projections", False) for module in net.modules())
        assert not any(_is_channels_last(module) for module in net.modules())
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}


def _is_channels_last(module: torch.nn.Module) -> bool:
    """Told by a kernel of more than one point: others lie the same either way."""
    return (
        isinstance(module, torch.nn.Conv2d)
        and module.kernel_size != (1, 1)
        and module.weight.shape[1] > 1
        and module.weight.is_contiguous(memory_format=torch.channels_last)
    )


# --- compiled ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BLOCKS)
def test_the_blocks_that_repeat_are_compiled(name: str, root: Path) -> None:
    pipeline = load_small(name, root, "compile")
    for part, count in BLOCKS[name].items():
        net = getattr(pipeline.pipe, part)
        assert not compiling.is_compiled(net)
        assert sum(compiling.is_compiled(module) for module in net.modules()) == count


@pytest.mark.parametrize("name", [name for name, word in OFFERED if word == "compile-whole"])
def test_compiled_as_a_whole_a_control_net_is_so_block_by_block(name: str, root: Path) -> None:
    pipeline = load_small(name, root, "compile-whole")
    assert compiling.is_compiled(denoiser(pipeline))
    net = getattr(pipeline.pipe, "controlnet", None)
    assert net is None or not compiling.is_compiled(net)
    assert net is None or any(compiling.is_compiled(module) for module in net.modules())


@pytest.mark.parametrize("how", ["compile", "compile-whole"])
@pytest.mark.parametrize("name", [SD2])
def test_hooks_of_a_compiled_network_are_heeded_whenever_they_come(name: str, how: str, root: Path) -> None:
    pipeline = load_small(name, root, how)
    net, edit = denoiser(pipeline), quick(pipeline)
    before = paint(pipeline, edit)
    hook = net.register_forward_pre_hook(lambda _net, args: (args[0] * 0, *args[1:]))
    assert not np.array_equal(paint(pipeline, edit), before)
    hook.remove()
    assert np.array_equal(paint(pipeline, edit), before)


@pytest.mark.parametrize("name", ["flux-1-fill-dev"])
def test_what_chooses_among_blocks_finds_a_network_that_is_not_compiled_as_a_whole(name: str, root: Path) -> None:
    pipeline = load_small(name, root, "compile-whole")
    net, compiled = denoiser(pipeline), []
    net.compiled_whole._compiled = lambda *_args, **_told: compiled.append(True)
    with compiling.in_blocks(net):
        assert paint(pipeline, quick(pipeline)).std() > 0 and not compiled
    with pytest.raises(TypeError):  # what it gives now is None
        paint(pipeline, quick(pipeline))
    assert compiled


def test_results_of_a_cuda_graph_are_copied_before_the_next_call_overwrites_them() -> None:
    static = torch.zeros(3)

    def replay(number: float) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        static.fill_(number)
        return static, {"sample": static}

    call = compiling.graphed(replay)
    first = call(1.0)
    call(2.0)
    assert first[0].tolist() == first[1]["sample"].tolist() == [1, 1, 1]


def test_graphs_are_given_up_where_memory_did_not_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS[SD2](tmp_path)
    pipeline = load_small(SD2, tmp_path)
    forgotten: list[bool] = []
    monkeypatch.setattr("inpaint_worker.pipelines.diffusers.forget_graphs", lambda: forgotten.append(True))
    assert pipeline.runtime is not None
    for compiled, times in (("compile", 0), ("cuda-graphs", 1)):
        held = replace(pipeline.runtime.acceleration, compiling=compiled)
        pipeline.runtime = replace(pipeline.runtime, acceleration=held)
        with pytest.raises(Exception, match="ran out of GPU memory"):
            pipeline.run(quick(pipeline), _out_of_memory)
        assert len(forgotten) == times


def _out_of_memory(_done: int, _total: int) -> None:
    raise torch.OutOfMemoryError


# --- fused ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUSED)
def test_fused_projections_take_the_place_of_those_that_they_were_made_of(name: str, root: Path) -> None:
    plain, fused = load_small(name, root), load_small(name, root, "fuse-qkv")
    assert fused.described()["acceleration"] == "fuse-qkv"
    for part in ("transformer", "unet", "controlnet"):
        net, other = getattr(fused.pipe, part, None), getattr(plain.pipe, part, None)
        if net is None:
            continue
        assert _bytes(net) == _bytes(other)
        modules = [module for module in net.modules() if hasattr(module, "to_qkv")]
        assert modules and not any(hasattr(module, left) for module in modules for left in ("to_q", "to_k", "to_v"))
        joint = [module for module in modules if hasattr(module, "to_added_qkv")]
        assert not any(hasattr(module, "add_q_proj") for module in joint)
        assert fuse_projections(net) == 0  # once is enough


def _bytes(net: torch.nn.Module) -> int:
    return sum(parameter.nbytes for parameter in net.parameters())


# --- autoencoders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, word in OFFERED if word == "channels-last"])
def test_an_autoencoder_in_another_layout_encodes_and_decodes_the_same(name: str, root: Path) -> None:
    plain, quicker = load_small(name, root), load_small(name, root, "channels-last")
    assert any(_is_channels_last(module) for module in autoencoder(quicker).modules())
    exact, found = (_encoded_and_decoded(autoencoder(each)) for each in (plain, quicker))
    for one, other in zip(found, exact, strict=True):
        # Sums in another order, through more layers than a denoiser's, each made small or large by a norm of its own.
        assert relative_error(one, other) < 10 * CLOSE


def test_sdxl_autoencoder_in_bfloat16_takes_and_gives_float32(tmp_path: Path) -> None:
    WRITERS[SDXL](tmp_path)
    plain, half = load_small(SDXL, tmp_path), load_small(SDXL, tmp_path, "half-vae")
    exact, found = (_encoded_and_decoded(each.pipe.vae) for each in (plain, half))
    for one, other in zip(found, exact, strict=True):
        assert one.dtype == torch.float32
        assert 0 < relative_error(one, other) < 32 * ROUNDING  # through some thirty layers, with norms between
    edit = quick(plain)
    painted, picture = paint(half, edit), paint(plain, edit)
    assert {parameter.dtype for parameter in half.pipe.vae.parameters()} == {torch.bfloat16}  # after a call, too
    assert 0 < np.abs(painted.astype(int) - picture.astype(int)).mean() < 2
    assert paint(half, replace(edit, save_memory=True)).shape == painted.shape
    assert np.array_equal(paint(half, edit), painted)


def _encoded_and_decoded(vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
    picture = torch.from_numpy(make_pixels().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        given = vae.encode(picture)
        latents = given.latent_dist.mean if hasattr(given, "latent_dist") else given.latents
        return latents, tensor(vae.decode(latents, return_dict=False))


def test_an_autoencoder_in_half_precision_draws_the_same_noise(tmp_path: Path) -> None:
    WRITERS[SDXL](tmp_path)
    plain, half = (load_small(SDXL, tmp_path).pipe.vae for _ in range(2))
    halve(half)
    picture = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        exact, found = (vae.encode(picture).latent_dist for vae in (plain, half))
        noise = [(each.sample(torch.Generator().manual_seed(3)) - each.mean) / each.std for each in (exact, found)]
    assert torch.allclose(noise[0], noise[1], atol=1e-3)


# --- kernels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flux-1-fill-dev"])
def test_a_kernel_is_used_during_a_call_and_by_nobody_else(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

    registry = _AttentionBackendRegistry
    used: list[str] = []
    math = AttentionBackendName._NATIVE_MATH
    kernel = registry._backends[math]
    monkeypatch.setitem(registry._backends, math, lambda **given: used.append("math") or kernel(**given))
    monkeypatch.setitem(compiling_names(), "native", "_native_math")
    before = registry.get_active_backend()[0]
    pipeline, plain = load_small(name, root, "attention=native"), load_small(name, root)
    exact = paint(plain, quick(plain))
    assert not used
    painted = paint(pipeline, quick(pipeline))
    assert used and np.abs(painted.astype(int) - exact.astype(int)).max() <= 1
    with pytest.raises(Stopped):
        pipeline.run(quick(pipeline), _stop)
    assert registry.get_active_backend()[0] == before


def compiling_names() -> dict[str, str]:
    from inpaint_worker.pipelines import acceleration_kernels

    return acceleration_kernels._NAMES


def _stop(done: int, _total: int) -> None:
    if done == 1:
        raise Stopped


def test_settings_reach_the_model_as_a_card_of_ones_own_does(tmp_path: Path) -> None:
    WRITERS[SD2](tmp_path)
    from inpaint_core.acceleration import Acceleration
    from inpaint_worker.pipelines import build_pipeline

    card = small_card(SD2, accelerate=Acceleration.parse("fuse-qkv"))
    told = {}
    for accelerate in ("auto", "none", "channels-last"):
        pipeline = build_pipeline(card, load_settings(device="cpu", weights_dir=tmp_path, accelerate=accelerate))
        pipeline.load()
        told[accelerate] = pipeline.described()["acceleration"]
    assert told == {"auto": "fuse-qkv", "none": "none", "channels-last": "channels-last"}
