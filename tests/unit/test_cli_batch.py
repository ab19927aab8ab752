"""Batch files: what rows mean, and what is said of wrong ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from factories import encode, make_image, make_mask
from inpaint_core.catalogue import load_catalogue
from inpaint_core.edit import EditOptions, Fit, OutputFormat
from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_fleet.batch import fields
from inpaint_fleet.batch.names import output_names
from inpaint_fleet.batch.resume import with_keys
from inpaint_fleet.batch.rows import Defaults, Row, read_rows
from inpaint_producer import JobSpec

TELEA = Defaults(models=["opencv-telea"])


def read(path: Path, defaults: Defaults = TELEA, masks: Path | None = None) -> list[Row]:
    return read_rows([path], defaults, load_catalogue(), masks)


def one(path: Path, defaults: Defaults = TELEA) -> JobSpec:
    (row,) = read(path, defaults)
    assert row.problem is None, row.problem
    assert row.spec is not None
    return row.spec


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_columns_are_read_in_the_types_that_the_model_declares(tmp_path: Path) -> None:
    file = write(
        tmp_path / "jobs.csv",
        "id,source,mask,model,prompt,seed,param.radius,tag.room,priority,campaign,deadline\n"
        'sofa,in/a.jpg,s3://other/m.png,opencv-ns,"a sofa, grey",7,3.5,kitchen,high,spring,2h\n',
    )
    spec = one(file)
    assert spec.source == tmp_path / "in/a.jpg"
    assert spec.mask == "s3://other/m.png"
    assert (spec.model, spec.prompt, spec.seed, spec.priority) == ("opencv-ns", "a sofa, grey", 7, "high")
    assert dict(spec.parameters) == {"radius": 3.5}
    assert dict(spec.tags) == {"sample": "sofa", "room": "kitchen"}
    assert spec.deadline is not None and spec.deadline > datetime.now(UTC) + timedelta(minutes=110)


def test_what_a_row_leaves_out_comes_from_the_options(tmp_path: Path) -> None:
    file = write(tmp_path / "jobs.csv", "source,mask,prompt,param.radius\na.png,m.png,,\nb.png,m.png,chair,9\n")
    defaults = Defaults(models=["opencv-telea"], prompt="sofa", parameters=["radius=7"], campaign="c", tags={"a": "b"})
    first, second = read(file, defaults)
    assert first.spec and second.spec
    assert (first.spec.prompt, dict(first.spec.parameters)) == ("sofa", {"radius": 7})
    assert (second.spec.prompt, dict(second.spec.parameters)) == ("chair", {"radius": 9})
    assert first.spec.campaign == "c" and dict(first.spec.tags) == {"a": "b"}


def test_a_spreadsheet_with_semicolons_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.write_bytes("\ufeffsource;mask;prompt\r\na.png;m.png;größer\r\n\r\n".encode())
    assert one(file).prompt == "größer"


def test_a_row_without_a_model_becomes_one_job_for_each(tmp_path: Path) -> None:
    file = write(tmp_path / "j.csv", "source,mask,model,idempotency_key\na.png,m.png,,k\nb.png,m.png,opencv-ns,k2\n")
    rows = read(file, Defaults(models=["opencv-telea", "opencv-ns"]))
    assert [(row.number, row.model) for row in rows] == [(1, "opencv-telea"), (2, "opencv-ns"), (3, "opencv-ns")]
    assert [row.spec.idempotency_key for row in rows if row.spec] == ["k:opencv-telea", "k:opencv-ns", "k2"]


def test_jsonl_keeps_types_and_names_lines_that_are_wrong(tmp_path: Path) -> None:
    good = {"source": "a.png", "mask": "m.png", "parameters": {"radius": 4}, "tags": {"room": "k"}, "seed": 3}
    file = write(tmp_path / "jobs.jsonl", f"{json.dumps(good)}\n\nnot json\n[1]\n")
    first, second, third = read(file)
    assert first.spec is not None and dict(first.spec.parameters) == {"radius": 4} and first.spec.seed == 3
    assert second.place == "jobs.jsonl line 3" and second.problem is not None and "not JSON" in second.problem
    assert third.problem is not None and "must be an object" in third.problem


def test_a_manifest_of_samples_becomes_jobs_tagged_with_their_id(tmp_path: Path) -> None:
    samples = [{"id": "orchid", "source": "s/o.png", "mask": "m/o.png", "prompt": "An orchid", "licence": "CC0"}]
    spec = one(write(tmp_path / "samples.json", json.dumps({"name": "ten", "samples": samples})))
    assert spec.source == tmp_path / "s/o.png"
    assert spec.prompt == "An orchid"
    assert dict(spec.tags) == {"sample": "orchid"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (",m.png,,", "There is no source"),
        ("a.png,,,", "There is no mask"),
        ("a.png,m.png,x,", "seed 'x' must be an integer"),
        ("a.png,m.png,1,{radius", "parameters must be a JSON object"),
        ("a.png,m.png,1,2,3,4", "It has 6 cells and the file 4 columns"),
    ],
)
def test_a_wrong_row_says_what_is_wrong_with_it(tmp_path: Path, line: str, sentence: str) -> None:
    file = write(tmp_path / "jobs.csv", f"source,mask,seed,parameters\na.png,m.png,,\n{line}\n")
    good, bad = read(file)
    assert good.problem is None
    assert bad.place == "jobs.csv line 3"
    assert bad.problem is not None and sentence in bad.problem


def test_options_of_the_edit_come_from_columns_and_from_the_command(tmp_path: Path) -> None:
    lines = ['a.png,m.png,8,true,"{""grow"": 2, ""fit"": ""whole""}"', "b.png,m.png,,,"]
    file = write(tmp_path / "jobs.csv", "\n".join(["source,mask,edit.grow,edit.fill_holes,edit", *lines]))
    defaults = Defaults(models=["opencv-telea"], edit={"format": "webp", "grow": 1.0})
    first, second = (row.spec for row in read(file, defaults))
    assert first is not None and second is not None
    options = EditOptions.model_validate(first.edit)
    assert options == EditOptions(grow=8, fill_holes=True, fit=Fit.WHOLE, format=OutputFormat.WEBP)
    assert second.edit == {"format": "webp", "grow": 1.0}


def test_masks_may_be_the_word_alpha_a_file_of_that_name_or_shapes(tmp_path: Path) -> None:
    shapes = {"boxes": [[1, 2, 3, 4]]}
    lines = ["a.png,alpha", "a.png,./alpha", 'a.png,"{""boxes"": [[1, 2, 3, 4]]}"', "a.png,{boxes"]
    *good, bad = read(write(tmp_path / "jobs.csv", "\n".join(["source,mask", *lines])))
    assert [row.spec.mask if row.spec else None for row in good] == ["alpha", tmp_path / "alpha", shapes]
    assert bad.problem == 'mask must be a JSON object such as {"boxes": [[10, 10, 90, 60]]}.'
    assert one(write(tmp_path / "j.jsonl", json.dumps({"source": "a.png", "mask": shapes}))).mask == shapes


def test_a_misspelt_option_is_refused_with_those_there_are(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path / "jobs.csv", "source,mask,edit.grw\na.png,m.png,8\n"))
    assert row.problem is not None and row.problem.startswith("There is no column 'edit.grw': there are edit.polarity,")
    assert all(f"edit.{name}" in row.problem for name in EditOptions.model_fields)


def test_an_unknown_column_offers_the_nearest(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path / "jobs.csv", "source,mask,promt\na.png,m.png,x\n"))
    assert row.problem == "There is no column 'promt': did you mean prompt?"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("jobs.csv", "", "has no column `source`"),
        ("jobs.csv", "picture,mask\n", "its first line names the columns: picture, mask"),
        ("jobs.csv", "source,mask,mask\n", "the column mask twice"),
        ("jobs.csv", 'source,mask\n"a.png,m.png\n', "is not CSV"),
        ("jobs.json", "{", "is not JSON"),
        ("jobs.json", "{}", "must be a list of jobs, or a manifest"),
        ("jobs.txt", "", "is not a batch"),
        ("room.jpg", "", "`inpaint submit` takes one picture"),
    ],
)
def test_a_file_that_is_no_batch_is_refused(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        read(write(tmp_path / name, text))


def test_a_missing_file_and_one_that_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="There is no file"):
        read(tmp_path / "nix.csv")
    (tmp_path / "latin.csv").write_bytes("source,mask\ngrün.png,m.png\n".encode("latin-1"))
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        read(tmp_path / "latin.csv")


def test_a_folder_is_paired_with_its_masks_by_name(tmp_path: Path) -> None:
    sources, masks = tmp_path / "sources", tmp_path / "masks"
    sources.mkdir()
    masks.mkdir()
    for name in ("a.jpg", "b.png", "c.png"):
        (sources / name).write_bytes(b"")
    for name in ("a.png", "b-mask.png"):
        (masks / name).write_bytes(b"")
    a, b, c = read(sources, masks=masks)
    assert a.spec and a.spec.mask == masks / "a.png"
    assert b.spec and b.spec.mask == masks / "b-mask.png"
    assert c.place == "c.png" and c.problem is not None and "holds no mask for it" in c.problem
    with pytest.raises(InvalidRequest, match="--masks"):
        read(sources)
    with pytest.raises(InputNotFound, match="There is no folder"):
        read(sources, masks=tmp_path / "nix")


def test_sources_and_masks_may_lie_in_one_folder(tmp_path: Path) -> None:
    for name in ("room.jpg", "room-mask.png"):
        (tmp_path / name).write_bytes(b"")
    (row,) = read(tmp_path, masks=tmp_path)
    assert row.name == "room" and row.spec and row.spec.mask == tmp_path / "room-mask.png"


def test_results_are_named_after_their_source_and_apart_from_each_other() -> None:
    rows = [Row(1, "", "a b/c", "opencv-ns"), Row(2, "", "x", "opencv-ns"), Row(3, "", "X", "opencv-ns")]
    assert output_names(rows) == {1: "a_b_c", 2: "x-2", 3: "X-3"}
    several = [Row(1, "", "a", "opencv-ns"), Row(2, "", "a", "opencv-telea")]
    assert output_names(several) == {1: "a.opencv-ns", 2: "a.opencv-telea"}
    assert output_names([Row(1, "", "../..", "m")]) == {1: "_"}


def test_resume_keys_follow_what_a_row_asks_and_what_its_picture_shows(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(make_image()))
    (tmp_path / "m.png").write_bytes(encode(make_mask()))
    text = "source,mask,prompt,idempotency_key\na.png,m.png,x,\na.png,m.png,x,\na.png,m.png,y,\na.png,m.png,y,mine\n"
    file = write(tmp_path / "jobs.csv", text)

    def keys() -> list[str | None]:
        return [row.spec.idempotency_key if row.spec else None for row in with_keys(read(file), "spring")]

    before = keys()
    assert len(set(before)) == 4 and before[3] == "mine"
    assert all(key and key.startswith("spring:") for key in before[:3])
    assert keys() == before
    (tmp_path / "a.png").write_bytes(encode(make_image(seed=1)))
    assert not set(keys()[:3]) & set(before[:3])
    with pytest.raises(InvalidRequest, match="--resume-key"):
        with_keys([], "x" * 161)


def test_resume_keys_follow_options_and_shapes_and_are_what_they_were_without(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "m.png").write_bytes(b"m")

    def key(**changed: object) -> str | None:
        values = {"source": "a.png", "mask": "m.png"} | changed
        (row,) = with_keys(read(write(tmp_path / "jobs.jsonl", json.dumps(values))), "k")
        return row.spec.idempotency_key if row.spec else None

    # As it was before there were options: a batch that was begun then is gone on with, not submitted again.
    assert key() == "k:3bc1b10e0fede7f97696b1e6a5966c96" == key(edit={}) == key(edit={"format": "png"})
    assert key(edit={"grow": 8}) == key(**{"edit.grow": "8"}) != key()
    shapes = [{"boxes": [[0, 0, 9, 9]]}, {"boxes": [[0, 0, 9, 8]]}, {"polygons": [[[0, 0], [9, 0], [9, 9]]]}, "alpha"]
    assert len({key(), key(edit={"grow": 8}), *(key(mask=mask) for mask in shapes)}) == 6


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,0,3,4", ""])
def test_a_box_is_four_whole_numbers(text: str) -> None:
    assert fields.box(" 1, -2,3 ,4") == [1, -2, 3, 4]
    with pytest.raises(InvalidRequest, match="must be four whole numbers LEFT,TOP,RIGHT,BOTTOM"):
        fields.box(text)


@pytest.mark.parametrize("text", ["1,2 3,4", "1,2 3,4 5", "1,2,3 4,5,6 7,8,9", "x,y z,w a,b", ""])
def test_a_polygon_is_three_corners_or_more(text: str) -> None:
    assert fields.polygon("1,2  3.5,4 -5,6") == [[1, 2], [3.5, 4], [-5, 6]]
    with pytest.raises(InvalidRequest, match="must be three corners or more"):
        fields.polygon(text)


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("2.5", 2.5), ("true", True), ("False", False), ("euler", "euler"), ("1e-3", 0.001)]
)
def test_parameters_are_read_as_what_they_look_like(text: str, value: object) -> None:
    assert fields.parameter_value(text, "unknown", None) == value
    assert type(fields.parameter_value(text, "unknown", None)) is type(value)


def test_deadlines_are_spans_or_moments_in_the_future() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert fields.deadline("90s", now) == now + timedelta(seconds=90)
    assert fields.deadline("1.5h", now) == now + timedelta(minutes=90)
    assert fields.deadline("2026-11-22T14:00+01:00", now) == now + timedelta(hours=1)
    with pytest.raises(InvalidRequest, match="has passed"):
        fields.deadline("2026-11-21T12:00Z", now)
    with pytest.raises(InvalidRequest, match="ISO 8601"):
        fields.deadline("tomorrow", now)


@pytest.mark.parametrize("text", ["radius", "=7", ""])
def test_an_assignment_needs_a_name_and_an_equals_sign(text: str) -> None:
    with pytest.raises(InvalidRequest, match="name=value"):
        fields.parameters([text], None)
