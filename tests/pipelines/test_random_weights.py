"""Random weights: a worker loads them as it loads real ones, and paints with them."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from contract import SIDE, make_pixels, make_region, small_card
from inpaint_benchmark.gpu import random_weights
from inpaint_benchmark.gpu.architectures import part
from inpaint_benchmark.gpu.figures import counted_cards
from inpaint_benchmark.gpu.networks import build, is_network, stored
from inpaint_benchmark.gpu.planning import Piece, pieces
from inpaint_benchmark.gpu.random_weights import MARKER, write_weights
from inpaint_benchmark.gpu.stand_in_tokenizers import stand_in
from inpaint_core.errors import DiskFull, OperatorError
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import Edit, build_pipeline
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from safetensors.torch import load_file
from tiny.flux import bitsandbytes_on_cpu

# diffusers warns of its own import, and of what it does itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
CARDS = counted_cards()
NAMES = [card.name for card in CARDS]
SD2, SDXL = "stable-diffusion-2-inpainting", "stable-diffusion-xl-1.0-inpainting-0.1"
NF4, TURBO = "flux-1-fill-dev-nf4", "flux-1-dev-controlnet-inpainting-beta-turbo"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, as it is on a GPU's machine."""
    return tmp_path_factory.mktemp("random")


@pytest.mark.parametrize("name", NAMES)
def test_a_worker_loads_them_and_paints(name: str, root: Path) -> None:
    card = small_card(name)
    write_weights(card, root, tiny=True)
    with bitsandbytes_on_cpu() if card.quantisation else contextlib.nullcontext():
        pipeline = loaded(name, root)
        few = {wanted: 2 for wanted in ("steps", "prior_steps") if wanted in card.parameters}
        edit = Edit(make_pixels(), make_region(), seed=1, prompt="a red cup", parameters=card.resolve(dict(few)))
        spoilt = watched_for_spoilt_numbers(pipeline.pipe)
        painted = pipeline.run(edit, lambda _done, _total: None)
    assert painted.shape == (SIDE, SIDE, 3) and painted.std() > 0
    assert not spoilt
    for piece in pieces(card):
        if is_network(piece.part) and piece.repository.lora_of is None and piece.repository.quantisation is None:
            assert_holds(getattr(pipeline.pipe, piece.component), piece, root, changed=name == TURBO)


def test_four_bits_hold_what_bitsandbytes_made_of_whole_numbers(root: Path) -> None:
    import bitsandbytes

    write_weights(small_card(NF4), root, tiny=True)
    with bitsandbytes_on_cpu():
        pipe = loaded(NF4, root).pipe
    for network, whole in ((pipe.transformer, set()), (pipe.text_encoder_2, {"wo"})):
        layers = {name: module for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)}
        quantised = {name for name, module in layers.items() if isinstance(module, bitsandbytes.nn.Linear4bit)}
        assert quantised == {name for name in layers if name.rpartition(".")[2] not in whole}
        for name in quantised:
            weight = layers[name].weight
            unpacked = bitsandbytes.functional.dequantize_4bit(weight.data, weight.quant_state)
            assert unpacked.shape == (layers[name].out_features, layers[name].in_features)
            assert float(unpacked.float().std()) == pytest.approx(0.02, rel=0.3)


def test_what_is_there_is_kept_and_shared(tmp_path: Path) -> None:
    told: list[str] = []
    write_weights(small_card("flux-1-dev-controlnet-inpainting-beta"), tmp_path, tiny=True, told=told.append)
    assert len(told) == 5 and all(line.endswith(" GB") for line in told)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    again: list[str] = []
    write_weights(small_card(TURBO), tmp_path, tiny=True, told=again.append)
    assert [line.split()[0] for line in again] == ["alimama-creative/FLUX.1-Turbo-Alpha"]
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_the_seed_decides_the_numbers(tmp_path: Path) -> None:
    def unet(folder: str, seed: int) -> dict[str, torch.Tensor]:
        write_weights(small_card(SD2), tmp_path / folder, tiny=True, seed=seed)
        return tensors_in(next((tmp_path / folder).rglob("unet")))

    one, same, other = unet("one", 1), unet("same", 1), unet("one", 2)
    assert one.keys() == same.keys() == other.keys()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv_in.weight"], other["conv_in.weight"])
    assert not torch.equal(one["conv_in.weight"].flatten()[:99], one["conv_out.weight"].flatten()[:99])


