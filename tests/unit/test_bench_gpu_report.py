"""Figures of a GPU without one: modes and orders, the journal, estimates, and what the report makes of rows."""

from __future__ import annotations

import itertools
import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from inpaint_benchmark.gpu.cards import bench_card, choose_cards
from inpaint_benchmark.gpu.children import Ending
from inpaint_benchmark.gpu.counts import Counts
from inpaint_benchmark.gpu.cropping import SHARES, mask_of
from inpaint_benchmark.gpu.estimating import Estimates
from inpaint_benchmark.gpu.journal import Journal
from inpaint_benchmark.gpu.markdown import markdown
from inpaint_benchmark.gpu.modes import Mode, parse_modes
from inpaint_benchmark.gpu.orders import Order, make_orders
from inpaint_benchmark.gpu.page_cache import cached_share
from inpaint_benchmark.gpu.report import Report, make_report, write_files
from inpaint_benchmark.gpu.rows import Machine, Row, Seconds, measured_of
from inpaint_benchmark.gpu.running import Run
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import InvalidRequest, ParameterInvalid, UnknownModel
from inpaint_core.tiers import Tier
from inpaint_fleet.cli.app import app
from inpaint_fleet.cli.outcome import exit_code_of
from pydantic import ValidationError

FILL, SD2 = "flux-1-fill-dev", "stable-diffusion-2-inpainting"
MACHINE = Machine(
    device_kind="cuda",
    device_name="NVIDIA Test",
    device_memory_gb=100.0,
    driver="580.1",
    cuda="13.0",
    cudnn="91000",
    cpu="A CPU (4 cores)",
    python="3.12.1",
    operating_system="Linux",
    packages={"torch": "2.11.0", "diffusers": "0.42.1", "transformers": "5.23.0", "inpaint-fleet": "0.1.0"},
)
FOUND: dict[str, Any] = {
    "import_s": 3.0,
    "load_s": 4.0,
    "page_cache": 0.25,
    "weights_gb": 33.0,
    "warm_s": 20.0,
    "first_image_s": 28.0,
    "image_s": {"median": 9.0, "min": 8.9, "max": 9.4},
    "beside_s": {"median": 0.1, "min": 0.1, "max": 0.1},
    "step_ms": 175.0,
    "peak_allocated_gb": 34.5,
    "peak_reserved_gb": 36.0,
    "recompilations": 0,
    "passes": 50.0,
    "passes_computed": 20.5,
    "matmul": {"tflop_per_s": 1000.0, "n": 8192, "dtype": "bfloat16"},
    "tflop": 4500.0,
    "tflop_of": {"transformer": 4500.0},
}


def an_order(**changes: Any) -> Order:
    values = {"what": "seconds", "model": FILL, "mode": "auto", "width": 1024, "height": 1024, "repeats": 5}
    return Order.model_validate({**values, "tiny": False, "device": "cuda", "weights": "random", **changes})


def a_row(found: dict[str, Any] | None = None, *, failed: str | None = None, **changes: Any) -> Row:
    order = an_order(**changes)
    return Row(
        order=order,
        begun_at=datetime(2026, 11, 26, tzinfo=UTC),
        wall_s=100.0,
        failed=failed,
        machine=MACHINE,
        parameters={"steps": 50},
        painted=[(1024, 1024)],
        measured=measured_of(order.what, FOUND if found is None else found, "it was not reached"),
    )


# --- modes and orders -------------------------------------------------------------------------------------------------


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


# --- rows and the journal ---------------------------------------------------------------------------------------------


def test_what_is_unknown_needs_a_reason() -> None:
    with pytest.raises(ValidationError, match="step_ms is null, and unknown does not say why"):
        Seconds.model_validate({**FOUND, "step_ms": None})
    found = {**FOUND, "step_ms": None, "unknown": {"step_ms": "only one step", "load_s": "of no use: it was found"}}
    assert Seconds.of(found, "it was not reached").unknown == {"step_ms": "only one step"}
    assert Seconds.of({}, "it was not reached").unknown["image_s"] == "it was not reached"


def test_the_journal_keeps_rows_and_survives_a_line_that_was_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with journal.held():
        journal.append(a_row())
        with journal.path.open("a") as file:
            file.write('{"version":1,"order":{"what"')
    again = Journal(tmp_path)
    assert len(again.rows) == 1
    again.append(a_row(mode="none"))
    assert [row.order.mode for row in Journal(tmp_path).rows] == ["auto", "none"]


def test_rows_of_another_machine_or_version_are_not_taken_for_those_of_this(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with journal.held():
        journal.append(a_row())
    assert journal.last(an_order(), MACHINE) is not None
    assert journal.last(an_order(mode="none"), MACHINE) is None
    assert journal.last(an_order(), MACHINE.model_copy(update={"device_name": "NVIDIA Other"})) is None
    newer = {**MACHINE.packages, "torch": "2.12.0"}
    assert journal.last(an_order(), MACHINE.model_copy(update={"packages": newer})) is None
    assert journal.last(an_order(), MACHINE.model_copy(update={"operating_system": "Linux 7"})) is not None


def test_only_one_command_measures_into_a_folder(tmp_path: Path) -> None:
    with (
        Journal(tmp_path).held(),
        pytest.raises(InvalidRequest, match="Another `inpaint bench gpu` is measuring"),
        Journal(tmp_path).held(),
    ):
        pass


def test_a_file_that_was_just_written_is_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"x" * 100_000)
    assert cached_share([tmp_path / "weights"]) == 1
    (tmp_path / "hole").write_bytes(b"")
    assert cached_share([tmp_path / "hole"]) is None


