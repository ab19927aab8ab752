"""Who is let in: raters by their links, operators by their password, and nobody to what is another's."""

from __future__ import annotations

from uuid import uuid4

from conftest import PASSWORD
from inpaint_db.raters import revoke
from inpaint_db.session import Database
from sqlalchemy import text
from starlette.testclient import TestClient
from web_scene import Rated, WebScene

BODY = {"criterion": "realism", "stars": 3, "duration_s": 3}


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
    assert {ask(ada, *each) for each in paths_of(rated)} <= {403, 429}  # too many for somebody who is not known
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


def test_pages_that_name_models_are_for_operators(ada: TestClient, anybody: TestClient, rated: Rated) -> None:
    pages = ("/gallery", "/gallery/rooms-1", "/leaderboard", "/jobs", f"/jobs/{uuid4()}")
    for path in (*pages, f"/trial/{uuid4()}/result", f"/sample/{uuid4()}/source"):
        assert ada.get(path).status_code == 401, path
        assert anybody.get(path).status_code == 401, path
        assert "opencv" not in ada.get(path).text


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


def test_a_link_of_somebody_else_asks_before_it_takes_anybodys_place(enter, scene: WebScene) -> None:
    run = scene.run(samples=1, trials=1)
    ada, eve = scene.session(run, "Ada"), scene.session(run, "Eve")
    browser = enter(ada.token)
    elsewhere = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    asked = browser.get(f"/enter/{eve.token}", headers=elsewhere, follow_redirects=False)
    assert asked.status_code == 200 and "Go on as Eve?" in asked.text and "set-cookie" not in asked.headers
    assert browser.post("/enter", data={"token": eve.token}, headers=elsewhere).status_code == 403
    assert "Hello, Ada" in browser.get("/").text
    assert browser.get(f"/enter/{ada.token}", follow_redirects=False).status_code == 303
    assert "Hello, Eve" in browser.post("/enter", data={"token": eve.token}).text