def test_what_an_interrupted_call_left_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path, *_: Any) -> None:
        (folder / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(random_weights, "write_files", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_weights(small_card(SD2), tmp_path, tiny=True)
    write_weights(small_card(SD2), tmp_path, tiny=True)
    loaded(SD2, tmp_path)


@pytest.mark.parametrize("place", ["unet/diffusion_pytorch_model.safetensors", "unet/config.json"])
def test_real_weights_are_not_touched(tmp_path: Path, place: str) -> None:
    card = small_card(SD2)
    file = tmp_path / card.weights["base"].repo / place
    file.parent.mkdir(parents=True)
    file.write_bytes(b"real")
    with pytest.raises(OperatorError, match=r"unet holds files that were not made here.*Name an empty folder"):
        write_weights(card, tmp_path, tiny=True)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [file]


def test_a_real_controlnet_is_not_touched(tmp_path: Path) -> None:
    card = small_card("sd3-controlnet-inpainting")
    file = tmp_path / card.weights["controlnet"].repo / "diffusion_pytorch_model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"real")
    with pytest.raises(OperatorError, match="not made here"):
        write_weights(card, tmp_path, tiny=True)
    assert file.read_bytes() == b"real"


def test_large_networks_come_in_several_files(tmp_path: Path) -> None:
    write_weights(small_card(SDXL), tmp_path, tiny=True, largest_file=1_000_000)
    unet = next(tmp_path.rglob("unet"))
    files = sorted(file.name for file in unet.glob("*.safetensors"))
    count = len(files)
    assert count > 2
    assert files[0] == f"diffusion_pytorch_model.fp16-00001-of-{count:05d}.safetensors"
    assert all((unet / file).stat().st_size < 1_200_000 for file in files)
    index = json.loads((unet / "diffusion_pytorch_model.safetensors.index.fp16.json").read_text())
    assert set(index["weight_map"].values()) == set(files)
    loaded(SDXL, tmp_path)


def test_files_hold_the_number_format_of_the_card_and_no_dead_layers(tmp_path: Path) -> None:
    write_weights(small_card(SD2), tmp_path, tiny=True)
    found = tensors_in(next(tmp_path.rglob("unet")))
    assert {tensor.dtype for tensor in found.values()} == {torch.float16}
    for name, tensor in found.items():
        if name.endswith("bias"):
            assert not tensor.any(), name
        elif "norm" in name:
            assert (tensor == 1).all(), name
        else:
            assert float(tensor.float().std()) == pytest.approx(0.02, rel=0.3), name


def test_names_that_share_a_tensor_are_stored_once() -> None:
    names = {name for name, _ in stored(build(part("t5-xxl"), tiny=True))}
    assert "shared.weight" in names and "encoder.embed_tokens.weight" not in names
    assert "lm_head.weight" not in {name for name, _ in stored(build(part("qwen3-4b"), tiny=True))}


@pytest.mark.parametrize(
    "tokenizer", ["clip-tokenizer", "clip-tokenizer-exclamation", "t5-tokenizer", "qwen-tokenizer"]
)
def test_tokenizers_know_all_texts_within_the_vocabulary_of_tiny_networks(tokenizer: str) -> None:
    made = stand_in(part(tokenizer))
    vocabulary = {"clip": "clip-l", "t5-t": "t5-xxl", "qwen": "qwen3-4b"}[tokenizer[:4]]
    assert len(made) <= part(vocabulary).configured(tiny=True)["vocab_size"]
    ids = made("Ein Stuhl, 椅子!", padding="max_length", max_length=77, truncation=True).input_ids
    assert len(ids) == 77 and max(ids) < len(made)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6, 10**5))
    with pytest.raises(DiskFull, match=r"The weights take 0\.0 GB, and .* has room for 0\.0 GB"):
        write_weights(small_card(SD2), tmp_path, tiny=True)
    assert not list(tmp_path.iterdir())


def test_unknown_repositories_are_named(tmp_path: Path) -> None:
    card = small_card(SD2)
    elsewhere = card.weights["base"].model_copy(update={"repo": "somebody/else"})
    with pytest.raises(OperatorError, match="architecture of somebody/else is not known here"):
        write_weights(card.model_copy(update={"weights": {"base": elsewhere}}), tmp_path, tiny=True)
    with pytest.raises(OperatorError, match="reads no weights"):
        write_weights(card.model_copy(update={"weights": {}}), tmp_path, tiny=True)


def loaded(name: str, root: Path) -> DiffusersPipeline:
    """The worker's own, on the CPU."""
    pipeline = build_pipeline(small_card(name), load_settings(device="cpu", weights_dir=root, accelerate="none"))
    assert isinstance(pipeline, DiffusersPipeline)
    pipeline.load()
    return pipeline


def watched_for_spoilt_numbers(pipe: Any) -> list[str]:
    """Filled with the modules of a pipeline that give numbers which are not finite."""
    spoilt: list[str] = []

    def look(name: str, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, torch.Tensor) and first.is_floating_point() and not torch.isfinite(first).all():
            spoilt.append(name)

    for part_name, network in pipe.components.items():
        if isinstance(network, torch.nn.Module):
            for name, module in network.named_modules():
                module.register_forward_hook(lambda _m, _a, out, name=f"{part_name}.{name}": look(name, out))
    return spoilt


def assert_holds(network: torch.nn.Module, piece: Piece, root: Path, *, changed: bool) -> None:
    """Every tensor of the network comes from the files: none was made up while it was read."""
    found = network.state_dict(keep_vars=True)
    place = piece.place(root)
    files = load_file(place / piece.weights.file) if piece.weights.file else tensors_in(place)
    assert files.keys() <= found.keys(), piece.component
    from_files = {id(found[name]) for name in files}
    if piece.weights.file is None:  # Z-Image's ControlNet borrows parts of the transformer
        assert {name for name, tensor in found.items() if id(tensor) not in from_files} == set(), piece.component
    for name, tensor in files.items():
        same = torch.equal(found[name], tensor.to(found[name].dtype))
        assert same or changed, f"{piece.component}: {name}"
        dead = isinstance(found[name], torch.nn.Parameter) and not name.endswith("bias") and not tensor.any()
        assert not dead, f"{piece.component}: {name}"


def tensors_in(folder: Path) -> dict[str, torch.Tensor]:
    """All that its files hold."""
    assert (folder / MARKER).is_file()
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}
