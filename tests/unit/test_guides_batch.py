"""Rows of a batch with reference and control images and several outputs: what they mean, their keys, their notes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from factories import encode, make_image, make_mask
from guide_scene import CARD, CATALOGUE, PLAIN
from inpaint_core.catalogue import Catalogue, load_catalogue
from inpaint_fleet.batch.resume import with_keys
from inpaint_fleet.batch.rows import Defaults, Row, read_rows
from inpaint_fleet.cli.notes import show_warnings_as_notes
from inpaint_producer import JobSpec

GUIDED = [CARD.name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(("room", "chair", "lines")):
        (tmp_path / f"{name}.png").write_bytes(encode(make_image(seed=seed)))
    (tmp_path / "mask.png").write_bytes(encode(make_mask()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def notes() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def rows_of(
    folder: Path, rows: list[dict[str, Any]], *, catalogue: Catalogue = CATALOGUE, **defaults: Any
) -> list[Row]:
    file = folder / "jobs.jsonl"
    whole = [{"source": "room.png", "mask": "mask.png", **row} for row in rows]
    file.write_text("\n".join(map(json.dumps, whole)), encoding="utf-8")
    return read_rows([file], Defaults(**{"models": GUIDED, **defaults}), catalogue)


def specs(rows: list[Row]) -> list[JobSpec]:
    assert [row.problem for row in rows if row.problem] == []
    return [row.spec for row in rows if row.spec is not None]


def keys(rows: list[Row]) -> list[str]:
    return [str(spec.idempotency_key) for spec in specs(with_keys(rows, "night"))]


# --- what rows mean ---------------------------------------------------------------------------------------------------


def test_cells_are_read_as_what_they_are_and_paths_from_the_folder_of_the_file(folder: Path) -> None:
    (folder / "sub").mkdir()
    file = folder / "sub/jobs.csv"
    file.write_text(
        "source,mask,reference_image,reference_strength,control_image,control_type,control_strength,outputs\n"
        "a.png,m.png,../chair.png,0.4,s3://maps/a.png,canny,1,3\n"
        "b.png,m.png,,,,,,\n",
        encoding="utf-8",
    )
    first, second = specs(read_rows([file], Defaults(models=GUIDED), CATALOGUE))
    assert first.reference_image == folder / "sub/../chair.png" and first.control_image == "s3://maps/a.png"
    assert (first.reference_strength, first.control_type, first.control_strength) == (0.4, "canny", 1)
    assert (first.outputs, second.outputs) == (3, 1)
    assert second.guides == {}


def test_what_a_row_leaves_out_comes_from_the_options_and_a_row_has_the_last_word(folder: Path) -> None:
    guides = {"reference_image": "chair.png", "reference_strength": 0.3, "outputs": 2}
    rows: list[dict[str, Any]] = [{}, {"reference_image": "s3://b/x.png"}, {"outputs": 4, "reference_strength": 0.9}]
    first, second, third = specs(rows_of(folder, rows, guides=guides))
    assert (str(first.reference_image), first.reference_strength, first.outputs) == ("chair.png", 0.3, 2)
    assert (second.reference_image, second.reference_strength, second.outputs) == ("s3://b/x.png", 0.3, 2)
    assert (str(third.reference_image), third.reference_strength, third.outputs) == ("chair.png", 0.9, 4)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keys_of_rows_without_guides_are_what_they_were_before_there_were_any(folder: Path) -> None:
    spec = {"source": "s3://inpaint/in/room.jpg", "mask": "s3://inpaint/in/mask.png", "seed": 4}
    rows = rows_of(folder, [spec, {**spec, "outputs": 1}, {**spec, "outputs": "1"}], models=["opencv-telea"],
                   catalogue=load_catalogue())  # fmt: skip
    # The first as the program made it before 2026-11-26.
    key = "night:37f875d449d67cb030279c72b596a23d"
    assert keys(rows) == [key, f"{key}.2", f"{key}.3"]


def test_a_guide_that_changed_makes_a_new_job_wherever_it_was_named(folder: Path) -> None:
    row = {"control_image": "lines.png", "control_type": "canny"}
    guides = {"reference_image": "chair.png"}

    def all_keys() -> list[str]:
        # In its row, and as an option of the command.
        return keys(rows_of(folder, [row])) + keys(rows_of(folder, [{}], guides=guides))

    before = all_keys()
    assert all_keys() == before
    (folder / "chair.png").write_bytes(encode(make_image(seed=9)))
    in_row, by_option = all_keys()
    assert in_row == before[0] and by_option != before[1]
    (folder / "lines.png").write_bytes(encode(make_image(seed=10)))
    assert all_keys()[0] != before[0]


def test_an_option_and_a_cell_that_say_the_same_give_one_key(folder: Path) -> None:
    typed = {"reference_image": "chair.png", "reference_strength": 1.0, "outputs": 2}
    cells = {"reference_image": "chair.png", "reference_strength": "1", "outputs": "2"}
    assert keys(rows_of(folder, [{}], guides=typed)) == keys(rows_of(folder, [cells]))


def test_each_field_of_the_guides_makes_a_key_of_its_own(folder: Path) -> None:
    control = {"control_image": "lines.png", "control_type": "canny"}
    rows: list[dict[str, Any]] = [
        {}, {"outputs": 2}, {"reference_image": "chair.png"}, {"reference_image": "chair.png", "reference_strength": 0},
        control, {**control, "control_type": "depth"}, {**control, "control_strength": 0.5},
        {"reference_image": "lines.png"}, {**control, "control_image": "chair.png"},
    ]  # fmt: skip
    made = keys(rows_of(folder, rows))
    assert len(set(made)) == len(rows)
    assert not any("." in key for key in made)


# --- a row for several models -----------------------------------------------------------------------------------------


def test_a_comparison_leaves_out_a_negative_prompt_where_a_model_knows_none_and_says_so_once(
    folder: Path, notes: None, capsys: pytest.CaptureFixture[str]
) -> None:
    show_warnings_as_notes()
    models = [CARD.name, PLAIN.name]
    rows = rows_of(folder, [{"prompt": "a chair", "negative_prompt": "blur"}] * 2, models=models)
    assert [(spec.model, spec.negative_prompt) for spec in specs(rows)] == [(CARD.name, ""), (PLAIN.name, "blur")] * 2
    for row in rows:
        assert row.spec is not None
        CATALOGUE.check(row.spec.to_request(*["s3://inpaint/in/a.png"] * 3))
    assert capsys.readouterr().err.splitlines() == ["note: test-guided knows no negative prompt: its rows go without."]


def test_a_row_for_one_model_keeps_it_and_is_refused(folder: Path) -> None:
    (row,) = rows_of(folder, [{"prompt": "a chair", "negative_prompt": "blur"}])
    assert row.spec is not None and row.spec.negative_prompt == "blur"


def test_a_baseline_that_reads_no_text_keeps_both_prompts_so_that_its_old_keys_stay(folder: Path) -> None:
    catalogue = load_catalogue()
    models = ["opencv-telea", "stable-diffusion-2-inpainting"]
    rows = rows_of(folder, [{"prompt": "a chair", "negative_prompt": "blur"}], models=models, catalogue=catalogue)
    assert [spec.negative_prompt for spec in specs(rows)] == ["blur", "blur"]
    catalogue.check(specs(rows)[0].to_request(*["s3://inpaint/in/a.png"] * 3))


def test_a_web_address_is_refused_as_one_in_a_row_and_as_an_option(folder: Path) -> None:
    for row, guides in (
        ({"reference_image": "https://x.org/a.png"}, {}),
        ({}, {"reference_image": "https://x.org/a.png"}),
    ):
        (spec,) = specs(rows_of(folder, [row], guides=guides))
        assert spec.reference_image == "https://x.org/a.png"
