"""What the rating page shows without scrolling, where it says what, and what an Enter too many does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from browser import WebServer
from inpaint_db.rating_pace import item_states
from inpaint_db.rating_queries import save_rating, show_item
from inpaint_db.rating_sessions import finish_session
from inpaint_db.rating_words import words_of
from inpaint_db.session import Database
from rating_page import OpenPage, await_item, await_saved, begin
from web_scene import Rated, WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = "A table football game in the sunlight, with eight rods of red and blue players. " * 20
DESKTOPS = {"1280": (1280, 720), "1440": (1440, 900), "1024": (1024, 768)}
#: Those of the selected elements that are not whole in the window, or whose text does not fit into them.
HIDDEN = """
(selector) => [...document.querySelectorAll(selector)].filter((e) => e.offsetParent).filter((e) => {
  const box = e.getBoundingClientRect();
  const cut = e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline";
  return box.top < 0 || box.left < 0 || box.bottom > innerHeight + 0.5 || box.right > innerWidth + 0.5 || cut;
}).map((e) => e.id || e.className)
"""


def box(page: Page, selector: str) -> dict[str, float]:
    """Where the first of them lies."""
    found = page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return dict(found)


def in_sight(page: Page, selector: str) -> bool:
    """Whether it is whole in the window, and to be seen."""
    found, window = box(page, selector), page.viewport_size
    assert window is not None
    opacity = float(page.locator(selector).first.evaluate("e => getComputedStyle(e).opacity"))
    return found["y"] >= 0 and found["y"] + found["height"] <= window["height"] and opacity == 1


def finish(scene: WebScene, rated: Rated) -> None:
    """Two stars for everything, and the end."""
    with scene.database.begin() as connection:
        for item in item_states(connection, rated.rater_id, rated.session_id):
            shown = show_item(connection, rated.rater_id, rated.session_id, item.position, bucket="inpaint")
            for criterion in shown.criteria:
                save_rating(
                    connection, rated.rater_id,
                    rating_id=uuid4(), item_id=shown.id, criterion=criterion.name, stars=2,
                )  # fmt: skip
        finish_session(connection, rated.rater_id, rated.session_id)


@pytest.mark.parametrize("size", DESKTOPS)
def test_all_that_an_answer_needs_is_seen_without_scrolling(
    size: str, web_server: WebServer, open_page: OpenPage, rated: Rated
) -> None:
    width, height = DESKTOPS[size]
    page = open_page(viewport={"width": width, "height": height})
    begin(web_server, page, rated)
    parts = ".asked p, .criterion, .title, .question, .face, .anchor, .actions button, .tools button, .pane"
    assert page.evaluate(HIDDEN, parts) == []
    for digit in "2223":  # with the longest meanings under the numbers
        page.keyboard.press(digit)
    await_saved(page)
    assert page.evaluate(HIDDEN, parts) == []
    assert page.evaluate("document.querySelector('.panel').scrollTop") == 0
    for name in ("realism", "adaptability", "consistency", "preservation"):
        text = page.evaluate(f"document.getElementById('{name}-question').innerText")
        assert "…" not in text and text.endswith(("?", "."))


@pytest.mark.parametrize("size", DESKTOPS)
def test_messages_are_where_the_eye_is(size: str, web_server: WebServer, open_page: OpenPage, rated: Rated) -> None:
    width, height = DESKTOPS[size]
    page = open_page(viewport={"width": width, "height": height})
    begin(web_server, page, rated)
    page.keyboard.press("Enter")
    assert "Press S" in str(page.text_content("#told")) and in_sight(page, "#told")
    told, pictures = box(page, "#told"), box(page, "#pictures")
    assert pictures["y"] < told["y"] < pictures["y"] + pictures["height"]


def test_a_finger_is_told_of_no_key(web_server: WebServer, open_page: OpenPage, rated: Rated) -> None:
    page = open_page(viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True)
    begin(web_server, page, rated)
    page.tap("#next")
    said = str(page.text_content("#told"))
    assert "no stars yet" in said and "Press" not in said and in_sight(page, "#told")


@pytest.mark.parametrize("size", DESKTOPS)
def test_a_prompt_is_whole_or_visibly_cut(
    size: str, web_server: WebServer, open_page: OpenPage, scene: WebScene
) -> None:
    width, height = DESKTOPS[size]
    page = open_page(viewport={"width": width, "height": height})
    begin(web_server, page, scene.session(scene.run(samples=1)))
    whole = "(e => e.scrollHeight <= e.clientHeight + 1)(document.getElementById('asked-text'))"
    assert page.evaluate(whole) and page.is_hidden("#prompt-more")
    page = open_page(viewport={"width": width, "height": height})
    begin(web_server, page, scene.session(scene.run("long", samples=1, prompts={0: LONG}), "Bob"))
    page.wait_for_selector("#prompt-more:visible")
    assert not page.evaluate(whole) and page.text_content("#prompt-more") == "more"
    page.click("#prompt-more")
    page.evaluate("document.getElementById('asked-text').scrollTop = 10000")
    assert page.text_content("#prompt-more") == "less"
    end = "(e => e.scrollTop + e.clientHeight + 1 >= e.scrollHeight)(document.getElementById('asked-text'))"
    assert page.evaluate(end)


def test_all_numbers_of_all_questions_are_a_key_away(web_server: WebServer, open_page: OpenPage, rated: Rated) -> None:
    page = open_page()
    begin(web_server, page, rated)
    page.keyboard.press("w")
    page.wait_for_selector("#meanings[open]")
    assert page.locator("#meanings li:visible").count() == 4 * 5
    assert page.evaluate("document.getElementById('meanings').scrollTop") == 0
    page.keyboard.press("Escape")
    page.click("#meanings-button")
    assert page.is_visible("#meanings")


def test_no_number_of_a_new_question_looks_chosen(web_server: WebServer, open_page: OpenPage, rated: Rated) -> None:
    page = open_page()
    begin(web_server, page, rated)
    page.click("[data-criterion=realism] label >> nth=3")
    looks = "document.querySelectorAll('[data-criterion=adaptability] .face')"
    outlines = f"[...{looks}].map(e => getComputedStyle(e).outlineStyle)"
    assert page.evaluate("document.activeElement.name") == "adaptability"
    assert page.evaluate(outlines) == ["none"] * 5
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(outlines) == ["dashed"] + ["none"] * 4
    colours = page.evaluate(f"[...{looks}].map(e => getComputedStyle(e).backgroundColor)")
    assert len(set(colours)) == 1
    assert colours[0] != page.evaluate(
        "getComputedStyle(document.querySelector('input:checked + .face')).backgroundColor"
    )


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720), (1024, 768), (390, 844)])
def test_trials_leave_no_hole_and_the_result_gets_most(
    width: int, height: int, web_server: WebServer, open_page: OpenPage, scene: WebScene
) -> None:
    rated = scene.session(scene.run(samples=1, trials=3, rooms=True))
    page = open_page(viewport={"width": width, "height": height})
    begin(web_server, page, rated, 1)
    pictures, result = box(page, "#pictures"), box(page, "#panes .pane")
    assert result["width"] * result["height"] >= 0.55 * pictures["width"] * pictures["height"]
    page.goto(f"{web_server.url}/rate/{rated.session_id}#7")
    page.reload()
    await_item(page, 7)
    covered = sum(
        place["width"] * place["height"]
        for pane in page.locator(".pane:visible").all()
        if (place := pane.bounding_box()) is not None
    )
    pictures = box(page, "#pictures")
    assert page.locator("#panes .pane").count() == 3
    assert covered >= 0.9 * pictures["width"] * pictures["height"]


def test_nothing_is_flagged_without_a_reason(
    web_server: WebServer, open_page: OpenPage, rated: Rated, database: Database
) -> None:
    page = open_page()
    begin(web_server, page, rated)
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.name") == "why"
    page.keyboard.press("Enter")
    assert page.is_visible("#reason[open]") and page.is_disabled("#reason-ok")
    page.keyboard.type("no such cabinet")  # letters begin a text
    assert page.input_value("#reason-text") == "no such cabinet" and page.is_enabled("#reason-ok")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.wait_for_selector("#reason[open]")
    assert page.is_disabled("#reason-ok") and page.input_value("#reason-text") == ""
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#told:has-text('Flagged')")
    await_saved(page)
    with database.read() as connection:
        assert [(w.kind, w.reason) for w in words_of(connection)] == [("flag", "The prompt makes no sense here")]


def test_what_is_done_is_finished_from_the_first_page(
    web_server: WebServer, open_page: OpenPage, scene: WebScene
) -> None:
    rated = scene.session(scene.run(samples=1, trials=1, models=("opencv-telea",)))
    page = open_page()
    begin(web_server, page, rated)
    total = int(str(page.text_content("#progress-text")).split()[-1])
    for position in range(1, total + 1):
        await_item(page, position)
        for _ in range(page.locator(".criterion:visible").count()):
            page.keyboard.press("3")
        if position < total:
            page.keyboard.press("Enter")
    await_saved(page)
    page.goto(web_server.url)
    page.click("a:text-is('Finish')")
    page.wait_for_selector("#finish[open]")
    page.click("#finish button.primary")
    page.wait_for_url("**/reveal")


def test_what_made_them_is_shown_whole_large_and_beside_its_source(
    web_server: WebServer, open_page: OpenPage, scene: WebScene
) -> None:
    rated = scene.session(scene.run(samples=1), check_share=1)
    finish(scene, rated)
    page = open_page()
    page.goto(f"{web_server.url}/enter/{rated.token}")
    page.goto(f"{web_server.url}/rate/{rated.session_id}/reveal")
    first = page.locator(".item").first
    assert first.locator("img[alt^=Source]").count() == 1
    fits = page.evaluate("[...document.querySelectorAll('.item img')].map(e => getComputedStyle(e).objectFit)")
    assert set(fits) == {"contain"}
    assert re.search(r"check (passed|failed)", page.inner_text("main"))
    first.locator("a.picture").nth(1).click()
    page.wait_for_selector("#lightbox[open]")
    page.locator("#wipe-result").evaluate("image => image.decode()")
    assert page.locator("#wipe-result").evaluate("image => image.naturalWidth") > 0
