"""`inpaint ratings` as people type it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from bench_scene import Scene
from factories import count, make_illustrated_job, make_output, make_worker, try_claim
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.raters import find_rater_by_token
from inpaint_db.rating_queries import save_rating, show_item
from inpaint_db.rating_sessions import find_session, list_sessions
from inpaint_db.session import Database
from inpaint_fleet.cli.app import app
from typer.testing import CliRunner

runner = CliRunner()


@pytest.fixture
def environment(stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of this test, as settings of the command."""
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def database(settings: Settings, environment: None) -> Iterator[Database]:
    """With the run `test`: two models on two samples."""
    with Database(settings, application="inpaint-test") as found:
        with found.begin() as connection:
            scene = Scene(connection)
            scene.run("test", scene.dataset("one", "two"), ["a", "b"])
            for model in "ab":
                for sample in ("one", "two"):
                    scene.imported("test", model, sample)
        yield found


def say(*words: str) -> str:
    result = runner.invoke(app, ["ratings", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_link_leads_to_a_session_and_its_stars_into_the_summary(database: Database, tmp_path: Path) -> None:
    address = say("link", "Ada", "--run", "test", "--checks", "0").strip()
    assert address.startswith("http://127.0.0.1:8000/enter/")
    token = address.rsplit("/", 1)[1]
    with database.begin() as connection:
        rater = find_rater_by_token(connection, token)
        (session,) = list_sessions(connection, rater.id)
        assert session.items == 4
        for position in range(1, 5):
            item = show_item(connection, rater.id, session.id, position, bucket="inpaint")
            save_rating(
                connection, rater.id, rating_id=uuid4(), item_id=item.id, criterion="realism", stars=position % 3
            )
    table = say("summary", "test")
    assert "realism\ta\t" in table and "Ada\t4\t" in table
    assert "(one rater: of the samples alone)" in table and "- (fewer than 6 samples in common)" in table
    found = json.loads(say("summary", "latest", "--json"))
    assert found["run"] == "test" and found["criteria"][0]["between"] == {"reason": "nothing was rated twice"}
    assert {model["mean"]["note"] for model in found["criteria"][0]["models"].values()} == {
        "one rater: of the samples alone"
    }
    file = tmp_path / "stars.csv"
    say("export", "test", "-o", str(file))
    assert len(file.read_text().splitlines()) == 5
    assert say("import", str(file), "--run", "test") == "0 ratings brought in; 4 there already\n"
    say("revoke", "Ada")
    assert "Ada\tperson\t1\t0/4\twithdrawn" in say("raters")


def test_asking_for_a_link_again_goes_on_with_the_session(database: Database) -> None:
    first = json.loads(say("link", "Ada", "--run", "test", "--json"))
    again = json.loads(say("link", "Ada", "--run", "test", "--json"))
    assert first["session"]["id"] == again["session"]["id"] and first["link"] != again["link"]
    with database.read() as connection:
        rater = find_rater_by_token(connection, again["link"].rsplit("/", 1)[1])
        assert find_session(connection, rater.id, list_sessions(connection, rater.id)[0].id).done == 0


def test_a_session_that_goes_on_is_not_taken_for_another(database: Database) -> None:
    made = json.loads(
        say("link", "Ada", "--run", "test", "--name", "First look", "--min-dwell", "5", "--checks", "0.5", "--json")
    )
    session, link = made["session"], made["link"]
    assert (session["name"], session["min_dwell_s"], session["check_share"]) == ("First look", 5, 0.5)
    for words in (["--checks", "0.1"], ["--seed", "7"], ["--name", "Second look"], ["--min-dwell", "1"]):
        refused = runner.invoke(app, ["ratings", "link", "Ada", "--run", "test", *words])
        assert refused.exit_code != 0 and words[0] in f"{refused.output} {refused.exception}"
    told = runner.invoke(app, ["ratings", "link", "Ada", "--run", "test", "--limit", "1"])
    assert told.exit_code == 0 and "--limit is not looked at" in told.output and "about test" in told.output
    assert link not in told.output


@pytest.mark.parametrize("name", ["opencv-telea vs ns", "OpenCV, second", "FLUX.1 Fill", "Dall E 2", "the SDXL one"])
def test_a_name_that_tells_a_model_is_refused(database: Database, name: str) -> None:
    refused = runner.invoke(app, ["ratings", "link", "Ada", "--run", "test", "--name", name])
    assert refused.exit_code != 0 and "would not be blind" in f"{refused.output} {refused.exception}"
    for fine in ("Sofas: first look", "Image filling in spring"):
        assert json.loads(say("link", f"For {fine}", "--run", "test", "--name", fine, "--json"))["session"]


def test_a_link_may_be_about_jobs_and_does_not_tell_their_model(database: Database) -> None:
    with database.begin() as connection:
        for _ in range(2):
            job_id = make_illustrated_job(connection, prompt="a lamp", campaign="spring")
            claimed = try_claim(connection, job_id, make_worker(connection))
            assert claimed is not None
            finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed)])
    made = json.loads(say("link", "Ada", "--campaign", "spring", "--checks", "0", "--json"))["session"]
    assert (made["items"], made["run"]) == (2, None) and made["name"].startswith("Session of ")
    assert json.loads(say("link", "Ada", "--campaign", "spring", "--json"))["session"]["id"] == made["id"]
    some = json.loads(say("link", "Ada", "-m", "opencv-telea", "--limit", "1", "--checks", "0", "--json"))["session"]
    assert some["items"] == 1 and "telea" not in some["name"]


def test_a_link_is_made_for_the_address_that_browsers_use(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_WEB_URL", "https://rate.example.com")
    assert say("link", "Ada").startswith("https://rate.example.com/enter/")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["link", "Ada", "--run", "nix"], "There is no run 'nix'"),
        (["link", "Ada", "--run", "test", "--campaign", "spring"], "not both"),
        (["link", "Ada", "--campaign", "nix"], "nothing to rate yet"),
        (["link", "Ada", "--days", "0"], "cannot be valid for 0 days"),
        (["link", ""], "one line of 1 to 80"),
        (["revoke", "Nobody"], "There is no rater 'Nobody'"),
        (["import", "nix.csv"], "is not a file"),
        (["export", "--format", "xlsx"], "csv and jsonl"),
        (["import-published", "nix"], "nix"),
        (["import-published", "review", "--run", "test"], "gives no stars to the models of 'test'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(database: Database, words: list[str], sentence: str) -> None:
    result = runner.invoke(app, ["ratings", *words])
    assert result.exit_code != 0
    said = f"{result.output} {result.exception}"
    assert sentence in said
    with database.read() as connection:
        assert count(connection, "rater") == 0


def test_nothing_yet_says_what_to_do(database: Database) -> None:
    assert "inpaint ratings link" in runner.invoke(app, ["ratings", "raters"]).output
    assert "nobody has rated test yet" in runner.invoke(app, ["ratings", "summary", "test"]).output


def test_published_stars_are_entered_for_all_models(database: Database) -> None:
    assert say("import-published", "review") == "45 ratings brought in\n"
    assert "published review\timported" in say("raters")
