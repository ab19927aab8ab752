"""Stars on a bad line: none is lost, none doubled, and the page never says more than is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browser import WebServer, until
from inpaint_db.session import Database
from rating_page import OpenPage, await_item, await_saved, begin, count, press, stars
from sqlalchemy import text
from web_scene import Rated, WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def test_two_tabs_do_no_harm(
    web_server: WebServer, page: Page, open_page: OpenPage, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    other = open_page(beside=page)
    other.goto(f"{web_server.url}/rate/{rated.session_id}#1")
    await_item(other, 1)
    page.keyboard.press("3")
    await_saved(page)
    # The other tab learns of it, and what it then says counts.
    other.wait_for_selector("input[name=realism][value='3']:checked", state="attached")
    other.keyboard.press("Shift+Tab")
    other.check("input[name=realism][value='1']", force=True)
    await_saved(other)
    page.wait_for_selector("input[name=realism][value='1']:checked", state="attached")
    assert stars(database, rated.session_id) == {(1, "realism"): 1}
    assert count(database, "rating") == 2


def test_an_answer_that_is_lost_does_not_double_a_star(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    lost: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        if not lost:
            lost.append(route.request.url)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    # Before anything is loaded: what a browser sends just after it was told to ask first may pass by.
    page.route("**/ratings/*", lose_the_first_answer)
    begin(web_server, page, rated)
    page.keyboard.press("3")
    await_saved(page)
    assert lost and count(database, "rating") == 1


def test_stars_that_come_too_soon_wait_on_the_page(
    web_server: WebServer, page: Page, scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1), min_dwell_s=2)
    begin(web_server, page, rated)
    for key in "3123":
        page.keyboard.press(key)
    assert page.is_checked("input[name=realism][value='3']") and count(database, "rating") == 0
    page.keyboard.press("Enter")
    assert "Look a little longer" in str(page.text_content("#told"))
    await_saved(page)
    # Each is what it was meant for, and the last is the newest.
    given = {(1, "realism"): 3, (1, "adaptability"): 1, (1, "consistency"): 2, (1, "preservation"): 3}
    assert stars(database, rated.session_id) == given
    page.keyboard.press("u")
    until(page, "document.getElementById('told').textContent.startsWith('Took back 3')")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.wait_for_selector('html[data-shown="2"]')


def test_a_rater_who_has_to_come_in_again_loses_no_star(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    # As over plain http in an office: browsers then have no `randomUUID`.
    page.add_init_script("delete Crypto.prototype.randomUUID")
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    page.context.clear_cookies()
    page.keyboard.press("3")
    page.wait_for_selector("h1:has-text('Please open your link')")
    assert stars(database, rated.session_id) == {}
    begin(web_server, page, rated)
    await_saved(page)
    assert stars(database, rated.session_id) == {(1, "realism"): 3}


def test_stars_survive_a_server_that_is_away_and_a_reload_meanwhile(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    web_server.stop()
    for key in ("3", "1", "2", "4"):
        page.keyboard.press(key)
    page.wait_for_selector("#saved.failing:has-text('Not saved yet')")
    page.keyboard.press("Enter")
    assert await_item(page, 2) == 2  # it was fetched ahead
    web_server.start()
    await_saved(page)
    assert len(stars(database, rated.session_id)) == 4 and count(database, "rating") == 4


def test_a_look_that_the_server_did_not_hear_of_holds_nothing_up(
    web_server: WebServer, page: Page, scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1, trials=1), min_dwell_s=2)
    lost: list[str] = []

    def lose_each_items_first(route: Route) -> None:
        if route.request.url in lost or "peek" in route.request.url:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.fulfill(status=503, body="{}")

    page.route("**/items/*", lose_each_items_first)
    begin(web_server, page, rated)
    page.wait_for_timeout(2_100)
    press(page, "3124")
    page.keyboard.press("Enter")
    await_item(page, 2)
    page.wait_for_timeout(2_100)
    press(page, "312")
    await_saved(page)
    page.keyboard.press("u")
    page.wait_for_selector("#told:has-text('Took back 2')")
    await_saved(page)
    assert len(lost) == 2 and len(stars(database, rated.session_id)) == 6


def test_what_waits_is_sent_with_the_usual_time_for_looking_too(
    web_server: WebServer, page: Page, scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1, trials=1), min_dwell_s=2)
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2_100)
    web_server.stop()
    press(page, "3124")
    page.keyboard.press("Enter")
    await_item(page, 2)
    page.wait_for_timeout(2_100)
    press(page, "3124")
    page.wait_for_selector("#saved.failing:has-text('Not saved yet')")
    # Nothing is sent yet, and so nothing can be taken back.
    web_server.start()
    await_saved(page)
    assert len(stars(database, rated.session_id)) == 8 and count(database, "rating") == 8
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM bench.ratings_current WHERE hasty")).scalar_one() == 0


def test_stars_wait_for_their_own_rater_where_somebody_else_comes_in(
    web_server: WebServer, page: Page, open_page: OpenPage, scene: WebScene, database: Database
) -> None:
    run = scene.run(samples=1, trials=1)
    ada, eve = scene.session(run, "Ada"), scene.session(run, "Eve")
    begin(web_server, page, ada)
    page.wait_for_load_state("networkidle")
    page.route("**/ratings/*", lambda route: route.abort())
    press(page, "31")
    page.wait_for_selector("#saved.failing")
    tablet = open_page(beside=page)
    tablet.goto(f"{web_server.url}/enter/{eve.token}")
    tablet.click("button:has-text('Go on as Eve')")
    tablet.wait_for_selector("h1:has-text('Hello, Eve')")
    page.unroute("**/ratings/*")
    page.wait_for_selector("#told:has-text('Somebody else has come in')")
    assert "Not saved yet" in str(page.text_content("#saved"))
    assert stars(database, ada.session_id) == stars(database, eve.session_id) == {}
    page.close()
    tablet.goto(f"{web_server.url}/enter/{ada.token}")
    tablet.click("button:has-text('Go on as Ada')")
    tablet.wait_for_selector("h1:has-text('Hello, Ada')")
    tablet.goto(f"{web_server.url}/rate/{ada.session_id}")
    await_item(tablet)
    await_saved(tablet)
    assert stars(database, ada.session_id) == {(1, "realism"): 3, (1, "adaptability"): 1}
    # What was saved while the item was on its way comes with the next answer.
    until(tablet, "document.querySelectorAll('#criteria input:checked').length === 2")


def test_a_page_that_was_open_for_days_still_saves(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    page.add_init_script(
        "const now = performance.now.bind(performance); performance.now = () => now() + (window.later ?? 0)"
    )
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    page.evaluate("window.later = 3 * 86_400_000")
    press(page, "3")
    await_saved(page)
    assert stars(database, rated.session_id) == {(1, "realism"): 3}


def test_stars_that_are_refused_for_good_are_not_shown_as_given(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    refusal = '{"error": {"code": "invalid_request", "message": "Not by this question."}}'
    refuse = lambda route: route.fulfill(status=400, body=refusal)  # noqa: E731
    press(page, "3")
    await_saved(page)
    page.route("**/ratings/*", refuse)
    press(page, "124")
    page.wait_for_selector("#told:has-text('this was not saved. Not by this question.')")
    until(page, "document.querySelectorAll('#criteria input:checked').length === 1")
    page.wait_for_selector("#saved.declined")
    assert page.text_content("#progress-text") == "0 of 12"
    page.unroute("**/ratings/*")
    press(page, "1")
    await_saved(page)
    assert stars(database, rated.session_id)[1, "realism"] == 3 and len(stars(database, rated.session_id)) == 2


def test_what_was_given_last_counts_whichever_device_it_comes_from(
    web_server: WebServer, page: Page, open_page: OpenPage, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    press(page, "1")
    page.wait_for_selector("#saved.failing")
    other = open_page()
    begin(web_server, other, rated)
    other.wait_for_load_state("networkidle")
    press(other, "4")
    await_saved(other)
    page.context.set_offline(False)
    await_saved(page)
    assert count(database, "rating") == 2
    assert stars(database, rated.session_id) == {(1, "realism"): 4}


def test_a_quick_correction_is_not_hasty(
    web_server: WebServer, page: Page, scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1, trials=1), min_dwell_s=1)
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1_100)
    press(page, "3124")
    page.keyboard.press("Enter")
    await_item(page, 2)
    page.keyboard.press("b")
    await_item(page, 1)
    page.focus("input[name=realism][value='3']")
    press(page, "4")
    await_saved(page)
    with database.read() as connection:
        rows = connection.execute(text("SELECT criterion, stars, duration_s, hasty FROM bench.ratings_current"))
        found = {row.criterion: row for row in rows}
    assert found["realism"].stars == 4 and found["realism"].duration_s < 1
    assert not any(row.hasty for row in found.values())
