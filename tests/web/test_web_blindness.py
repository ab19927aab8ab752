"""Before a session is finished, nothing that a rater's browser gets tells which model made what."""

from __future__ import annotations

import io
import json
import re
from uuid import UUID

import pytest
from factories import encode, make_image
from inpaint_db.session import Database
from inpaint_fleet.cli.app import app
from PIL import Image
from sqlalchemy import text
from starlette.testclient import TestClient
from typer.testing import CliRunner
from web_scene import MODELS, Rated, WebScene


def everything(client: TestClient, rated: Rated) -> list[tuple[str, str, bytes]]:
    """All that a browser gets of a session: address, headers, body."""
    session = f"/api/sessions/{rated.session_id}"
    paths = ["/", f"/rate/{rated.session_id}", session]
    page = client.get(f"/rate/{rated.session_id}").text
    paths += re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    paths += [f"/static/{client.app.state.site.static.version}/{name}" for name in client.app.state.site.static.files]  # type: ignore[attr-defined]
    for position in range(1, client.get(session).json()["total"] + 1):
        item = client.get(f"{session}/items/{position}").json()
        paths += [f"{session}/items/{position}", item["source"], item["mask"], *item["results"]]
    found = []
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        found.append((path, str(dict(answer.headers)), answer.content))
    return found


def test_nothing_tells_a_model_a_purpose_or_where_a_picture_lies(enter, scene: WebScene, database: Database) -> None:
    rated = scene.session(scene.run(), check_share=1)
    ada = enter(rated.token)
    with database.read() as connection:
        rows = connection.execute(text("SELECT job_id, trial_ids FROM rating_item"))
        hidden = {str(key) for row in rows for key in (row.job_id, *row.trial_ids) if key}
    words = [*MODELS, "opencv", "telea", "untouched", "damaged", "repeat_of", "purpose", "s3://", "inputs/", "outputs/"]
    for path, headers, body in everything(ada, rated):
        for word in [*words, *hidden]:
            assert word not in path, path
            assert word not in headers, path
            # Static files are the same for everybody, and one of them styles what is shown after the end.
            if not path.startswith("/static/") or word in MODELS:
                assert word.encode() not in body, (path, word)


def test_nothing_tells_a_tier(enter, scene: WebScene) -> None:
    rated = scene.session(scene.run(tier="turbo"), check_share=1)
    for path, headers, body in everything(enter(rated.token), rated):
        for word in ("turbo", "tier"):
            assert word not in path and word not in headers and word.encode() not in body, (path, word)


def test_a_link_of_the_command_line_tells_as_little(
    enter, scene: WebScene, stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)
    scene.run("opencv-telea-vs-ns", samples=1, trials=1)
    said = CliRunner().invoke(app, ["ratings", "link", "Ada", "--run", "opencv-telea-vs-ns", "--json"])
    assert said.exit_code == 0, said.output
    made = json.loads(said.stdout)
    assert made["session"]["run"] == "opencv-telea-vs-ns"
    token = made["link"].rpartition("/")[2]
    rated = Rated(UUID(made["session"]["id"]), UUID(made["rater"]["id"]), token)
    for path, headers, body in everything(enter(token), rated):
        for word in ("telea", "opencv", "-vs-"):
            assert word not in headers and (path.startswith("/static/") or word.encode() not in body), (path, word)


def test_pictures_are_made_anew_and_hold_nothing_but_pixels(ada: TestClient, rated: Rated) -> None:
    for path, headers, body in everything(ada, rated):
        if not path.startswith("/image/"):
            continue
        assert "image/png" in headers and "content-disposition" not in headers
        with Image.open(io.BytesIO(body)) as image:
            image.load()
            assert image.format == "PNG" and image.info == {} and not image.getexif()
        chunks = {body[at + 4 : at + 8] for at in _chunks(body)}
        assert chunks == {b"IHDR", b"IDAT", b"IEND"}


def test_what_kind_of_file_a_model_left_is_not_seen(enter, scene: WebScene) -> None:
    kinds = {kind: encode(make_image(), kind) for kind in ("PNG", "JPEG", "WEBP")}
    headers = set()
    for number, data in enumerate(kinds.values()):
        rated = scene.session(scene.run(f"kind-{number}", samples=1, trials=1, result=data), f"Rater {number}")
        answer = enter(rated.token).get(f"/image/{rated.session_id}/1/result-1")
        headers.add((answer.headers["content-type"], *sorted(set(answer.headers) - {"etag", "content-length"})))
    assert len(headers) == 1


def test_pixels_are_those_of_the_result(enter, scene: WebScene) -> None:
    made = make_image(seed=5)
    rated = scene.session(scene.run(samples=1, trials=1, result=encode(made)))
    answer = enter(rated.token).get(f"/image/{rated.session_id}/1/result-1")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.tobytes() == made.tobytes()


def test_equal_pictures_of_two_items_have_different_tags_and_are_not_sent_twice(enter, scene: WebScene) -> None:
    rated = scene.session(scene.run(samples=1, trials=1, result=encode(make_image(seed=5))))
    ada = enter(rated.token)
    first, second = (ada.get(f"/image/{rated.session_id}/{n}/result-1") for n in (1, 2))
    assert first.content == second.content
    assert first.headers["etag"] != second.headers["etag"]
    again = ada.get(first.url.path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_checks_look_like_any_other_item(enter, scene: WebScene, database: Database) -> None:
    rated = scene.session(scene.run(samples=3), check_share=1)
    ada = enter(rated.token)
    with database.read() as connection:
        rows = connection.execute(text("SELECT position, purpose FROM rating_item ORDER BY position"))
        purposes = {row.position: row.purpose for row in rows}
    assert {"real", "untouched", "damaged", "repeat"} == set(purposes.values())
    shapes = set()
    for position, purpose in purposes.items():
        item = ada.get(f"/api/sessions/{rated.session_id}/items/{position}").json()
        if item["kind"] != "output":
            continue
        shapes.add(tuple(sorted(item)))
        source, result = (ada.get(path).content for path in (item["source"], item["results"][0]))
        assert (source == result) is (purpose == "untouched")
    assert len(shapes) == 1


def _chunks(png: bytes) -> list[int]:
    found, at = [], 8
    while at < len(png):
        found.append(at)
        at += 12 + int.from_bytes(png[at : at + 4], "big")
    return found
