"""What the files of several outputs are called: no two rows of a batch, and no two images of a job, share a name."""

from __future__ import annotations

import itertools
from pathlib import Path
from uuid import UUID

import pytest
from factories import make_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_fleet.batch.names import beside, output_names
from inpaint_fleet.batch.rows import Row
from inpaint_producer.outputs import file_name

JOB = UUID(int=7)


def named(*rows: tuple[str, int]) -> list[Row]:
    return [
        Row(number, "", name, "opencv-ns", make_spec(outputs=outputs))
        for number, (name, outputs) in enumerate(rows, start=1)
    ]


def files(rows: list[Row]) -> list[str]:
    """Everything that the batch writes."""
    names = output_names(rows)
    return [
        beside(Path(names[row.number] + ".png"), number).name
        for row in rows
        for number in range(1, (row.spec.outputs if row.spec else 1) + 1)
    ]


def test_the_second_output_of_one_row_does_not_replace_the_result_of_another() -> None:
    rows = named(("room", 3), ("room-2", 1), ("hall", 2))
    assert files(rows) == ["room-1.png", "room-1-2.png", "room-1-3.png", "room-2-2.png", "hall.png", "hall-2.png"]
    # As before, where each has one.
    assert files(named(("room", 1), ("room-2", 1))) == ["room.png", "room-2.png"]


NAMES = st.tuples(st.sampled_from(["a", "A", "a-1", "a-2", "a-3", "a-2-2", "a-1-2", "b.c"]), st.integers(1, 4))


@given(st.lists(NAMES, min_size=1, max_size=9))
@settings(max_examples=400, deadline=None)
def test_no_two_files_of_a_batch_have_one_name(rows: list[tuple[str, int]]) -> None:
    written = [name.casefold() for name in files(named(*rows))]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(
    ("path", "second"),
    [("a.png", "a-2.png"), ("out/a.b.jpg", "out/a.b-2.jpg"), ("a", "a-2"), ("a-2.png", "a-2-2.png")],
)
def test_further_outputs_go_beside_the_first(path: str, second: str) -> None:
    assert beside(Path(path), 1) == Path(path) and beside(Path(path), 2) == Path(second)


def test_a_folder_stays_the_folder_and_names_in_it_tell_outputs_and_windows_apart(tmp_path: Path) -> None:
    assert beside(tmp_path, 3) == tmp_path
    kinds = ("result", "region", "raw", "raw-2", "raw-3")
    wanted = [(kind, number) for kind, number in itertools.product(kinds, range(1, 9)) if kind != "region"]
    names = [file_name(JOB, kind, "s3://b/x.png", number) for kind, number in wanted]
    assert len(set(names)) == len(names)
    assert file_name(JOB, "raw-2", "s3://b/x.png") != file_name(JOB, "raw", "s3://b/x.png", 2)
    assert file_name(JOB, "result", "s3://b/outputs/j/1/2-result.jpg", 2) == f"{JOB}-2.jpg"
    assert file_name(JOB, "region", "s3://b/region.png", 2) == f"{JOB}-region.png"
