"""Weights that only reference and control images need: a model runs without, and the doctor tells what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.settings import load_settings
from inpaint_fleet import doctor_models
from inpaint_fleet.doctor import Level
from inpaint_worker.pipelines.gpu_room import Gpu

pytest.importorskip("huggingface_hub", reason="comes with the extra 'diffusers'")
GUIDED = [card for card in load_catalogue().values() if any(part.needed_for for part in card.weights.values())]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every package, a large GPU, and nothing in the cache."""
    monkeypatch.setattr(doctor_models, "installed", lambda name: True)
    monkeypatch.setattr(doctor_models, "find_gpu", lambda: Gpu("NVIDIA Test", int(200e9), int(200e9)))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"), raising=True)


def give(root: Path, card: ModelCard, *wanted: str | None) -> None:
    for weights in card.weights.values():
        if weights.needed_for in wanted:
            for part in weights.folders or (".",):
                file = root / weights.repo / part / (weights.file or "model.safetensors")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()


def told(card: ModelCard, folder: Path) -> tuple[Level, str]:
    found = doctor_models.models(load_settings(weights_dir=folder))
    return next((each.level, each.found) for each in found if each.check == f"model {card.name}")


@pytest.mark.parametrize("card", GUIDED, ids=lambda card: card.name)
def test_a_model_runs_without_them_and_the_images_that_it_could_not_take_are_named(
    card: ModelCard, tmp_path: Path
) -> None:
    roles = sorted({part.needed_for for part in card.weights.values() if part.needed_for})
    give(tmp_path, card, None)
    level, words = told(card, tmp_path)
    assert level is Level.OK and words.startswith("runs on NVIDIA Test; without ")
    assert f"without {' and '.join(roles)} images, whose weights are missing" in words
    assert f"`inpaint models pull {card.name} --to {tmp_path}`" in words
    give(tmp_path, card, *roles)
    assert told(card, tmp_path) == (Level.OK, "runs on NVIDIA Test")


def test_of_gated_ones_it_tells_whose_licence_to_accept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = load_catalogue()["flux-1-fill-dev"]
    give(tmp_path, card, None)
    monkeypatch.setattr(doctor_models, "_has_token", lambda: False)
    page = card.weights["redux"].page
    assert f"are missing: accept the licence on {page}, set HF_TOKEN, and run `inpaint" in told(card, tmp_path)[1]
    monkeypatch.setattr(doctor_models, "_has_token", lambda: True)
    assert "are missing: run `inpaint" in told(card, tmp_path)[1]


def test_a_card_of_a_family_that_workers_lack_does_not_run(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text('[models.mine]\nlike = "opencv-ns"\nfamily = "opencw"\n', encoding="utf-8")
    found = doctor_models.models(load_settings(catalogue=catalogue))
    assert next((each.level, each.found) for each in found if each.check == "model mine") == (
        Level.INFO, "is of the family 'opencw', which workers do not have; did you mean opencv?"
    )  # fmt: skip


def test_a_card_names_only_guides_that_it_takes_as_what_weights_are_needed_for() -> None:
    assert GUIDED
    for card in GUIDED:
        for part in card.weights.values():
            assert part.needed_for in (None, "reference", "control")
            assert part.needed_for is None or getattr(card, part.needed_for) is not None
