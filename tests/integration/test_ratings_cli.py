"""`inpaint ratings` as people type it."""

from __future__ import annotations

import json
import re
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
from inpaint_db.rating_queries import save_event, save_rating, show_item
from inpaint_db.rating_sessions import find_session, finish_session, list_sessions
from inpaint_db.run_queries import find_run
from inpaint_db.session import Database
from inpaint_fleet.cli.app import app
from sqlalchemy import Connection, text
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


def finished_jobs(connection: Connection, number: int) -> None:
    """Of the campaign `spring`."""
    for _ in range(number):
        job_id = make_illustrated_job(connection, prompt="a lamp", campaign="spring")
        claimed = try_claim(connection, job_id, make_worker(connection))
        assert claimed is not None
        finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed)])


def stderr(*words: str) -> str:
    result = runner.invoke(app, ["ratings", *words])
    assert result.exit_code == 0, result.output
    return result.stderr


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
        # Each model's stars differ, in whichever order its pictures come.
        drawn = "SELECT position FROM rating_item WHERE session_id = :id ORDER BY model, sample_id"
        for stars, position in enumerate(connection.scalars(text(drawn), {"id": session.id}).all()):
            item = show_item(connection, rater.id, session.id, position, bucket="inpaint")
            save_rating(connection, rater.id, rating_id=uuid4(), item_id=item.id, criterion="realism", stars=stars)
    table = say("summary", "test")
    assert "realism\ta\t" in table and "Ada\t4\t" in table
    cells, _, notes = table.partition("\n\n[1] ")
    assert max(len(cell) for line in cells.splitlines() for cell in line.split("\t")) < 30
    assert "one rater: of the samples alone\n" in notes and "- (nothing was rated twice)" in cells
    (number,) = re.findall(r"\n\[(\d)\] fewer than 6 samples in common\n", table)
    assert cells.count(f"\t- [{number}]\t") == 2
    assert runner.invoke(app, ["ratings", "summary", "latest"]).stderr.startswith("run test: 4 ratings by 1 rater\n")
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
    assert "Ada\tperson\t1\ttest\t0/4\t4\twithdrawn" in say("raters")


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


def finish_all(database: Database, link: str) -> None:
    """Skip everything, and be told."""
    with database.begin() as connection:
        rater = find_rater_by_token(connection, link.rsplit("/", 1)[1])
        session = list_sessions(connection, rater.id)[0]
        for position in range(1, session.items + 1):
            item = show_item(connection, rater.id, session.id, position, bucket="inpaint")
            save_event(connection, rater.id, event_id=uuid4(), item_id=item.id, kind="skip")
        finish_session(connection, rater.id, session.id)


@pytest.mark.parametrize("about", [["--run", "test"], ["--campaign", "spring"]])
def test_who_has_been_told_gets_a_link_and_a_second_session_only_if_that_is_meant(
    database: Database, about: list[str]
) -> None:
    with database.begin() as connection:
        finished_jobs(connection, 2)
    finish_all(database, json.loads(say("link", "Ada", *about, "--json"))["link"])
    # Fewer of the same are the same.
    lost = runner.invoke(app, ["ratings", "link", "Ada", *about, "--limit", "1", "--json"])
    assert lost.exit_code == 0 and "Ada has finished a session about it on 20" in lost.stderr
    assert "needs --again" in lost.stderr
    found = json.loads(lost.stdout)
    assert found["session"] is None
    with database.read() as connection:
        assert find_rater_by_token(connection, found["link"].rsplit("/", 1)[1]).name == "Ada"
        assert count(connection, "rating_session") == 1
    second = json.loads(say("link", "Ada", *about, "--again", "--json"))["session"]
    # Now that one goes on.
    assert json.loads(say("link", "Ada", *about, "--json"))["session"]["id"] == second["id"]
    assert json.loads(say("link", "Bo", *about, "--json"))["session"]["rater"] == "Bo"


