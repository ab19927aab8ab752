"""Bringing stars in: all rows of a file or none, each to the result of a run that it is about."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from inpaint_core.errors import InvalidRequest
from inpaint_db.raters import imported_rater
from inpaint_db.rating_imports import GivenStars, KnownRating, import_stars, known_ratings
from inpaint_db.rating_plans import Subject
from inpaint_db.rating_subjects import unprompted_samples
from inpaint_db.ratings import CRITERIA
from inpaint_db.run_queries import RunRow, TrialRow, find_run, list_trials
from sqlalchemy import Connection

from inpaint_benchmark.ratings.reading import Row

#: Problems that a message names; of the others it tells how many there are.
_NAMED = 5
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,18})?(e-[0-9]{2})?", re.ASCII)
#: Of `duration_s`: ten years. What is more is no duration, but a mistake.
_LONGEST_S = 315_576_000.0
#: Characters of a name: messages quote it.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file. `checks`: rows that were hidden checks where they were given, and say nothing of models;
    `unprompted`: rows about adaptability where nothing was prompted, which is not asked.
    """

    new: int
    there: int
    checks: int
    unprompted: int
    raters: tuple[str, ...]


class _Runs:
    """Runs and their trials, each asked for once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: dict[str, tuple[RunRow, dict[tuple[str, str], list[TrialRow]]]] = {}
        self._unprompted: dict[UUID, set[UUID]] = {}

    def of(self, name: str) -> tuple[RunRow, dict[tuple[str, str], list[TrialRow]]]:
        """A run, and its finished trials by model and sample."""
        if name not in self._found:
            run = find_run(self._connection, name)
            trials: dict[tuple[str, str], list[TrialRow]] = {}
            for trial in list_trials(self._connection, run.id):
                if trial.status is not None and trial.status.value == "succeeded":
                    trials.setdefault((trial.model, trial.sample), []).append(trial)
            self._found[name] = run, trials
        return self._found[name]

    def unasked(self, run_id: UUID, given: GivenStars) -> bool:
        """Whether a prompt is said to be met, or not, that there was not."""
        if given.criterion != "adaptability" or given.subject.sample_id is None:
            return False
        if run_id not in self._unprompted:
            self._unprompted[run_id] = unprompted_samples(self._connection, run_id)
        return given.subject.sample_id in self._unprompted[run_id]


def import_rows(
    connection: Connection, rows: Sequence[Row], *, file: str, run: str | None = None, rater: str | None = None
) -> Imported:
    """Enter the rows of a file. `run`: of rows that name none; `rater`: of all, whatever they name.

    Rows whose `rating_id` is there already are left out, so that what was exported here comes back as it is; one that
    says something else than what is there is wrong. `InvalidRequest` tells what is wrong, and nothing has been entered
    then.
    """
    runs, wrong = _Runs(connection), list[str]()
    taken: dict[tuple[str, UUID], list[GivenStars]] = {}
    known, checks, unprompted = _known(connection, rows), 0, 0
    for where, row in rows:
        try:
            rating_id = _rating_id(row)
            if rating_id is not None and rating_id in known:
                _refuse_other(row, known[rating_id])
                continue
            if _text(row, "purpose") not in ("", "real"):
                checks += 1
                continue
            run_id, given = _given(row, runs, run, rating_id)
            if runs.unasked(run_id, given):
                unprompted += 1
                continue
            taken.setdefault((_rater(row, rater), run_id), []).append(given)
        except InvalidRequest as error:
            wrong.append(f"{where}: {error.message}")
    ids = [given.rating_id for each in taken.values() for given in each if given.rating_id]
    if len(set(ids)) < len(ids):
        wrong.append("two rows have the same rating_id.")
    if wrong:
        more = f" And {len(wrong) - _NAMED} more." if len(wrong) > _NAMED else ""
        raise InvalidRequest(f"{file} was not imported. " + " ".join(wrong[:_NAMED]) + more, field="file")
    name = " ".join(f"imported from {file}".split())[:200]
    new = sum(
        import_stars(connection, imported_rater(connection, who), run_id, given, name=name, via="import")
        for (who, run_id), given in taken.items()
    )
    there = len(rows) - checks - unprompted - new
    return Imported(new, there, checks, unprompted, tuple(sorted({who for who, _ in taken})))


def _known(connection: Connection, rows: Sequence[Row]) -> dict[UUID, KnownRating]:
    ids: list[UUID] = []
    for _, row in rows:
        with contextlib.suppress(InvalidRequest):
            ids += filter(None, [_rating_id(row)])
    return known_ratings(connection, ids)


def _refuse_other(row: Mapping[str, Any], known: KnownRating) -> None:
    """A rating is never changed: a row that would change one is not taken, and not passed over in silence either."""
    said = {
        "stars": _stars(row.get("stars")), "criterion": _text(row, "criterion"), "model": _text(row, "model"),
        "sample": _text(row, "sample"),
    }  # fmt: skip
    for name, value in said.items():
        there = getattr(known, name)
        if value != there:
            raise InvalidRequest(
                f"rating_id stands for a rating that is there with {name} {there!r}, not {value!r}. Leave rating_id "
                "empty to enter other stars: they count from then on."
            )


def _rater(row: Mapping[str, Any], rater: str | None) -> str:
    found = rater or _text(row, "rater")
    if not found:
        raise InvalidRequest("no rater is named; add a column, or say --rater NAME.")
    return found


def _given(row: Mapping[str, Any], runs: _Runs, run: str | None, rating_id: UUID | None) -> tuple[UUID, GivenStars]:
    name = _text(row, "run") or run
    if not name:
        raise InvalidRequest("no run is named; add a column, or say --run RUN.")
    found, trials = runs.of(name)
    model, sample, criterion = (_text(row, key) for key in ("model", "sample", "criterion"))
    if criterion not in CRITERIA:
        raise InvalidRequest(f"criterion is {criterion!r}; it must be one of {', '.join(CRITERIA)}.")
    stars, seconds = _stars(row.get("stars")), _seconds(row)
    if _text(row, "kind") == "model":
        if model not in found.models:
            raise InvalidRequest(f"model is {model[:80]!r}; {found.name!r} has {', '.join(found.models)}.")
        whole = Subject("model", model, found.id, None, (), None)
        return found.id, GivenStars(whole, criterion, stars, seconds, rating_id)
    there = trials.get((model, sample))
    if there is None:
        raise InvalidRequest(f"the run {found.name!r} has no result of {model!r} on {sample!r}.")
    subject = _subject(row, found, there, criterion)
    return found.id, GivenStars(subject, criterion, stars, seconds, rating_id)


def _subject(row: Mapping[str, Any], run: RunRow, trials: list[TrialRow], criterion: str) -> Subject:
    first = trials[0]
    if criterion == "reproducibility":
        if len(trials) < 2:
            raise InvalidRequest(f"{first.model} on {first.sample} has one result, which is not reproduced.")
        return Subject("trials", first.model, run.id, first.sample_id, tuple(t.id for t in _by_number(trials)), None)
    said = _text(row, "trial")
    if not said and len(trials) == 1:
        chosen = [first]
    else:
        chosen = [t for t in trials if _WHOLE.fullmatch(said) and t.number == int(said)]
    if not chosen:
        numbers = ", ".join(str(t.number) for t in _by_number(trials))
        raise InvalidRequest(f"trial is {said!r}; {first.model} on {first.sample} has {numbers}.")
    return Subject("output", first.model, run.id, first.sample_id, (chosen[0].id,), chosen[0].job_id)


def _by_number(trials: list[TrialRow]) -> Iterator[TrialRow]:
    return iter(sorted(trials, key=lambda trial: trial.number))


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidRequest(f"{key} must be a text.")
    text = str(value).strip()
    if not text.isprintable():
        raise InvalidRequest(f"{key} must be one line of text.")
    if len(text) > _LONGEST:
        raise InvalidRequest(f"{key} has {len(text):,} characters; {_LONGEST} are the most.")
    return text


def _stars(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool | float) or not _WHOLE.fullmatch(text) or int(text) > 4:
        raise InvalidRequest(f"stars is {str(value)[:40]!r}; it must be 0, 1, 2, 3 or 4.")
    return int(text)


def _seconds(row: Mapping[str, Any]) -> float | None:
    value = row.get("duration_s")
    if value is None or value == "":
        return None
    seconds = math.nan
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        seconds = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            seconds = float(value)
    if not 0 <= seconds <= _LONGEST_S:
        raise InvalidRequest(f"duration_s is {str(value)[:40]!r}; it must be seconds, such as 7.5.")
    return seconds


def _rating_id(row: Mapping[str, Any]) -> UUID | None:
    said = _text(row, "rating_id")
    try:
        return UUID(said) if said else None
    except ValueError:
        raise InvalidRequest(f"rating_id is {said[:40]!r}; it must be a UUID.") from None
