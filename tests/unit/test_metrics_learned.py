"""Metrics by networks: what is said where they are not there, and the CLIP score with tiny weights.

The real weights are far too large for tests. Nothing here may reach for the network.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_benchmark.metrics import (
    METRICS,
    OutputPictures,
    Reason,
    Value,
    clip,
    learned,
    lpips,
    measure_output,
    optional_metrics_available,
    packages,
)
from inpaint_core.edit import Box

torch = pytest.importorskip("torch", reason="comes with the extra 'diffusers'")
transformers = pytest.importorskip("transformers", reason="comes with the extra 'diffusers'")
hub = pytest.importorskip("huggingface_hub", reason="comes with the extra 'diffusers'")

Array = npt.NDArray[Any]
_SIZE = (80, 100)
_NAMES = {"outside_lpips", "truth_effect_lpips", "inside_clip_score"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection fails the test."""

    def refuse(*_: Any) -> None:
        pytest.fail("something was looked up or fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Empty caches of weights, whatever this machine has."""
    monkeypatch.setattr(hub.file_download, "HF_HUB_CACHE", str(tmp_path), raising=False)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    packages.installed.cache_clear()
    clip._network.cache_clear()
    lpips._network.cache_clear()
    yield tmp_path
    packages.installed.cache_clear()
    clip._network.cache_clear()
    lpips._network.cache_clear()


def pictures(side: int = 70, prompt: str | None = "a bench") -> OutputPictures:
    rng = np.random.default_rng(1)
    source, delivered, truth = (rng.integers(0, 256, (*_SIZE, 3), dtype=np.uint8) for _ in range(3))
    region = np.zeros(_SIZE, np.bool_)
    region[5 : 5 + side, 5 : 5 + side] = True
    return OutputPictures(source, delivered, region, region, region, truth, prompt=prompt)


def test_they_are_metrics_like_others() -> None:
    assert set(optional_metrics_available()) == _NAMES <= set(METRICS)


def test_without_the_packages_they_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips, "installed", lambda name: None)
    monkeypatch.setattr(clip, "find_spec", lambda name: None)
    assert set(optional_metrics_available().values()) == {Reason.PACKAGE_MISSING}
    found = measure_output(pictures())
    assert {found[name] for name in _NAMES} == {Value.none(Reason.PACKAGE_MISSING)}


def test_a_package_that_breaks_when_it_is_imported_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_vision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert packages.installed("broken_vision") is None
    assert packages.installed("no_such_package_at_all") is None
    assert packages.installed("json") is json


def test_without_weights_they_say_so_and_fetch_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_lpips(monkeypatch)
    assert set(optional_metrics_available().values()) == {Reason.WEIGHTS_UNAVAILABLE}
    found = measure_output(pictures())
    assert {found[name] for name in _NAMES} == {Value.none(Reason.WEIGHTS_UNAVAILABLE)}


def test_what_the_pictures_lack_is_told_first() -> None:
    found = measure_output(pictures(side=20, prompt=None))
    assert found["truth_effect_lpips"] == Value.none(Reason.REGION_TOO_SMALL)
    assert found["inside_clip_score"] == Value.none(Reason.NO_PROMPT)


# --- LPIPS ------------------------------------------------------------------------------------------------------------


def stand_in_lpips(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """torchvision and torchmetrics, as far as they are used, whose LPIPS is the mean difference; the shapes it saw."""
    seen: list[tuple[int, ...]] = []

    def network(net_type: str, normalize: bool) -> Any:
        assert (net_type, normalize) == ("alex", True)

        def distance(a: Any, b: Any) -> Any:
            assert a.dtype == torch.float32 and a.min() >= 0 and a.max() <= 1
            seen.append(tuple(a.shape))
            return (a - b).abs().mean()

        return distance

    weights = SimpleNamespace(
        IMAGENET1K_V1=SimpleNamespace(url="https://example.invalid/models/alexnet-owt-7be5be79.pth")
    )
    stand_ins = {
        "torchvision.models": SimpleNamespace(AlexNet_Weights=weights),
        "torchmetrics.image.lpip": SimpleNamespace(LearnedPerceptualImagePatchSimilarity=network),
    }
    monkeypatch.setattr(lpips, "installed", lambda name: stand_ins.get(name) or packages.installed(name))
    return seen


def put_alexnet(folder: Path) -> None:
    checkpoints = folder / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "alexnet-owt-7be5be79.pth").touch()


def test_lpips_compares_what_it_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = stand_in_lpips(monkeypatch)
    put_alexnet(cache)
    given = pictures()
    assert given.truth is not None
    found = measure_output(given)
    apart = np.abs(given.source / 255 - given.delivered / 255) * ~given.region[..., None]
    assert found["outside_lpips"].value == pytest.approx(apart.mean(), rel=1e-4)
    inside = np.s_[5:75, 5:75]
    expected = np.abs(given.truth[inside] / 255 - given.delivered[inside] / 255).mean()
    assert found["truth_effect_lpips"].value == pytest.approx(expected, rel=1e-4)
    assert seen == [(1, 3, 80, 100), (1, 3, 70, 70)]


