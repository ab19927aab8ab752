"""Rating over HTTP: what the page reads and saves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from inpaint_core.settings import Settings
from inpaint_db.rating_sessions import reveal
from inpaint_db.session import Database
from inpaint_web.pages.rate import by_model
from sqlalchemy import text
from starlette.testclient import TestClient
from web_scene import Rated, WebScene


def give(client: TestClient, rated: Rated, position: int, criterion: str, stars: object, rating: object = None):
    path = f"/api/sessions/{rated.session_id}/items/{position}/ratings/{rating or uuid4()}"
    return client.put(path, json={"criterion": criterion, "stars": stars, "duration_s": 2.5, "ui_version": "test"})


def item(client: TestClient, rated: Rated, position: int) -> dict:
    answer = client.get(f"/api/sessions/{rated.session_id}/items/{position}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def overview(client: TestClient, rated: Rated) -> dict:
    return client.get(f"/api/sessions/{rated.session_id}").json()


def test_a_whole_session_can_be_rated_finished_and_is_then_revealed(ada: TestClient, rated: Rated) -> None:
    total = overview(ada, rated)["total"]
    assert total == 12
    for position in range(1, total + 1):
        for criterion in item(ada, rated, position)["criteria"]:
            assert give(ada, rated, position, criterion, 3).status_code == 200
    assert overview(ada, rated)["next"] is None
    assert "opencv" not in ada.get(f"/rate/{rated.session_id}").text
    assert ada.post(f"/api/sessions/{rated.session_id}/finish").json()["finished"] is True
    revealed = ada.get(f"/rate/{rated.session_id}/reveal")
    assert revealed.status_code == 200
    assert "opencv-telea" in revealed.text and "opencv-ns" in revealed.text


def test_what_is_revealed_names_the_tier_and_only_then(
    enter: Callable[[str], TestClient], scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1, trials=1, tier="fast"))
    browser = enter(rated.token)
    assert "fast" not in browser.get(f"/rate/{rated.session_id}").text
    for position in (1, 2):
        assert "fast" not in str(item(browser, rated, position))
        for criterion in item(browser, rated, position)["criteria"]:
            assert give(browser, rated, position, criterion, 3).status_code == 200
    assert browser.post(f"/api/sessions/{rated.session_id}/finish").status_code == 200
    revealed = browser.get(f"/rate/{rated.session_id}/reveal").text
    assert '<th scope="row">opencv-telea (fast)</th>' in revealed
    assert revealed.count("made by opencv-telea (fast)") == revealed.count("made by opencv-telea") == 1
    with database.read() as connection:
        items = reveal(connection, rated.rater_id, rated.session_id)
    first, second = (
        replace(items[0], tier=tier, stars={"realism": stars}) for tier, stars in (("exact", 4), ("fast", 1))
    )
    # Jobs of production mix tiers.
    assert [(m.tier, m.items, m.means) for m in by_model([second, first])] == [
        ("exact", 1, {"realism": 4}), ("fast", 1, {"realism": 1}),
    ]  # fmt: skip


def test_outputs_have_four_questions_and_sets_of_trials_have_one(ada: TestClient, rated: Rated) -> None:
    found = {(i["kind"], tuple(i["criteria"]), len(i["results"])) for i in (item(ada, rated, p) for p in range(1, 13))}
    assert found == {
        ("output", ("realism", "adaptability", "consistency", "preservation"), 1),
        ("trials", ("reproducibility",), 2),
    }


def test_the_same_save_sent_twice_is_saved_once(ada: TestClient, rated: Rated, database: Database) -> None:
    item(ada, rated, 1)
    key = uuid4()
    first, again = give(ada, rated, 1, "realism", 4, key), give(ada, rated, 1, "realism", 4, key)
    assert (first.json()["again"], again.json()["again"]) == (False, True)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM rating")).scalar_one() == 1


def test_an_id_that_stands_for_other_stars_is_refused(ada: TestClient, rated: Rated) -> None:
    item(ada, rated, 1)
    key = uuid4()
    give(ada, rated, 1, "realism", 4, key)
    refused = give(ada, rated, 1, "realism", 2, key)
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "idempotency_conflict"


@pytest.mark.parametrize("stars", [5, -1, 1.5, "3", None, True, 10**30])
def test_stars_are_whole_numbers_from_0_to_4(ada: TestClient, rated: Rated, stars: object) -> None:
    item(ada, rated, 1)
    refused = give(ada, rated, 1, "realism", stars)
    assert refused.status_code == 400
    assert "stars" in refused.json()["error"]["message"]
    assert item(ada, rated, 1)["stars"] == {}


@pytest.mark.parametrize("field", [{"criterion": "beauty"}, {"duration_s": -1}, {"duration_s": "NaN"}, {"more": 1}])
def test_what_is_not_asked_for_is_refused(ada: TestClient, rated: Rated, field: dict) -> None:
    item(ada, rated, 1)
    path = f"/api/sessions/{rated.session_id}/items/1/ratings/{uuid4()}"
    refused = ada.put(path, json={"criterion": "realism", "stars": 1, "duration_s": 1, **field})
    assert refused.status_code == 400
    assert refused.json()["error"]["message"]


def test_undo_takes_the_newest_stars_back_and_tells_what_counts_again(ada: TestClient, rated: Rated) -> None:
    item(ada, rated, 1)
    give(ada, rated, 1, "realism", 1)
    give(ada, rated, 1, "realism", 3)
    undo = f"/api/sessions/{rated.session_id}/undo"
    assert ada.put(f"{undo}/{uuid4()}").json() == {"position": 1, "criterion": "realism", "stars": 3, "now": 1}
    assert item(ada, rated, 1)["stars"] == {"realism": 1}
    assert ada.put(f"{undo}/{uuid4()}").json()["now"] is None
    nothing = ada.put(f"{undo}/{uuid4()}")
    assert nothing.status_code == 400 and "no rating left" in nothing.json()["error"]["message"]


def test_a_skipped_item_is_done_and_can_be_taken_up_again(ada: TestClient, rated: Rated) -> None:
    events = f"/api/sessions/{rated.session_id}/items/1/events"
    assert ada.put(f"{events}/{uuid4()}", json={"kind": "skip", "reason": "I cannot tell"}).status_code == 200
    assert overview(ada, rated)["items"][0] == ["output", "skipped", False]
    assert ada.put(f"{events}/{uuid4()}", json={"kind": "unskip"}).status_code == 200
    assert ada.put(f"{events}/{uuid4()}", json={"kind": "flag", "reason": "broken"}).status_code == 200
    assert overview(ada, rated)["items"][0] == ["output", "open", True]
    assert ada.put(f"{events}/{uuid4()}", json={"kind": "delete"}).status_code == 400


def test_stars_have_to_wait_until_a_picture_was_looked_at(enter, scene: WebScene) -> None:
    rated = scene.session(scene.run(samples=1), min_dwell_s=30)
    ada = enter(rated.token)
    for shown in (False, True):
        if shown:
            item(ada, rated, 1)
        early = give(ada, rated, 1, "realism", 3)
        assert early.status_code == 409
        assert early.json()["error"]["code"] == "too_soon"
        assert 0 < early.json()["error"]["wait_s"] <= 30
        assert "longer" in early.json()["error"]["message"]


def test_nobody_looks_at_several_pictures_at_once(enter, scene: WebScene, database: Database) -> None:
    rated = scene.session(scene.run(samples=2, trials=1), min_dwell_s=1)
    ada = enter(rated.token)
    for position in range(1, 5):
        item(ada, rated, position)
    time.sleep(1.1)
    assert [give(ada, rated, n, "realism", 3).status_code for n in range(1, 5)] == [409, 409, 409, 200]
    # What is looked at for long enough is taken, however often one comes back to it; corrections need no more time.
    item(ada, rated, 1)
    time.sleep(0.5)
    item(ada, rated, 2)
    item(ada, rated, 1)
    time.sleep(0.4)
    assert [give(ada, rated, n, "realism", 3).status_code for n in (1, 1, 4, 2)] == [200, 200, 200, 409]
    with database.read() as connection:
        measured = connection.execute(text("SELECT min(measured_s) FROM rating")).scalar_one()
        assert 0.75 <= measured < 60
        assert not connection.execute(text("SELECT bool_or(hasty) FROM bench.ratings_current")).scalar_one()


def test_a_page_that_was_open_for_days_is_taken_with_a_day(ada: TestClient, rated: Rated, database: Database) -> None:
    path = f"/api/sessions/{rated.session_id}/items/1/ratings/{uuid4()}"
    assert ada.put(path, json={"criterion": "realism", "stars": 3, "duration_s": 3e5}).status_code == 200
    with database.read() as connection:
        assert connection.execute(text("SELECT duration_s FROM rating")).scalar_one() == 86_400


def test_what_was_given_last_counts_and_is_taken_back_first(ada: TestClient, rated: Rated, database: Database) -> None:
    path = f"/api/sessions/{rated.session_id}/items/1/ratings"
    body = {"criterion": "realism", "duration_s": 3}
    assert ada.put(f"{path}/{uuid4()}", json={**body, "stars": 4}).status_code == 200
    # Given before, on a device that had no connection: it arrives later and changes nothing.
    assert ada.put(f"{path}/{uuid4()}", json={**body, "stars": 1, "waited_s": 60}).status_code == 200
    assert item(ada, rated, 1)["stars"] == {"realism": 4}
    # Nobody gives stars before their session was made.
    assert ada.put(f"{path}/{uuid4()}", json={**body, "stars": 2, "waited_s": 1e300}).status_code == 200
    with database.read() as connection:
        rows = connection.execute(text("SELECT supersedes, waited_s FROM rating ORDER BY number")).all()
    assert not any(row.supersedes for row in rows) and 0 < rows[2].waited_s < 3_600
    undo = f"/api/sessions/{rated.session_id}/undo"
    assert [ada.put(f"{undo}/{uuid4()}").json()["stars"] for _ in range(3)] == [4, 2, 1]


def test_fetching_pictures_ahead_does_not_count_as_showing_them(ada: TestClient, rated: Rated, database) -> None:
    peeked = ada.get(f"/api/sessions/{rated.session_id}/items/2?peek=true").json()
    assert ada.get(peeked["results"][0]).status_code == 200
    shown = text("SELECT count(shown_at) FROM rating_item")
    with database.read() as connection:
        assert connection.execute(shown).scalar_one() == 0
    item(ada, rated, 2)
    with database.read() as connection:
        assert connection.execute(shown).scalar_one() == 1


def test_a_session_with_open_items_is_not_finished(ada: TestClient, rated: Rated) -> None:
    refused = ada.post(f"/api/sessions/{rated.session_id}/finish")
    assert refused.status_code == 400
    assert "Rate or skip them" in refused.json()["error"]["message"]
    early = ada.get(f"/rate/{rated.session_id}/reveal", follow_redirects=False)
    assert early.headers["location"] == f"/rate/{rated.session_id}"


def test_a_finished_session_takes_no_more_stars(ada: TestClient, rated: Rated) -> None:
    for position in range(1, 13):
        path = f"/api/sessions/{rated.session_id}/items/{position}/events/{uuid4()}"
        ada.put(path, json={"kind": "skip"})
    # Nothing is told to who has rated nothing; stars count for what was skipped, too.
    few = ada.post(f"/api/sessions/{rated.session_id}/finish")
    assert few.status_code == 400 and "0 of 12" in few.json()["error"]["message"]
    assert "opencv" not in ada.get(f"/rate/{rated.session_id}/reveal").text
    for position in range(1, 7):
        for criterion in item(ada, rated, position)["criteria"]:
            give(ada, rated, position, criterion, 3)
    assert ada.post(f"/api/sessions/{rated.session_id}/finish").status_code == 200
    refused = give(ada, rated, 1, "realism", 3)
    assert refused.status_code == 400 and "finished" in refused.json()["error"]["message"]
    moved = ada.get(f"/rate/{rated.session_id}", follow_redirects=False)
    assert moved.headers["location"].endswith("/reveal")


def test_the_first_page_lists_sessions_with_their_progress(ada: TestClient, rated: Rated) -> None:
    page = ada.get("/")
    assert page.status_code == 200
    assert "Furniture, first look" in page.text and "0 of 12 done" in page.text
    assert f'href="/rate/{rated.session_id}"' in page.text


def test_a_database_that_is_away_is_told_as_a_moment_and_not_as_a_traceback(
    web_settings: Settings, gate, rated: Rated
) -> None:
    from inpaint_web.app import create_app

    assert web_settings.postgres_url is not None
    door = gate(web_settings.postgres_url.get_secret_value())
    behind = Settings(**{**web_settings.model_dump(), "postgres_url": door.url})
    with TestClient(create_app(behind), raise_server_exceptions=False, headers={"origin": "http://testserver"}) as ada:
        ada.get(f"/enter/{rated.token}")
        door.shut()
        answer = ada.get("/")
        assert answer.status_code == 503
        assert "Back in a moment" in answer.text and "Traceback" not in answer.text
        script = ada.get(f"/api/sessions/{rated.session_id}")
        assert script.json()["error"]["code"] == "database_unavailable"
