"""Reports of a run over the real queue: what they say is what the views say, with the pictures of the store."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from inpaint_benchmark.published import ensure_published
from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.report.gathering import gather
from inpaint_benchmark.report.making import make_report
from inpaint_benchmark.report.ratings import Stars
from inpaint_benchmark.runs.measuring import measure_run
from inpaint_benchmark.runs.planning import Wanted
from inpaint_benchmark.runs.running import follow, submit_missing
from inpaint_benchmark.runs.starting import begin_run
from inpaint_core.errors import InvalidRequest
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.storage import input_ref
from inpaint_db.prices import set_hourly
from inpaint_db.report_queries import leaderboard_rows, trial_columns
from inpaint_db.run_queries import RunRow
from inpaint_db.session import Database
from inpaint_fleet.cli.app import app
from inpaint_producer import InpaintClient
from processes import WorkerProcess
from sqlalchemy import text
from test_bench_runs import bring_in, quiet, write_dataset
from typer.testing import CliRunner

MODEL, OTHER = "opencv-telea", "opencv-ns"


@pytest.fixture
def run(
    client: InpaintClient, database: Database, store: S3Store, settings: Settings, tmp_path: Path, worker: WorkerProcess
) -> RunRow:
    """Telea on three samples, twice each, at a price; the other model's trials are canceled: nobody serves it."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    version, _ = bring_in(database, store, write_dataset(folder, ids=("one", "two", "<b>three"), prompt="<script>x"))
    with database.begin() as connection:
        set_hourly(connection, "cpu", 0.36)
    found = begin_run(Wanted([MODEL, OTHER], seeds=[1, 2]), version, client.catalogue, database, name="rooms").run
    submit_missing(client, found, quiet)
    with database.read() as connection:
        other = connection.scalars(text("SELECT job_id FROM trial WHERE model = :m"), {"m": OTHER}).all()
    for job_id in other:
        client.cancel(job_id)
    found = follow(client, found, quiet, timeout_s=60)
    measure_run(found, settings, database, quiet)
    return found


@pytest.fixture
def waiting(client: InpaintClient, database: Database, store: S3Store, tmp_path: Path) -> RunRow:
    """A run that nobody has begun to work on."""
    version, _ = bring_in(database, store, write_dataset(tmp_path))
    return begin_run(Wanted([MODEL]), version, client.catalogue, database, name="waiting").run


def made(run: RunRow, kind: str, settings: Settings, database: Database, **options: object) -> str:
    return make_report(run, kind, settings, database, quiet, **options)  # type: ignore[arg-type]


def test_what_a_report_says_is_what_the_views_say_and_failures_are_in_no_mean(run: RunRow, database: Database) -> None:
    with database.read() as connection:
        report = gather(connection, run)
        views = {row["model"]: row for row in leaderboard_rows(connection, run.id)}
    for row in report.rows:
        view = views[row.model]
        for cell in row.cells.values():
            for automatic in cell.automatic:
                value = None if automatic.estimate is None else automatic.estimate.value
                if automatic.metric in view:
                    assert value == pytest.approx(view[automatic.metric]), automatic.metric
        for found, column in ((row.seconds, "warm_mean_s"), (row.cost_per_1k_usd, "cost_per_1k_usd")):
            assert (None if found is None else found.value) == pytest.approx(view[column])
    telea = report.rows[0]
    assert telea.seconds is not None and telea.seconds.low is not None and telea.seconds.trials == 5
    assert [t.cold_trials for t in report.timings] == [1, 0]
    assert report.exact == (6, 6)
    _failed_trials_are_told(report)


def _failed_trials_are_told(report: Report) -> None:
    other = report.rows[1]
    assert (other.succeeded, other.failed, other.seconds) == (0, 6, None)
    assert {a.reason for cell in other.cells.values() for a in cell.automatic} == {"no_results"}
    assert any("6 of 12 trials were canceled" in note for note in report.notes)


def test_models_with_results_of_fewer_samples_are_told_to_be_no_match(
    run: RunRow, database: Database, waiting: RunRow
) -> None:
    with database.begin() as connection:
        connection.execute(
            text("""UPDATE job SET status = 'failed', error_code = 'model_failed' FROM trial t JOIN sample s
                    ON s.id = t.sample_id WHERE job.id = t.job_id AND t.model = :model AND s.name <> 'one'"""),
            {"model": OTHER},
        )
        connection.execute(
            text("""UPDATE job SET status = 'succeeded' FROM trial t JOIN sample s ON s.id = t.sample_id
                     WHERE job.id = t.job_id AND t.model = :model AND s.name = 'one'"""),
            {"model": OTHER},
        )
        notes = gather(connection, run).notes
        assert [note for note in notes if "other models" in note] == [
            f"{OTHER} has results of 1 of the 3 samples that other models have results of. Its means are of those "
            "alone: compare them with care."
        ]
        assert not any("other models" in note for note in gather(connection, waiting).notes)


