"""Ways to look at pictures on the rating page, on a screen and on a tablet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser import WebServer
from inpaint_db.session import Database
from rating_page import OpenPage, await_item, await_saved, begin, stars
from web_scene import Rated, WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_tablet_needs_no_hover_and_no_keys(
    web_server: WebServer, open_page: OpenPage, rated: Rated, database: Database
) -> None:
    page = open_page(viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True)
    begin(web_server, page, rated)
    for name in ("realism", "adaptability", "consistency", "preservation"):
        page.tap(f"[data-criterion={name}] label >> nth=2")
        assert "2" in str(page.text_content(f"[data-criterion={name}] .anchor"))
    assert page.is_visible("#meanings-button")
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


@pytest.mark.parametrize("ratio", [1, 2])
def test_zoom_is_one_to_one_then_double_then_off(
    ratio: int, web_server: WebServer, open_page: OpenPage, scene: WebScene
) -> None:
    rated = scene.session(scene.run(samples=1, rooms=True))
    page = open_page(device_scale_factor=ratio)
    begin(web_server, page, rated)
    page.hover("#panes .pane", position={"x": 200, "y": 400})
    for pixels in (1, 2):
        page.keyboard.press("z")
        assert page.text_content("#tool-zoom span") == f"Zoom {pixels}:1"
        # Pixels of the screen for one of the picture.
        scales = page.evaluate(
            "[...document.querySelectorAll('.pane img:not(.over)')].map(i => {"
            " const fit = Math.min(i.clientWidth / i.naturalWidth, i.clientHeight / i.naturalHeight);"
            " return devicePixelRatio * fit * Number(i.style.transform.slice(6, -1)); })"
        )
        assert scales == pytest.approx([pixels] * 3, rel=1e-3)
        rendering = "getComputedStyle(document.querySelector('#panes img')).imageRendering"
        assert page.evaluate(rendering) == "pixelated"
    page.keyboard.press("z")
    assert page.evaluate("document.querySelector('.pane img').style.transform") == ""
    assert page.get_attribute("#tool-zoom", "aria-pressed") == "false"
