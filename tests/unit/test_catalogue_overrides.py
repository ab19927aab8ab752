"""A deployment's own catalogue file: what it may change, and how it is told what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import SettingsInvalid
from inpaint_core.settings import load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the catalogue is written."""
    return tmp_path / "catalogue.toml"


def refusal(file: Path, text: str) -> str:
    """What is said of a file that holds this."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsInvalid) as caught:
        load_catalogue(file)
    assert str(file) in caught.value.message
    return caught.value.message


def test_a_card_is_changed_key_by_key_and_the_others_stay(file: Path) -> None:
    file.write_text("[models.opencv-ns.parameters.radius]\ndefault = 7\nmaximum = 12\n", encoding="utf-8")
    plain, changed = load_catalogue(), load_catalogue(file)
    radius = changed.card("opencv-ns").parameters["radius"]
    assert (radius.default, radius.minimum, radius.maximum) == (7, 1, 12)
    assert changed.card("opencv-telea") == plain.card("opencv-telea")
    assert plain.card("opencv-ns").parameters["radius"].default == 5


def test_a_model_of_ones_own_may_be_like_another(file: Path) -> None:
    file.write_text('[models.wide]\nlike = "opencv-ns"\nparameters.radius.default = 20\n', encoding="utf-8")
    card = load_catalogue(file).card("wide")
    assert (card.name, card.family, card.parameters["radius"].default) == ("wide", "opencv", 20)
    assert "wide" not in load_catalogue()


def test_the_setting_names_the_file(file: Path) -> None:
    file.write_text('[models.wide]\nlike = "opencv-ns"\n', encoding="utf-8")
    assert "wide" in load_catalogue(load_settings(catalogue=file).catalogue)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[models.opencv-ns]\ntitel = 'x'", "models.opencv-ns.titel is not a field of a card. Did you mean title?"),
        ("[models.opencv-ns]\ndevice = 'tpu'", "models.opencv-ns.device must be 'cpu', 'cuda' or 'api', found 'tpu'"),
        (
            "[models.opencv-ns.parameters.radius]\ndefault = 99",
            "models.opencv-ns.parameters.radius default 99: must be",
        ),
        (
            "[models.mine]\ntitle = 'x'",
            'models.mine.summary is missing. To start from another card, say like = "NAME".',
        ),
        ("[models.opencv-nss]\ntitle = 'x'", "Did you mean opencv-ns?"),
        (
            "[models.mine]\nlike = 'opencv-teles'",
            "models.mine.like there is no model 'opencv-teles'. Did you mean opencv",
        ),
        ("[models.mine]\nlike = ['opencv-ns']", "models.mine.like there is no model"),
        ("[model.mine]\n", "model is not known; everything belongs under [models.NAME]"),
        ("models = 3", "models must hold a table for each model"),
        ("[models]\nmine = 3", "models.mine must be a table"),
        ("[models", "it cannot be read"),
        ("[models.'Not A Name']\nlike = 'opencv-ns'", "models.Not A Name.name"),
        (
            "[models.opencv-ns.weights.base]\nrepo = 'a/b'\nfile = 'x.ckpt'",
            "models.opencv-ns.weights.base file must be .safetensors",
        ),
        (
            "[models.opencv-ns.weights.base]\nrepo = '../x'",
            "models.opencv-ns.weights.base '../x' leads out of the folder of weights",
        ),
        (
            "[models.opencv-ns.weights.base]\nrepo = 'a/b'\nfolders = ['unet/../../x']",
            "leads out of the folder of weights",
        ),
        ("[models.opencv-ns.size]\nmultiple_of = 8", "models.opencv-ns.size multiple_of, max_area and max_side need"),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_remedy(file: Path, text: str, told: str) -> None:
    assert told in refusal(file, text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"there is no such file \(INPAINT_CATALOGUE\)"):
        load_catalogue(tmp_path / "none.toml")
