"""The part of the report on jobs per hour of a whole worker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inpaint_benchmark.gpu.cells import NONE, naming, number, table
from inpaint_benchmark.gpu.report import ReportRow
from inpaint_benchmark.gpu.rows import Throughput


def throughput_part(rows: Sequence[ReportRow], note: str) -> Iterable[str]:
    """Heading, sentence and table; `note` says what weights they were measured with."""
    yield "### Throughput of a whole worker"
    yield (
        f"{note} Jobs through Redis, Postgres and S3 on this machine, against the same process's pipeline in a loop, "
        "as many images before the jobs and after them. Aims: 98 % for Stable Diffusion 2, 99.5 % for FLUX."
    )
    head = [
        "model",
        "mode",
        "steps",
        "picture",
        "jobs",
        "s/job",
        "pipeline alone s",
        "jobs/h",
        "alone/h",
        "share",
        "GPU busy",
    ]
    cells = []
    for row in rows:
        measured = row.row.measured
        assert isinstance(measured, Throughput)  # noqa: S101  (chosen above)
        cells.append(
            [
                *naming(row.row),
                f"{row.row.order.width}x{row.row.order.height}",
                str(measured.jobs),
                number(measured.job_s),
                f"{number(measured.bare_s)}, {number(measured.bare_after_s)}",
                number(measured.jobs_per_hour),
                number(measured.bare_per_hour),
                NONE if measured.share is None else f"{measured.share:.1%}",
                NONE if measured.busy is None else f"{measured.busy:.1%}",
            ]
        )
    yield table(head, cells)
