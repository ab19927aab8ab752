"""What Label Studio exports (JSON or JSON-MIN), as rows: https://labelstud.io/guide/export.

The task's data has `model`, `sample`, and perhaps `run` and `trial`; a label is called as its criterion. Stars are what
a Number, a Choices with the texts 0 to 4, or a Rating says. A Rating cannot say 0: its lowest is 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inpaint_core.errors import InvalidRequest
from inpaint_db.ratings import CRITERIA

#: Of a task's data.
_ABOUT = ("run", "model", "sample", "trial")


#: What JSON-MIN says of a task beside its data and labels.
_OF_TASK = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "inner_id", "updated_by"}
)
#: Names of labels that are told.
_MOST_NAMES = 100


def rows_of_tasks(tasks: list[dict[str, Any]], unread: dict[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A row for each label that is a criterion; what was canceled is left out.

    `unread` is told which other labels there were, and how often: in JSON-MIN, where data and labels stand side by
    side, whatever has a value that could be stars.
    """
    for number, task in enumerate(tasks, start=1):
        where = f"task {_printable(task.get('id', number))}"
        if "annotations" in task or "completions" in task:
            yield from _full(task, where, unread)
        else:
            yield from _minimal(task, where, unread)


def _full(task: dict[str, Any], where: str, unread: dict[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    data = task.get("data")
    annotations = task.get("annotations", task.get("completions"))
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise InvalidRequest(f"{where} has no data or no list of annotations.", field="file")
    about = {name: data[name] for name in _ABOUT if name in data}
    for annotation in annotations:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result", []), list):
            raise InvalidRequest(f"{where} has an annotation that is not an object with a list.", field="file")
        if annotation.get("was_cancelled"):
            continue
        common = {**about, "rater": _rater(annotation.get("completed_by")), "duration_s": annotation.get("lead_time")}
        for label in annotation.get("result", []):
            name = label.get("from_name") if isinstance(label, dict) else None
            if isinstance(name, str) and name in CRITERIA:
                yield where, {**common, "criterion": name, "stars": _stars(label.get("value"))}
            elif name is not None:
                _note(name, unread)


def _minimal(task: dict[str, Any], where: str, unread: dict[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    about = {name: task[name] for name in _ABOUT if name in task}
    common = {**about, "rater": _rater(task.get("annotator")), "duration_s": task.get("lead_time")}
    for criterion in CRITERIA:
        if task.get(criterion) is not None:
            yield where, {**common, "criterion": criterion, "stars": _stars(task[criterion])}
    for name, value in task.items():
        if name not in _OF_TASK and name not in _ABOUT and name not in CRITERIA and _could_be_stars(value):
            _note(name, unread)


def _note(name: Any, unread: dict[str, int]) -> None:
    said = _printable(name)
    if said in unread or len(unread) < _MOST_NAMES:
        unread[said] = unread.get(said, 0) + 1


def _could_be_stars(value: Any) -> bool:
    said = _stars(value)
    return not isinstance(said, bool) and isinstance(said, int | str) and str(said).strip() in ("0", "1", "2", "3", "4")


def _printable(said: Any) -> str:
    """An id as a message may show it: what a file says is not to steer a terminal."""
    text = str(said)[:40]
    return text if text.isprintable() else ascii(text)


def _rater(who: Any) -> str | None:
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    return None if who is None else f"Label Studio {who}"


def _stars(value: Any) -> Any:
    # {"choices": ["3"]}, {"number": 3}, and in JSON-MIN [{"number": 3}].
    for _ in range(2):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            value = next((value[key] for key in ("rating", "number", "choices") if key in value), None)
    return value[0] if isinstance(value, list) and len(value) == 1 else value