@pytest.mark.parametrize("share", SHARES)
def test_the_masks_of_a_photo_cover_what_they_say(share: float) -> None:
    mask = mask_of(400, 300, share)
    assert sum(mask.histogram()[255:]) / (400 * 300) == pytest.approx(share, rel=0.05)


# --- time -------------------------------------------------------------------------------------------------------------


class QuickRun(Run):
    """Rows that take no time, on a clock of their own."""

    took_s = 100.0
    cut: frozenset[str] = frozenset()

    def _machine(self, order: Order) -> Machine:
        return MACHINE

    def _row(self, order: Order, machine: Machine, estimates: Estimates, *, whole_call: bool) -> Row | None:
        self.began -= self.took_s
        if order.model in self.cut and not whole_call:
            estimates.note(order, self.took_s)
            return None
        return a_row(model=order.model, mode=order.mode)


def quick_run(folder: Path, limit_s: float | None) -> QuickRun:
    journal = Journal(folder)
    return QuickRun(
        journal, folder, folder, load_catalogue(), lambda: nullcontext(None), lambda _: None, time_limit_s=limit_s
    )  # type: ignore[arg-type]


def test_a_call_begins_nothing_that_would_not_end_in_time_and_the_next_goes_on(tmp_path: Path) -> None:
    orders = [an_order(model=model, mode=mode) for model in (FILL, SD2) for mode in ("none", "auto")]
    # A row takes 100 s: after two there are 45 s left.
    assert quick_run(tmp_path, 250).carry_out(orders) == orders[2:]
    assert quick_run(tmp_path, 250).carry_out(orders) == []
    assert [row.order for row in Journal(tmp_path).rows] == orders
    again = quick_run(tmp_path, None)
    assert again.carry_out(orders) == []
    assert len(again.journal.rows) == 4
    again.carry_out(orders[:1], again=True)
    assert len(Journal(tmp_path).rows) == 5
    assert len(Journal(tmp_path).newest()) == 4


def test_a_row_that_a_whole_call_may_suffice_for_is_not_given_up_in_a_part_of_one(tmp_path: Path) -> None:
    orders = [an_order(model=FILL), an_order(model=SD2)]
    run = quick_run(tmp_path, 1000)
    run.cut = frozenset({SD2})
    assert run.carry_out(orders) == orders[1:]
    assert Journal(tmp_path).last(orders[1], MACHINE) is None
    run = quick_run(tmp_path, 1000)
    run.cut = frozenset({SD2})
    assert run.carry_out(orders) == []


def test_a_row_is_judged_by_the_longest_of_its_model_else_of_all(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "times.json", [])
    assert estimates.of(an_order()) == 0
    for model, took in ((FILL, 90), (FILL, 120), (SD2, 30)):
        estimates.note(an_order(model=model), took)
    read = Estimates(tmp_path / "times.json", [])
    assert read.of(an_order(mode="compile")) == 120
    assert read.of(an_order(model=SD2)) == 30
    assert read.of(an_order(model="qwen-image-inpainting")) == 120
    assert read.of(an_order(tiny=True)) == 0


def test_what_an_image_computes_is_looked_up_and_counted_once_where_it_is_not_kept() -> None:
    asked: list[tuple[tuple[int, int], ...]] = []

    def count(_order: Order, shapes: tuple[tuple[int, int], ...]) -> Ending:
        asked.append(shapes)
        return Ending(found={f"{w}x{h}": {"tflop": 7.0, "tflop_of": {"unet": 7.0}} for w, h in shapes})

    counts = Counts(count)
    defaults = load_catalogue().card(FILL).resolve({})
    found, reason = counts.of(an_order(), defaults, [(1024, 1024)])
    assert found[1024, 1024]["tflop"] == pytest.approx(3745, rel=0.01)
    assert (asked, reason) == ([], "")
    fewer = {**defaults, "steps": 20}
    for _ in range(2):
        found, _ = counts.of(an_order(steps=20), fewer, [(1024, 1024), (768, 768)])
    assert found[1024, 1024]["tflop"] == 7.0
    assert asked == [((1024, 1024), (768, 768))]
    failing = Counts(lambda _order, _shapes: Ending(failed="no architecture"))
    assert failing.of(an_order(steps=20), fewer, [(64, 64)]) == ({}, "counting failed: no architecture")


# --- the report -------------------------------------------------------------------------------------------------------


def derived(row: Row, usd_per_hour: float | None = 3.6) -> Any:
    return make_report([row], usd_per_hour).sections[0].rows[0].derived


