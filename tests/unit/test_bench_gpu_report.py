"""What the report makes of rows: floors, shares, dollars, the fastest of each model, tables."""

from __future__ import annotations

import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bench_gpu_rows import FILL, FOUND, SD2, a_row, an_order
from inpaint_benchmark.gpu.fastest import find_fastest
from inpaint_benchmark.gpu.markdown import markdown
from inpaint_benchmark.gpu.report import Report, make_report, write_files
from inpaint_benchmark.gpu.rows import Row


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
    assert (
        "| 4,500 | 1,020, 1,000 | 4.50 | 9.00 | 50.0% | 0 | 0 | 0.1 | 1710 (1600) MHz, 640 W, 61 °C | 20.5 of 50 |"
        in text
    )
    assert r"| `flux-1-fill-dev` | `compile` | seconds | It died \| of \<b\> |" in text
    assert "torch 2.11.0" in text and "driver 580.1" in text
    for table in (block for block in text.split("\n\n") if block.startswith("|")):
        assert len({line.replace(r"\|", "").count("|") for line in table.splitlines()}) == 1


def test_tiny_models_are_called_so_and_stand_beside_no_published_numbers() -> None:
    text = markdown(make_report([a_row(tiny=True)], None))
    assert text.count("Tiny models: these numbers show that it works, and nothing of the models") == 2
    assert "review" not in text


def test_rows_stand_as_they_were_asked_for_and_none_is_the_first_of_its_model() -> None:
    rows = [a_row(model=model, mode=mode) for mode in ("auto+fast", "compile", "none") for model in (SD2, FILL)]
    asked = [an_order(model=model, mode=mode) for model in (FILL, SD2) for mode in ("compile", "auto+fast", "none")]
    found = make_report(rows, None, asked=asked).sections[0].rows
    assert [(each.row.order.model, each.row.order.mode) for each in found] == [
        (model, mode) for model in (FILL, SD2) for mode in ("none", "compile", "auto+fast")
    ]
    found = make_report(rows, None).sections[0].rows
    assert [(each.row.order.model, each.row.order.mode) for each in found[:3]] == [
        (SD2, mode) for mode in ("none", "auto+fast", "compile")
    ]


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
    died = read["sections"][0]["rows"][0]["row"]
    assert died["failed"] == "It died"
    assert died["measured"]["load_s"] == 4.0
    assert died["measured"]["image_s"] is None
    assert died["measured"]["unknown"]["image_s"] == "it was not reached"
    assert Report.model_validate(read) == report


def test_a_model_that_multiplies_in_8_bits_has_no_utilisation_by_the_rate_of_16() -> None:
    found = derived(a_row(runtime={"quantisation": "fp8"}))
    assert found.mfu is None and found.floor_s is None
    assert "8 bits" in found.unknown["mfu"]
    assert derived(a_row(runtime={"quantisation": "nf4"})).mfu is not None


def test_the_gpus_clock_and_both_matrix_multiplications_are_shown() -> None:
    text = markdown(make_report([a_row()], None))
    assert "| 1710 (1600) MHz, 640 W, 61 °C |" in text
    assert "| 1,020, 1,000 |" in text


def test_what_was_not_compiled_is_shown() -> None:
    assert "| 0 | 7 | 0.1" in markdown(make_report([a_row({**FOUND, "not_compiled": 7})], None))


# --- the fastest of each model ----------------------------------------------------------------------------------------


def timed(mode: str, median: float, *, model: str = FILL, **changes: Any) -> Row:
    image_s = {"median": median, "min": median - 0.1, "max": median + 0.1}
    return a_row({**FOUND, "image_s": image_s, **changes}, mode=mode, model=model)


def test_the_fastest_mode_is_told_by_its_ratio_to_none_and_as_toml() -> None:
    rows = [timed("none", 10.0), timed("compile", 6.0), timed("compile,fuse-qkv", 5.0), timed("none+fast", 3.0)]
    (found,) = find_fastest(rows)
    assert (found.order.mode, found.compared) == ("compile,fuse-qkv", 3)
    assert found.ratio == pytest.approx(2.0)
    text = markdown(make_report(rows, None))
    assert (
        "| `flux-1-fill-dev` | default | 1024x1024 | `compile,fuse-qkv` | 5.00 | 10.0 | 2.00 | rounding | 3 | – |"
        in text
    )
    lines = tomllib.loads(text.split("```toml\n")[1].split("```")[0])
    assert lines == {"models": {FILL: {"accelerate": "compile,fuse-qkv"}}}


def test_what_changes_more_than_rounding_is_told_and_not_proposed() -> None:
    rows = [timed("none", 10.0), timed("compile", 6.0), timed("compile,half-vae", 5.0)]
    rounding, beyond = find_fastest(rows)
    assert (rounding.order.mode, rounding.for_card) == ("compile", True)
    assert (beyond.order.mode, beyond.for_card) == ("compile,half-vae", False)
    text = markdown(make_report(rows, None))
    assert "| more than rounding: half-vae |" in text
    assert 'accelerate = "compile"' in text and 'accelerate = "compile,half-vae"' not in text


def test_noise_and_rows_that_were_not_compiled_win_nothing() -> None:
    (noise,) = find_fastest([timed("none", 10.0), timed("compile", 9.9)])
    assert not noise.clear and not noise.for_card
    (found,) = find_fastest(
        [timed("none", 10.0), timed("compile", 5.0, not_compiled=3), timed("compile-whole", 4.0, recompilations=1)]
    )
    assert found.order.mode == "none"
    assert "```toml" not in markdown(make_report([timed("none", 10.0), timed("compile", 9.9)], None))


def test_one_mode_alone_is_not_the_fastest_of_anything() -> None:
    assert find_fastest([timed("compile", 5.0)]) == []
    rows = [timed("none", 10.0), a_row({**FOUND, "image_s": None, "unknown": {"image_s": "it died"}}, failed="It died")]
    assert find_fastest(rows) == []
    assert "Fastest per model" not in markdown(make_report(rows, None))
