"""What others may try with odd paths, and with code in names and prompts; and what no answer leaves without."""

from __future__ import annotations

import logging
import threading
import time
from html.parser import HTMLParser
from uuid import uuid4

import pytest
from conftest import PASSWORD
from inpaint_core.errors import InpaintError
from inpaint_db.session import Database
from inpaint_web import pictures
from inpaint_web.pages import home
from sqlalchemy import text
from starlette.testclient import TestClient
from web_scene import Rated, WebScene

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x' & {{7*191}}"


class Elements(HTMLParser):
    """Elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


# --- odd paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/{v}/..%2fapp.py",
        "/static/{v}/app.py",
        "/static/x/rate.js",
        "/static/{v}/%2fetc%2fpasswd",
        "/image/{s}/1/../../secret",
        "/image/{s}/1/result-0",
        "/image/{s}/1/result-2",
        "/image/{s}/1/result-1%00",
        "/image/{s}/0/source",
        "/image/{s}/-1/source",
        "/image/{s}/99999999999/source",
        "/image/{s}/1/s3:%2f%2finpaint%2finputs",
        "/image/not-a-uuid/1/source",
        "/rate/1",
        "/rate/{s}/../../etc",
        "/docs",
        "/openapi.json",
        "/redoc",
        "/.git/config",
        "/api/sessions/{s}/items/1e3",
    ],
)
def test_odd_paths_lead_nowhere(ada: TestClient, rated: Rated, path: str) -> None:
    version = ada.app.state.site.static.version  # type: ignore[attr-defined]
    answer = ada.get(path.replace("{s}", str(rated.session_id)).replace("{v}", version), follow_redirects=False)
    assert answer.status_code == 404, answer.status_code
    assert "Traceback" not in answer.text


def test_other_methods_are_refused_in_words(ada: TestClient, rated: Rated) -> None:
    answer = ada.delete(f"/api/sessions/{rated.session_id}")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET" and answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/gallery/%00", "/leaderboard?run=%00", "/leaderboard?run=a%00b", "/enter/%00"])
def test_a_name_with_nul_is_nothing(operator: TestClient, path: str) -> None:
    answer = operator.get(path, follow_redirects=False)
    assert answer.status_code == 404 and "content-security-policy" in answer.headers


# --- code in texts ----------------------------------------------------------------------------------------------------


def test_names_and_prompts_stay_texts(enter, operator: TestClient, scene: WebScene) -> None:
    run = scene.run("hostile", samples=1, trials=1, prompts={0: HOSTILE}, sample_name=HOSTILE)
    rated = scene.session(run, rater=HOSTILE, name=HOSTILE)
    ada = enter(rated.token)
    session = f"/api/sessions/{rated.session_id}"
    for position in (1, 2):
        item = ada.get(f"{session}/items/{position}").json()
        assert item["prompt"] == HOSTILE
        for criterion in item["criteria"]:
            body = {"criterion": criterion, "stars": 3, "duration_s": 3}
            assert ada.put(f"{session}/items/{position}/ratings/{uuid4()}", json=body).status_code == 200
    pages = [ada.get("/"), ada.get(f"/rate/{rated.session_id}"), operator.get("/gallery/hostile")]
    ada.post(f"{session}/finish")
    pages += [ada.get(f"/rate/{rated.session_id}/reveal"), operator.get("/leaderboard?run=hostile")]
    pages += [operator.get("/leaderboard", params={"run": HOSTILE}), operator.get(f"/gallery/{HOSTILE}")]
    assert [page.status_code for page in pages] == [200, 200, 200, 200, 200, 400, 404]
    for page in pages:
        elements = Elements(page.text).found
        assert [a for tag, a in elements if tag == "script" and not a.get("src")] == [], page.url
        assert [a for _, a in elements if any(key.startswith("on") or key == "style" for key in a)] == [], page.url
        assert "alert(1)</script>" not in page.text
        assert "1337" not in page.text


def test_a_reason_is_kept_as_it_was_said_and_texts_that_cannot_be_stored_are_refused(
    ada: TestClient, rated: Rated, database: Database
) -> None:
    path = f"/api/sessions/{rated.session_id}/items/1/events"
    assert ada.put(f"{path}/{uuid4()}", json={"kind": "flag", "reason": HOSTILE}).status_code == 200
    with database.read() as connection:
        assert connection.execute(text("SELECT reason FROM rating_event")).scalar_one() == HOSTILE
    assert ada.put(f"{path}/{uuid4()}", json={"kind": "flag", "reason": "a\x00b"}).status_code == 400
    assert ada.put(f"{path}/{uuid4()}", json={"kind": "flag", "reason": "x" * 501}).status_code == 400


# --- what leaves the server -------------------------------------------------------------------------------------------


def test_every_answer_forbids_frames_inline_code_and_referrers(
    ada: TestClient, anybody: TestClient, rated: Rated
) -> None:
    static = f"/static/{ada.app.state.site.static.version}/rate.js"  # type: ignore[attr-defined]
    answers = [ada.get(p) for p in ("/", f"/rate/{rated.session_id}", "/nothing", static, "/robots.txt")]
    answers += [anybody.get("/"), anybody.put("/enter"), ada.get(f"/image/{rated.session_id}/1/source")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert "server" not in answer.headers
    assert ada.get(f"/rate/{rated.session_id}").headers["cache-control"] == "private, no-store"
    assert "private" in ada.get(f"/image/{rated.session_id}/1/source").headers["cache-control"]


def test_a_surprise_forbids_as_much_and_tells_as_little(ada: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "list_sessions", lambda *_: 1 / 0)
    answer = ada.get("/")
    assert answer.status_code == 500 and "division" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "private, no-store"


def test_no_secret_gets_into_the_log(
    enter, anybody: TestClient, rated: Rated, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="inpaint")
    caplog.set_level(logging.DEBUG, logger="inpaint.web")
    enter(rated.token).get("/nothing")
    anybody.get(f"/enter/{rated.token}x")
    anybody.post("/enter", data={"token": PASSWORD + "x"}, headers={"origin": "http://evil.example"})
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("inpaint"))
    assert "web_refused" in said
    assert rated.token not in said and PASSWORD not in said


# --- what pictures cost -----------------------------------------------------------------------------------------------


def test_pictures_that_are_not_there_leave_nothing_behind(ada: TestClient) -> None:
    shelf: pictures.Pictures = ada.app.state.site.pictures  # type: ignore[attr-defined]
    for number in range(5):
        with pytest.raises(InpaintError):
            shelf.get(f"s3://inpaint/nothing-{number}")
    assert not shelf._making


def test_few_pictures_are_decoded_at_once(
    ada: TestClient, scene: WebScene, rated: Rated, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, most, lock, clean = [0], [0], threading.Lock(), pictures.clean

    def slow(*arguments: object) -> pictures.Picture:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1
        return clean(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pictures, "clean", slow)
    paths = [f"/image/{rated.session_id}/{position}/result-1" for position in range(1, 9)]
    threads = [threading.Thread(target=ada.get, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 < most[0] <= 3