def test_what_a_session_consists_of_is_told_with_what_a_limit_leaves(database: Database) -> None:
    with database.begin() as connection:
        scene = Scene(connection)
        scene.run("more", scene.dataset("three", "four", name="more"), ["a", "b"], seeds=[1, 2])
        for model in "ab":
            for sample in ("three", "four"):
                for number in (1, 2):
                    scene.imported("more", model, sample, number)
    made = runner.invoke(app, ["ratings", "link", "Ada", "--run", "more", "--limit", "1", "--checks", "0.5"]).stderr
    assert "about more: 9 items: 4 pictures, 2 sets of trials, 3 checks\n" in made
    assert "note: one sample has 4 pictures and is drawn whole: more than --limit 1\n" in made
    whole = runner.invoke(app, ["ratings", "link", "Bo", "--run", "more", "--limit", "8", "--checks", "0"]).stderr
    assert "12 items: 8 pictures, 4 sets of trials\n" in whole and "note:" not in whole


def test_only_a_link_that_worked_is_said_to_have_ended(database: Database) -> None:
    def said() -> str:
        return runner.invoke(app, ["ratings", "link", "Ada"]).stderr

    assert "ended" not in said() and "ended" in said()
    say("revoke", "Ada")
    assert "ended" not in said()
    with database.begin() as connection:
        connection.execute(text("UPDATE rater SET token_expires_at = now() - interval '1 hour'"))
    assert "\texpired 20" in say("raters")
    assert "ended" not in said() and "\tuntil 20" in say("raters")


def test_a_link_that_ends_soon_is_told_with_the_time_of_day(database: Database) -> None:
    assert re.search(r"valid until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ;", stderr("link", "Ada", "--days", "0.042"))
    assert re.search(r"valid until \d{4}-\d\d-\d\d;", stderr("link", "Ada", "--days", "3"))


def test_a_name_that_differs_by_case_or_spaces_is_noted_once(database: Database) -> None:
    assert "note:" not in stderr("link", "Ada Lovelace")
    assert "there is 'Ada Lovelace' too: 'ada  lovelace'".replace("  ", " ") in stderr("link", "ada  lovelace")
    assert "note:" not in stderr("link", "ada lovelace") and "note:" not in stderr("link", "Ada Byron")


def test_raters_say_what_their_sessions_are_about(database: Database) -> None:
    with database.begin() as connection:
        finished_jobs(connection, 1)
    say("link", "Ada", "--campaign", "spring", "--checks", "0")
    say("link", "Ada", "-m", "opencv-telea", "--checks", "0")
    say("link", "Ada", "--run", "test", "--checks", "0")
    assert "Ada\tperson\t3\ttest, model opencv-telea, campaign spring\t0/6\t0\tuntil " in say("raters")
    say("link", "Bo")
    assert "Bo\tperson\t0\t\t\t0\tuntil " in say("raters")
    assert {each["rater"]["name"]: each["stars"] for each in json.loads(say("raters", "--json"))} == {"Ada": 0, "Bo": 0}


def test_labels_that_are_no_criterion_and_prompts_that_were_not_there_are_told(
    database: Database, tmp_path: Path
) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE sample SET prompt = '' WHERE name = 'one'"))
    file = tmp_path / "tasks.json"
    tasks = [{"model": "a", "sample": s, "realism": 3, "adaptability": 2, "Quality": 4} for s in ("one", "two")]
    file.write_text(json.dumps(tasks))
    told = runner.invoke(app, ["ratings", "import", str(file), "--run", "test", "--rater", "x"])
    assert told.stdout == "3 ratings brought in; 0 there already\n"
    assert "note: labels that are no criterion were left out: Quality (2)\n" in told.stderr
    assert "note: 1 row left out: adaptability where there was no prompt" in told.stderr


