"""Making a report of a run: gathered once, with pictures where they are wanted, and written in one format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.measure_queries import unmeasured
from inpaint_db.run_queries import RunRow
from inpaint_db.session import Database

from inpaint_benchmark.published import ensure_published
from inpaint_benchmark.report.album import make_album
from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.report.documents import as_csv, as_json
from inpaint_benchmark.report.figures import figures
from inpaint_benchmark.report.gathering import gather
from inpaint_benchmark.report.markdown import markdown
from inpaint_benchmark.report.page import page
from inpaint_benchmark.report.picture_files import write_pictures
from inpaint_benchmark.runs.fleet import Progress
from inpaint_benchmark.runs.pictures import Pictures

FORMATS = ("md", "html", "csv", "json")
_Writer = Callable[[Report], str]


def make_report(
    run: RunRow,
    kind: str,
    settings: Settings,
    database: Database,
    progress: Progress,
    *,
    baseline: str | None = None,
    pictures: Path | None = None,
    document: Path | None = None,
) -> str:
    """The text of a report. `pictures`: a folder that pictures are written into; `document`: where the text will lie.

    `InvalidRequest` for a format or a baseline that there is not.
    """
    if kind not in FORMATS:
        raise InvalidRequest(f"There is no format {kind!r}; there are {', '.join(FORMATS)}.", field="format")
    if baseline is not None:
        with database.begin() as connection:
            ensure_published(connection, baseline)
    with database.read() as connection:
        report = gather(connection, run, baseline=baseline)
        finished = unmeasured(connection, run.id, again=True)
    simple: dict[str, _Writer] = {"csv": as_csv, "json": as_json}
    if pictures is None and kind != "html":
        return simple.get(kind, markdown)(report)
    album = make_album(report, finished, Pictures(S3Store(settings), Limits.of(settings)), progress)
    plots = figures(report)
    files = None if pictures is None else write_pictures(pictures, document, album, plots)
    if kind in simple:
        return simple[kind](report)
    return page(report, album, plots) if kind == "html" else markdown(report, files)
