"""INPAINT_ACCELERATE as text: what may be written, what is refused, and which models can have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_core.acceleration import ATTENTION, COMPILING, NOTHING, WORDS, Acceleration
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import InpaintError, SettingsInvalid
from inpaint_core.settings import as_environment, load_settings, shown
from inpaint_db.run_queries import held_as

FILL, SDXL = "flux-1-fill-dev", "stable-diffusion-xl-1.0-inpainting-0.1"


@given(
    st.sampled_from([None, *COMPILING]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, *ATTENTION]),
)
def test_what_is_written_is_read_again(how: str | None, fuse: bool, last: bool, half: bool, kernel: str | None) -> None:
    made = Acceleration(how, fuse, last, half, kernel)
    assert Acceleration.parse(str(made)) == made
    assert bool(made) == (str(made) != "none")


@pytest.mark.parametrize("text", ["fuse-qkv, compile", " COMPILE,,fuse-qkv,compile "])
def test_order_space_and_repetition_do_not_matter(text: str) -> None:
    assert str(Acceleration.parse(text)) == "compile,fuse-qkv"


@pytest.mark.parametrize("text", ["", "none", " none "])
def test_nothing_is_none(text: str) -> None:
    assert Acceleration.parse(text) == NOTHING and str(NOTHING) == "none"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("compil", r"'compil' \(did you mean compile\?\); it may hold none, or some of compile, compile-whole"),
        ("attention=sage", "'attention=sage'"),
        ("attention", "'attention'"),
        ("compile,cuda-graphs", "compiles in two ways, compile and cuda-graphs"),
        ("attention=flash,attention=native", "two kernels of attention, flash and native"),
        ("none,compile", "none beside compile"),
        ("auto,compile", "auto beside compile: auto stands alone"),
    ],
)
def test_what_is_unknown_or_contradicts_itself_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Acceleration.parse(text)
    with pytest.raises(SettingsInvalid, match=f"INPAINT_ACCELERATE is '{text}'"):
        load_settings(accelerate=text)


def test_settings_keep_it_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().accelerate == "auto"
    monkeypatch.setenv("INPAINT_ACCELERATE", "fuse-qkv,compile")
    settings = load_settings()
    assert settings.accelerate == Acceleration("compile", fuse_qkv=True)
    assert as_environment(settings)["INPAINT_ACCELERATE"] == shown(settings)["accelerate"] == "compile,fuse-qkv"


# --- cards ------------------------------------------------------------------------------------------------------------


def test_no_card_of_the_package_is_accelerated_before_it_was_measured() -> None:
    assert {str(card.accelerate) for card in load_catalogue().values()} == {"none"}


def test_what_a_model_can_have_is_known_words() -> None:
    for card in load_catalogue().values():
        assert set(card.accelerations) <= set(WORDS)
        assert bool(card.accelerations) == (card.device == "cuda")


def test_what_depends_on_the_card_and_not_on_its_family() -> None:
    cards = load_catalogue()
    assert "half-vae" in cards[SDXL].accelerations
    assert "half-vae" not in cards["stable-diffusion-2-inpainting"].accelerations
    assert "fuse-qkv" in cards[FILL].accelerations and "fuse-qkv" not in cards["flux-1-fill-dev-nf4"].accelerations


def test_a_card_of_ones_own_says_what_auto_means(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(f'[models."{SDXL}"]\naccelerate = "half-vae,compile"\n')
    card = load_catalogue(path)[SDXL]
    assert card.accelerate == Acceleration("compile", half_vae=True)
    assert card.model_dump(mode="json")["accelerate"] == "compile,half-vae"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("stable-diffusion-2-inpainting", '"compile,half-vae"', "cannot have half-vae; it can have compile, "),
        ("opencv-telea", '"compile"', "cannot have compile; it can have none"),
        (FILL, '["compile"]', "must be one text"),
        (FILL, '"compil"', "did you mean compile"),
    ],
)
def test_a_card_that_says_what_its_model_cannot_is_refused_by_file_and_key(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(f"[models.{name}]\naccelerate = {value}\n")
    with pytest.raises(InpaintError, match=words) as raised:
        load_catalogue(path)
    assert f"{path}: models.{name}.accelerate" in raised.value.message


def test_words_can_be_left_out() -> None:
    full = Acceleration.parse("compile,fuse-qkv,attention=cudnn")
    assert str(full.without({"compile", "attention=cudnn"})) == "fuse-qkv" and full.without(()) == full


@pytest.mark.parametrize(
    ("written", "changes"),
    [
        ("none", None),
        ("compile,fuse-qkv,channels-last,attention=cudnn", None),
        ("half-vae", "half-vae"),
        ("compile,half-vae", "half-vae"),
    ],
)
def test_what_changes_pictures_makes_a_version_of_the_model_and_what_is_rounding_does_not(
    written: str, changes: str | None
) -> None:
    plain: dict[str, Any] = {"device": "cuda", "dtype": "float16", "offload": False, "quantisation": None}
    held = held_as({**plain, "acceleration": written}, None)
    assert held == {"dtype": "float16", "quantisation": None, **({"acceleration": changes} if changes else {})}


def test_models_of_opencv_are_told_apart_by_its_version() -> None:
    assert held_as({}, "4.12") == {"opencv": "4.12"} and held_as({}, None) == {}
