"""`inpaint web --link` and `inpaint ratings words`: how operators get in, and what raters wrote."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from bench_scene import Scene
from inpaint_core.settings import Settings
from inpaint_db.raters import make_rater
from inpaint_db.rating_queries import save_event, show_item
from inpaint_db.rating_sessions import make_session
from inpaint_db.session import Database
from inpaint_fleet.cli.app import app
from typer.testing import CliRunner

runner = CliRunner()


@pytest.fixture
def environment(stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of this test, as settings of the command."""
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)


def test_the_link_for_operators_names_address_and_password(monkeypatch: pytest.MonkeyPatch) -> None:
    none = runner.invoke(app, ["web", "--link"])
    assert none.exit_code != 0 and "INPAINT_WEB_TOKEN" in none.output
    monkeypatch.setenv("INPAINT_WEB_TOKEN", "operators-only-0123456789")
    monkeypatch.setenv("INPAINT_WEB_URL", "https://rate.example.com/")
    said = runner.invoke(app, ["web", "--link"])
    assert said.stdout.splitlines() == [
        "address\thttps://rate.example.com/enter",
        "password\toperators-only-0123456789",
    ]


def test_words_of_flags_and_skips_are_listed(settings: Settings, environment: None) -> None:
    with Database(settings, application="inpaint-test") as database, database.begin() as connection:
        scene = Scene(connection)
        scene.run("test", scene.dataset("one"), ["a"])
        run = scene.run("other", scene.dataset("two", name="halls"), ["a"])
        scene.imported("other", "a", "two")
    assert runner.invoke(app, ["ratings", "words", "test"]).stdout == ""
    with Database(settings, application="inpaint-test") as database, database.begin() as connection:
        rater, _ = make_rater(connection, "Ada")
        session = make_session(connection, rater.id, "First", run_id=run, check_share=0)
        item = show_item(connection, rater.id, session.id, 1, bucket="inpaint")
        for kind, reason in (("flag", "The lamp is gone"), ("skip", "Too dark"), ("unskip", "")):
            save_event(connection, rater.id, event_id=uuid4(), item_id=item.id, kind=kind, reason=reason)
    said = runner.invoke(app, ["ratings", "words", "other"])
    assert "The lamp is gone" in said.stdout and "Too dark" not in said.stdout
    (word,) = json.loads(runner.invoke(app, ["ratings", "words", "other", "--json"]).stdout)
    assert (word["kind"], word["rater"], word["model"], word["sample"]) == ("flag", "Ada", "a", "two")
