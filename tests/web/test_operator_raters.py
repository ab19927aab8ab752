"""Who rates, and what it comes to, on operators' pages; and how operators come in."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from conftest import PASSWORD
from inpaint_db.rating_pace import item_states
from inpaint_db.rating_queries import save_event, save_rating, show_item
from inpaint_db.rating_sessions import finish_session
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from starlette.testclient import TestClient
from web_scene import Rated, WebScene


def rate(database: Database, rated: Rated, stars: int = 3) -> None:
    """So many stars for everything; the first item is flagged, the second skipped, the third for a moment."""
    with database.begin() as connection:
        for item in item_states(connection, rated.rater_id, rated.session_id):
            shown = show_item(connection, rated.rater_id, rated.session_id, item.position, bucket="inpaint")
            for criterion in shown.criteria:
                save_rating(
                    connection, rated.rater_id,
                    rating_id=uuid4(), item_id=shown.id, criterion=criterion.name, stars=stars,
                )  # fmt: skip
            said = {
                1: [("flag", "Two <b>lamps</b> are gone")],
                2: [("skip", "Too dark")],
                3: [("skip", "x"), ("unskip", "")],
            }
            for kind, reason in said.get(item.position, []):
                save_event(connection, rated.rater_id, event_id=uuid4(), item_id=shown.id, kind=kind, reason=reason)


def test_raters_are_shown_with_progress_checks_and_words(
    operator: TestClient, scene: WebScene, database: Database
) -> None:
    assert "Nobody yet" in operator.get("/raters").text
    run = scene.run(samples=2, trials=1)
    rate(database, scene.session(run, "Ada", check_share=1))
    scene.session(run, "Bob", name="Not begun")
    page = operator.get("/raters").text
    for words in ("Ada", "Bob", "Not begun", "Two &lt;b&gt;lamps&lt;/b&gt; are gone", "Too dark", "0 of 4"):
        assert words in page, words
    # Three stars for an untouched source's preservation: who looked would have given four.
    assert 'class="bad"' in page and page.count('class="said"') == 2


def test_raters_pages_are_closed_to_raters(ada: TestClient) -> None:
    assert ada.get("/raters").status_code == 401


def test_who_is_rater_and_operator_stays_blind_until_the_end(
    enter: Callable[[str], TestClient], scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1))
    browser = enter(rated.token)
    browser.get(f"/enter/{PASSWORD}")
    for path in ("/", f"/rate/{rated.session_id}"):
        page = browser.get(path).text
        assert "Leaderboard" not in page and "/gallery" not in page, path
    rate(database, rated)
    assert "Leaderboard" not in browser.get("/").text
    assert f'href="/rate/{rated.session_id}#finish">Finish' in browser.get("/").text
    with database.begin() as connection:
        finish_session(connection, rated.rater_id, rated.session_id)
    assert "Leaderboard" in browser.get("/").text


def test_a_gallery_shows_what_people_gave(operator: TestClient, scene: WebScene, database: Database) -> None:
    run = scene.run("rooms-1", samples=1, trials=2)
    assert "★" not in operator.get("/gallery/rooms-1").text
    rate(database, scene.session(run, "Ada"), 3)
    rate(database, scene.session(run, "Bob"), 2)
    page = operator.get("/gallery/rooms-1").text
    assert page.count("2.5</b>") == 2 * 5


def test_the_leaderboard_says_what_its_stars_rest_on(operator: TestClient, scene: WebScene, database: Database) -> None:
    run = scene.run("rooms-1", samples=2, trials=1)
    rate(database, scene.session(run, "Ada", check_share=1), 4)
    page = operator.get("/leaderboard").text
    assert "Stars: 16 ratings by 1 rater, on 2 of 2 samples; " in page
    assert "hidden checks failed, whose raters" in page
    assert '<div class="mean"><b>4.0</b>' in page


@pytest.mark.parametrize(
    ("given", "said"), [("guessed-password", "Wrong password"), ("A" * 43, "This link does not open anything")]
)
def test_a_wrong_password_is_called_one(anybody: TestClient, given: str, said: str) -> None:
    answer = anybody.post(
        "/enter", content=f"token={given}", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 403 and said in answer.text


def test_a_job_is_found_by_the_beginning_of_its_id(operator: TestClient, client: InpaintClient, worker) -> None:
    from factories import encode, make_image, make_mask

    first, second = (
        client.submit(encode(make_image(seed=seed)), encode(make_mask()), model="opencv-telea", prompt=f"sofa {seed}")
        for seed in (1, 2)
    )
    shared = 0
    while str(first.id)[shared] == str(second.id)[shared]:
        shared += 1
    both = operator.get(f"/jobs/{str(first.id)[:4]}")
    assert "sofa 1" in both.text and "sofa 2" in both.text
    one = operator.get(f"/jobs/{str(second.id)[: max(8, shared + 1)].upper()}", follow_redirects=False)
    assert one.headers["location"] == f"/jobs/{second.id}"
    for wrong in ("ffffffff", "abc", "----------", "nothing"):
        missing = operator.get(f"/jobs/{wrong}")
        assert missing.status_code == 404 and "An id looks like" in missing.text, wrong