def test_lpips_of_large_pictures_is_the_mean_over_tiles(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = stand_in_lpips(monkeypatch)
    a = np.zeros((100, 2049, 3), np.uint8)
    b = a.copy()
    b[:, :683] = 255
    assert lpips.lpips(a, b) == pytest.approx(683 / 2049)
    assert seen == [(1, 3, 100, 683)] * 3


@pytest.mark.parametrize(("width", "height", "count"), [(64, 64, 1), (1024, 1024, 1), (1025, 64, 2), (4000, 3000, 12)])
def test_tiles_cover_a_picture_once(width: int, height: int, count: int) -> None:
    tiles = lpips.tiles(width, height)
    assert len(tiles) == count and sum(tile.area for tile in tiles) == width * height
    assert all(min(64, height) <= tile.height <= 1024 and 64 <= tile.width <= 1024 for tile in tiles)


# --- CLIP -------------------------------------------------------------------------------------------------------------


def put_tiny_clip(cache: Path) -> Any:
    """A CLIP of a few thousand random weights in the cache of Hugging Face, under the name of the real one."""
    folder = cache / "models--openai--clip-vit-large-patch14"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    letters = [chr(code) for code in range(97, 123)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words)}
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    config = transformers.CLIPConfig(
        text_config={**tower, "vocab_size": len(words), "max_position_embeddings": 77, **ends},
        vision_config={**tower, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    torch.manual_seed(1)
    model = transformers.CLIPModel(config).eval()
    for parameter in model.parameters():  # as they begin, all texts are nearly the same
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1)
    model.save_pretrained(snapshot)
    (snapshot / "vocab.json").write_text(json.dumps(vocabulary))
    (snapshot / "merges.txt").write_text("#version: 0.2\n")
    (snapshot / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    return model


def test_the_clip_score_is_100_times_the_cosine_of_picture_and_prompt(cache: Path) -> None:
    model = put_tiny_clip(cache)
    assert optional_metrics_available()["inside_clip_score"] is None
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    shown = torch.tensor(((picture / 255 - mean) / deviation).astype(np.float32)).permute(2, 0, 1)[None]
    cosines = {}
    for text, tokens in {chr(97 + i) * 2: [52, i, 26 + i, 53] for i in range(26)}.items():
        with torch.inference_mode():
            seen = model.visual_projection(model.vision_model(pixel_values=shown).pooler_output)
            read = model.text_projection(model.text_model(input_ids=torch.tensor([tokens])).pooler_output)
        cosines[text] = float(torch.nn.functional.cosine_similarity(seen, read))
        assert clip.clip_score(picture, text) == pytest.approx(max(0, 100 * cosines[text]), abs=1e-3)
    # Else the test would say nothing; scores are not below 0.
    assert max(cosines.values()) > 0.05 and min(cosines.values()) < -0.05, cosines


def test_the_score_of_a_result_is_that_of_the_square_around_its_region(cache: Path) -> None:
    put_tiny_clip(cache)
    given = pictures(side=20, prompt="ab")
    expected = clip.clip_score(given.delivered[2:27, 2:27], "ab")
    assert measure_output(given)["inside_clip_score"].value == expected


def test_a_prompt_longer_than_clip_reads_is_cut(cache: Path) -> None:
    put_tiny_clip(cache)
    assert clip.clip_score(np.zeros((40, 40, 3), np.uint8), "word " * 300) >= 0


@pytest.mark.parametrize("gone", ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.json"])
def test_weights_that_are_there_in_part_are_not_there(cache: Path, gone: str) -> None:
    put_tiny_clip(cache)
    next(cache.rglob(gone)).unlink()
    assert optional_metrics_available()["inside_clip_score"] == Reason.WEIGHTS_UNAVAILABLE


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(40, 40, 60, 60), Box(38, 38, 62, 62)),
        (Box(40, 40, 60, 44), Box(38, 30, 62, 54)),
        (Box(0, 0, 20, 20), Box(0, 0, 25, 25)),
        (Box(80, 60, 100, 80), Box(75, 55, 100, 80)),
        (Box(5, 30, 95, 50), Box(0, 0, 100, 80)),
    ],
)
def test_the_square_holds_the_box_and_stays_in_the_picture(box: Box, expected: Box) -> None:
    found = learned.square(box, 100, 80)
    assert found & box == box and found & Box(0, 0, 100, 80) == found
    # Halves of a pixel may go either way.
    assert np.abs(np.subtract(found, expected)).max() <= 1
