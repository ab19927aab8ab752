"""The rating page as a rater has it: what tests of it do, and wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from browser import WebServer, until
from inpaint_db.session import Database
from sqlalchemy import text
from web_scene import Rated

if TYPE_CHECKING:
    from playwright.sync_api import Page

OpenPage = Callable[..., "Page"]
#: The questions about one picture, in their order.
QUESTIONS = ("realism", "adaptability", "consistency", "preservation")


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
    # The page says so a moment after it has begun or ended: what it keeps until it is sent is there at once.
    until(
        page,
        """document.querySelector("#saved[class='saved saved']") && !Object.keys(localStorage).some(
           (key) => key.startsWith(`inpaint-outbox/${document.querySelector('[data-session]').dataset.session}/`))""",
    )


def press(page: Page, keys: str) -> None:
    """Press keys one after another."""
    for key in keys:
        page.keyboard.press(key)


def checked(page: Page) -> int:
    """How many questions show an answer."""
    return page.locator("#criteria input:checked").count()


def stars(database: Database, session_id: UUID) -> dict[tuple[int, str], int]:
    """What counts, by position and criterion."""
    statement = text("""
        SELECT i.position, r.criterion, r.stars FROM current_rating r JOIN rating_item i ON i.id = r.item_id
         WHERE i.session_id = :id""")
    with database.read() as connection:
        return {(r.position, r.criterion): r.stars for r in connection.execute(statement, {"id": session_id})}


def count(database: Database, table: str) -> int:
    """How many rows a table has."""
    with database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
