"""Stars that people gave to a run's results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from inpaint_db.rating_reports import scores_of_run
from inpaint_db.ratings import CRITERIA
from inpaint_db.run_queries import RunRow
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Stars:
    """What raters think of a model by one criterion: 0 to 4. The interval is None where there is none to give.

    `notes`: what keeps them from being more than they are, such as "one rater".
    """

    mean: float
    low: float | None = None
    high: float | None = None
    ratings: int | None = None
    notes: tuple[str, ...] = ()


#: By model and name of the criterion.
Ratings: TypeAlias = Mapping[tuple[str, str], Stars]


def ratings_of(connection: Connection, run: RunRow) -> Ratings:
    """All ratings of a run. Where there are stars, a report shows them in place of the automatic metric."""
    rows = [row for row in scores_of_run(connection, run.id) if row.purpose == "real"]
    if not rows:
        return {}
    # Only here, since those statistics are built on the report's.
    from inpaint_benchmark.ratings.scores import of_criterion
    from inpaint_benchmark.ratings.statistics import Mean, compare
    from inpaint_benchmark.ratings.summary import score_of

    def stars(mean: Mean, rubrics: int) -> Stars:
        low, high = mean.interval if isinstance(mean.interval, tuple) else (None, None)
        notes = ["one rater"] if mean.note else []
        return Stars(mean.value, low, high, mean.ratings, (*notes, f"{rubrics} rubrics") if rubrics > 1 else (*notes,))

    scores = [score_of(row) for row in rows]
    rubrics: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        rubrics.setdefault((row.model, row.criterion), set()).add(row.rubric)
    return {
        (model, criterion): stars(standing.mean, len(rubrics[model, criterion]))
        for criterion in CRITERIA
        for model, standing in compare(of_criterion(scores, criterion)).items()
    }
