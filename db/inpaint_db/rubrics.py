"""The rubric: read from `rubric.toml` beside this file, and entered when it is first used."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from uuid import UUID

from inpaint_core.ids import new_id
from sqlalchemy import Connection, insert, text

from inpaint_db.ratings import CRITERIA, Criterion, Rubric

#: Any number, as long as every version of this program uses the same.
_ADVISORY_LOCK = 0x1A9A1319


@dataclass(frozen=True, slots=True)
class CriterionRow:
    """A question, and what 0, 1, 2, 3 and 4 stars mean. `target`: "output" or "trials"."""

    name: str
    title: str
    question: str
    anchors: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class RubricRow:
    """A version of a rubric with its criteria in their order."""

    id: UUID
    name: str
    version: int
    criteria: tuple[CriterionRow, ...]


def read_rubric() -> tuple[str, tuple[CriterionRow, ...]]:
    """Name and criteria as the file has them."""
    found = tomllib.loads(resources.files("inpaint_db").joinpath("rubric.toml").read_text(encoding="utf-8"))
    rows = tuple(CriterionRow(**{**entry, "anchors": tuple(entry["anchors"])}) for entry in found["criterion"])
    assert tuple(row.name for row in rows) == CRITERIA  # noqa: S101  (a file of our own)
    return found["name"], rows


def enter_rubric(connection: Connection) -> RubricRow:
    """The rubric of this program: the version that has exactly its words, a new one if none has."""
    return _enter(connection, *read_rubric())


def enter_untold_rubric(connection: Connection) -> RubricRow:
    """The rubric of stars that were given elsewhere: nobody knows by which words."""
    _, criteria = read_rubric()
    untold = tuple(replace(row, question="Not told", anchors=("Not told",) * 5) for row in criteria)
    return _enter(connection, "not told", untold)


def _enter(connection: Connection, name: str, criteria: tuple[CriterionRow, ...]) -> RubricRow:
    # Two sessions made at once would both find no version.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    every = _rubrics(connection, "r.name = :value", name)
    for row in every:
        if row.criteria == criteria:
            return row
    made = RubricRow(new_id(), name, 1 + max((row.version for row in every), default=0), criteria)
    connection.execute(insert(Rubric).values(id=made.id, name=name, version=made.version))
    connection.execute(insert(Criterion), _rows(made))
    return made


def find_rubric(connection: Connection, rubric_id: UUID) -> RubricRow:
    """The rubric of a session, by its id."""
    return _rubrics(connection, "r.id = :value", rubric_id)[0]


def _rows(rubric: RubricRow) -> Sequence[dict[str, object]]:
    return [
        {
            "rubric_id": rubric.id, "position": place, "name": c.name, "title": c.title, "question": c.question,
            "anchors": list(c.anchors), "target": c.target,
        }
        for place, c in enumerate(rubric.criteria, start=1)
    ]  # fmt: skip


def _rubrics(connection: Connection, condition: str, value: object) -> list[RubricRow]:
    rows = connection.execute(
        text(f"""
        SELECT r.id, r.name, r.version, c.name AS criterion, c.title, c.question, c.anchors, c.target
          FROM rubric r JOIN criterion c ON c.rubric_id = r.id
         WHERE {condition} ORDER BY r.version DESC, c.position"""),  # noqa: S608
        {"value": value},
    ).all()
    found: dict[UUID, tuple[str, int, list[CriterionRow]]] = {}
    for row in rows:
        _, _, criteria = found.setdefault(row.id, (row.name, row.version, []))
        criteria.append(CriterionRow(row.criterion, row.title, row.question, tuple(row.anchors), row.target))
    return [RubricRow(key, name, version, tuple(criteria)) for key, (name, version, criteria) in found.items()]
