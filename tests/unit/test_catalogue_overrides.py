"""A deployment's own catalogue file: what it may change, and how it is told what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import SettingsInvalid
from inpaint_core.families import ABILITIES
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import FAMILIES


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


def test_every_family_that_workers_have_is_known() -> None:
    assert set(ABILITIES) == set(FAMILIES)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[models.qwen-image-inpainting.control]\nby = 'x'\ntypes = ['canny']\nstrength = 1",
            "models.qwen-image-inpainting.control cannot be claimed: the family qwen-image takes no control image.",
        ),
        (
            "[models.opencv-ns.reference]\nby = 'x'",
            "models.opencv-ns.reference cannot be claimed: the family opencv takes no reference image.",
        ),
        (
            "[models.flux-2-klein-4b.reference]\nstrength = 0.5",
            "models.flux-2-klein-4b.reference cannot have a strength in the family flux-2-klein: it would do nothing.",
        ),
        (
            "[models.stable-diffusion-2-inpainting.reference]\nby = 'x'\nstrength = 1",
            "models.stable-diffusion-2-inpainting.reference needs the weights ip_adapter, image_encoder",
        ),
        (
            "[models.opencv-ns.reference]\nby = 'x'\n[models.opencv-ns]\nfamily = 'flux-fill'",
            "models.opencv-ns.reference needs the weights redux",
        ),
        (
            "[models.flux-1-fill-dev]\nnegative_prompt = true",
            "models.flux-1-fill-dev.negative_prompt cannot be true: the family flux-fill reads none, found True",
        ),
        (
            "[models.flux-1-fill-dev.weights.base]\nneeded_for = 'control'",
            "models.flux-1-fill-dev.weights base is needed for more than control images in the family flux-fill: leave "
            "out needed_for.",
        ),
        (
            "[models.flux-1-fill-dev.weights.union]\nneeded_for = 'reference'",
            "models.flux-1-fill-dev.weights union is needed for more than reference images",
        ),
    ],
)
def test_a_card_claims_no_more_than_its_family_can(file: Path, text: str, told: str) -> None:
    assert told in refusal(file, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[models.flux-1-fill-dev.control]\nstrenght = 1",
            "models.flux-1-fill-dev.control.strenght is not a field there. Did you mean strength?",
        ),
        (
            "[models.flux-1-fill-dev.weights.base]\nrevison = 'x'",
            "models.flux-1-fill-dev.weights.base.revison is not a field there. Did you mean revision?",
        ),
        (
            "[models.opencv-ns.parameters.radius]\nminmum = 1",
            "models.opencv-ns.parameters.radius.minmum is not a field there. Did you mean minimum?",
        ),
        ("[models.flux-1-fill-dev.control]\ntypes = []", "models.flux-1-fill-dev.control.types must not be empty"),
        ("[models.opencv-ns.parameters.radius]\nminimum = nan", "parameters.radius.minimum must be a finite number"),
        ("[models.flux-1-fill-dev]\ngpu_memory_gb = inf", "flux-1-fill-dev.gpu_memory_gb must be a finite number"),
        ("[models.flux-1-fill-dev.weights.base]\nsize_gb = inf", "weights.base.size_gb must be a finite number"),
        ("[models.flux-1-fill-dev.size]\nmax_aspect = inf", "models.flux-1-fill-dev.size.max_aspect must be a finite"),
        (
            "[models.flux-1-fill-dev.weights.base]\nrevision = '../../../x'",
            "models.flux-1-fill-dev.weights.base '../../../x' leads out of the folder of weights",
        ),
        ("[models.opencv-ns]\nname = 'mine'", "models.opencv-ns.name cannot be another than that of its table"),
    ],
)
def test_slips_in_the_tables_of_a_card_are_told_where_they_are(file: Path, text: str, told: str) -> None:
    assert told in refusal(file, text)


def test_what_is_told_of_a_table_is_not_all_that_is_in_it(file: Path) -> None:
    told = refusal(file, "[models.flux-1-fill-dev.weights.base]\nrepo = 'a/..'")
    assert told.endswith("models.flux-1-fill-dev.weights.base 'a/..' leads out of the folder of weights")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"there is no such file \(INPAINT_CATALOGUE\)"):
        load_catalogue(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "name", "like"),
    [
        ("[models.flux-1-fill-dev]\nquantisation = 'fp8'", "flux-1-fill-dev", "flux-1-fill-dev"),
        ("[models.flux-1-fill-dev]\nlike = 'flux-1-fill-dev-nf4'", "flux-1-fill-dev", "flux-1-fill-dev-nf4"),
    ],
)
def test_a_model_is_not_quantised_in_another_way_under_its_name(file: Path, text: str, name: str, like: str) -> None:
    told = refusal(file, text)
    assert f"models.{name}.quantisation cannot be changed under this name: its pictures" in told
    assert told.endswith(f'Give it a name of its own: [models.NAME] with like = "{like}".')


def test_one_of_ones_own_may_be_and_the_same_may_be_said_again(file: Path) -> None:
    file.write_text(
        "[models.mine]\nlike = 'flux-1-fill-dev'\nquantisation = 'fp8'\n"
        "[models.flux-1-fill-dev-nf4]\nquantisation = 'nf4'\n",
        encoding="utf-8",
    )
    assert load_catalogue(file).card("mine").quantisation == "fp8"
