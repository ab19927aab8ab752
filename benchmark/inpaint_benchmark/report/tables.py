"""The tables of a report as texts, for every format that shows them. A cell is a text, or several lines."""

from __future__ import annotations

from datetime import UTC

from inpaint_benchmark.published.tables import MODELS_HEAD as PUBLISHED_MODELS_HEAD
from inpaint_benchmark.report import wording
from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.report.criteria import CRITERIA
from inpaint_benchmark.report.wording import NONE, significant

Row = list[str | list[str]]

#: Head of the column that says whether numbers are ours.
ORIGIN = "Numbers"
#: Of the one that says how many trials have a result.
RESULTS = "Results"
EVALUATION_HEAD = (
    "Model",
    ORIGIN,
    *(criterion.title for criterion in CRITERIA),
    "GPU memory (GB)",
    "Inference time (s/image)",
    "Cost ($/1k edits)",
    "Steps",
    "Pixels",
    "GPU",
    RESULTS,
)
TIMING_HEAD = (
    "Model",
    "Version",
    "Device",
    "Warm trials",
    "Mean (s)",
    "Median (s)",
    "95th percentile (s)",
    "Cold trials",
    "Cold, mean (s)",
)
_STARS = (
    "Stars are what people gave, 0 to 4. Where nobody has, the cell holds an automatic metric (auto), which is no "
    "judgement of the whole criterion:"
)
_INTERVALS = (
    "95 %, by a bootstrap over samples with all of their trials. Metrics are means over the trials of a sample, then "
    "over samples. Those of stars are of a mean with other samples and with other raters; where one person rated, of "
    "other samples alone. One sample, or stars that are all the same, have none."
)
_TIME = (
    "Seconds on the device per image, mean of warm trials. Cost: mean cost of a result, cold ones and retries "
    "included, times 1,000, by the price in force when it was made."
)
MODELS_HEAD = PUBLISHED_MODELS_HEAD
FAILURES_HEAD = ("Model", "Status", "Error", "Jobs", "Samples", "Example")


def about(report: Report) -> str:
    """A sentence on what was compared."""
    run, dataset = report.run, report.dataset
    trials = f"{len(run.seeds)} trial{'s' if len(run.seeds) != 1 else ''}"
    begun = run.created_at.astimezone(UTC)
    text = (
        f"{len(run.models)} model{'s' if len(run.models) != 1 else ''} on {len(report.samples)} samples of "
        f"{dataset.dataset}@{dataset.version}, {trials} each; begun {begun:%Y-%m-%d}; {run.succeeded:,} of "
        f"{run.trials:,} trials have a result."
        + ("" if run.tier == "exact" else f" Made in the tier {run.tier}, which leaves work out.")
    )
    return text + (f" {run.note}" if run.note else "")


def models(report: Report) -> list[Row]:
    """The review's table of models."""
    return [
        [m.model, m.release_date, m.architecture, m.size, m.max_resolution, m.key_characteristics]
        for m in report.models
    ]


def evaluation(report: Report) -> list[Row]:
    """The review's evaluation, with steps, pixels and device in every row."""
    return [
        [
            wording.name(row.model, row.tier),
            row.origin_note,
            *(wording.lines(row.cells[criterion.name]) for criterion in CRITERIA),
            wording.memory(row),
            wording.seconds(row),
            wording.cost(row),
            wording.whole(row.steps),
            wording.pixels(row.pixels),
            row.device or NONE,
            wording.count(row),
        ]
        for row in report.rows
    ]


def timing(report: Report) -> list[Row]:
    """Seconds on the device; the first images of freshly loaded workers apart."""
    rows: list[Row] = []
    for each in report.timings:
        mean = each.mean
        ends = (None, None) if mean is None or mean.low is None or mean.high is None else (mean.low, mean.high)
        low, high = (None if end is None else significant(end) for end in ends)
        rows.append(
            [
                wording.name(each.model, each.tier),
                each.version or NONE,
                each.device or NONE,
                f"{each.warm_trials:,}",
                NONE if mean is None else wording.interval(significant(mean.value), low, high),
                _seconds(each.median_s),
                _seconds(each.p95_s),
                f"{each.cold_trials:,}",
                _seconds(each.cold_s),
            ]
        )
    return rows


def failures(report: Report) -> list[Row]:
    """What went wrong, by kind."""
    return [
        [
            wording.name(f["model"], f["tier"]),
            f["status"],
            f["error_code"],
            f"{f['jobs']:,}",
            f"{f['samples']:,}",
            f"{f['example_message'] or NONE} ({f['example_job']})",
        ]
        for f in report.failures
    ]


def legend(report: Report) -> list[tuple[str, str]]:
    """What stands in the evaluation: a name and what there is to know, or a sentence without a name."""
    exact, checked = report.exact
    lines = [
        ("", _STARS),
        *((f"{criterion.title}, automatic", criterion.legend) for criterion in CRITERIA),
        ("Intervals", _INTERVALS),
        ("Inference time", _TIME),
        ("Pixels", "What the model painted per image: of all windows, at the size it was shown them in."),
    ]
    if checked:
        lines.append(
            ("Delivered pictures", f"{exact:,} of {checked:,} are the source, bit for bit, outside of the edit region.")
        )
    if report.run.imported:
        lines.append(("Imported", "Made elsewhere, and read from files; seconds and cost are as their importer said."))
    if report.publication is not None:
        lines.append(("Published", f"Numbers of others, never mixed with ours. {report.publication.note}"))
    return lines


def _seconds(value: float | None) -> str:
    return NONE if value is None else significant(value)
