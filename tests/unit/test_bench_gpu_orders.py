"""What is measured: modes, what they become for each card, and orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench_gpu_rows import FILL, SD2
from inpaint_benchmark.gpu.candidates import all_candidates, candidates_of
from inpaint_benchmark.gpu.cards import bench_card, choose_cards
from inpaint_benchmark.gpu.modes import Mode, parse_modes
from inpaint_benchmark.gpu.orders import Order, make_orders, resolve_modes
from inpaint_core.acceleration import Acceleration
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import InvalidRequest, ParameterInvalid, UnknownModel
from inpaint_core.tiers import Tier
from inpaint_fleet.cli.app import app
from inpaint_fleet.cli.outcome import exit_code_of


def test_a_mode_is_what_a_worker_is_started_with_and_what_a_job_asks_for() -> None:
    assert parse_modes(["none auto", "fuse-qkv,compile+fast", "none"]) == [
        Mode("none"),
        Mode("auto"),
        Mode("compile,fuse-qkv", Tier.FAST),
    ]
    assert str(Mode.parse("FUSE-QKV,compile+fast")) == "compile,fuse-qkv+fast"
    assert str(Mode.parse("auto+exact")) == "auto"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("compil", r"holds 'compil' \(did you mean compile\?\)"),
        ("compile+quick", "asks for the tier 'quick', and there is none; there are: exact, fast, turbo"),
        ("none,compile", "Several modes have spaces between them"),
        ("attention=magic", "it may hold none, or some of compile"),
        (" ", "No mode is named"),
        ("compile, fuse-qkv", "The mode 'compile,' begins or ends with a comma"),
        ("compile ,fuse-qkv", "The mode ',fuse-qkv' begins or ends with a comma"),
        ("compile,+fast", "begins or ends with a comma"),
    ],
)
def test_a_wrong_mode_is_told_with_what_may_be_written(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        parse_modes([text])


def order_some(models: list[str], modes: list[str], **changes: Any) -> tuple[list[Order], list[str]]:
    options: dict[str, Any] = {"steps": None, "repeats": None, "tiny": False, "device": "cuda", "weights": "random"}
    cards = choose_cards(models, load_catalogue())
    return make_orders(cards, parse_modes(modes), ["seconds"], (1024, 1024), **{**options, **changes})


def test_all_models_are_the_reviews_in_its_order_and_then_the_later_ones() -> None:
    orders, _ = order_some(["all"], ["none"])
    names = [order.model for order in orders]
    assert names[0] == FILL
    assert set(names) == {name for name, card in load_catalogue().items() if card.device == "cuda"}
    assert names.index("kandinsky-2-2-decoder-inpaint") < names.index("flux-2-klein-4b")


def test_what_one_model_cannot_have_is_left_out_and_what_none_can_is_refused() -> None:
    orders, left_out = order_some([SD2, FILL], ["none", "half-vae"])
    assert [(order.model, order.mode) for order in orders if order.mode == "half-vae"] == []  # float16, bfloat16
    assert any(SD2 in sentence for sentence in left_out)
    with pytest.raises(InvalidRequest, match="flux-2-klein-4b has no tier fast"):
        order_some(["flux-2-klein-4b"], ["auto+fast"])


def test_what_cannot_be_measured_is_refused_before_anything_is_begun() -> None:
    with pytest.raises(UnknownModel, match="Did you mean flux-1-fill-dev"):
        order_some(["flux-1-fil-dev"], ["none"])
    with pytest.raises(InvalidRequest, match="opencv-telea would not run on a GPU"):
        order_some(["opencv-telea"], ["none"])
    with pytest.raises(ParameterInvalid, match="steps of flux-1-fill-dev must be from 1 to 100"):
        order_some([FILL], ["none"], steps=1000)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--device", "cpu"], "add --tiny"),
        (["--size", "big"], "must be WIDTHxHEIGHT"),
        (["--size", "32x32"], "from 64 to 16384 pixels"),
        (["--steps", "few"], "must be default or a number"),
        (["--what", "joy"], "must be one of seconds, cropping, throughput"),
        (["--modes", "none,auto"], "Several modes have spaces between them"),
        (["--tiny", "--weights", "."], "leave out --weights, or --tiny"),
        (["--device", "tpu"], "must be cuda or cpu"),
        (["--report-only"], "There are no rows in"),
        (["--report-only", "--modes", "none"], "leave out --modes"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_exit_code_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from typer.main import get_command

    command = ["bench", "gpu", "--out", str(tmp_path / "out"), *words]
    code = exit_code_of(lambda: get_command(app).main(command, standalone_mode=False), debug=False)
    assert code == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_tiny_card_paints_small_pictures_in_few_steps() -> None:
    card = load_catalogue().card(FILL)
    tiny = bench_card(card, tiny=True)
    assert tiny.size.native_area == 256 * 256
    assert tiny.size.multiple_of == card.size.multiple_of
    assert tiny.resolve({})["steps"] == 4
    assert bench_card(card, tiny=False) is card


def with_auto(name: str, accelerate: str) -> ModelCard:
    return load_catalogue().card(name).model_copy(update={"accelerate": Acceleration.parse(accelerate)})


def test_auto_is_what_the_card_says_and_nothing_is_measured_twice() -> None:
    cards = [with_auto(FILL, "compile"), with_auto(SD2, "none")]
    found, said = resolve_modes(cards, parse_modes(["auto none compile auto+fast"]), "cuda")
    assert [str(mode) for mode in found[FILL]] == ["compile", "none", "compile+fast"]
    assert [str(mode) for mode in found[SD2]] == ["none", "compile", "none+fast"]
    assert said == [
        f"auto is compile on the card of {FILL}, and is measured once.",
        f"auto is none on the card of {SD2}, and is measured once.",
    ]
    assert resolve_modes(cards, parse_modes(["auto"]), "cuda")[1] == []


def test_on_a_cpu_auto_leaves_out_what_is_for_gpus() -> None:
    card = with_auto(FILL, "compile,fuse-qkv,attention=cudnn")
    found, _ = resolve_modes([card], parse_modes(["auto"]), "cpu")
    assert [str(mode) for mode in found[FILL]] == ["compile,fuse-qkv"]


@pytest.mark.parametrize("name", [name for name, card in load_catalogue().items() if card.device == "cuda"])
def test_every_model_has_candidates_that_its_card_can_have_and_none_is_the_first(name: str) -> None:
    card = load_catalogue().card(name)
    found = candidates_of(card, "cuda")
    assert str(found[0]) == "none"
    assert len(found) >= 3
    assert not [each for each in found if each.problem(card.accelerations)]


def test_candidates_are_for_the_families_that_they_name_and_for_what_is_installed() -> None:
    catalogue = load_catalogue()
    families = {card.family for card in catalogue.values()}
    for each in all_candidates():
        assert set(each.families) <= families | {"all"}
        assert any(each.accelerate in candidates_of(card, "cuda") for card in catalogue.values()) or each.needs
    words = {name: {str(each) for each in candidates_of(catalogue.card(name), "cuda")} for name in (FILL, SD2)}
    assert "compile,fuse-qkv,attention=cudnn" in words[FILL] and "cuda-graphs" not in words[FILL]
    assert "cuda-graphs,channels-last" in words[SD2]
    assert not [word for word in words[SD2] if "half-vae" in word]  # its autoencoder is in half precision as it is
    sdxl = candidates_of(catalogue.card("stable-diffusion-xl-1.0-inpainting-0.1"), "cuda")
    assert any(each.half_vae for each in sdxl)
    assert not [each for each in candidates_of(catalogue.card(FILL), "cpu") if each.attention]


def test_candidates_may_have_a_tier_and_stand_beside_other_modes() -> None:
    orders, _ = order_some([FILL], ["candidates+fast none"])
    modes = [order.mode for order in orders]
    assert modes[:2] == ["none+fast", "compile+fast"]
    assert modes[-1] == "none"
