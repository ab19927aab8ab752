"""How the models of a run compare: the report's own table and plots, so that page and report say the same."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from inpaint_core.errors import MissingExtra
from inpaint_db.run_queries import RunRow, find_run, list_runs
from markupsafe import Markup
from starlette.responses import Response

from inpaint_web.site import OperatorOnly, Site, SiteNow

router = APIRouter(dependencies=[OperatorOnly])
#: Seconds for which a table is shown again: its intervals are drawn by a bootstrap, which takes a second or two.
_FRESH_S = 30.0
_MOST_KEPT = 16


@dataclass(frozen=True, slots=True)
class Board:
    """What the page shows, ready to be put into it."""

    about: str
    notes: list[str]
    table: Markup
    plots: list[tuple[str, Markup, str]]
    legend: list[tuple[str, str]]


_kept: OrderedDict[UUID, tuple[float, Board]] = OrderedDict()
_lock = threading.Lock()


@router.get("/leaderboard")
def leaderboard(site: SiteNow, run: Annotated[str, Query(max_length=200)] = "latest") -> Response:
    """The table and the plots of a run, the newest one if none is named."""
    with site.database.read() as connection:
        runs = list_runs(connection, 200)
        row = find_run(connection, run, with_results=True) if runs else None
    board = None if row is None else _board(site, row)
    return site.page("leaderboard.html", {"runs": runs, "run": row, "board": board})


def _board(site: Site, run: RunRow) -> Board:
    with _lock:
        found = _kept.get(run.id)
        if found is not None and time.monotonic() - found[0] < _FRESH_S:
            return found[1]
        made = _make(site, run)
        _kept[run.id] = (time.monotonic(), made)
        _kept.move_to_end(run.id)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
        return made


def _make(site: Site, run: RunRow) -> Board:
    try:
        from inpaint_benchmark.report import tables
        from inpaint_benchmark.report.figures import figures
        from inpaint_benchmark.report.gathering import gather
        from inpaint_benchmark.report.page.evaluation import evaluation_table
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The leaderboard needs {error.name}, which is not installed. Run: "
            'pip install "inpaint-fleet[web,benchmark]"',
            extra="benchmark",
        ) from error
    with site.database.read() as connection:
        report: Any = gather(connection, run)
    # The report's markup is escaped where it is put together: see `inpaint_benchmark.report.elements`.
    return Board(
        tables.about(report),
        list(report.notes),
        Markup(evaluation_table(report)),  # noqa: S704
        [(plot.title, Markup(plot.drawing), plot.caption) for plot in figures(report)],  # noqa: S704
        tables.legend(report),
    )
