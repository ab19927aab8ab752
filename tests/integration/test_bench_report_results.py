"""Results made elsewhere: read from files, checked, stored as a run of their own, and measured like others."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from factories import LIMITS, encode, make_facts, make_image, make_mask
from inpaint_benchmark.datasets import read_dataset
from inpaint_benchmark.runs.importing import import_dataset
from inpaint_benchmark.runs.measuring import measure_run
from inpaint_benchmark.runs.results import Imported, Origin, import_results
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import ImageTooLarge, InputNotFound, InvalidRequest, RequestError
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.dataset_queries import VersionRow, list_samples
from inpaint_db.report_queries import leaderboard_rows, trial_rows
from inpaint_db.result_queries import ImportedResult, insert_results, open_imported_run
from inpaint_db.session import Database
from inpaint_db.submissions import insert_images, register_models
from inpaint_fleet.cli.app import app
from PIL import Image
from stored import objects
from typer.testing import CliRunner

SIZE = (96, 64)
ORIGIN = Origin(load_catalogue().card("dall-e-2"), date(2024, 11, 20), 14.5, 0.02)


@contextlib.contextmanager
def quiet(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _more: None


def edited(seed: int, colour: int) -> Image.Image:
    """The source of a sample with a box of one colour in its mask, and one pixel outside that is not as it was."""
    pixels = np.asarray(make_image(*SIZE, seed=seed)).copy()
    pixels[np.asarray(make_mask(*SIZE)) > 0] = colour
    pixels[0, 0] = 255 - pixels[0, 0]
    return Image.fromarray(pixels)


@pytest.fixture
def version(database: Database, store: S3Store, tmp_path: Path) -> VersionRow:
    """Samples chair and chair-2, whose name ends in a number, and lamp."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    samples = []
    for seed, name in enumerate(("chair", "chair-2", "lamp")):
        for role, picture in {"source": make_image(*SIZE, seed=seed), "mask": make_mask(*SIZE)}.items():
            (folder / f"{name}-{role}.png").write_bytes(encode(picture))
        samples.append({"id": name, "prompt": "a chair", "source": f"{name}-source.png", "mask": f"{name}-mask.png"})
    path = folder / "manifest.json"
    path.write_text(json.dumps({"name": "rooms", "polarity": "white", "samples": samples}), encoding="utf-8")
    return import_dataset(read_dataset(path), database, store, LIMITS, quiet)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "results"
    found.mkdir()
    return found


@pytest.fixture
def bring_in(version: VersionRow, folder: Path, database: Database, store: S3Store) -> Callable[..., Imported]:
    def bring(run: str = "dall-e", origin: Origin = ORIGIN) -> Imported:
        return import_results(folder, version, run, origin, database, store, LIMITS, quiet)

    return bring


def put(folder: Path, name: str, picture: Image.Image) -> None:
    kind = "JPEG" if name.endswith(".jpg") else "PNG"
    (folder / name).write_bytes(encode(picture, kind))


def test_results_become_trials_that_are_measured_like_others(
    bring_in: Callable[..., Imported], folder: Path, settings: Settings, database: Database
) -> None:
    for number in (1, 2, 3):
        put(
            folder, f"chair-{number}.png" if number != 2 else "lamp-2.png", edited(0 if number != 2 else 2, 40 * number)
        )
    found = bring_in()
    assert (found.new, found.there, found.missing) == (3, 0, ("chair-2",))
    assert measure_run(found.run, settings, database, quiet) == 3
    with database.read() as connection:
        trials = trial_rows(connection, found.run.id)
        (row,) = leaderboard_rows(connection, found.run.id)
    assert [(t["sample"], t["trial"]) for t in trials] == [("chair", 1), ("chair", 3), ("lamp", 2)]
    assert {(t["imported"], t["status"], t["made_on"], t["inference_s"]) for t in trials} == {
        (True, "succeeded", date(2024, 11, 20), 14.5)
    }
    assert all(t["outside_exact"] == 0 and 0 < t["outside_delta_e"] < 1 for t in trials)
    assert row["cost_per_1k_usd"] == pytest.approx(20)
    assert row["trials_delta_e_mean"] > 0


def test_a_name_that_is_a_samples_as_a_whole_is_its_first_trial(
    bring_in: Callable[..., Imported], folder: Path, database: Database
) -> None:
    put(folder, "chair-2.png", edited(1, 10))
    found = bring_in()
    with database.read() as connection:
        assert [(t["sample"], t["trial"]) for t in trial_rows(connection, found.run.id)] == [("chair-2", 1)]


def test_the_same_import_again_adds_nothing_twice(
    bring_in: Callable[..., Imported], folder: Path, settings: Settings, database: Database, store: S3Store
) -> None:
    put(folder, "chair.png", edited(0, 10))
    put(folder, "lamp.jpg", edited(2, 10))
    first = bring_in()
    measure_run(first.run, settings, database, quiet)
    before = objects(store)
    again = bring_in()
    assert (again.run.id, again.new, again.there) == (first.run.id, 0, 2)
    assert objects(store) == before
    assert measure_run(again.run, settings, database, quiet) == 0


