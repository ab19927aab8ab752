"""All that the stars of a run say, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from inpaint_db.rating_reports import RaterWork, ScoreRow, raters_of_run, scores_of_run
from inpaint_db.ratings import CRITERIA
from inpaint_db.run_queries import RunRow
from sqlalchemy import Connection

from inpaint_benchmark.ratings.scores import Score, Undefined, of_criterion
from inpaint_benchmark.ratings.statistics import Standing, compare
from inpaint_benchmark.ratings.statistics_agreement import Alpha, agreement, alpha_by_sample
from inpaint_benchmark.ratings.statistics_preference import Preference, preferences
from inpaint_benchmark.ratings.statistics_variance import Split, split_variance


@dataclass(frozen=True, slots=True)
class CriterionSummary:
    """What is said by one criterion. `within`: agreement of raters with themselves, who saw a thing a second time.

    `rubrics`: by which words, such as "review 1". Of several the words may not mean the same, and neither what is
    worked out here from all of them.
    """

    criterion: str
    models: dict[str, Standing]
    preferences: dict[str, Preference]
    between: Alpha | Undefined
    within: Alpha | Undefined
    variances: Split
    rubrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The stars of a run. Criteria by which nobody rated are left out."""

    run: str
    criteria: list[CriterionSummary]
    raters: list[RaterWork]


def summarise(connection: Connection, run: RunRow) -> Summary:
    """Work out what the stars of a run say; raters who failed checks are counted, and `raters` tells who they are."""
    rows = scores_of_run(connection, run.id)
    scores = [score_of(row) for row in rows if row.purpose == "real"]
    found = []
    for criterion in CRITERIA:
        some = of_criterion(scores, criterion)
        if some:
            all_rows = [row for row in rows if row.criterion == criterion]
            found.append(
                CriterionSummary(
                    criterion,
                    compare(some),
                    preferences(some),
                    agreement(some),
                    _within(all_rows),
                    split_variance(some),
                    tuple(sorted({row.rubric for row in all_rows if row.purpose == "real"})),
                )
            )
    return Summary(run.name, found, raters_of_run(connection, run.id))


def score_of(row: ScoreRow) -> Score:
    """A row of the database as statistics take it."""
    return Score(row.model, row.criterion, row.sample, row.unit, row.rater, row.stars)


def _within(rows: list[ScoreRow]) -> Alpha | Undefined:
    units: dict[tuple[Hashable, Hashable], list[float]] = {}
    for row in rows:
        units.setdefault((row.sample, (row.unit, row.rater)), []).append(row.stars)
    # The first two, as in `bench.agreement`.
    return alpha_by_sample({key: stars[:2] for key, stars in units.items()})
