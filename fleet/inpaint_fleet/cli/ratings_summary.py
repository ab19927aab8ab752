"""`inpaint ratings summary`: what the stars of a run say, and how far they can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inpaint_fleet.cli import console, options, wording
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
        found = summarise(connection, find_run(connection, run, with_results=True))
    if as_json:
        console.document(found)
        return
    if not found.criteria:
        console.tell(
            f"nobody has rated {found.run} yet; `inpaint ratings link NAME --run {found.run}` invites somebody"
        )
        return
    ratings = sum(rater.ratings for rater in found.raters)
    console.tell(
        f"run {found.run}: {wording.plural(ratings, 'rating')} by {wording.plural(len(found.raters), 'rater')}"
    )
    _tell(found)


def _tell(found: Summary) -> None:
    why = Footnotes()
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
        _row(about.criterion, model, standing, about.preferences[model], why)
        for about in found.criteria
        for model, standing in sorted(about.models.items(), key=lambda pair: -pair[1].mean.value)
    ]
    console.table(columns, rows)
    crossed = [about.criterion for about in found.criteria if _crossed(about)]
    if crossed:
        console.note(
            f"{', '.join(crossed)}: by strength models stand in another order than by stars. Strength counts how often "
            "one got more than another from one rater on one sample, and not how much more; where only one of two was "
            "rated, nothing is counted."
        )
    console.say()
    console.table(
        ("criterion", "alpha between raters", "with themselves", "variance: samples", "trials", "raters", "rest"),
        [_trust(about, why) for about in found.criteria],
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
    why.say()


def _crossed(about: CriterionSummary) -> bool:
    """Whether strength puts some model before another that has more stars."""
    both = [
        (standing.mean.value, strength)
        for model, standing in about.models.items()
        if isinstance(strength := about.preferences[model].strength, float)
    ]
    # What rounds to the same number looks like no order.
    return any(one[0] > other[0] + 0.005 and one[1] < other[1] - 0.005 for one in both for other in both)


class Footnotes:
    """Reasons that are too long for a cell, each told once below the tables."""

    #: Characters of a reason that stays in its cell.
    _SHORT = 24

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def mark(self, reason: str) -> str:
        """What stands in the cell: the reason itself, or the number of its note."""
        if len(reason) <= self._SHORT:
            return f"({reason})"
        if reason not in self._reasons:
            self._reasons.append(reason)
        return f"[{self._reasons.index(reason) + 1}]"

    def say(self) -> None:
        """The notes, if there are any."""
        if self._reasons:
            console.say()
        for number, reason in enumerate(self._reasons, start=1):
            console.say(f"[{number}] {reason}")


def _row(criterion: str, model: str, standing: Standing, preference: Preference, why: Footnotes) -> tuple[object, ...]:
    mean = standing.mean
    ranks = standing.ranks
    ranked = f"{ranks[0]}" + f"-{ranks[1]}" * (ranks[0] < ranks[1]) if isinstance(ranks, tuple) else _number(ranks, why)
    return (
        criterion, model, f"{mean.value:.2f}", _noted(_interval(mean.interval, why), mean.note, why),
        _noted(ranked, standing.note, why),
        f"{preference.wins}-{preference.ties}-{preference.losses}", _number(preference.strength, why), mean.samples,
        mean.raters, mean.ratings,
    )  # fmt: skip


def _trust(about: CriterionSummary, why: Footnotes) -> tuple[object, ...]:
    split = about.variances
    parts = (split.samples, split.trials, split.raters, split.rest)
    numbers = [_number(part, why) for part in parts]
    return (about.criterion, _alpha(about.between, why), _alpha(about.within, why), *numbers)


def _alpha(found: Alpha | Undefined, why: Footnotes) -> str:
    from inpaint_benchmark.ratings.scores import Undefined

    if isinstance(found, Undefined):
        return _number(found, why)
    interval = f" ({_interval(found.interval, why)})" if isinstance(found.interval, tuple) else ""
    return f"{found.value:.2f}{interval}"


def _interval(found: tuple[float, float] | Undefined, why: Footnotes) -> str:
    return f"{found[0]:.2f} to {found[1]:.2f}" if isinstance(found, tuple) else _number(found, why)


def _noted(text: str, note: str | None, why: Footnotes) -> str:
    return text if note is None else f"{text} {why.mark(note)}"


def _number(found: float | Undefined, why: Footnotes) -> str:
    return f"{found:.2f}" if isinstance(found, int | float) else f"- {why.mark(found.reason)}"