def test_stars_stand_in_place_of_metrics_where_somebody_gave_them(waiting: RunRow, database: Database) -> None:
    with database.read() as connection:
        report = gather(connection, waiting, ratings=lambda *_: {(MODEL, "realism"): Stars(2.5, 2, 3)})
    assert report.rows[0].cells["realism"].stars == Stars(2.5, 2, 3)
    assert report.rows[0].cells["consistency"].stars is None


def test_published_numbers_stand_under_those_of_the_same_model(waiting: RunRow, database: Database) -> None:
    with database.begin() as connection:
        ensure_published(connection, "review")
        connection.execute(text("UPDATE published SET card = :card WHERE model = 'DALL-E 2'"), {"card": MODEL})
        report = gather(connection, waiting, baseline="review")
    assert [row.model for row in report.rows[:3]] == [MODEL, "DALL-E 2", "FLUX.1-Fill-dev"]
    assert [row.origin for row in report.rows[:3]] == ["measured", "published", "published"]


def test_every_format_is_written(run: RunRow, settings: Settings, database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "pictures"
    text_ = made(run, "md", settings, database, baseline="review", pictures=folder, document=tmp_path / "out" / "r.md")
    assert f"| *{MODEL}* | measured |" in text_
    assert "| *DALL-E 2* | published (review) | ⭐⭐☆☆ |" in text_
    named = {line.split("(<")[1].rstrip(">)") for line in text_.splitlines() if line.startswith("![")}
    assert named == {f"pictures/{path.name}" for path in folder.iterdir()}
    with database.read() as connection:
        columns = trial_columns(connection)
    rows = list(csv.reader(io.StringIO(made(run, "csv", settings, database))))
    assert rows[0] == columns
    assert len(rows) == 1 + 12
    assert json.loads(made(run, "json", settings, database))["run"]["name"] == "rooms"
    assert made(run, "md", settings, database) == made(run, "md", settings, database)


def test_the_page_has_a_picture_of_every_result_and_keeps_prompts_text(
    run: RunRow, settings: Settings, database: Database
) -> None:
    text_ = made(run, "html", settings, database)
    assert "<script" not in text_ and "&lt;script&gt;x" in text_
    assert text_.count(f"by {MODEL}, trial") == 6
    assert text_.count("canceled</div>") == 6
    assert "Where 2 trials of opencv-telea differ on one" in text_
    assert text_.count('alt="one as it should be"') == 2


def test_pictures_that_are_gone_leave_a_hole(
    run: RunRow, settings: Settings, database: Database, store: S3Store
) -> None:
    from inpaint_core.storage import ObjectRef

    with database.read() as connection:
        uris = connection.scalars(text("SELECT uri FROM output WHERE kind = 'result' ORDER BY uri LIMIT 1")).all()
    store.delete_many([ObjectRef.parse(uri) for uri in uris])
    assert made(run, "html", settings, database).count("no longer stored") == 1


def test_a_sample_whose_source_is_gone_leaves_the_others(
    run: RunRow, settings: Settings, database: Database, store: S3Store
) -> None:
    with database.read() as connection:
        sha256 = connection.scalar(text("SELECT source_sha256 FROM sample WHERE name = 'two'"))
    store.delete(input_ref(store.bucket, str(sha256), "png"))
    document = made(run, "html", settings, database)
    assert "Pictures of 2 of 3 samples." in document
    assert "one before" in document and "two before" not in document


@pytest.mark.parametrize(
    ("kind", "baseline", "sentence"), [("pdf", None, "no format 'pdf'"), ("md", "x", "publication")]
)
def test_what_there_is_not_is_refused(
    database: Database, settings: Settings, kind: str, baseline: str | None, sentence: str, waiting: RunRow
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        made(waiting, kind, settings, database, baseline=baseline)


def test_a_run_without_results_has_a_report_that_says_so(
    waiting: RunRow, settings: Settings, database: Database
) -> None:
    text_ = made(waiting, "md", settings, database)
    assert "6 of 6 trials have not ended: `inpaint bench resume waiting`" in text_
    assert "planned" in made(waiting, "html", settings, database)


def test_the_command_writes_a_page_and_prints_where(
    waiting: RunRow, stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["bench", "report", "latest", "--format", "html"])
    assert found.exit_code == 0, found.output
    assert found.stdout.strip() == "out/bench/waiting.html"
    assert (tmp_path / "out/bench/waiting.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    shown = CliRunner().invoke(app, ["bench", "report", "waiting"])
    assert shown.stdout.startswith("# Benchmark waiting\n")
    unknown = CliRunner().invoke(app, ["bench", "report", "nothing"])
    assert unknown.exit_code != 0
