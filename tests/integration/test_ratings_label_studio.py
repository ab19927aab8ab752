"""Stars from what Label Studio exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_scene import Scene
from inpaint_benchmark.ratings.importing import Imported, import_rows
from inpaint_benchmark.ratings.reading import read_stars
from inpaint_core.errors import InvalidRequest
from sqlalchemy import Connection


@pytest.fixture
def scene(connection: Connection) -> Scene:
    """The run `test`: two models on two samples, two imported trials each."""
    scene = Scene(connection)
    scene.run("test", scene.dataset("one", "two"), ["a", "b"], seeds=[1, 2])
    for model in "ab":
        for sample in ("one", "two"):
            for number in (1, 2):
                scene.imported("test", model, sample, number)
    return scene


def bring_in(scene: Scene, folder: Path, tasks: list[Any], **options: Any) -> tuple[Imported, dict[str, int]]:
    """What came of the tasks, and which labels were not read."""
    file = folder / "tasks.json"
    file.write_text(json.dumps(tasks))
    read = read_stars(file)
    return import_rows(scene.connection, read.rows, file=file.name, run="test", **options), read.unread


def test_label_studios_json_is_read(scene: Scene, tmp_path: Path) -> None:
    def label(name: str, value: dict[str, Any]) -> dict[str, Any]:
        return {"from_name": name, "to_name": "image", "value": value}

    annotations = [
        {
            "completed_by": {"email": "ada@example.com"},
            "lead_time": 7.5,
            "result": [
                label("realism", {"rating": 3}),
                label("adaptability", {"number": 0}),
                label("consistency", {"choices": ["4"]}),
                label("box", {"rectanglelabels": ["x"]}),
            ],
        },
        {"completed_by": 2, "result": [label("realism", {"rating": 1})]},
        {"completed_by": 3, "was_cancelled": True, "result": [label("realism", {"rating": 1})]},
    ]
    task = {"id": 1, "data": {"model": "a", "sample": "one", "trial": 1, "image": "s3://x"}, "annotations": annotations}
    found, unread = bring_in(scene, tmp_path, [task])
    assert unread == {"box": 1}
    assert (found.new, found.raters) == (4, ("Label Studio 2", "Label Studio ada@example.com"))
    assert scene.one("SELECT stars FROM bench.ratings_current WHERE criterion = 'adaptability'")["stars"] == 0


def test_label_studios_short_json_is_read(scene: Scene, tmp_path: Path) -> None:
    task = {"id": 1, "model": "b", "sample": "two", "trial": 2, "realism": 2, "preservation": "4", "annotator": 1}
    assert bring_in(scene, tmp_path, [task])[0].new == 2
    task |= {"realism": [{"number": 3}], "quality": [{"rating": 2}], "width": 640, "image": "s3://x"}
    found, unread = bring_in(scene, tmp_path, [task])
    assert (found.new, unread) == (1, {"quality": 1})


@pytest.mark.parametrize("key", ["\x1b[2J\x1b]0;owned\x07", "x" * 5000, {"a": ["\x1b[2J"]}, "\u202e1"])
def test_what_a_task_is_called_does_not_steer_the_terminal(scene: Scene, tmp_path: Path, key: object) -> None:
    result = [{"from_name": "realism", "value": {"number": 9}}, {"from_name": ["x"], "value": {"number": 1}}]
    task = {"id": key, "data": {"model": "a", "sample": "one", "trial": 1}, "annotations": [{"result": result}]}
    with pytest.raises(InvalidRequest) as caught:
        bring_in(scene, tmp_path, [task], rater="x")
    assert caught.value.message.isprintable() and len(caught.value.message) < 300