def test_floor_utilisation_and_dollars_follow_from_a_row() -> None:
    found = derived(a_row())
    assert found.floor_s == pytest.approx(4.5)
    assert found.mfu == pytest.approx(0.5)
    assert found.usd_per_1k == pytest.approx(9.0)
    assert found.unknown == {}


def test_no_price_no_dollars_and_no_count_no_floor() -> None:
    assert derived(a_row(), None).unknown == {"usd_per_1k": "no --usd-per-hour was given"}
    found = derived(a_row({**FOUND, "tflop": None, "unknown": {"tflop": "not counted"}}))
    assert found.floor_s is None
    assert found.unknown == {"floor_s": "not counted", "mfu": "not counted"}


def test_a_tier_that_leaves_work_out_has_no_utilisation() -> None:
    found = derived(a_row(mode="auto+fast"))
    assert found.mfu is None
    assert "leaves work out" in found.unknown["mfu"]


def test_the_reviews_numbers_stand_beside_ours_and_are_called_its_own() -> None:
    rows = make_report([a_row(), a_row(model="flux-2-klein-4b")], None).sections[0].rows
    assert rows[0].published is not None
    assert (rows[0].published.inference_s, rows[0].published.device) == (26.5, "NVIDIA A100 40GB")
    assert rows[0].published.usd_per_hour == 1.2
    assert rows[1].published is None
    text = markdown(make_report([a_row()], None))
    assert "as published: one NVIDIA A100 40GB at $1.2/h, 1024x1024. They were not measured here." in text


def test_every_table_says_what_weights_it_was_measured_with() -> None:
    text = markdown(make_report([a_row(), a_row(weights="real")], None))
    parts = text.split("\n### ")[1:]
    assert len(parts) == 4
    for random, part in zip(itertools.chain([True] * 2, [False] * 2), parts, strict=True):
        said = part.split("\n\n")[1]
        assert said.startswith("Random weights: time and memory only." if random else "Real weights"), part


def test_the_table_reads_like_one() -> None:
    text = markdown(make_report([a_row(), a_row({}, failed="It died | of <b>", mode="compile")], 3.6, ["x, y, z"]))
    assert "> Not finished: 1 left." in text
    line = (
        "| `flux-1-fill-dev` | `auto` | 50 | 1024x1024 | **9.00** (8.90 to 9.40) | 175 | 28.0 | 4.00 (25%) "
        "| 34.5 / 36.0 | 9.00 | 26.5 | 38 | 8.8 |"
    )
    assert line in text
    assert "$/1k edits at $3.6/h" in text
    assert "| 4,500 | 1,000 | 4.50 | 9.00 | 50.0% | 0 | 0.1 | 20.5 of 50 |" in text
    assert r"| `flux-1-fill-dev` | `compile` | seconds | It died \| of \<b\> |" in text
    assert "torch 2.11.0" in text and "driver 580.1" in text
    for table in (block for block in text.split("\n\n") if block.startswith("|")):
        assert len({line.replace(r"\|", "").count("|") for line in table.splitlines()}) == 1


def test_tiny_models_are_called_so_and_stand_beside_no_published_numbers() -> None:
    text = markdown(make_report([a_row(tiny=True)], None))
    assert text.count("Tiny models: these numbers show that it works, and nothing of the models") == 2
    assert "review" not in text


def test_what_was_painted_of_a_larger_picture_is_told() -> None:
    assert "| 1024x1024 of 2048x2048 |" in markdown(make_report([a_row(width=2048, height=2048)], None))


def test_what_a_step_cache_leaves_out_is_told_and_that_random_weights_decide_it() -> None:
    assert "With random weights a step cache leaves out other steps" in markdown(make_report([a_row()], None))
    exact = {**FOUND, "passes": None, "passes_computed": None}
    exact["unknown"] = dict.fromkeys(("passes", "passes_computed"), "the tier exact leaves nothing out")
    text = markdown(make_report([a_row(exact)], None))
    assert "step cache" not in text
    assert "leaves nothing out" not in text
    assert "| all |" in markdown(make_report([a_row(), a_row(exact, mode="none")], None))


def test_dollars_have_no_column_without_a_price() -> None:
    assert "$/1k edits at" not in markdown(make_report([a_row()], None))


def test_stable_diffusion_2s_published_row_is_explained() -> None:
    assert "that row cannot be compared" in markdown(make_report([a_row(model=SD2)], None))
    assert "that row cannot be compared" not in markdown(make_report([a_row()], None))


def test_the_json_is_that_of_its_schema_and_keeps_what_is_unknown_null(tmp_path: Path) -> None:
    report = make_report([a_row(), a_row({"load_s": 4.0}, failed="It died", mode="none")], None)
    write_files(report, tmp_path, markdown(report))
    read = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(read, Report.model_json_schema(mode="serialization"))
    died = read["sections"][0]["rows"][1]["row"]
    assert died["failed"] == "It died"
    assert died["measured"]["load_s"] == 4.0
    assert died["measured"]["image_s"] is None
    assert died["measured"]["unknown"]["image_s"] == "it was not reached"
    assert Report.model_validate(read) == report
