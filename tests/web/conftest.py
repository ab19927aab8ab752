from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_web.app import create_app
from starlette.testclient import TestClient
from web_scene import Rated, WebScene

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
