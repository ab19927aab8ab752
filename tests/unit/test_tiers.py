"""Tiers on cards: what a family can leave out, what a deployment changes, and what a request may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import make_request
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.catalogue.overrides import apply_overrides
from inpaint_core.errors import CannotDo, SettingsInvalid
from inpaint_core.families import ABILITIES
from inpaint_core.settings import load_settings
from inpaint_core.tiers import Tier, TierUse
from inpaint_fleet import doctor_models
from inpaint_worker.pipelines.gpu_room import Gpu

FILL, SD3, KLEIN = "flux-1-fill-dev", "sd3-controlnet-inpainting", "flux-2-klein-4b"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a deployment's catalogue is written."""
    return tmp_path / "catalogue.toml"


def changed(file: Path, text: str, name: str) -> ModelCard:
    """The card of `name` in a catalogue with this."""
    file.write_text(text, encoding="utf-8")
    return apply_overrides(load_catalogue(), file)[name]


def test_turbo_leaves_out_no_less_than_fast() -> None:
    for card in load_catalogue().values():
        assert not card.tiers or set(card.tiers) == {Tier.FAST, Tier.TURBO}
        if card.tiers:
            fast, turbo = card.tiers[Tier.FAST], card.tiers[Tier.TURBO]
            assert fast != turbo
            assert (turbo.step_cache or 0) >= (fast.step_cache or 0)
            assert (turbo.guidance_until or 1) <= (fast.guidance_until or 1)


def test_models_of_few_steps_have_no_tiers() -> None:
    for card in load_catalogue().values():
        steps = card.parameters.get("steps")
        assert not (card.tiers and steps is not None and int(steps.default) < 20), card.name


def test_families_can_leave_out_what_a_tier_may_hold() -> None:
    for able in ABILITIES.values():
        assert set(able.tiers) <= set(TierUse.model_fields)


def test_a_deployment_adds_changes_and_takes_away(file: Path) -> None:
    card = changed(file, f"[models.{FILL}.tiers]\nfast.step_cache = 0.05\nturbo = false\n", FILL)
    assert card.tiers == {Tier.FAST: TierUse(step_cache=0.05)}
    card = changed(
        file,
        "[models.mine]\nlike = 'flux-1-dev-controlnet-inpainting-beta-turbo'\ntiers.fast.step_cache = 0.2\n",
        "mine",
    )
    assert card.tiers == {Tier.FAST: TierUse(step_cache=0.2)}


def test_a_deployment_takes_away_a_part_of_a_tier_or_adds_one(file: Path) -> None:
    card = changed(file, f"[models.{SD3}.tiers]\nturbo.step_cache = false\nfast.step_cache = 0.1\n", SD3)
    assert card.tiers == {
        Tier.FAST: TierUse(step_cache=0.1, guidance_until=0.5),
        Tier.TURBO: TierUse(guidance_until=0.4),
    }


