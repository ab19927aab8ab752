from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from browser import WebServer, chromium
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_web.app import create_app
from starlette.testclient import TestClient
from web_scene import Rated, WebScene

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SITE = "http://testserver"
PASSWORD = "operators-only-0123456789"


@pytest.fixture
def web_settings(settings: Settings) -> Settings:
    """This test's stack, with a password for operators."""
    return Settings(**{**settings.model_dump(), "web_token": PASSWORD})


@pytest.fixture
def scene(database: Database, store: S3Store) -> WebScene:
    """What writes runs and sessions."""
    return WebScene(database, store)


@pytest.fixture
def anybody(web_settings: Settings) -> Iterator[TestClient]:
    """A browser without cookies."""
    # Errors come back as pages, as they do from the server.
    with TestClient(create_app(web_settings), raise_server_exceptions=False, headers={"origin": SITE}) as client:
        yield client


@pytest.fixture
def enter(web_settings: Settings) -> Iterator[Callable[[str], TestClient]]:
    """A browser that has opened a link, or entered the operators' password."""
    app = create_app(web_settings)
    opened: list[TestClient] = []

    def open_link(token: str) -> TestClient:
        client = TestClient(app, raise_server_exceptions=False, headers={"origin": SITE})
        opened.append(client)
        answer = client.get(f"/enter/{token}", follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return client

    yield open_link
    app.state.site.database.close()
    for client in opened:
        client.close()


@pytest.fixture
def rated(scene: WebScene) -> Rated:
    """A session of Ada's over two samples, two models, two trials: eight pictures and four sets of trials."""
    return scene.session(scene.run())


@pytest.fixture
def ada(enter: Callable[[str], TestClient], rated: Rated) -> TestClient:
    """Ada's browser."""
    return enter(rated.token)


@pytest.fixture
def operator(enter: Callable[[str], TestClient]) -> TestClient:
    """An operator's browser."""
    return enter(PASSWORD)


# --- a browser --------------------------------------------------------------------------------------------------------


@pytest.fixture
def web_server(web_settings: Settings) -> Iterator[WebServer]:
    """The web server on this test's stack."""
    server = WebServer(web_settings)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium_browser() -> Iterator[Browser]:
    """One Chromium for all tests. Skipped where none can be had."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make web-test")
    program = chromium()
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium, or name one in CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        # Root may not use Chromium's sandbox; what it opens here is our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium_browser: Browser) -> Iterator[Callable[..., Page]]:
    """A page in a context of its own (cookies and storage), or one more in that of `beside`. Errors in it fail."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def opened(beside: Page | None = None, **options: Any) -> Page:
        if beside is None:
            contexts.append(chromium_browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options}))
        page = (beside.context if beside else contexts[-1]).new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page of its own."""
    return open_page()
