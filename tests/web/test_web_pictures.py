"""Draws the pictures of docs/rating-page.md. `make web-pictures` puts them into docs/images; a test puts them away."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser import WebServer
from conftest import PASSWORD
from PIL import Image
from web_scene import Rated, WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROMPTS = {
    0: "A light oak chair with a blue tufted cushion, standing in the sunlight to the right of the sofa",
    1: "A set of white porcelain dishes behind the glass of the cabinet",
    2: "A table football game in the sunlight",
    3: "Two white ceramic lamps with linen shades, one on each side of the bed",
}


def keep(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").save(folder / f"{name}.jpg", quality=82, optimize=True, progressive=True)
        assert len(set(shot.convert("L").resize((16, 16)).tobytes())) > 8, "an empty page"


def rate(server: WebServer, page: Page, rated: Rated, position: int) -> None:
    page.goto(f"{server.url}/enter/{rated.token}")
    page.goto(f"{server.url}/rate/{rated.session_id}#{position}")
    page.wait_for_selector(f'html[data-shown="{position}"]')


def flag(page: Page, words: str) -> None:
    """Flag what is shown."""
    page.keyboard.press("f")
    page.keyboard.type(words)
    page.click("#reason-ok")
    page.wait_for_selector("#told:has-text('Flagged')")
    page.wait_for_selector("#saved[class='saved saved']")


def test_pictures_of_the_pages(web_server: WebServer, open_page: Any, scene: WebScene, tmp_path: Path) -> None:
    run = scene.run("furniture", samples=4, trials=3, rooms=True, prompts=PROMPTS)
    rated = scene.session(run)
    light = open_page()
    rate(web_server, light, rated, 1)
    for position in range(1, 5):
        for key in ("3", "2", "3", "4", "Enter"):
            light.keyboard.press(key)
        light.wait_for_selector(f'html[data-shown="{position + 1}"]')
    light.keyboard.press("3")
    light.keyboard.press("2")
    light.keyboard.press("m")
    light.hover(".criterion.current label >> nth=3")
    light.wait_for_selector("#saved[class='saved saved']")
    keep(light, "rating-light", tmp_path)

    dark = open_page(color_scheme="dark")
    rate(web_server, dark, rated, 26)
    dark.hover(".criterion.current label >> nth=2")
    keep(dark, "rating-dark", tmp_path)

    tablet = open_page(viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True)
    rate(web_server, tablet, rated, 6)
    tablet.tap(".criterion:not([hidden]) label >> nth=3")
    tablet.wait_for_selector("#saved[class='saved saved']")
    keep(tablet, "rating-tablet", tmp_path)

    operator = open_page()
    operator.goto(f"{web_server.url}/enter/{PASSWORD}")
    operator.goto(f"{web_server.url}/gallery/furniture")
    operator.wait_for_load_state("networkidle")
    keep(operator, "gallery", tmp_path)

    scene.session(run, "Grace", name="Furniture, second look")
    flag(light, "The second lamp hangs in the air")
    operator.goto(f"{web_server.url}/raters")
    keep(operator, "raters", tmp_path)
