"""The rating page in a real browser on a real server: from item to item with the keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from browser import WebServer
from inpaint_db.session import Database
from rating_page import await_item, await_saved, begin, count, press, stars
from sqlalchemy import text
from web_scene import MODELS, Rated, WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Response


def test_a_whole_session_is_rated_with_the_keyboard_alone(
    web_server: WebServer, page: Page, scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1))
    page.goto(f"{web_server.url}/enter/{rated.token}")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # to the content
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Begin"
    page.keyboard.press("Enter")
    await_item(page, 1)
    for position in range(1, 7):
        await_item(page, position)
        for digit in "3124" if position < 5 else "2":
            page.keyboard.press(digit)
        page.keyboard.press("Enter")
    page.wait_for_selector("#finish[open]")
    assert page.text_content("#progress-text") == "6 of 6"
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.click("#finish button.primary")
    page.wait_for_url("**/reveal")
    assert "opencv-telea" in page.content()
    found = stars(database, rated.session_id)
    assert {k: v for k, v in found.items() if k[0] < 5} == {
        (position, name): given
        for position in range(1, 5)
        for name, given in zip(("realism", "adaptability", "consistency", "preservation"), (3, 1, 2, 4), strict=True)
    }
    assert found[5, "reproducibility"] == found[6, "reproducibility"] == 2
    assert count(database, "rating") == 18


def test_a_reload_in_the_middle_goes_on_where_it_was(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    page.keyboard.press("3")
    page.keyboard.press("4")
    await_saved(page)
    page.reload()
    await_item(page, 1)
    assert page.is_checked("input[name=realism][value='3']") and page.is_checked("input[name=adaptability][value='4']")
    assert page.get_attribute(".criterion.current", "data-criterion") == "consistency"
    page.keyboard.press("2")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    await_item(page, 2)
    await_saved(page)
    page.goto(f"{web_server.url}/rate/{rated.session_id}")
    await_item(page, 2)
    assert page.text_content("#progress-text") == "1 of 12"
    assert len(stars(database, rated.session_id)) == 4


def test_undo_takes_stars_back_one_by_one_across_items(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    for key in ("3", "1", "2", "4"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    await_item(page, 2)
    page.keyboard.press("u")
    await_item(page, 1)
    page.wait_for_selector("#told:has-text('Took back 4')")
    assert not page.is_checked("input[name=preservation][value='4']")
    page.keyboard.press("0")
    await_saved(page)
    assert stars(database, rated.session_id)[1, "preservation"] == 0


def test_a_skip_asks_why_and_is_taken_back_by_undo(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    page.keyboard.press("s")
    page.check("#reason-choices input >> nth=0")
    page.fill("#reason-text", "both <b>look</b> odd")
    page.click("#reason-ok")
    await_item(page, 2)
    await_saved(page)
    assert page.text_content("#progress-text") == "1 of 12"
    page.keyboard.press("u")
    await_item(page, 1)
    page.wait_for_selector("#told:has-text('No longer skipped')")
    page.keyboard.press("f")
    page.check("#reason-choices input >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector("#told:has-text('Flagged')")
    await_saved(page)
    with database.read() as connection:
        rows = connection.execute(text("SELECT kind, reason FROM rating_event ORDER BY number")).all()
    assert [row.kind for row in rows] == ["skip", "unskip", "flag"]
    assert rows[0].reason == "I cannot tell: both <b>look</b> odd"


def test_next_says_what_is_missing(web_server: WebServer, page: Page, rated: Rated) -> None:
    begin(web_server, page, rated)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    assert "Adaptability has no stars yet" in str(page.text_content("#told"))
    assert await_item(page) == 1
    page.keyboard.press("7")
    assert "0 to 4" in str(page.text_content("#told"))


def test_single_keys_can_be_switched_off(web_server: WebServer, page: Page, rated: Rated) -> None:
    begin(web_server, page, rated)
    page.keyboard.press("?")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.keyboard.press("m")
    assert page.locator("input:checked[type=radio]").count() == 0
    assert page.get_attribute("#tool-outline", "aria-pressed") == "false"


def test_nothing_that_the_browser_gets_tells_a_model(web_server: WebServer, page: Page, rated: Rated) -> None:
    requests: list[Request] = []
    responses: list[Response] = []
    page.on("request", lambda request: requests.append(request))
    page.goto(f"{web_server.url}/enter/{rated.token}")
    page.on("response", lambda response: responses.append(response))
    page.goto(f"{web_server.url}/rate/{rated.session_id}")
    await_item(page, 1)
    for key in ("3", "1", "2", "4", "Enter"):
        page.keyboard.press(key)
    await_item(page, 2)
    page.wait_for_load_state("networkidle")
    words = re.compile("|".join([*MODELS, "telea", "s3://", "untouched", "damaged"]).encode())
    assert not words.search(page.content().encode())
    assert {request.url.split("/")[2] for request in requests} == {web_server.url.split("/")[2]}
    for response in responses:
        assert not words.search(str(response.all_headers()).encode()), response.url
        if response.ok and "/static/" not in response.url:
            assert not words.search(response.body()), response.url


def test_a_session_can_be_rated_behind_a_page_policy_without_any_violation(
    web_server: WebServer, page: Page, rated: Rated
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    begin(web_server, page, rated)
    for key in ("m", "d", "z", "3", "?"):
        page.keyboard.press(key)
    await_saved(page)
    assert said == []


def test_arrows_save_where_they_rest_and_stay_with_their_question(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    page.wait_for_load_state("networkidle")
    press(page, "?")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.focus("input[name=realism][value='0']")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(150)
    page.wait_for_timeout(1_000)
    await_saved(page)
    assert stars(database, rated.session_id) == {(1, "realism"): 3} and count(database, "rating") == 1
    assert page.evaluate("document.activeElement.name") == "realism"
    # Whoever leaves a question has answered it.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    await_saved(page)
    assert stars(database, rated.session_id) == {(1, "realism"): 4}
    assert page.evaluate("document.activeElement.name") != "realism"


def test_who_has_skipped_nearly_everything_is_told_what_to_do(
    web_server: WebServer, page: Page, scene: WebScene
) -> None:
    rated = scene.session(scene.run(samples=1, trials=1))
    begin(web_server, page, rated)
    for _ in range(2):
        position = await_item(page)
        press(page, "s")
        page.check("#reason-choices input >> nth=0")
        page.click("#reason-ok")
        if position == 1:
            await_item(page, 2)
    page.click("#finish button.primary")
    page.wait_for_selector("#told:has-text('Rate at least half')")
    assert page.url.startswith(f"{web_server.url}/rate/{rated.session_id}#")
