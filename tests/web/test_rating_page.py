"""The rating page in a real browser on a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from browser import WebServer
from inpaint_db.session import Database
from sqlalchemy import text
from web_scene import MODELS, Rated, WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Response, Route

OpenPage = Callable[..., "Page"]


def begin(server: WebServer, page: Page, rated: Rated, position: int | None = None) -> None:
    """Enter by the link and open the session."""
    page.goto(f"{server.url}/enter/{rated.token}")
    page.goto(f"{server.url}/rate/{rated.session_id}" + (f"#{position}" if position else ""))
    await_item(page, position)


def await_item(page: Page, position: int | None = None) -> int:
    """Wait until an item is shown; its position."""
    page.wait_for_selector(f'html[data-shown="{position}"]' if position else "html[data-shown]")
    return int(str(page.evaluate("document.documentElement.dataset.shown")))


def await_saved(page: Page) -> None:
    """Wait until everything has arrived."""
    page.wait_for_selector("#saved[class='saved saved']")


def stars(database: Database, session_id: UUID) -> dict[tuple[int, str], int]:
    """What counts, by position and criterion."""
    statement = text("""
        SELECT i.position, r.criterion, r.stars FROM current_rating r JOIN rating_item i ON i.id = r.item_id
         WHERE i.session_id = :id""")
    with database.read() as connection:
        return {(r.position, r.criterion): r.stars for r in connection.execute(statement, {"id": session_id})}


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()


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
    page.fill("#reason-text", "both <b>look</b> odd")
    page.click("#reason-ok")
    await_item(page, 2)
    await_saved(page)
    assert page.text_content("#progress-text") == "1 of 12"
    page.keyboard.press("u")
    await_item(page, 1)
    page.wait_for_selector("#told:has-text('No longer skipped')")
    page.keyboard.press("f")
    page.keyboard.press("Enter")
    page.wait_for_selector("#told:has-text('Flagged')")
    await_saved(page)
    with database.read() as connection:
        rows = connection.execute(text("SELECT kind, reason FROM rating_event ORDER BY number")).all()
    assert [row.kind for row in rows] == ["skip", "unskip", "flag"]
    assert rows[0].reason == "I cannot tell: both <b>look</b> odd"


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


def test_an_answer_that_is_lost_does_not_double_a_star(
    web_server: WebServer, page: Page, rated: Rated, database: Database
) -> None:
    begin(web_server, page, rated)
    lost: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        if not lost:
            lost.append(route.request.url)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/ratings/*", lose_the_first_answer)
    page.keyboard.press("3")
    await_saved(page)
    assert lost and count(database, "rating") == 1


def test_stars_that_come_too_soon_are_declined_kindly(
    web_server: WebServer, page: Page, scene: WebScene, database: Database
) -> None:
    rated = scene.session(scene.run(samples=1), min_dwell_s=2)
    begin(web_server, page, rated)
    page.keyboard.press("3")
    assert "Look a little longer" in str(page.text_content("#told"))
    assert not page.is_checked("input[name=realism][value='3']")
    page.wait_for_timeout(2100)
    page.keyboard.press("3")
    await_saved(page)
    assert stars(database, rated.session_id) == {(1, "realism"): 3}


def test_next_says_what_is_missing(web_server: WebServer, page: Page, rated: Rated) -> None:
    begin(web_server, page, rated)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    assert "Adaptability has no stars yet" in str(page.text_content("#told"))
    assert await_item(page) == 1
    page.keyboard.press("7")
    assert "0 to 4" in str(page.text_content("#told"))


def test_a_tablet_needs_no_hover_and_no_keys(
    web_server: WebServer, open_page: OpenPage, rated: Rated, database: Database
) -> None:
    page = open_page(viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True)
    begin(web_server, page, rated)
    for name in ("realism", "adaptability", "consistency", "preservation"):
        page.tap(f"[data-criterion={name}] label >> nth=2")
        assert "2" in str(page.text_content(f"[data-criterion={name}] .anchor"))
    assert page.is_visible("[data-criterion=realism] summary")
    small = page.evaluate(
        "[...document.querySelectorAll('.desk button, .desk label[data-anchor]')].filter(e => e.offsetParent)"
        ".map(e => e.getBoundingClientRect()).filter(b => b.height < 44 || b.width < 44).length"
    )
    assert small == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.tap("#next")
    await_item(page, 2)
    await_saved(page)
    assert len(stars(database, rated.session_id)) == 4


def test_ways_to_look_work_on_all_pictures_alike(web_server: WebServer, page: Page, scene: WebScene) -> None:
    rated = scene.session(scene.run(samples=1, rooms=True))
    begin(web_server, page, rated)
    first = "#panes .pane"
    over = f"{first} img.over"
    page.keyboard.down(" ")
    assert page.is_visible(over) and page.text_content(f"{first} .tag") == "Source"
    boxes = [page.locator(f"{first} img").nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0] == boxes[1]
    page.keyboard.up(" ")
    assert not page.is_visible(over) and page.text_content(f"{first} .tag") == "Result"
    page.keyboard.press("m")
    assert page.is_visible(f"{first} canvas.outline")
    page.keyboard.press("d")
    assert page.is_visible(f"{first} canvas.difference")
    page.hover(first, position={"x": 200, "y": 400})
    page.keyboard.press("z")
    scales = page.evaluate(
        "[...document.querySelectorAll('.pane img:not(.over)')].map(i => {"
        " const fit = Math.min(i.clientWidth / i.naturalWidth, i.clientHeight / i.naturalHeight);"
        " return fit * Number(i.style.transform.slice(6, -1)); })"
    )
    assert len(scales) == 3 and max(scales) - min(scales) < 0.01 and scales[0] >= 1
    page.keyboard.press("z")
    assert page.evaluate("document.querySelector('.pane img').style.transform") == ""


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