def test_another_change_leaves_tiers_as_they_are(file: Path) -> None:
    for name, card in load_catalogue().items():
        assert changed(file, f"[models.'{name}']\ntitle = 'Mine'\n", name).tiers == card.tiers


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("exact.step_cache = 0.1", "tiers can hold fast and turbo, not exact."),
        ("quick.step_cache = 0.1", "tiers can hold fast and turbo, not quick."),
        ("fast.step_cahe = 0.1", "tiers.fast.step_cahe is not a field there. Did you mean step_cache?"),
        ("fast.step_cache = 3", "tiers.fast.step_cache must be less than or equal to 1, found 3"),
        ("fast.step_cache = 0", "tiers.fast.step_cache must be greater than 0, found 0"),
        ("fast.step_cache = nan", "tiers.fast.step_cache must be a finite number"),
        ("fast.step_cache = false", "tiers.fast must have a step_cache or a guidance_until: without, it is the tier"),
        ("fast.guidance_until = 0.5", "tiers fast cannot have a guidance_until: the family flux-fill has none."),
        ("fast = 3", "tiers.fast must be a valid dictionary"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(file: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        changed(file, f"[models.{FILL}.tiers]\n{text}\n", FILL)
    assert caught.value.message.startswith(f"{file}: models.{FILL}.{told}")


def test_tiers_that_are_no_table_are_told(file: Path) -> None:
    with pytest.raises(SettingsInvalid, match=f"models.{FILL}.tiers must be a valid dictionary"):
        changed(file, f"[models.{FILL}]\ntiers = 'fast'\n", FILL)


def test_a_card_that_becomes_of_another_family_loses_what_that_cannot(file: Path) -> None:
    with pytest.raises(SettingsInvalid, match="tiers turbo cannot have a step_cache: the family kandinsky has none"):
        changed(file, f"[models.mine]\nlike = '{SD3}'\nfamily = 'kandinsky'\n", "mine")


@pytest.mark.parametrize("tier", [None, Tier.EXACT])
def test_every_model_runs_in_full(tier: Tier | None) -> None:
    catalogue = load_catalogue()
    for name, card in catalogue.items():
        if card.served:
            catalogue.check(make_request(model=name, prompt="a lamp", tier=tier))


def test_a_tier_that_a_model_has_not_is_refused_naming_those_that_have_it() -> None:
    catalogue = load_catalogue()
    with pytest.raises(CannotDo, match=rf"^{KLEIN} has no tier fast\. These can: .*{FILL}.*leave it out") as caught:
        catalogue.check(make_request(model=KLEIN, prompt="a lamp", tier=Tier.FAST))
    assert caught.value.facts["field"] == "tier"
    assert set(caught.value.facts["models"]) == {name for name, card in catalogue.items() if Tier.FAST in card.tiers}
    for name in caught.value.facts["models"]:
        catalogue.check(make_request(model=name, prompt="a lamp", tier=Tier.FAST))


def test_models_are_named_that_can_do_the_rest_as_well() -> None:
    request = make_request(model=KLEIN, prompt="a lamp", tier=Tier.TURBO, reference_image="s3://inputs/lamp.png")
    with pytest.raises(CannotDo) as caught:
        load_catalogue().check(request)
    assert FILL in caught.value.facts["models"] and SD3 not in caught.value.facts["models"]


def test_a_tier_that_a_deployment_took_away_is_refused_there(file: Path) -> None:
    file.write_text(f"[models.{FILL}]\ntiers.turbo = false\n", encoding="utf-8")
    catalogue = load_catalogue(file)
    catalogue.check(make_request(model=FILL, prompt="a lamp", tier=Tier.FAST))
    with pytest.raises(CannotDo, match=f"{FILL} has no tier turbo"):
        catalogue.check(make_request(model=FILL, prompt="a lamp", tier=Tier.TURBO))


# --- fewer bits -------------------------------------------------------------------------------------------------------


def test_a_deployment_derives_a_model_of_8_bits(file: Path) -> None:
    text = f"[models.flux-1-fill-fp8]\nlike = '{FILL}'\ntitle = 'FLUX.1 Fill [dev], fp8'\nquantisation = 'fp8'\n"
    card = changed(file, text, "flux-1-fill-fp8")
    plain = load_catalogue().card(FILL)
    assert card.quantisation == "fp8" and card.weights == plain.weights and card.tiers == plain.tiers
    assert card.accelerations == plain.accelerations  # it is quantised after projections were put side by side


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"[models.{SD3}]\nquantisation = 'fp8'",
            f"{SD3}.quantisation cannot be fp8: the family sd3-controlnet knows no",
        ),
        (
            "[models.qwen-image-inpainting]\nquantisation = 'nf4'",
            "quantisation cannot be nf4: the family qwen-image knows no quantisation other than fp8, found 'nf4'",
        ),
        (
            f"[models.{FILL}]\nquantisation = 'fp8'\ndtype = 'float16'",
            f"{FILL}.quantisation fp8 is computed with in bf",
        ),
        (f"[models.{FILL}]\nquantisation = 'int8'", f"{FILL}.quantisation must be 'nf4' or 'fp8', found 'int8'"),
    ],
)
def test_bits_that_a_family_cannot_have_are_told(file: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        changed(file, text, FILL)
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("capability", "words"),
    [
        ((9, 0), "inpaint models pull fp8"),
        ((8, 6), "needs a GPU of compute capability 8.9 for its 8 bits; this one has 8.6"),
    ],
)
def test_the_doctor_tells_whether_the_gpu_multiplies_8_bits(
    file: Path, capability: tuple[int, int], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="comes with the extra 'diffusers'")
    file.write_text(f"[models.fp8]\nlike = '{FILL}'\nquantisation = 'fp8'\n", encoding="utf-8")
    monkeypatch.setattr(doctor_models, "installed", lambda name: name != "bitsandbytes")
    monkeypatch.setattr(doctor_models, "find_gpu", lambda: Gpu("NVIDIA Test", 80_000_000_000, 80_000_000_000))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA Test")
    settings = load_settings(catalogue=file, weights_dir=file.parent / "weights")
    (found,) = (each for each in doctor_models.models(settings) if each.check == "model fp8")
    assert words in found.found
