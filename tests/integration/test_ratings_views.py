"""Views of ratings. Answers are worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from bench_scene import Scene
from factories import give_stars, make_rating_session
from inpaint_benchmark.ratings.published import Entered, import_published_stars
from inpaint_benchmark.ratings.scores import Undefined
from inpaint_benchmark.ratings.statistics_agreement import Alpha
from inpaint_benchmark.ratings.summary import summarise
from inpaint_benchmark.report import wording
from inpaint_benchmark.report.ratings import Stars, ratings_of
from inpaint_core.errors import InvalidRequest
from inpaint_core.ids import new_id
from inpaint_db import rubrics
from inpaint_db.rating_queries import save_rating
from inpaint_db.rating_sessions import SessionRow
from inpaint_db.rating_subjects import JobQuery
from inpaint_db.run_queries import find_run
from sqlalchemy import Connection


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


def items(scene: Scene, session: SessionRow, **where: Any) -> list[dict[str, Any]]:
    rows = scene.ask(
        """SELECT i.position, i.kind, i.purpose, i.model, s.name AS sample, t.number AS trial
             FROM rating_item i JOIN sample s ON s.id = i.sample_id LEFT JOIN trial t ON t.id = i.trial_ids[1]
            WHERE i.session_id = :id ORDER BY i.position""",
        id=session.id,
    )
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


def rate(scene: Scene, session: SessionRow, stars: int, *criteria: str, **where: Any) -> None:
    for row in items(scene, session, **{"purpose": "real", "kind": "output", **where}):
        give_stars(scene.connection, session, row["position"], stars, *criteria)


def summary_of(scene: Scene, model: str, criterion: str = "realism") -> dict[str, Any]:
    return scene.one(
        "SELECT * FROM bench.rating_summary WHERE run = 'test' AND model = :m AND criterion = :c AND NOT published",
        m=model, c=criterion,
    )  # fmt: skip


def test_means_are_over_raters_first_and_then_over_samples(scene: Scene) -> None:
    ada, bo = (make_rating_session(scene.connection, rater=name, check_share=0) for name in ("Ada", "Bo"))
    rate(scene, ada, 4, "realism", model="a", sample="one", trial=1)
    rate(scene, ada, 2, "realism", model="a", sample="one", trial=2)
    rate(scene, bo, 1, "realism", model="a", sample="one", trial=1)
    rate(scene, ada, 4, "realism", model="a", sample="two", trial=1)
    row = summary_of(scene, "a")
    assert row["stars"] == ((3 + 1) / 2 + 4) / 2
    counts = ("ratings", "items", "samples", "raters", "imported_raters", "raters_failing")
    assert tuple(row[name] for name in counts) == (4, 4, 2, 2, 0, 0)
    stars = ratings_of(scene.connection, find_run(scene.connection, "test"))[("a", "realism")]
    assert stars.mean == row["stars"] and stars.ratings == 4


def test_the_leaderboard_has_the_stars(scene: Scene) -> None:
    session = make_rating_session(scene.connection, check_share=0)
    rate(scene, session, 3, model="a")
    rate(scene, session, 2, kind="trials", model="a")
    a, b = scene.ask("SELECT * FROM bench.leaderboard WHERE run = 'test' ORDER BY model")
    names = ("realism", "adaptability", "consistency", "preservation", "reproducibility")
    assert [a[f"{name}_stars"] for name in names] == [3, 3, 3, 3, 2]
    assert (a["raters"], a["raters_failing"]) == (1, 0)
    assert [b[f"{name}_stars"] for name in names] == [None] * 5 and b["raters"] is None


def test_checks_are_in_no_mean_and_who_fails_them_is_still_counted(scene: Scene) -> None:
    session = make_rating_session(scene.connection, check_share=1.0)
    rate(scene, session, 2, model="a")
    for purpose in ("untouched", "damaged", "repeat"):
        rate(scene, session, 4, purpose=purpose)
    row = summary_of(scene, "a")
    assert (row["stars"], row["raters"], row["raters_failing"]) == (2, 1, 1)
    kinds = scene.ask("SELECT purpose, bool_and(passed) AS passed, count(passed) AS n FROM rating_check GROUP BY 1")
    found = {kind["purpose"]: kind["passed"] for kind in kinds}
    assert (found["untouched"], found["damaged"]) == (True, False)
    current = scene.ask("SELECT purpose, rater_checks, rater_checks_failed FROM bench.ratings_current")
    assert {each["purpose"] for each in current} == {"real", "untouched", "damaged", "repeat"}
    assert all(each["rater_checks_failed"] >= 3 for each in current)


def test_a_repeat_is_passed_with_one_star_off_and_failed_with_two(scene: Scene) -> None:
    for rater, off, passed in (("Ada", 1, True), ("Bo", 2, False)):
        session = make_rating_session(scene.connection, rater=rater, check_share=1.0)
        rate(scene, session, 2)
        rate(scene, session, 2 + off, purpose="repeat")
        verdicts = scene.ask(
            "SELECT passed FROM rating_check WHERE session_id = :id AND purpose = 'repeat' AND kind = 'output'",
            id=session.id,
        )
        assert {verdict["passed"] for verdict in verdicts} == {passed}


@pytest.mark.parametrize(
    ("stars", "fails"), [(0, "untouched"), (1, "untouched"), (2, "damaged"), (3, "damaged"), (4, "damaged")]
)
def test_whoever_gives_the_same_to_everything_fails_and_is_seen_to(scene: Scene, stars: int, fails: str) -> None:
    session = make_rating_session(scene.connection, check_share=1.0, seed=2)  # three of each but repeats
    every = items(scene, session)
    for row in every:
        give_stars(scene.connection, session, row["position"], stars)
    verdicts = scene.ask("SELECT purpose, bool_and(passed) AS all, bool_or(passed) AS any FROM rating_check GROUP BY 1")
    found = {row["purpose"]: (row["all"], row["any"]) for row in verdicts}
    assert found["repeat"] == (True, True) and found[fails] == (False, False)
    row = scene.one("SELECT * FROM bench.raters")
    assert (row["rater"], row["pictures"], row["failing"], row["same_share"]) == ("Ada", 8, True, 1)
    assert row["checks"] == len([each for each in every if each["purpose"] != "real"])
    assert summary_of(scene, "a")["raters_failing"] == 1
    assert scene.ask("SELECT DISTINCT rater_failing FROM bench.ratings_current") == [{"rater_failing": True}]
    (work,) = summarise(scene.connection, find_run(scene.connection, "test")).raters
    assert (work.failing, work.same_share) == (True, 1)


def test_whoever_slips_now_and_then_does_not_fail(scene: Scene) -> None:
    session = make_rating_session(scene.connection, check_share=1.0)
    rate(scene, session, 2)
    for purpose, stars in (("untouched", 4), ("damaged", 1), ("repeat", 2)):
        rate(scene, session, stars, purpose=purpose)
    slip = items(scene, session, purpose="untouched")[0]
    give_stars(scene.connection, session, slip["position"], 3, "preservation")
    row = scene.one("SELECT checks, checks_failed, failing FROM bench.raters")
    assert (row["checks"], row["checks_failed"], row["failing"]) == (8, 1, False)
    assert summary_of(scene, "a")["raters_failing"] == 0


def test_one_check_that_was_failed_is_too_few_to_judge_by(connection: Connection) -> None:
    scene = Scene(connection)
    scene.run("test", scene.dataset("one"), ["a", "b"])
    for model in "ab":
        scene.imported("test", model, "one")
    session = make_rating_session(connection, check_share=1.0)
    for row in items(scene, session):
        give_stars(connection, session, row["position"], 4 if row["purpose"] == "damaged" else 0)
    row = scene.one("SELECT checks, checks_failed, failing FROM bench.raters")
    assert row["checks_failed"] == row["checks"] == 2 and row["failing"] is False


def test_a_repeat_is_judged_by_all_criteria_together(scene: Scene) -> None:
    # Distances 2, 1, 1, 0: one star on average; 2, 1, 1, 1: more.
    for rater, last, passed in (("Ada", 2, True), ("Bo", 3, False)):
        session = make_rating_session(scene.connection, rater=rater, check_share=1.0)
        rate(scene, session, 2)
        rate(scene, session, 4, "realism", purpose="repeat")
        rate(scene, session, 3, "adaptability", "consistency", purpose="repeat")
        rate(scene, session, last, "preservation", purpose="repeat")
        verdicts = scene.ask(
            "SELECT passed FROM rating_check WHERE session_id = :id AND purpose = 'repeat' AND kind = 'output'",
            id=session.id,
        )
        assert {verdict["passed"] for verdict in verdicts} == {passed}


def test_agreement_counts_a_thing_once_by_the_first_stars(scene: Scene) -> None:
    for stars in (4, 2, 0):
        rate(scene, make_rating_session(scene.connection, rater="Ada", check_share=0), stars, "realism", model="a")
    rate(scene, make_rating_session(scene.connection, rater="Bo", check_share=0), 3, "realism", model="a")
    rows = scene.ask("SELECT kind, pairs, mean_difference, mixed_pairs FROM bench.agreement ORDER BY kind")
    assert [tuple(row.values()) for row in rows] == [("between", 4, -1, 0), ("within", 4, -2, 0)]
    about = summarise(scene.connection, find_run(scene.connection, "test")).criteria[0]
    assert isinstance(about.between, Alpha) and (about.between.units, about.between.values) == (4, 8)
    assert isinstance(about.within, Alpha) and (about.within.units, about.within.values) == (4, 8)


def test_agreement_in_production_is_of_jobs(scene: Scene) -> None:
    scene.job("a", campaign="spring")
    for rater, stars in (("Ada", 3), ("Bo", 1)):
        session = make_rating_session(scene.connection, rater=rater, check_share=0, query=JobQuery(campaign="spring"))
        item_id = scene.one("SELECT id FROM rating_item WHERE session_id = :id", id=session.id)["id"]
        save_rating(
            scene.connection, session.rater_id, rating_id=new_id(), item_id=item_id, criterion="realism", stars=stars
        )
    row = scene.one("SELECT run_id, run, kind, pairs, mean_difference FROM bench.agreement")
    assert tuple(row.values()) == (None, None, "between", 1, -2)


def test_rubrics_are_not_mixed_in_silence(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    rate(scene, make_rating_session(scene.connection, rater="Ada", check_share=0), 4, "realism")
    assert summary_of(scene, "a")["rubrics"] == "review 1"
    name, criteria = rubrics.read_rubric()
    changed = (replace(criteria[0], question="How unreal is it?"), *criteria[1:])
    monkeypatch.setattr(rubrics, "read_rubric", lambda: (name, changed))
    for rater in ("Bo", "Ada"):
        rate(scene, make_rating_session(scene.connection, rater=rater, check_share=0), 0, "realism", model="a")
    assert summary_of(scene, "a")["rubrics"] == "review 1 | review 2"
    assert summary_of(scene, "b")["rubrics"] == "review 1"
    board = scene.ask("SELECT model, rubrics FROM bench.leaderboard WHERE run = 'test' ORDER BY 1")
    assert [row["rubrics"] for row in board] == ["review 1 | review 2", "review 1"]
    row = scene.one("SELECT pairs, mixed_pairs FROM bench.agreement WHERE kind = 'between'")
    assert row == {"pairs": 4, "mixed_pairs": 4}
    run = find_run(scene.connection, "test")
    assert summarise(scene.connection, run).criteria[0].rubrics == ("review 1", "review 2")
    assert ratings_of(scene.connection, run)[("a", "realism")].notes == ("2 rubrics",)


def test_what_one_rater_gave_is_marked_wherever_there_is_an_interval(scene: Scene) -> None:
    session = make_rating_session(scene.connection, check_share=0)
    for sample, stars in (("one", 3), ("two", 1)):
        rate(scene, session, stars, "realism", sample=sample)
    run = find_run(scene.connection, "test")
    stars_ = ratings_of(scene.connection, run)[("a", "realism")]
    assert (stars_.low, stars_.high, stars_.notes) == (0, 4, ("one rater",))
    assert wording.stars(stars_) == "⭐⭐☆☆ 2.0 (0.0–4.0, one rater)"
    mean = summarise(scene.connection, run).criteria[0].models["a"].mean
    assert mean.note == "one rater: of the samples alone"


def test_agreement_is_between_raters_and_within_one(scene: Scene) -> None:
    ada = make_rating_session(scene.connection, rater="Ada", check_share=1.0, seed=3)
    bo = make_rating_session(scene.connection, rater="Bo", check_share=0, seed=4)
    rate(scene, ada, 3, "realism")
    rate(scene, ada, 2, "realism", purpose="repeat")
    rate(scene, bo, 3, "realism", model="a")
    rate(scene, bo, 1, "realism", model="b")
    between = scene.one("SELECT * FROM bench.agreement WHERE run = 'test' AND kind = 'between'")
    assert (between["rater_a"], between["rater_b"], between["pairs"]) == ("Ada", "Bo", 8)
    assert (between["equal_share"], between["within_one_share"]) == (0.5, 0.5)
    assert (between["mean_distance"], between["mean_difference"]) == (1, -1)
    within = scene.one("SELECT * FROM bench.agreement WHERE run = 'test' AND kind = 'within'")
    assert (within["rater_a"], within["rater_b"], within["mean_difference"]) == ("Ada", "Ada", -1)
    assert within["pairs"] == len(items(scene, ada, kind="output", purpose="repeat"))


def test_what_nobody_has_rated_is_listed(scene: Scene) -> None:
    session = make_rating_session(scene.connection, check_share=1.0)
    everything = "SELECT model, sample, kind, trial FROM bench.unrated WHERE run = 'test'"
    assert len(scene.ask(everything)) == 8 + 4
    rate(scene, session, 4, "realism", model="a")
    rate(scene, session, 4, purpose="untouched")  # says nothing of a model
    rate(scene, session, 4, kind="trials", model="a", sample="one")
    left = scene.ask(everything)
    assert len(left) == 4 + 3 and {row["model"] for row in left if row["kind"] == "output"} == {"b"}


def test_published_stars_stand_apart_and_are_marked(scene: Scene) -> None:
    scene.run("review", scene.dataset("one", name="other"), ["flux-1-fill-dev", "a"])
    run = find_run(scene.connection, "review")
    assert import_published_stars(scene.connection, "review", run) == Entered(new=5, there=0)
    assert import_published_stars(scene.connection, "review", run) == Entered(new=0, there=5)
    rows = scene.ask("SELECT * FROM bench.ratings_current WHERE run = 'review'")
    assert {(row["kind"], row["imported"], row["rater"], row["sample"]) for row in rows} == {
        ("model", True, "published review", None)
    }
    assert {row["criterion"]: row["stars"] for row in rows}["realism"] == 3
    row = scene.one("SELECT * FROM bench.rating_summary WHERE run = 'review' AND criterion = 'realism'")
    assert (row["published"], row["stars"], row["samples"], row["imported_raters"]) == (True, 3, 0, 1)
    assert (
        scene.ask("SELECT realism_stars FROM bench.leaderboard WHERE run = 'review'") == [{"realism_stars": None}] * 2
    )
    assert ratings_of(scene.connection, run) == {}
    with pytest.raises(InvalidRequest, match="gives no stars to the models of 'test'"):
        import_published_stars(scene.connection, "review", find_run(scene.connection, "test"))


def test_a_summary_has_all_of_it_and_can_be_written_as_json(scene: Scene) -> None:
    from inpaint_fleet.cli.console import plain

    for rater, more in (("Ada", 0), ("Bo", 1)):
        session = make_rating_session(scene.connection, rater=rater, check_share=1.0)
        for model, sample, stars in (("a", "one", 3), ("a", "two", 2), ("b", "one", 1), ("b", "two", 2)):
            rate(scene, session, stars + more, model=model, sample=sample)
        rate(scene, session, 2, purpose="repeat")
    found = summarise(scene.connection, find_run(scene.connection, "test"))
    assert [about.criterion for about in found.criteria] == ["realism", "adaptability", "consistency", "preservation"]
    realism = found.criteria[0]
    assert {model: standing.mean.value for model, standing in realism.models.items()} == {"a": 3.0, "b": 2.0}
    assert (realism.preferences["a"].wins, realism.preferences["a"].ties) == (2, 2)
    assert isinstance(realism.between, Alpha) and isinstance(realism.within, Alpha)
    assert realism.variances.trials == 0  # both trials of each got the same
    assert [(rater.rater, rater.ratings, rater.checks > 0) for rater in found.raters] == [
        ("Ada", 32, True),
        ("Bo", 32, True),
    ]
    assert json.loads(json.dumps(found, default=plain))["criteria"][0]["models"]["a"]["mean"]["value"] == 3.0


def test_a_report_without_variance_has_means_and_no_intervals(scene: Scene) -> None:
    session = make_rating_session(scene.connection, check_share=0)
    rate(scene, session, 4, "realism")
    run = find_run(scene.connection, "test")
    assert ratings_of(scene.connection, run) == {(m, "realism"): Stars(4.0, None, None, 4) for m in "ab"}
    about = summarise(scene.connection, run).criteria[0]
    assert about.between == Undefined("nothing was rated twice")
    assert about.variances.rest == Undefined("no variance")
