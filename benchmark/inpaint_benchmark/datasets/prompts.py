"""A file of prompts beside pictures: a table with the columns id, prompt and negative_prompt, or JSON {id: prompt}."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_core.job import printable

from inpaint_benchmark.datasets.facts import unknown
from inpaint_benchmark.datasets.files import listed
from inpaint_benchmark.datasets.json_files import read_json
from inpaint_benchmark.datasets.tables import read_table

#: What is looked for beside the pictures if no file is named.
_USUAL = ("prompts.csv", "prompts.json")
_FIELDS = ("prompt", "negative_prompt")


def find_prompts(folder: Path, named: object) -> Path | None:
    """The file of prompts: that which the caller named (from `folder` on), or prompts.csv or prompts.json in it."""
    if named is not None:
        path = folder / Path(str(named)).expanduser()
        if not path.is_file():
            raise InputNotFound(f"There is no file {path}, which was named for the prompts.", path=str(path))
        return path
    found = [folder / name for name in _USUAL if (folder / name).is_file()]
    if len(found) > 1:
        raise InvalidRequest(f"{folder.name}/ has both {' and '.join(_USUAL)}: name one of them (prompts).")
    return found[0] if found else None


def read_prompts(path: Path | None, ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
    """`prompt` and perhaps `negative_prompt` for each of `ids`; without a file, none.

    `InvalidRequest` if the file leaves one out or has one that is not there: a slip in a name should not cost a prompt.
    """
    if path is None:
        return {}
    prompts = _json(path) if path.suffix.lower() == ".json" else _table(path)
    for problem, names in (
        ("has no prompt for", [i for i in ids if i not in prompts]),
        ("has prompts for pictures that are not there:", [i for i in prompts if i not in ids]),
    ):
        if names:
            raise InvalidRequest(f"{path.name} {problem} {listed(names)}. Ids are the names of files without endings.")
    return prompts


def _table(path: Path) -> dict[str, dict[str, str]]:
    prompts: dict[str, dict[str, str]] = {}
    for row in read_table(path, ("id", "prompt"), ("id", *_FIELDS)):
        key = row.cells["id"]
        if key in prompts:
            raise InvalidRequest(
                f"{path.name} line {row.line} has the id {printable(key)!r} a second time.", field="id"
            )
        prompts[key] = {name: row.cells[name] for name in _FIELDS if name in row.cells}
    return prompts


def _json(path: Path) -> dict[str, dict[str, str]]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InvalidRequest(f'{path.name} must be an object of prompts by id, {{"lamp": "a brass lamp"}}.')
    prompts = {}
    for key, value in content.items():
        fields = value if isinstance(value, dict) else {"prompt": value}
        place = f"{path.name} key {printable(key)!r}"
        for name, text in fields.items():
            if name not in _FIELDS:
                raise InvalidRequest(f"{place}: {unknown(name, _FIELDS, 'field')}", field=name)
            if not isinstance(text, str):
                raise InvalidRequest(f"{place}: {name} must be text, found {printable(repr(text))[:40]}.", field=name)
        prompts[key] = fields
    return prompts
