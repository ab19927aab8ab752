"""How often somebody may ask or guess, whatever they make up about themselves."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from conftest import PASSWORD, SITE
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_web import site
from inpaint_web.app import create_app
from inpaint_web.security import guard
from inpaint_web.security.limits import RateLimit, address_of
from inpaint_web.security.operators import Operators
from sqlalchemy import text
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient
from web_scene import Rated


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still for limits: on a slow machine nothing would be quick enough for them."""
    taken, now = RateLimit.take, time.monotonic()

    def at_once(limit: RateLimit, key: str) -> float:
        limit._clock = lambda: now
        return taken(limit, key)

    monkeypatch.setattr(RateLimit, "take", at_once)


@pytest.fixture
def narrow(web_settings: Settings, monkeypatch: pytest.MonkeyPatch, still: None) -> Iterator[TestClient]:
    """A browser before a site that lets fifty requests of an address through."""
    monkeypatch.setattr(guard, "ADDRESS_BURST", 50)
    with TestClient(create_app(web_settings), raise_server_exceptions=False, headers={"origin": SITE}) as client:
        yield client


# --- guesses ----------------------------------------------------------------------------------------------------------


def test_links_and_passwords_cannot_be_guessed_for_long(anybody: TestClient, still: None) -> None:
    wrong = [anybody.post("/enter", data={"token": f"guess-{n}"}).status_code for n in range(15)]
    assert wrong == [403] * 10 + [429] * 5
    # Nor is the right one looked at then: who guesses must not learn that it was.
    late = anybody.post("/enter", data={"token": PASSWORD}, follow_redirects=False)
    assert late.status_code == 429 and int(late.headers["retry-after"]) >= 1


def test_who_knows_the_password_is_not_counted(anybody: TestClient, still: None) -> None:
    for _ in range(15):
        assert anybody.get(f"/enter/{PASSWORD}", follow_redirects=False).status_code == 303


def test_cookies_cannot_be_guessed_for_long(anybody: TestClient, rated: Rated, still: None) -> None:
    def ask(path: str, name: str, value: str) -> int:
        return anybody.get(path, headers={"cookie": f"{name}={value}"}).status_code

    later = int(time.time()) + 1_000
    found = [ask("/jobs", "inpaint-operator", f"{later}.{n:064x}") for n in range(6)]
    found += [ask("/", "inpaint-rater", f"guess-{n}") for n in range(6)]
    assert found == [401] * 6 + [403] * 4 + [429] * 2
    # A link that was given is no guess.
    assert ask("/", "inpaint-rater", rated.token) == 200


def test_the_password_alone_makes_no_cookie(anybody: TestClient) -> None:
    until = int(time.time()) + 1_000
    for said in (f"inpaint operator until {until}", f"{until}"):
        proof = hmac.new(PASSWORD.encode(), said.encode(), hashlib.sha256).hexdigest()
        assert anybody.get("/jobs", headers={"cookie": f"inpaint-operator={until}.{proof}"}).status_code == 401


def test_an_operators_cookie_holds_in_every_process_until_it_ends_or_the_password_changes(
    web_settings: Settings, database: Database
) -> None:
    one, other = (create_app(web_settings).state.site for _ in range(2))
    stamp = one.operators.stamp()
    assert other.operators.holds(stamp)
    assert not other.operators.holds(stamp, now=time.time() + 13 * 3600)
    with database.read() as connection:
        key = bytes(connection.execute(text("SELECT secret FROM web_key")).scalar_one())
    assert len(key) == 32
    assert not Operators(PASSWORD + "x", lambda: key).holds(stamp)
    assert not Operators(PASSWORD, lambda: bytes(32)).holds(stamp)
    assert not Operators(None, lambda: key).holds(stamp)
    until, _, proof = stamp.partition(".")
    for odd in (f"{int(until) + 1}.{proof}", "", ".", "x.y", "9" * 400 + ".a", "\u00b2." + proof, None):
        assert not other.operators.holds(odd)
    for each in (one, other):
        each.database.close()


# --- requests ---------------------------------------------------------------------------------------------------------


def test_floods_are_slowed_down_whatever_their_cookies_say(narrow: TestClient) -> None:
    answers = [narrow.get("/healthz", headers={"cookie": f"inpaint-rater={n}"}) for n in range(80)]
    assert Counter(answer.status_code for answer in answers) == {200: 50, 429: 30}
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_rater_has_a_limit_that_others_behind_the_same_address_do_not_share(
    enter, scene, still: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scene.run(samples=1, trials=1)
    ada, eve = (enter(scene.session(run, name).token) for name in ("Ada", "Eve"))
    app: site.Site = ada.app.state.site  # type: ignore[attr-defined]
    monkeypatch.setattr(app.paces, "_burst", 20)
    assert Counter(ada.get("/").status_code for _ in range(30)) == {200: 20, 429: 10}
    assert eve.get("/").status_code == 200


def test_an_ipv6_visitor_is_counted_by_network() -> None:
    def of(host: str) -> str:
        return address_of(HTTPConnection({"type": "http", "client": (host, 1), "headers": []}))

    assert of("2001:db8::1") == of("2001:db8::ffff:2") != of("2001:db8:0:1::1")
    assert (of("192.0.2.7"), of("testclient")) == ("192.0.2.7", "testclient")


def test_a_bucket_fills_again_forgets_whom_it_has_not_seen_and_takes_back() -> None:
    now = [0.0]
    limit = RateLimit(per_s=2, burst=3, most_keys=2, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    now[0] = 1.0
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0.5]
    limit.give_back("a")
    assert [limit.take("a") for _ in range(2)] == [0, 0.5]
    assert limit.take("b") == limit.take("c") == 0
    assert limit.take("a") == 0  # forgotten: full again
