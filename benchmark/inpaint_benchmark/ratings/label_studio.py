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


def rows_of_tasks(tasks: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A row for each label that is a criterion; what was canceled is left out."""
    for number, task in enumerate(tasks, start=1):
        where = f"task {_printable(task.get('id', number))}"
        if "annotations" in task or "completions" in task:
            yield from _full(task, where)
        else:
            yield from _minimal(task, where)


def _full(task: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _minimal(task: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    about = {name: task[name] for name in _ABOUT if name in task}
    common = {**about, "rater": _rater(task.get("annotator")), "duration_s": task.get("lead_time")}
    for criterion in CRITERIA:
        if task.get(criterion) is not None:
            yield where, {**common, "criterion": criterion, "stars": _stars(task[criterion])}


def _printable(said: Any) -> str:
    """An id as a message may show it: what a file says is not to steer a terminal."""
    text = str(said)[:40]
    return text if text.isprintable() else ascii(text)


def _rater(who: Any) -> str | None:
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    return None if who is None else f"Label Studio {who}"


def _stars(value: Any) -> Any:
    if isinstance(value, dict):
        value = next((value[key] for key in ("rating", "number", "choices") if key in value), None)
    return value[0] if isinstance(value, list) and len(value) == 1 else value
