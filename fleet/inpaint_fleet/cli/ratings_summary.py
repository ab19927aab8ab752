"""`inpaint ratings summary`: what the stars of a run say, and how far they can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inpaint_fleet.cli import console, options
from inpaint_fleet.cli.bench_run import RunName

if TYPE_CHECKING:
    from inpaint_benchmark.ratings.scores import Undefined
    from inpaint_benchmark.ratings.statistics import Standing
    from inpaint_benchmark.ratings.statistics_agreement import Alpha
    from inpaint_benchmark.ratings.statistics_preference import Preference
    from inpaint_benchmark.ratings.summary import CriterionSummary, Summary


def summary(run: RunName, as_json: options.Json = False) -> None:
    """Show mean stars with 95 % intervals, ranks with ties, how far raters agree, and who failed checks.

    Ranks that several models share are not told apart by these stars. A dash says why there is no number.
    """
    from inpaint_benchmark.ratings.summary import summarise
    from inpaint_core.settings import load_settings
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        found = summarise(connection, find_run(connection, run))
    if as_json:
        console.document(found)
        return
    if not found.criteria:
        console.tell(
            f"nobody has rated {found.run} yet; `inpaint ratings link NAME --run {found.run}` invites somebody"
        )
        return
    _tell(found)


def _tell(found: Summary) -> None:
    columns = (
        "criterion",
        "model",
        "stars",
        "95 %",
        "rank",
        "won-tied-lost",
        "strength",
        "samples",
        "raters",
        "ratings",
    )
    rows = [
        _row(about.criterion, model, standing, about.preferences[model])
        for about in found.criteria
        for model, standing in sorted(about.models.items(), key=lambda pair: -pair[1].mean.value)
    ]
    console.table(columns, rows)
    console.say()
    console.table(
        ("criterion", "alpha between raters", "with themselves", "variance: samples", "trials", "raters", "rest"),
        [_trust(about) for about in found.criteria],
    )
    for about in found.criteria:
        if len(about.rubrics) > 1:
            console.note(f"{about.criterion}: by several rubrics, whose words may differ: {', '.join(about.rubrics)}")
        if about.variances.used < about.variances.ratings:
            console.note(
                f"{about.criterion}: variance of {about.variances.used:,} of {about.variances.ratings:,} ratings, of "
                "samples that were drawn whole"
            )
    console.say()
    console.table(
        ("rater", "ratings", "hasty", "flagged", "checks failed", "same stars", "kind"),
        [
            (
                r.rater,
                r.ratings,
                r.hasty,
                r.flagged,
                f"{r.checks_failed} of {r.checks}" + (": fails" if r.failing else ""),
                "-" if r.same_share is None else f"{r.same_share:.0%}",
                "imported" if r.imported else "",
            )
            for r in found.raters
        ],
    )


def _row(criterion: str, model: str, standing: Standing, preference: Preference) -> tuple[object, ...]:
    mean = standing.mean
    ranks = standing.ranks
    ranked = _number(ranks) if not isinstance(ranks, tuple) else f"{ranks[0]}" + f"-{ranks[1]}" * (ranks[0] < ranks[1])
    return (
        criterion, model, f"{mean.value:.2f}", _noted(_interval(mean.interval), mean.note),
        _noted(ranked, standing.note),
        f"{preference.wins}-{preference.ties}-{preference.losses}", _number(preference.strength), mean.samples,
        mean.raters, mean.ratings,
    )  # fmt: skip


def _trust(about: CriterionSummary) -> tuple[object, ...]:
    split = about.variances
    parts = (split.samples, split.trials, split.raters, split.rest)
    return (about.criterion, _alpha(about.between), _alpha(about.within), *map(_number, parts))


def _alpha(found: Alpha | Undefined) -> str:
    from inpaint_benchmark.ratings.scores import Undefined

    if isinstance(found, Undefined):
        return _number(found)
    interval = f" ({_interval(found.interval)})" if isinstance(found.interval, tuple) else ""
    return f"{found.value:.2f}{interval}"


def _interval(found: tuple[float, float] | Undefined) -> str:
    return f"{found[0]:.2f} to {found[1]:.2f}" if isinstance(found, tuple) else _number(found)


def _noted(text: str, note: str | None) -> str:
    return text if note is None else f"{text} ({note})"


def _number(found: float | Undefined) -> str:
    return f"{found:.2f}" if isinstance(found, int | float) else f"- ({found.reason})"
