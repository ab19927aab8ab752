"""Stars that leave as files and come in from files, whoever made them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from bench_scene import Scene
from factories import count, give_stars, make_rating_session
from inpaint_benchmark.ratings.columns import EXPORTED, armed, disarmed
from inpaint_benchmark.ratings.exporting import export_text
from inpaint_benchmark.ratings.importing import Imported, import_rows
from inpaint_benchmark.ratings.reading import read_stars
from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_db.rating_reports import export_ratings, scores_of_run
from inpaint_db.ratings import CRITERIA
from inpaint_db.run_queries import find_run
from sqlalchemy import Connection, text

HEADER = "model,sample,trial,criterion,stars,rater\n"


@pytest.fixture
def scene(connection: Connection) -> Scene:
    """The run `test`: two models on two samples, two imported trials each."""
    scene = Scene(connection)
    scene.run("test", scene.dataset("one", "two"), ["a", "b"], seeds=[1, 2])
    for model in "ab":
        for sample in ("one", "two"):
            for number in (1, 2):
                scene.imported("test", model, sample, number)
    return scene


def bring_in(scene: Scene, folder: Path, content: str | bytes, **options: Any) -> Imported:
    file = folder / "stars.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return import_rows(scene.connection, read_stars(file).rows, file=file.name, **{"run": "test", **options})


def counting(scene: Scene) -> set[tuple[Any, ...]]:
    rows = scene.ask("SELECT model, sample, trial, kind, criterion, stars, imported FROM bench.ratings_current")
    return {tuple(row.values()) for row in rows}


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_what_is_exported_can_be_imported_under_another_rater_and_says_the_same(
    scene: Scene, tmp_path: Path, kind: str
) -> None:
    session = make_rating_session(scene.connection, check_share=1.0)
    for position in range(1, session.items + 1):
        give_stars(scene.connection, session, position, position % 5)
    exported = export_text(export_ratings(scene.connection, session.run_id), kind)
    assert bring_in(scene, tmp_path, exported).new == 0  # the same database knows them by their ids
    fresh = exported
    for row in scene.ask("SELECT id FROM rating"):
        fresh = fresh.replace(str(row["id"]), "")
    found = bring_in(scene, tmp_path, fresh, rater="elsewhere")
    assert (found.new, found.there, found.raters) == (8 * 4 + 4, 0, ("elsewhere",))
    assert found.checks == 8 * 4 + 4
    real = [row[:-1] for row in counting(scene) if row[-1] is True]
    own = scene.ask("""SELECT model, sample, trial, kind, criterion, stars FROM bench.ratings_current
                        WHERE NOT imported AND purpose = 'real'""")
    assert sorted(map(str, real)) == sorted(str(tuple(row.values())) for row in own)
    assert bring_in(scene, tmp_path, fresh, rater="elsewhere").new == 0


def test_an_export_names_its_columns_and_arms_no_formula(scene: Scene) -> None:
    session = make_rating_session(scene.connection, rater="=HYPERLINK(1)", check_share=0)
    give_stars(scene.connection, session, 1, 0, "realism")
    (row,) = csv.DictReader(io.StringIO(export_text(export_ratings(scene.connection, None), "csv")))
    assert tuple(row) == EXPORTED
    assert (row["rater"], row["stars"], row["imported"], row["purpose"]) == ("'=HYPERLINK(1)", "0", "false", "real")
    (line,) = export_text(export_ratings(scene.connection, None), "jsonl").splitlines()
    assert json.loads(line)["rater"] == "=HYPERLINK(1)"
    with pytest.raises(InvalidRequest, match="csv and jsonl"):
        export_text([], "xlsx")


@pytest.mark.parametrize("cell", ["", "plain", "=1", "'=1", "''-1", "'quoted'", "-", "@x", "it's"])
def test_disarming_can_be_undone(cell: str) -> None:
    assert armed(disarmed(cell)) == cell
    assert not disarmed(cell).startswith(("=", "+", "-", "@"))


def test_other_stars_in_a_newer_file_count_from_then_on(scene: Scene, tmp_path: Path) -> None:
    for stars in ("1", "4", "1"):
        assert bring_in(scene, tmp_path, HEADER + f"a,one,1,realism,{stars},x\n").new == 1
    assert counting(scene) == {("a", "one", 1, "output", "realism", 1, True)}
    assert (count(scene.connection, "rating"), count(scene.connection, "rating_item")) == (3, 1)


def test_reproducibility_is_of_all_trials(scene: Scene, tmp_path: Path) -> None:
    bring_in(scene, tmp_path, HEADER + "a,one,,reproducibility,2,x\n")
    assert counting(scene) == {("a", "one", None, "trials", "reproducibility", 2, True)}


def test_a_file_of_a_spreadsheet_is_read(scene: Scene, tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + (HEADER + 'a,one,2,realism,3,"Lovelace, Ada"\n').replace("\n", "\r\n").encode()
    assert bring_in(scene, tmp_path, content).raters == ("Lovelace, Ada",)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_file_with_other_separators_is_read(scene: Scene, tmp_path: Path, mark: str) -> None:
    lines = [HEADER.strip(), 'a,one,2,realism,3,"Lovelace; Ada\'s"', ",,,,,"]
    content = "\ufeff" + "".join(line.replace(",", mark) + "\r\n" for line in lines)
    found = bring_in(scene, tmp_path, content)
    assert (found.new, found.raters) == (1, ("Lovelace; Ada's",))


def test_one_object_that_is_a_rating_is_read_however_it_is_laid_out(scene: Scene, tmp_path: Path) -> None:
    row = {"model": "a", "sample": "one", "trial": 1, "criterion": "realism", "stars": 3, "rater": "x"}
    assert bring_in(scene, tmp_path, json.dumps(row, indent=2)).new == 1


def test_adaptability_is_not_taken_where_nothing_was_prompted(scene: Scene, tmp_path: Path) -> None:
    scene.connection.execute(text("UPDATE sample SET prompt = '' WHERE name = 'one'"))
    rows = "".join(f"a,{sample},1,adaptability,3,x\na,{sample},1,realism,3,x\n" for sample in ("one", "two"))
    found = bring_in(scene, tmp_path, HEADER + rows)
    assert (found.new, found.there, found.unprompted) == (3, 0, 1)
    assert bring_in(scene, tmp_path, HEADER + rows).there == 3
    with pytest.raises(InvalidRequest, match="stars is '7'"):
        bring_in(scene, tmp_path, HEADER + "a,one,1,adaptability,7,x\n")


def test_the_same_file_again_adds_nothing_though_there_is_another_trial_by_now(scene: Scene, tmp_path: Path) -> None:
    content = HEADER + "a,one,,reproducibility,2,x\n"
    bring_in(scene, tmp_path, content)
    run = find_run(scene.connection, "test")
    scene.connection.execute(
        text("""INSERT INTO trial (id, run_id, model, sample_id, number, seed, imported_at, output_sha256)
                SELECT gen_random_uuid(), run_id, model, sample_id, 3, 3, imported_at, output_sha256
                  FROM trial WHERE model = 'a' AND number = 1""")
    )
    again = bring_in(scene, tmp_path, content)
    assert (again.new, again.there) == (0, 1)
    assert bring_in(scene, tmp_path, content, rater="y").new == 1  # who was shown three
    summary = scene.one("SELECT ratings, items, raters FROM bench.rating_summary")
    assert tuple(summary.values()) == (2, 2, 2)
    assert scene.one("SELECT rater_a, rater_b, pairs FROM bench.agreement") == {
        "rater_a": "x",
        "rater_b": "y",
        "pairs": 1,
    }
    assert len({row.unit for row in scores_of_run(scene.connection, run.id)}) == 1


def test_a_row_that_says_otherwise_than_its_id_is_refused_by_line(scene: Scene, tmp_path: Path) -> None:
    bring_in(scene, tmp_path, HEADER + "a,one,1,realism,1,x\na,one,1,consistency,2,x\n")
    text_ = export_text(export_ratings(scene.connection, None), "csv")
    lines = list(csv.DictReader(io.StringIO(text_)))

    def written(**changes: str) -> str:
        out = io.StringIO()
        writer = csv.DictWriter(out, EXPORTED)
        writer.writeheader()
        writer.writerows([lines[0], lines[1] | changes])
        return out.getvalue()

    assert bring_in(scene, tmp_path, written()).new == 0
    for changes, sentence in (
        ({"stars": "4"}, "line 3: rating_id stands for a rating that is there with stars 2, not 4"),
        ({"model": "b"}, "line 3: rating_id stands for a rating that is there with model 'a', not 'b'"),
        ({"criterion": "realism"}, "there with criterion 'consistency', not 'realism'"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            bring_in(scene, tmp_path, written(**changes))
        assert sentence in caught.value.message
    assert count(scene.connection, "rating") == 2
    # As the message says.
    assert bring_in(scene, tmp_path, written(stars="4", rating_id="")).new == 1
    assert scene.one("SELECT stars FROM bench.ratings_current WHERE criterion = 'consistency'") == {"stars": 4}


def test_stars_of_a_model_as_a_whole_are_of_one_of_the_run_and_not_published(scene: Scene, tmp_path: Path) -> None:
    header = "model,sample,criterion,stars,rater,kind\n"
    with pytest.raises(InvalidRequest, match=r"model is 'no-such-model'; 'test' has a, b"):
        bring_in(scene, tmp_path, header + "no-such-model,,realism,4,x,model\n")
    assert bring_in(scene, tmp_path, header + "a,,realism,4,x,model\n").new == 1
    (row,) = scene.ask("SELECT model, whole, published, stars, samples FROM bench.rating_summary")
    assert row == {"model": "a", "whole": True, "published": False, "stars": 4, "samples": 0}
    board = scene.ask("SELECT realism_stars FROM bench.leaderboard WHERE run = 'test'")
    assert board == [{"realism_stars": None}] * 2


def test_json_lines_end_at_line_feeds_alone(scene: Scene, tmp_path: Path) -> None:
    row = {
        "model": "a",
        "sample": "one",
        "trial": 1,
        "criterion": "realism",
        "stars": 3,
        "rater": "x",
        "note": "\u2028",
    }
    assert bring_in(scene, tmp_path, json.dumps(row, ensure_ascii=False) + "\r\n").new == 1
    with pytest.raises(InvalidRequest, match="rater must be one line"):
        bring_in(scene, tmp_path, json.dumps({**row, "rater": "R\u2028x"}, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("seconds", [True, "1_0", "1e308", "1e3", "inf", " ", "-1", -1, 1e308, 10**400, "٣", [1]])
def test_seconds_are_a_plain_number(scene: Scene, tmp_path: Path, seconds: object) -> None:
    row = {"model": "a", "sample": "one", "trial": 1, "criterion": "realism", "stars": 3, "duration_s": seconds}
    with pytest.raises(InvalidRequest, match=r"duration_s is .*; it must be seconds"):
        bring_in(scene, tmp_path, json.dumps(row), rater="x")


@pytest.mark.parametrize("seconds", [0, 7, 7.5, "7.5", "0", "7e-05", 7e-05, None, ""])
def test_seconds_as_they_are_exported_are_read(scene: Scene, tmp_path: Path, seconds: object) -> None:
    row = {"model": "a", "sample": "one", "trial": 1, "criterion": "realism", "stars": 3, "duration_s": seconds}
    assert bring_in(scene, tmp_path, json.dumps(row), rater="x").new == 1
    found = scene.one("SELECT duration_s FROM bench.ratings_current")["duration_s"]
    assert found == (float(seconds) if seconds not in (None, "") else None)  # type: ignore[arg-type]


def test_a_long_name_is_not_repeated_in_a_message(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="model has 100,000 characters") as caught:
        bring_in(scene, tmp_path, HEADER + "a" * 100_000 + ",one,1,realism,3,x\n")
    assert len(caught.value.message) < 300


# --- hostile and mistaken files ---------------------------------------------------------------------------------------

WRONG_ROWS = {
    "a,one,1,realism,5,x": "stars is '5'",
    "a,one,1,realism,-1,x": "stars is '-1'",
    "a,one,1,realism,3.5,x": "stars is '3.5'",
    "a,one,1,realism,٣,x": "stars is '٣'",
    "a,one,1,realism," + "9" * 6000 + ",x": "stars is '9999",
    "a,one,1,realism,,x": "stars is ''",
    "a,one,1,beauty,3,x": "criterion is 'beauty'",
    "a,one,9,realism,3,x": "trial is '9'; a on one has 1, 2",
    "a,one,,realism,3,x": "trial is ''",
    "a,three,1,realism,3,x": "has no result of 'a' on 'three'",
    "a,one,1,realism,3,": "no rater is named",
    "a,one,1,realism,3": "5 cells under 6 columns",
    'a,one,1,realism,3,"x': "not CSV",
    'a,one,1,realism,3,"x\ny"': "rater must be one line",
    "a,one,1,realism,3," + "x" * 81: "one line of 1 to 80",
    "a,one,1,realism,3,x\na,one,1,realism,7,x": "line 3: stars is '7'",
}


@pytest.mark.parametrize(("row", "sentence"), WRONG_ROWS.items(), ids=[s[:24] for s in WRONG_ROWS.values()])
def test_a_wrong_row_is_named_and_nothing_is_entered(scene: Scene, tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bring_in(scene, tmp_path, HEADER + row + "\n")
    assert sentence in caught.value.message and len(caught.value.message) < 1_000
    assert count(scene.connection, "rating") == 0


WRONG_FILES: dict[str | bytes, str] = {
    "": "no column model",
    HEADER: "no ratings in it",
    "a;b\n1;2\n": "no column model, sample, criterion, stars",
    '{"ratings": [{"model": "a"}]}': "is one JSON object, and no ratings. Read are tables (CSV) whose first line names",
    '{\n  "tasks": []\n}\n': "is one JSON object, and no ratings",
    '{"model": "a"}\n{"model"\n': "stars.csv, line 2: not JSON",
    '[{"Realism": 3, "id": 1, "model": "a"}]': "Its labels are Realism; those that are read are called realism, adapt",
    '[{"model": "a"}]': "no ratings in it. Read are tables",
    HEADER.replace("trial", "stars"): "names a column twice",
    b"\xff\xfe\x00": "not UTF-8",
    "model\x00,": "NUL",
    b"\x89PNG\r\n\x1a\n": "not UTF-8",
    "[" * 100_000: "nested too deeply",
    "[1, 2]": "not a list of JSON objects",
    '[{"annotations": 3, "data": {}}]': "no data or no list",
    '[{"annotations": [3], "data": {}}]': "annotation that is not an object",
    '[{"a": NaN}]': "NaN is not a number",
    '{"a": 1}\n[2]\n': "stars.csv, line 2 is not a JSON object",
    '{"model": {"a": 1}, "sample": "one", "criterion": "realism", "stars": 1}': "model must be a text",
    '{"model": "a", "sample": "one", "criterion": "realism", "stars": true}': "stars is 'True'",
    '{"model": "\\ud800", "sample": "one", "criterion": "realism", "stars": 1}': "model must be one line",
    '{"run": "\\u0000", "model": "a", "sample": "one", "criterion": "realism", "stars": 1}': "run must be one line",
    '{"run": "nix", "model": "a", "sample": "one", "criterion": "realism", "stars": 1}': "There is no run 'nix'",
    '{"model": "a", "sample": "one", "trial": 1, "criterion": "realism", "stars": 1, "duration_s": 1e999}': "inf",
    '{"model": "a", "sample": "one", "trial": 1, "criterion": "realism", "stars": 1, "rating_id": "x"}': "a UUID",
    '{"stars": ' + "9" * 5000 + "}": "not JSON",
}  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), WRONG_FILES.items(), ids=[s[:24] for s in WRONG_FILES.values()])
def test_a_file_that_is_something_else_is_refused_with_a_sentence(
    scene: Scene, tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bring_in(scene, tmp_path, content, rater="x")
    assert sentence in caught.value.message
    assert count(scene.connection, "rating") == 0


def test_many_wrong_rows_are_counted_and_a_few_named(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="And 35 more") as caught:
        bring_in(scene, tmp_path, HEADER + "a,one,1,realism,9,x\n" * 40)
    assert caught.value.message.count("stars is") == 5


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nix.csv", tmp_path):
        with pytest.raises(InputNotFound, match="is not a file"):
            read_stars(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.csv"
    with file.open("wb") as out:
        out.truncate(65 << 20)
    with pytest.raises(InvalidRequest, match="more than 64 MB"):
        read_stars(file)


def test_two_rows_with_one_id_are_refused(scene: Scene, tmp_path: Path) -> None:
    row = {"model": "a", "sample": "one", "trial": 1, "stars": 1, "rating_id": "0" * 32}
    lines = "\n".join(json.dumps({**row, "criterion": criterion}) for criterion in CRITERIA[:2])
    with pytest.raises(InvalidRequest, match="the same rating_id"):
        bring_in(scene, tmp_path, lines, rater="x")
