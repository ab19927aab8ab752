"""Pages for everybody: no serious finding of axe-core, in light and dark, on a screen and on a tablet."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from browser import WebServer, until
from conftest import PASSWORD
from factories import encode, make_image, make_mask
from inpaint_db.rating_pace import item_states
from inpaint_db.rating_queries import save_rating, show_item
from inpaint_db.rating_sessions import finish_session
from inpaint_producer import InpaintClient
from web_scene import WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "tablet": {"viewport": {"width": 820, "height": 1180}, "has_touch": True, "is_mobile": True},
}


def findings(page: Page) -> list[str]:
    """Serious and critical findings, with what they are about."""
    # Not as a script of the page: its policy forbids that.
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    page.evaluate(resources.files(package).joinpath("axe.min.js").read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{page.url}: {found['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"][:3]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_has_a_serious_finding(kind: str, web_server: WebServer, open_page: Any, scene: WebScene) -> None:
    rated = scene.session(scene.run(samples=1))
    page = open_page(**KINDS[kind])
    found = []
    page.goto(f"{web_server.url}/enter")
    found += findings(page)
    page.goto(f"{web_server.url}/enter/{rated.token}")
    found += findings(page)
    for position in (1, 5):
        page.goto(f"{web_server.url}/rate/{rated.session_id}#{position}")
        page.reload()
        page.wait_for_selector(f'html[data-shown="{position}"]')
        page.keyboard.press("2")
        found += findings(page)
    for key, dialog in (("?", "#help"), ("s", "#reason")):
        page.keyboard.press(key)
        page.wait_for_selector(f"{dialog}[open]")
        found += findings(page)
        page.keyboard.press("Escape")
    page.goto(f"{web_server.url}/enter/{PASSWORD}")
    for path in ("/leaderboard", "/gallery", "/gallery/rooms-1", "/jobs", "/nothing"):
        page.goto(web_server.url + path)
        found += findings(page)
    page.goto(f"{web_server.url}/gallery/rooms-1")
    page.locator("a.picture").first.click()
    page.wait_for_selector("#lightbox[open]")
    found += findings(page)
    assert found == []


@pytest.mark.parametrize("kind", KINDS)
def test_nor_has_what_comes_after_rating_or_a_job(
    kind: str, web_server: WebServer, open_page: Any, scene: WebScene, client: InpaintClient, worker: Any
) -> None:
    rated = scene.session(scene.run(samples=1), check_share=0.5)
    with scene.database.begin() as connection:
        for item in item_states(connection, rated.rater_id, rated.session_id):
            shown = show_item(connection, rated.rater_id, rated.session_id, item.position, bucket="inpaint")
            for criterion in shown.criteria:
                save_rating(
                    connection, rated.rater_id,
                    rating_id=uuid4(), item_id=shown.id, criterion=criterion.name, stars=item.position % 5,
                )  # fmt: skip
        finish_session(connection, rated.rater_id, rated.session_id)
    page = open_page(**KINDS[kind])
    page.goto(f"{web_server.url}/enter/{rated.token}")
    found = []
    for path in ("/", f"/rate/{rated.session_id}/reveal"):
        page.goto(web_server.url + path)
        found += findings(page)
    assert "opencv-telea" in page.content()
    job = client.submit(encode(make_image()), encode(make_mask()), model="opencv-telea", prompt="a green sofa")
    client.wait(job.id, timeout_s=60)
    page.goto(f"{web_server.url}/enter/{PASSWORD}")
    page.goto(f"{web_server.url}/jobs/{job.id}")
    assert "a green sofa" in page.content()
    assert found + findings(page) == []


def test_the_gallery_is_wiped_and_leafed_through_with_the_keyboard(
    web_server: WebServer, open_page: Any, scene: WebScene
) -> None:
    scene.run("rooms-1", samples=1)
    page = open_page()
    page.goto(f"{web_server.url}/enter/{PASSWORD}")
    page.goto(f"{web_server.url}/gallery/rooms-1")
    page.locator("a.picture").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#lightbox[open]")
    assert page.text_content("#lightbox-title") == "opencv-telea, sample-1, trial 1"
    page.keyboard.press("ArrowRight")
    # Keys are answered when the page comes to it, which a busy machine puts off.
    until(page, "document.getElementById('lightbox-title').textContent.endsWith('trial 2')")
    page.focus("#wipe-at")
    page.keyboard.press("Home")
    until(page, "document.getElementById('wipe').style.getPropertyValue('--at') === '0%'")
    page.keyboard.press("Escape")
    until(page, "document.activeElement.dataset.title === 'opencv-telea, sample-1, trial 2'")
