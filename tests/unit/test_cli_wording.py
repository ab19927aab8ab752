"""What is shown: numbers, tables, notes, Flower without prompts, and the demo's picture."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from factories import make_image, make_mask
from inpaint_core.errors import DiskFull, InvalidRequest, SettingsInvalid
from inpaint_core.log import get_logger
from inpaint_fleet import demo
from inpaint_fleet.batch.run import cannot_write
from inpaint_fleet.cli import console, wording
from inpaint_fleet.cli.notes import show_warnings_as_notes
from inpaint_fleet.demo.triptych import before_mask_after
from inpaint_fleet.flower import FlowerSettings, without_arguments
from PIL import Image


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0042, "0.004 s"),
        (1.3219, "1.32 s"),
        (84, "84 s"),
        (600, "10 min"),
        (9000, "2.5 h"),
        (259_200, "3.0 days"),
        (None, ""),
    ],
)
def test_durations_have_the_digits_that_matter(value: float | None, text: str) -> None:
    assert wording.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "$0.00"),
        (0.00000058, "$0.00000058"),
        (0.0123, "$0.012"),
        (0.25, "$0.25"),
        (1234.5, "$1,234.50"),
        (None, ""),
    ],
)
def test_money_shows_two_digits_however_small_it_is(value: float | None, text: str) -> None:
    assert wording.usd(value) == text


@pytest.mark.parametrize(("value", "text"), [(999, "999 bytes"), (165_658_624, "166 MB"), (79_400_000_000, "79.4 GB")])
def test_sizes_are_decimal(value: float, text: str) -> None:
    assert wording.size(value) == text


def test_tables_in_a_pipe_are_tab_separated_whole_and_without_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 300
    console.table(("id", "about"), [(UUID(int=1), f"{long}\n\x1b[31mred\t"), (2, None)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "id\tabout"
    assert lines[1] == f"{UUID(int=1)}\t{long}  [31mred "
    assert lines[2] == "2\t"


def test_a_table_on_a_narrow_terminal_keeps_ids_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "40")
    console.table(("id", "empty", "about"), [(UUID(int=1), "", "word " * 30)])
    assert str(UUID(int=1)) in screen.getvalue()
    assert "empty" not in screen.getvalue()


def test_json_is_one_document_with_ids_and_times_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.document({"id": UUID(int=1), "at": datetime(2026, 1, 2, tzinfo=UTC), "path": Path("/x"), "t": (1, 2)})
    assert json.loads(capsys.readouterr().out) == {
        "id": str(UUID(int=1)), "at": "2026-01-02T00:00:00+00:00", "path": "/x", "t": [1, 2],
    }  # fmt: skip


def test_a_warning_of_the_client_becomes_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        show_warnings_as_notes()
        log = get_logger("inpaint.test")
        log.info("nobody_needs_this")
        log.warning("jobs_not_sent_yet", jobs=1, reason="Redis at x does not answer.")
        log.warning("something_else", jobs=2)
    finally:
        structlog.reset_defaults()
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first.startswith(
        "note: 1 job is accepted and stored, but not sent to a worker yet: Redis at x does not answer."
    )
    assert second == "note: something else (jobs 2)"


def test_a_result_that_cannot_be_written_says_which_way_out() -> None:
    assert isinstance(cannot_write(Path("/x/y.png"), OSError(28, "No space left on device")), DiskFull)
    refused = cannot_write(Path("/x/y.png"), OSError(13, "Permission denied"))
    assert isinstance(refused, InvalidRequest) and "Permission denied" in refused.message


def test_flower_needs_a_login_unless_told_otherwise() -> None:
    with pytest.raises(SettingsInvalid, match="INPAINT_FLOWER_BASIC_AUTH is not set"):
        FlowerSettings.read({})
    for login in ("me", "me:", ":pw", "a:b,c:d"):
        with pytest.raises(SettingsInvalid, match="user:password"):
            FlowerSettings.read({"INPAINT_FLOWER_BASIC_AUTH": login})
    with pytest.raises(SettingsInvalid, match="INPAINT_FLOWER_PORT is 'x'"):
        FlowerSettings.read({"INPAINT_FLOWER_PORT": "x"}, no_auth=True)
    found = FlowerSettings.read({"INPAINT_FLOWER_BASIC_AUTH": "me:pw:x"})
    assert (found.address, found.port, found.login) == ("127.0.0.1", 5555, "me:pw:x")
    assert "pw" not in repr(found)


def test_flower_sees_no_arguments_however_deep_they_lie() -> None:
    answer = {"w@h": [{"request": {"id": "1", "kwargs": {"request": {"prompt": "secret"}}, "args": ["secret"]}}]}
    assert "secret" not in str(without_arguments(answer))
    assert without_arguments({"uuid": "1", "kwargs": "{'prompt': 'secret'}"}) == {"uuid": "1", "kwargs": "(hidden)"}


def test_the_demo_shows_before_mask_and_after_side_by_side() -> None:
    before, after = make_image(seed=1), make_image(seed=2)
    mask = make_mask(box=(0, 0, 10, 10))
    sheet = before_mask_after(before, mask, after)
    assert sheet.size == (3 * 96 + 16, 64 + 30)
    left = sheet.crop((0, 30, 96, 94))
    right = sheet.crop((2 * 104, 30, 2 * 104 + 96, 94))
    middle = sheet.crop((104, 30, 200, 94))
    assert left.tobytes() == before.tobytes() and right.tobytes() == after.tobytes()
    assert middle.crop((20, 20, 96, 64)).tobytes() == before.crop((20, 20, 96, 64)).tobytes()
    assert middle.getpixel((5, 5)) != before.getpixel((5, 5))


def test_the_bundled_picture_and_its_mask_fit() -> None:
    with (
        Image.open(io.BytesIO(demo.source().read_bytes())) as source,
        Image.open(io.BytesIO(demo.mask().read_bytes())) as mask,
    ):
        assert source.size == mask.size
