"""The stars of a publication as those of a rater of their own: about models as a whole, never about a result."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_core.errors import InvalidRequest
from inpaint_db.raters import PUBLISHED_REVIEW, imported_rater
from inpaint_db.rating_imports import GivenStars, import_stars
from inpaint_db.rating_plans import Subject
from inpaint_db.ratings import CRITERIA
from inpaint_db.run_queries import RunRow
from sqlalchemy import Connection

from inpaint_benchmark.published import ensure_published
from inpaint_benchmark.published.publication import read_publication


@dataclass(frozen=True, slots=True)
class Entered:
    """How many stars of a publication are new, and how many were there already."""

    new: int
    there: int


def import_published_stars(connection: Connection, source: str, run: RunRow | None) -> Entered:
    """Enter what a publication says of the models of a run, or of all its models.

    `InvalidRequest` if there is no such publication, or it knows no model of the run.
    """
    publication = read_publication(source)
    rows = [row for row in ensure_published(connection, source) if row.card and (run is None or row.card in run.models)]
    given = [
        GivenStars(Subject("model", str(row.card), run.id if run else None, None, (), None), criterion, stars)
        for row in rows
        for criterion in CRITERIA
        if (stars := getattr(row, criterion)) is not None
    ]
    if not given:
        of = f" the models of {run.name!r}" if run else " any model here"
        raise InvalidRequest(f"{publication.title!r} gives no stars to{of}.", field="run")
    name = PUBLISHED_REVIEW if source == "review" else f"published {source}"
    rater = imported_rater(connection, name, note=publication.title)
    new = import_stars(connection, rater, run.id if run else None, given, name=name, via=f"published {source}")
    return Entered(new, len(given) - new)
