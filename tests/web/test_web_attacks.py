"""What others may try: another's session, old links, forged requests, odd paths, code in names and prompts."""

from __future__ import annotations

import logging
import time
from html.parser import HTMLParser
from uuid import uuid4

import pytest
from conftest import PASSWORD
from inpaint_db.raters import revoke
from inpaint_db.session import Database
from inpaint_web.security.cookies import is_operator, operator_stamp
from inpaint_web.security.limits import RateLimit
from sqlalchemy import text
from starlette.testclient import TestClient
from web_scene import Rated, WebScene

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x' & {{7*191}}"
BODY = {"criterion": "realism", "stars": 3, "duration_s": 3}


class Elements(HTMLParser):
    """Elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


# --- who is who -------------------------------------------------------------------------------------------------------


def paths_of(rated: Rated) -> list[tuple[str, str]]:
    base = f"/api/sessions/{rated.session_id}"
    return [
        ("GET", base),
        ("GET", f"{base}/items/1"),
        ("PUT", f"{base}/items/1/ratings/{uuid4()}"),
        ("PUT", f"{base}/items/1/events/{uuid4()}"),
        ("PUT", f"{base}/undo/{uuid4()}"),
        ("POST", f"{base}/finish"),
        ("GET", f"/rate/{rated.session_id}"),
        ("GET", f"/rate/{rated.session_id}/reveal"),
        ("GET", f"/image/{rated.session_id}/1/source"),
        ("GET", f"/image/{rated.session_id}/1/result-1"),
    ]


def ask(client: TestClient, method: str, path: str) -> int:
    body = {"json": {"kind": "skip"} if "/events/" in path else BODY} if method == "PUT" else {}
    return client.request(method, path, **body).status_code


def test_without_a_link_nothing_is_shown_or_saved(anybody: TestClient, rated: Rated) -> None:
    assert {ask(anybody, *each) for each in paths_of(rated)} == {401}
    assert anybody.get("/").status_code == 401


def test_anothers_session_is_as_if_it_were_not_there(enter, scene: WebScene, rated: Rated, database: Database) -> None:
    scene.session(scene.run("rooms-2"), "Eve")
    with database.read() as connection:
        before = connection.execute(text("SELECT count(*) FROM rating_event")).scalar_one()
    eve = enter(scene.session(scene.run("rooms-3"), "Eve").token)
    assert {ask(eve, *each) for each in paths_of(rated)} == {404}
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM rating")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM rating_event")).scalar_one() == before


def test_an_expired_replaced_or_withdrawn_link_opens_nothing_and_closes_what_it_had_opened(
    enter, anybody: TestClient, scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run())
    ada = enter(rated.token)
    assert ada.get("/").status_code == 200
    with database.begin() as connection:
        revoke(connection, "Ada")
    assert ada.get("/").status_code == 403
    refused = anybody.get(f"/enter/{rated.token}")
    assert refused.status_code == 403 and "withdrawn" in refused.text
    with database.begin() as connection:
        connection.execute(text("UPDATE rater SET revoked_at = NULL, token_expires_at = now() - interval '1 second'"))
    assert {ask(ada, *each) for each in paths_of(rated)} == {403}
    assert "valid until" in anybody.get(f"/enter/{rated.token}").text
    assert anybody.get(f"/enter/{'x' * 43}").status_code == 403


def test_a_link_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(anybody: TestClient, rated: Rated) -> None:
    answer = anybody.get(f"/enter/{rated.token}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "secure" not in cookie
    over_https = anybody.get(f"https://testserver/enter/{rated.token}", follow_redirects=False)
    cookie = over_https.headers["set-cookie"]
    assert cookie.startswith("__Host-") and "Secure" in cookie and "Path=/" in cookie


def test_links_cannot_be_guessed_for_long(anybody: TestClient) -> None:
    statuses = [anybody.get(f"/enter/guess-{number}").status_code for number in range(30)]
    assert statuses[0] == 403 and statuses[-1] == 429


def test_pages_that_name_models_are_for_operators(ada: TestClient, anybody: TestClient, rated: Rated) -> None:
    pages = ("/gallery", "/gallery/rooms-1", "/leaderboard", "/jobs", f"/jobs/{uuid4()}")
    for path in (*pages, f"/trial/{uuid4()}/result", f"/sample/{uuid4()}/source"):
        assert ada.get(path).status_code == 401, path
        assert anybody.get(path).status_code == 401, path
        assert "opencv" not in ada.get(path).text


def test_an_operators_cookie_is_proof_of_the_password_and_ends() -> None:
    stamp = operator_stamp(PASSWORD)
    assert is_operator(stamp, PASSWORD)
    assert not is_operator(stamp, PASSWORD + "x")
    assert not is_operator(stamp, PASSWORD, now=time.time() + 13 * 3600)
    until, _, proof = stamp.partition(".")
    assert not is_operator(f"{int(until) + 1}.{proof}", PASSWORD)
    for odd in ("", ".", "x.y", "9" * 400 + ".a", "²." + proof, None):
        assert not is_operator(odd, PASSWORD)
    assert not is_operator(stamp, None)


def test_the_operators_password_and_a_pasted_link_are_taken_by_the_form(anybody: TestClient, rated: Rated) -> None:
    door = anybody.get("/enter")
    assert door.headers["referrer-policy"] == "same-origin"
    entered = anybody.post(
        "/enter", data={"token": f" http://testserver/enter/{rated.token}/ "}, follow_redirects=False
    )
    assert entered.headers["location"] == "/"
    entered = anybody.post("/enter", data={"token": PASSWORD}, follow_redirects=False)
    assert entered.headers["location"] == "/leaderboard"
    assert anybody.get("/gallery").status_code == 200
    assert anybody.post("/leave", follow_redirects=False).status_code == 303
    assert anybody.get("/gallery").status_code == 401
    assert anybody.post("/enter", data={"token": ""}).status_code == 403


# --- forged requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://testserver"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://testserver.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({}, 403),
    ],
)
def test_only_pages_of_this_site_may_save(ada: TestClient, rated: Rated, headers: dict[str, str], status: int) -> None:
    del ada.headers["origin"]
    path = f"/api/sessions/{rated.session_id}/items/1/ratings/{uuid4()}"
    answer = ada.put(path, json=BODY, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "cross_site"


def test_large_bodies_are_refused_whether_or_not_they_say_their_length(ada: TestClient, rated: Rated) -> None:
    path = f"/api/sessions/{rated.session_id}/items/1/ratings/{uuid4()}"
    assert ada.put(path, content=b"x" * 20_000).status_code == 413
    assert ada.put(path, content=(b"x" * 4_000 for _ in range(10))).status_code == 413
    assert ada.put(path, content=b"{}", headers={"content-length": "-1"}).status_code in (400, 413)
    assert ada.put(path, content=b"not json", headers={"content-type": "application/json"}).status_code == 400


def test_floods_are_slowed_down_and_the_wait_is_told(
    ada: TestClient, rated: Rated, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time stands still: on a slow machine no flood would be quick enough.
    taken, now = RateLimit.take, time.monotonic()

    def at_once(limit: RateLimit, key: str) -> float:
        limit._clock = lambda: now
        return taken(limit, key)

    monkeypatch.setattr(RateLimit, "take", at_once)
    answers = [ada.get("/healthz") for _ in range(600)]
    assert {answer.status_code for answer in answers} == {200, 429}
    late = next(answer for answer in answers if answer.status_code == 429)
    assert int(late.headers["retry-after"]) >= 1


def test_a_bucket_fills_again_and_forgets_whom_it_has_not_seen() -> None:
    now = [0.0]
    limit = RateLimit(per_s=2, burst=3, most_keys=2, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    now[0] = 1.0
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0.5]
    assert limit.take("b") == limit.take("c") == 0
    assert limit.take("a") == 0  # forgotten: full again


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
    assert answer.status_code == 400 and answer.json()["error"]["message"]


# --- code in texts ----------------------------------------------------------------------------------------------------


def test_names_and_prompts_stay_texts(enter, operator: TestClient, scene: WebScene) -> None:
    run = scene.run("hostile", samples=1, trials=1, prompts={0: HOSTILE}, sample_name=HOSTILE)
    rated = scene.session(run, rater=HOSTILE, name=HOSTILE)
    ada = enter(rated.token)
    for position in (1, 2):
        assert ada.get(f"/api/sessions/{rated.session_id}/items/{position}").json()["prompt"] == HOSTILE
        ada.put(f"/api/sessions/{rated.session_id}/items/{position}/events/{uuid4()}", json={"kind": "skip"})
    pages = [ada.get("/"), ada.get(f"/rate/{rated.session_id}"), operator.get("/gallery/hostile")]
    ada.post(f"/api/sessions/{rated.session_id}/finish")
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