def test_where_strength_orders_otherwise_than_the_mean_it_is_said_why(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "stars.csv"
    with database.begin() as connection:
        scene = Scene(connection)
        samples = [f"s{number}" for number in range(3)]
        scene.run("crossed", scene.dataset(*samples, name="crossed"), ["a", "b"])
        for model in "ab":
            for sample in samples:
                scene.imported("crossed", model, sample)
    header = "run,model,sample,criterion,stars,rater\n"
    # One big win against two small ones.
    stars = {"a": (4, 1, 1), "b": (0, 2, 2)}
    lines = [f"crossed,{m},s{n},realism,{s},x\n" for m, given in stars.items() for n, s in enumerate(given)]
    file.write_text(header + "".join(lines))
    say("import", str(file))
    found = runner.invoke(app, ["ratings", "summary", "crossed"])
    assert "note: realism: by strength models stand in another order than by stars." in found.stderr
    file.write_text(header + "crossed,a,s0,realism,2,x\n")
    say("import", str(file))
    assert "another order" not in runner.invoke(app, ["ratings", "summary", "crossed"]).stderr


@pytest.mark.parametrize("name", ["opencv-telea vs ns", "OpenCV, second", "FLUX.1 Fill", "Dall E 2", "the SDXL one"])
def test_a_name_that_tells_a_model_is_refused(database: Database, name: str) -> None:
    refused = runner.invoke(app, ["ratings", "link", "Ada", "--run", "test", "--name", name])
    assert refused.exit_code != 0 and "would not be blind" in f"{refused.output} {refused.exception}"
    for fine in ("Sofas: first look", "Image filling in spring"):
        assert json.loads(say("link", f"For {fine}", "--run", "test", "--name", fine, "--json"))["session"]


def test_a_link_may_be_about_jobs_and_does_not_tell_their_model(database: Database) -> None:
    with database.begin() as connection:
        finished_jobs(connection, 2)
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
        (["link", "Ada", "--days", "0"], "cannot be valid for 0 days; give 0.042 (an hour) to 3650"),
        (["link", "Ada", "--days", "0.00005"], "cannot be valid for 5e-05 days; give 0.042 (an hour) to 3650"),
        (["link", "Ada", "--limit", "3", "--seed", "1"], "--limit, --seed: of a session, and none was asked for"),
        (["link", "Ada", "--name", "Sofas"], "--name: of a session"),
        (["link", "Ada", "--checks", "0"], "--checks: of a session"),
        (["link", "Ada", "--min-dwell", "0"], "--min-dwell: of a session"),
        (["link", "Ada", "--again"], "--again: of a session"),
        (["link", ""], "one line of 1 to 80"),
        (["revoke", "Nobody"], "There is no rater 'Nobody'"),
        (["import", "nix.csv"], "is not a file"),
        (["export", "--format", "xlsx"], "csv and jsonl"),
        (["import-published", "nix"], "nix"),
        (["import-published", "review", "--run", "test"], "' gives no stars to the models of 'test'"),
        (["export", "-o", "/nonexist/x.jsonl"], "There is no folder /nonexist to write into"),
        (["export", "-o", "/"], "/ is a folder"),
        (["export", "-o", "/proc/stars.csv"], "/proc/stars.csv cannot be written: "),
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
    assert say("import-published", "review") == "45 ratings brought in; 0 there already\n"
    assert say("import-published", "review") == "0 ratings brought in; 45 there already\n"
    assert "published review\timported\t\t\t\t45\t\t" in say("raters")


def test_the_latest_run_to_be_looked_at_is_one_with_results(database: Database) -> None:
    with database.begin() as connection:
        scene = Scene(connection)
        scene.run("canceled", scene.dataset("one", "two"), ["a"])
        assert find_run(connection, "latest").name == "canceled"
        assert find_run(connection, "latest", with_results=True).name == "test"
    assert json.loads(say("summary", "latest", "--json"))["run"] == "test"
