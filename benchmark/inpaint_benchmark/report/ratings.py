"""Stars that people gave to a run's results. There is nowhere to give them yet, so that no run has any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from inpaint_db.run_queries import RunRow
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Stars:
    """What raters think of a model by one criterion: 0 to 4. The interval is None where there is none to give."""

    mean: float
    low: float | None = None
    high: float | None = None
    ratings: int | None = None


#: By model and name of the criterion.
Ratings: TypeAlias = Mapping[tuple[str, str], Stars]


def ratings_of(connection: Connection, run: RunRow) -> Ratings:  # noqa: ARG001  (what it will have to know)
    """All ratings of a run. Where there are stars, a report shows them in place of the automatic metric."""
    return {}
