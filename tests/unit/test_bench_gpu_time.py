"""Time limits: what a call begins, what it leaves for another, and what it counts at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from bench_gpu_rows import FILL, FOUND, MACHINE, SD2, a_row, an_order
from inpaint_benchmark.gpu.children import Ending
from inpaint_benchmark.gpu.counts import NOT_YET, Counts, Shape, filled_in
from inpaint_benchmark.gpu.estimating import Estimates
from inpaint_benchmark.gpu.journal import Journal
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Machine, Row
from inpaint_benchmark.gpu.running import Run
from inpaint_benchmark.gpu.scratch import MARKER
from inpaint_core.catalogue import load_catalogue
from inpaint_fleet.cli.app import app
from inpaint_fleet.cli.outcome import exit_code_of
from typer.main import get_command


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
        journal,
        folder,
        folder,
        folder,
        load_catalogue(),
        lambda: nullcontext(None),  # type: ignore[arg-type,return-value]
        lambda _: None,
        time_limit_s=limit_s,
    )


def test_a_call_begins_nothing_that_would_not_end_in_time_and_the_next_goes_on(tmp_path: Path) -> None:
    orders = [an_order(model=model, mode=mode) for model in (FILL, SD2) for mode in ("none", "auto")]
    # A row takes 100 s: after two there are 45 s left.
    assert quick_run(tmp_path, 250).carry_out(orders) == orders[2:]
    assert quick_run(tmp_path, 250).carry_out(orders) == []
    assert [row.order for row in Journal(tmp_path).rows] == orders
    again = quick_run(tmp_path, None)
    said: list[str] = []
    again.noted = said.append
    assert again.carry_out(orders) == []
    assert said == ["4 rows are there already, none left; --again measures anew."]
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


class WritingRun(QuickRun):
    """Rows whose weights take half a call to write, after which there is not time enough to measure."""

    _row = Run._row
    fits: frozenset[str] = frozenset()

    def _write(self, order: Order) -> Ending | None:
        name = next(iter(load_catalogue().card(order.model).weights.values())).repo
        marker = self.weights / name / MARKER
        if marker.exists() or order.model in self.fits:
            return Ending()
        marker.parent.mkdir(parents=True)
        marker.write_text('{"complete": true}')
        return Ending(wall_s=300.0)

    def _measure(self, order: Order) -> Ending:
        if order.model in self.fits:
            return Ending(found=dict(FOUND))
        return Ending(failed="It did not end within 290 s and was ended.", timed_out=True)


def writing_run(folder: Path, limit_s: float, weights: Path) -> WritingRun:
    run = WritingRun(
        Journal(folder),
        folder,
        weights,
        folder,
        load_catalogue(),
        lambda: nullcontext(None),  # type: ignore[arg-type,return-value]
        lambda _: None,
        time_limit_s=limit_s,
    )
    run.fits = frozenset({SD2})
    return run


def test_weights_that_are_written_anew_in_each_call_do_not_make_it_be_tried_for_ever(tmp_path: Path) -> None:
    orders = [an_order(model=FILL), an_order(model=SD2)]
    assert writing_run(tmp_path, 600, tmp_path / "disk 1").carry_out(orders) == orders
    assert "the next call tries it again" in (Journal(tmp_path).newest()[0].failed or "")
    run = writing_run(tmp_path, 600, tmp_path / "disk 2")
    assert run.carry_out(orders) == []
    assert [row.order.model for row in run.too_long] == [FILL]
    assert [row.failed for row in Journal(tmp_path).newest()] == ["It did not end within 290 s and was ended.", None]
    assert writing_run(tmp_path, 600, tmp_path / "disk 3").carry_out(orders) == []
    assert writing_run(tmp_path, 900, tmp_path / "disk 4").carry_out(orders) == orders[:1]


def test_weights_that_are_still_there_give_measuring_a_whole_call(tmp_path: Path) -> None:
    orders = [an_order(model=FILL)]
    assert writing_run(tmp_path, 600, tmp_path / "disk").carry_out(orders) == orders
    run = writing_run(tmp_path, 600, tmp_path / "disk")
    run._measure = lambda _order: Ending(found=dict(FOUND))  # type: ignore[method-assign]
    assert run.carry_out(orders) == []
    assert run.too_long == []
    (row,) = Journal(tmp_path).newest()
    assert row.failed is None and row.parts_before is None


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


def uncounted(steps: int, shape: Shape = (1024, 1024), **parameters: Any) -> Row:
    """A row of a model whose TFLOP nobody has counted yet."""
    found = {name: value for name, value in FOUND.items() if name not in ("tflop", "tflop_of")}
    row = a_row(found, steps=steps)
    resolved = load_catalogue().card(FILL).resolve({"steps": steps, **parameters})
    return row.model_copy(update={"parameters": resolved, "painted": [shape]})


class Counting:
    """Counts in no time, and notes what it was asked."""

    def __init__(self, ending: Ending | None = None) -> None:
        self.asked: list[tuple[Shape, ...]] = []
        self._ending = ending

    def __call__(self, _order: Order, shapes: tuple[Shape, ...]) -> Ending:
        self.asked.append(shapes)
        found = {f"{w}x{h}": {"tflop": 7.0, "tflop_of": {"unet": 7.0}} for w, h in shapes}
        return self._ending or Ending(found=found)


def test_what_an_image_computes_is_looked_up_and_counted_once_where_it_is_not_kept() -> None:
    counting = Counting()
    counts = Counts(counting)
    default = uncounted(50)
    assert counts.count(default) is None
    assert filled_in(default, counts.kept(default), NOT_YET).measured.tflop == pytest.approx(3745, rel=0.01)
    fewer = uncounted(20)
    assert counts.kept(fewer) == {}
    for _ in range(2):
        counts.count(fewer)
    assert counting.asked == [((1024, 1024),)]
    assert filled_in(fewer, counts.kept(fewer), "").measured.tflop == 7.0
    unknown = filled_in(fewer, {}, "counting failed: no architecture").measured.unknown
    assert unknown["tflop"] == unknown["tflop_of"] == "counting failed: no architecture"


class CountedRun(QuickRun):
    """As that, with a row that has to be counted, and what counting it comes to."""

    counting = Counting()
    #: Rows on the disk when counting began.
    on_disk: tuple[int, ...] = ()

    def _row(self, order: Order, machine: Machine, estimates: Estimates, *, whole_call: bool) -> Row | None:
        self.began -= self.took_s
        return uncounted(20).model_copy(update={"order": order})

    def _count(self, order: Order, shapes: tuple[Shape, ...]) -> Ending:
        self.on_disk = (*self.on_disk, len(Journal(self.folder).rows))
        return self.counting(order, shapes)


def counted_run(folder: Path, limit_s: float | None, counting: Counting) -> CountedRun:
    run = CountedRun(
        Journal(folder),
        folder,
        folder,
        folder,
        load_catalogue(),
        lambda: nullcontext(None),  # type: ignore[arg-type,return-value]
        lambda _: None,
        time_limit_s=limit_s,
    )
    run.counting = counting
    return run


def test_rows_are_on_the_disk_before_anything_is_counted_and_counted_rows_replace_them(tmp_path: Path) -> None:
    orders = [an_order(steps=20, mode=mode) for mode in ("none", "compile")]
    run = counted_run(tmp_path, None, Counting())
    assert run.carry_out(orders) == []
    assert run.on_disk == (2,)
    newest = Journal(tmp_path).newest()
    assert [row.order for row in newest] == orders
    assert [row.measured.tflop for row in newest] == [7.0, 7.0]  # type: ignore[union-attr]


def test_counting_that_does_not_fit_into_the_limit_is_left_for_another_call(tmp_path: Path) -> None:
    orders = [an_order(steps=20)]
    too_slow = Counting(Ending(failed="It did not end within 9 s and was ended.", timed_out=True))
    # The row takes 100 s, and for counting 0 s are left: it is not begun at all.
    run = counted_run(tmp_path, 100, too_slow)
    assert run.carry_out(orders) == orders
    assert too_slow.asked == []
    (row,) = Journal(tmp_path).rows
    assert row.measured.unknown["tflop"] == NOT_YET
    # A whole call does not suffice either: that is told, and not tried for ever.
    assert counted_run(tmp_path, 100, too_slow).carry_out(orders) == []
    assert "did not end" in Journal(tmp_path).newest()[0].measured.unknown["tflop"]
    assert counted_run(tmp_path, 100, too_slow).carry_out(orders) == []
    assert len(too_slow.asked) == 1


def test_what_a_time_limit_ended_is_tried_again_with_a_longer_one(tmp_path: Path) -> None:
    order = an_order()
    journal = Journal(tmp_path)
    with journal.held():
        journal.append(a_row({}, failed="It did not end within 590 s and was ended.", limit_s=600))
        journal.append(a_row({}, failed="It died", mode="compile"))
    orders = [order, an_order(mode="compile")]
    assert quick_run(tmp_path, 600).carry_out(orders) == []
    assert len(Journal(tmp_path).rows) == 2
    assert quick_run(tmp_path, 900).carry_out(orders) == []
    assert [row.failed for row in Journal(tmp_path).newest()] == [None, "It died"]


def test_a_call_that_leaves_something_says_what_and_ends_with_124(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("diffusers")
    began: list[float] = []

    def carry_out(run: Run, orders: Sequence[Order], *, again: bool) -> list[Order]:
        began.append(time.monotonic() - run.began)
        return list(orders[1:])

    monkeypatch.setattr(Run, "carry_out", carry_out)
    words = ["--tiny", "--device", "cpu", "--models", f"{FILL},{SD2}", "--out", str(tmp_path / "out")]
    words += ["--scratch", str(tmp_path / "scratch"), "--time-limit", "250", "--begun-at", str(time.time() - 100)]
    command = get_command(app)
    assert exit_code_of(lambda: command.main(["bench", "gpu", *words], standalone_mode=False), debug=False) == 124
    said = (
        f"The time limit of 250 s leaves 1 row of 2 for another call: {SD2} none seconds. The same command goes on with"
    )
    assert said in capsys.readouterr().err
    assert "Not finished: 1 left." in (tmp_path / "out" / "report.md").read_text()
    # What the bundle did before counts, too.
    assert 100 <= began[0] < 250
    assert not (tmp_path / "scratch").exists()


def test_a_call_that_is_too_short_for_a_row_says_so_and_does_not_end_with_124(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("diffusers")

    def carry_out(run: Run, orders: Sequence[Order], *, again: bool) -> list[Order]:
        run.too_long = [a_row({}, failed="It did not end within 240 s and was ended.", limit_s=250)]
        return []

    monkeypatch.setattr(Run, "carry_out", carry_out)
    words = ["--tiny", "--device", "cpu", "--models", FILL, "--out", str(tmp_path / "out")]
    words += ["--scratch", str(tmp_path / "scratch"), "--time-limit", "250"]
    command = get_command(app)
    assert exit_code_of(lambda: command.main(["bench", "gpu", *words], standalone_mode=False), debug=False) == 7
    assert f"{FILL} auto seconds needs more than 250 s: raise --time-limit." in capsys.readouterr().err