def test_there_may_be_more_results_than_a_statement_has_parameters(version: VersionRow, database: Database) -> None:
    with database.begin() as connection:
        register_models(connection, [ORIGIN.model])
        insert_images(connection, [make_facts("result")])
        run = open_imported_run(connection, "many", version, "dall-e-2", 2200)
        samples = [sample.id for sample in list_samples(connection, version.id)]
        sha256 = make_facts("result").sha256
        results = [ImportedResult(sample, n, sha256) for sample in samples for n in range(1, 2201)]
        assert insert_results(connection, run, "dall-e-2", results) == 6600
        assert insert_results(connection, run, "dall-e-2", results) == 0


def test_what_was_missing_may_come_later(bring_in: Callable[..., Imported], folder: Path) -> None:
    put(folder, "chair.png", edited(0, 10))
    bring_in()
    put(folder, "chair-2.png", edited(1, 10))
    put(folder, "lamp-3.png", edited(2, 10))
    later = bring_in()
    assert (later.new, later.there, later.missing) == (2, 1, ())
    assert later.run.seeds == [1, 2, 3]


def test_a_result_never_changes(bring_in: Callable[..., Imported], folder: Path) -> None:
    put(folder, "chair.png", edited(0, 10))
    bring_in()
    put(folder, "chair.png", edited(0, 11))
    with pytest.raises(
        InvalidRequest, match=r"chair\.png is another picture than the one that the run holds as trial 1"
    ):
        bring_in()


def test_another_size_is_refused_with_both_sizes(bring_in: Callable[..., Imported], folder: Path) -> None:
    put(folder, "chair.png", make_image(100, 64))
    with pytest.raises(InvalidRequest, match=r"chair\.png is 100x64, and the source of chair is 96x64"):
        bring_in()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["chairs.png"], r"chairs\.png: There is no sample 'chairs': did you mean chair"),
        (["lamb-2.png"], r"lamb-2\.png: There is no sample 'lamb': did you mean lamp"),
        (["lamp.png", "lamp-1.png"], r"lamp-1\.png and lamp\.png are both trial 1 of lamp"),
        (["lamp-101.png"], "at most 100 trials"),
    ],
)
def test_names_that_are_no_trials_are_refused(
    bring_in: Callable[..., Imported], folder: Path, names: list[str], sentence: str
) -> None:
    for name in names:
        put(folder, name, edited(0, 10))
    with pytest.raises(RequestError, match=sentence):
        bring_in()


def test_a_file_that_no_memory_holds_is_refused_by_name(bring_in: Callable[..., Imported], folder: Path) -> None:
    with (folder / "lamp.png").open("wb") as file:
        file.truncate(1 << 40)  # takes no disk
    with pytest.raises(ImageTooLarge, match=r"lamp\.png has 1,099,511,627,776 bytes"):
        bring_in()


def test_nothing_is_written_if_one_of_them_cannot_be_used(
    bring_in: Callable[..., Imported], folder: Path, store: S3Store, database: Database
) -> None:
    before = objects(store)
    put(folder, "chair.png", edited(0, 10))
    (folder / "lamp.png").write_bytes(b"no picture")
    with pytest.raises(RequestError, match=r"lamp\.png"):
        bring_in()
    assert objects(store) == before
    with database.read() as connection:
        from inpaint_db.run_queries import list_runs

        assert list_runs(connection) == []


def test_files_that_are_no_pictures_are_passed_by(bring_in: Callable[..., Imported], folder: Path) -> None:
    put(folder, "lamp.png", edited(2, 10))
    (folder / "README.md").write_text("how they were made")
    (folder / ".lamp-2.png").write_bytes(b"")
    assert bring_in().new == 1


def test_an_empty_folder_says_how_files_are_called(bring_in: Callable[..., Imported], folder: Path) -> None:
    with pytest.raises(InputNotFound, match=r"chair\.png, or chair-2\.png for its second trial"):
        bring_in()


def test_a_run_of_another_model_is_not_added_to(bring_in: Callable[..., Imported], folder: Path) -> None:
    put(folder, "lamp.png", edited(2, 10))
    bring_in()
    with pytest.raises(InvalidRequest, match="is there already: imported results of dall-e-2 on rooms@1"):
        bring_in(origin=Origin(load_catalogue().card("opencv-ns")))


@pytest.mark.parametrize(
    ("run", "origin", "sentence"),
    [
        ("No Name", ORIGIN, "must be 1 to 100 of a-z"),
        ("r", Origin(ORIGIN.model, date(2999, 1, 1)), "2999-01-01 is in the future"),
    ],
)
def test_what_is_said_of_them_is_checked(
    bring_in: Callable[..., Imported], folder: Path, run: str, origin: Origin, sentence: str
) -> None:
    put(folder, "lamp.png", edited(2, 10))
    with pytest.raises(InvalidRequest, match=sentence):
        bring_in(run, origin)


def test_the_command_brings_in_measures_and_prints_the_run(
    version: VersionRow, folder: Path, stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)
    put(folder, "lamp.png", edited(2, 10))
    told = ["--run", "old", "--made-on", "2024-11-20", "--seconds", "14.5", "--cost", "0.02"]
    found = CliRunner().invoke(app, ["bench", "import-results", str(folder), "-d", "rooms", "-m", "dall-e-2", *told])
    assert found.exit_code == 0, found.output
    assert found.stdout == "old\n"
    assert "note: no result of chair, chair-2" in found.stderr
    assert "1 result brought in; 1 measured" in found.stderr
    shown = CliRunner().invoke(app, ["bench", "report", "old"])
    assert "| *dall-e-2* | imported, made on 2024-11-20 |" in shown.stdout
    assert "There are no results of chair, chair-2." in shown.stdout
