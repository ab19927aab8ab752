"""Views of ratings. Answers are worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bench_scene import Scene
from factories import give_stars, make_rating_session
from inpaint_benchmark.ratings.published import import_published_stars
from inpaint_benchmark.ratings.scores import Undefined
from inpaint_benchmark.ratings.statistics_agreement import Alpha
from inpaint_benchmark.ratings.summary import summarise
from inpaint_benchmark.report.ratings import Stars, ratings_of
from inpaint_core.errors import InvalidRequest
from inpaint_db.rating_sessions import SessionRow
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
    assert import_published_stars(scene.connection, "review", run) == 5
    assert import_published_stars(scene.connection, "review", run) == 0
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
