"""Rows: what is unknown, the file that keeps them, and the folder for what is only needed meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_gpu_rows import FILL, FOUND, MACHINE, a_row, an_order
from inpaint_benchmark.gpu.cropping import SHARES, mask_of
from inpaint_benchmark.gpu.journal import Journal
from inpaint_benchmark.gpu.rows import Seconds, checked
from inpaint_benchmark.gpu.scratch import compiled_folder, leave_out_too_large, prepare
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import DiskFull, InvalidRequest
from inpaint_worker.page_cache import cached_share
from pydantic import ValidationError


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


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_a_time_that_cannot_be_true_fails_the_row_and_leaves_the_rest(wrong: float) -> None:
    found = {**FOUND, "image_s": {"median": wrong, "min": 8.9, "max": 9.4}}
    measured, reason = checked("seconds", found, "it was not reached")
    assert reason is not None and reason.startswith("What was measured cannot be true: image_s.median is ")
    assert measured.image_s is None and measured.unknown["image_s"] == "what was measured cannot be true"
    assert measured.load_s == 4.0
    assert checked("seconds", FOUND, "it was not reached")[1] is None


def test_compiled_code_of_a_process_that_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "compiled-4194305-x" / "deep").mkdir(parents=True)  # more than a pid can be
    with compiled_folder(tmp_path) as own:
        prepare(tmp_path, own=True)
        assert list(tmp_path.iterdir()) == [own]
    assert not own.exists()


def test_scratch_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(InvalidRequest, match="Name another with --scratch"):
        prepare(folder, own=True)
    prepare(folder, own=False)


def test_models_whose_weights_have_no_room_are_left_out_with_what_they_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [load_catalogue().card(name) for name in (FILL, "qwen-image-inpainting")]
    usage = type("Usage", (), {"free": 50_000_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    fitting, said = leave_out_too_large(cards, tmp_path / "not" / "there")
    assert [card.name for card in fitting] == [FILL]
    assert len(said) == 1
    assert said[0].startswith("The random weights of qwen-image-inpainting take 6")
    assert f"{tmp_path} has room for 50 GB, so it is left out." in said[0]
    with pytest.raises(DiskFull, match="--scratch names a folder with more"):
        leave_out_too_large(cards[1:], tmp_path)
