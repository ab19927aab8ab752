"""Tiers in the views: rows of one tier each, and what a quicker one loses. Answers are worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from bench_scene import Scene
from factories import make_job, make_output, make_rating_session, make_worker, try_claim
from inpaint_core.ids import new_id
from inpaint_core.status import JobStatus
from inpaint_core.tiers import TierUse
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.rating_queries import save_rating
from inpaint_db.rating_subjects import JobQuery
from sqlalchemy import Connection, text

# --- views of production ----------------------------------------------------------------------------------------------


def test_production_is_told_apart_by_tier(connection: Connection) -> None:
    worker = make_worker(connection)
    for tier, seconds in (("exact", 4.0), ("fast", 2.0), ("fast", 1.0)):
        claimed = try_claim(connection, make_job(connection, tier=tier), worker)
        assert claimed is not None
        report = AttemptReport(seconds={"inference_s": seconds})
        assert finish(connection, claimed, JobStatus.SUCCEEDED, report, [make_output(claimed)])
    failed = try_claim(connection, make_job(connection, tier="turbo"), worker)
    assert failed is not None and finish(
        connection, failed, JobStatus.FAILED, AttemptReport(), error_code="model_failed"
    )

    def rows(statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.execute(text(statement))]

    assert rows("SELECT tier, images, seconds_per_image FROM bench.cost_per_1k ORDER BY tier") == [
        ("exact", 1, 4.0), ("fast", 2, 1.5),
    ]  # fmt: skip
    assert rows("SELECT tier, attempts, inference_mean_s FROM bench.queue_wait ORDER BY tier") == [
        ("exact", 1, 4.0), ("fast", 2, 1.5), ("turbo", 1, None),
    ]  # fmt: skip
    assert rows("SELECT tier, error_code, jobs FROM bench.failures_by_kind") == [("turbo", "model_failed", 1)]
    assert rows("SELECT tier, count(*) FROM job_report GROUP BY tier ORDER BY tier") == [
        ("exact", 1), ("fast", 2), ("turbo", 1),
    ]  # fmt: skip


# --- views of runs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def scene(connection: Connection) -> Scene:
    """The runs `full` and `less`, of one model on two samples with two seeds; `less` is fast."""
    scene = Scene(connection)
    rooms = scene.dataset("one", "two")
    for run, tier in (("full", "exact"), ("less", "fast")):
        scene.run(run, rooms, ["a"], seeds=[1, 2], tier=tier)
        for sample in ("one", "two"):
            for number in (1, 2):
                scene.trial(run, "a", sample, number, attempts=[{"inference_s": 2.0, "queue_wait_s": 1.0}])
                scene.measure(run, "a", sample, number, seam_ratio=1.0 if run == "full" else 2.0)
    return scene


def test_a_loss_is_a_mean_over_trials_first_and_then_over_samples(scene: Scene) -> None:
    for sample, number, delta_e in (("one", 1, 1.0), ("one", 2, 3.0), ("two", 1, 4.0)):
        scene.measure("less", "a", sample, number, exact_delta_e=delta_e, exact_ssim=0.9, exact_psnr="identical")
    (loss,) = scene.ask("SELECT * FROM bench.tier_loss")
    assert (loss["trials"], loss["compared"], loss["identical"], loss["samples"]) == (4, 3, 3, 2)
    assert (loss["exact_delta_e"], loss["exact_delta_e_worst"], loss["exact_psnr"]) == ((2 + 4) / 2, 4.0, None)
    assert loss["exact_ssim"] == pytest.approx(0.9) and loss["uncompared_reason"] == "not measured"
    none = {f"exact_{name}": "no_exact_trial" for name in ("psnr", "ssim", "delta_e")}
    scene.measure("less", "a", "two", 2, **none)
    assert scene.one("SELECT uncompared_reason AS why FROM bench.tier_loss")["why"] == "no_exact_trial"
    scene.measure("less", "a", "two", 2, exact_delta_e=2.0, exact_ssim=0.9, exact_psnr=30.0)
    assert scene.one("SELECT uncompared_reason AS why, exact_delta_e, exact_psnr FROM bench.tier_loss") == {
        "why": None, "exact_delta_e": (2 + 3) / 2, "exact_psnr": 30.0,
    }  # fmt: skip
    leaders = scene.ask("SELECT run, exact_delta_e FROM bench.leaderboard ORDER BY run")
    assert leaders == [{"run": "full", "exact_delta_e": None}, {"run": "less", "exact_delta_e": 2.5}]


def test_what_a_tier_means_is_part_of_what_is_averaged(scene: Scene) -> None:
    """A deployment makes its fast tier ten times as fast between two runs: two losses, and no mean of them."""
    rooms = scene.one("SELECT dataset_version_id AS id FROM run WHERE name = 'less'")["id"]
    for run, threshold, delta_e in (("before", 0.05, 1.0), ("after", 0.5, 20.0)):
        scene.run(run, rooms, ["b"], tier="fast")
        for sample in ("one", "two"):
            used = {
                "steps": 28,
                "step_cache": threshold,
                "network_passes": 28,
                "network_passes_computed": 28 * threshold,
            }
            scene.trial(run, "b", sample, attempts=[{"inference_s": threshold, "parameters": used}])
            scene.measure(run, "b", sample, exact_delta_e=delta_e, exact_ssim=0.9, exact_psnr=30.0)
    two = {"step_cache=0.05": 1.0, "step_cache=0.5": 20.0}
    rows = scene.ask("SELECT * FROM bench.tier_loss WHERE model = 'b' ORDER BY tier_definition")
    assert {row["tier_definition"]: row["exact_delta_e"] for row in rows} == two
    assert [(row["trials"], row["compared"], row["samples"]) for row in rows] == [(2, 2, 2)] * 2
    assert [row["computed_share"] for row in rows] == [pytest.approx(0.05), pytest.approx(0.5)]
    wide = scene.ask(
        "SELECT tier_definition AS d, avg(exact_delta_e) AS e FROM bench.trial_wide WHERE model = 'b' GROUP BY 1"
    )
    assert {row["d"]: row["e"] for row in wide} == two
    leaders = scene.ask("SELECT run, tier_definition AS d FROM bench.leaderboard WHERE model = 'b' ORDER BY run")
    assert [tuple(row.values()) for row in leaders] == [("after", "step_cache=0.5"), ("before", "step_cache=0.05")]


def test_a_run_in_whose_middle_the_tier_was_changed_shows_both_meanings(scene: Scene) -> None:
    rooms = scene.one("SELECT dataset_version_id AS id FROM run WHERE name = 'less'")["id"]
    scene.run("mixed", rooms, ["b"], tier="turbo")
    for sample, used in (("one", {"guidance_until": 0.5}), ("two", {"guidance_until": 0.25, "step_cache": 0.1})):
        scene.trial("mixed", "b", sample, attempts=[{"parameters": used}])
    session = make_rating_session(
        scene.connection, run_id=scene.one("SELECT id FROM run WHERE name = 'mixed'")["id"], check_share=0
    )
    for item, stars in zip(
        scene.ask("SELECT id FROM rating_item WHERE session_id = :id ORDER BY sample_id", id=session.id), (1, 3),
        strict=True,
    ):  # fmt: skip
        save_rating(
            scene.connection, session.rater_id, rating_id=new_id(), item_id=item["id"], criterion="realism", stars=stars
        )
    both = "guidance_until=0.5 | step_cache=0.1, guidance_until=0.25"
    (leader,) = scene.ask(
        "SELECT tier_definition AS d, realism_stars AS stars FROM bench.leaderboard WHERE run = 'mixed'"
    )
    assert (leader["d"], leader["stars"]) == (both, 2.0)
    (summary,) = scene.ask("SELECT tier_definition AS d, stars FROM bench.rating_summary WHERE run = 'mixed'")
    assert (summary["d"], summary["stars"]) == (both, 2.0)
    single = scene.ask("SELECT tier_definition AS d FROM bench.ratings_current WHERE run = 'mixed' ORDER BY 1")
    assert [row["d"] for row in single] == both.split(" | ")


def test_what_is_not_known_of_a_tier_is_null_and_exact_leaves_nothing_out(scene: Scene) -> None:
    scene.run(
        "old", scene.one("SELECT dataset_version_id AS id FROM run WHERE name = 'less'")["id"], ["b"], tier="turbo"
    )
    scene.imported("old", "b", "one")
    rows = scene.ask("SELECT DISTINCT run, tier_definition FROM bench.trial_wide ORDER BY run")
    assert [tuple(row.values()) for row in rows] == [("full", ""), ("less", None), ("old", None)]
    rows = scene.ask("SELECT DISTINCT run, tier_definition FROM bench.cost_per_1k ORDER BY run")
    assert [tuple(row.values()) for row in rows] == [("full", ""), ("less", None), ("old", None)]
    (loss,) = scene.ask("SELECT * FROM bench.tier_loss WHERE model = 'b'")
    assert (loss["tier"], loss["tier_definition"], loss["trials"]) == ("turbo", None, 1)


def test_a_definition_names_all_that_a_tier_may_consist_of(scene: Scene) -> None:
    used = dict.fromkeys(TierUse.model_fields, 0.5)
    job_id = scene.job("b", attempts=[{"tier": "fast", "parameters": used | {"network_passes": 4}}])
    for view in ("attempt_tier", "attempt_report", "job_cost"):
        row = scene.one(f"SELECT tier_definition AS d FROM {view} WHERE job_id = :id", id=job_id)
        assert row["d"] == ", ".join(f"{name}=0.5" for name in used)


def test_a_models_other_version_is_another_row_of_loss(scene: Scene) -> None:
    for number, label in ((1, "base 1"), (2, "base 2")):
        scene.version("less", "a", "one", label, number)
        scene.measure("less", "a", "one", number, exact_delta_e=float(number), exact_ssim=0.9, exact_psnr=30.0)
    rows = scene.ask("SELECT model_version, exact_delta_e FROM bench.tier_loss ORDER BY model_version NULLS LAST")
    assert [tuple(row.values()) for row in rows] == [("base 1", 1.0), ("base 2", 2.0), (None, None)]


@pytest.mark.parametrize(
    "view", ["trial_wide", "leaderboard", "reproducibility", "pareto_front", "cost_per_1k", "queue_wait"]
)
def test_every_view_of_a_run_says_its_tier(scene: Scene, view: str) -> None:
    rows = scene.ask(f"SELECT DISTINCT run, tier FROM bench.{view} ORDER BY run")
    assert rows == [{"run": "full", "tier": "exact"}, {"run": "less", "tier": "fast"}]


def test_a_comparison_of_runs_names_both_tiers(scene: Scene) -> None:
    rows = scene.ask("SELECT DISTINCT run_a, tier_a, run_b, tier_b, better FROM bench.run_comparison ORDER BY run_a")
    assert [tuple(row.values()) for row in rows] == [
        ("full", "exact", "less", "fast", "a"), ("less", "fast", "full", "exact", "b"),
    ]  # fmt: skip


def test_production_is_told_apart_by_what_its_tier_meant(scene: Scene) -> None:
    for threshold, seconds in ((0.05, 4.0), (0.5, 1.0)):
        scene.job("b", attempts=[{"tier": "fast", "parameters": {"step_cache": threshold}, "inference_s": seconds}])
    session = make_rating_session(scene.connection, query=JobQuery(model="b"), check_share=0)
    stars = {0.05: 4, 0.5: 1}
    for item in scene.ask(
        """SELECT i.id, (a.parameters->>'step_cache')::float8 AS threshold
             FROM rating_item i JOIN attempt a ON a.job_id = i.job_id WHERE i.session_id = :id""",
        id=session.id,
    ):
        save_rating(
            scene.connection, session.rater_id, rating_id=new_id(), item_id=item["id"], criterion="realism",
            stars=stars[item["threshold"]],
        )  # fmt: skip
    for view, column, values in (
        ("cost_per_1k", "seconds_per_image", [4.0, 1.0]),
        ("rating_summary", "stars", [4.0, 1.0]),
        ("ratings_current", "stars", [4, 1]),
    ):
        rows = scene.ask(
            f"SELECT tier, tier_definition, {column} FROM bench.{view} WHERE model = 'b' ORDER BY tier_definition"
        )
        assert [tuple(row.values()) for row in rows] == [
            ("fast", "step_cache=0.05", values[0]), ("fast", "step_cache=0.5", values[1]),
        ], view  # fmt: skip


def test_stars_of_production_are_told_apart_by_tier(scene: Scene) -> None:
    for tier in ("exact", "fast"):
        scene.job("b", attempts=[{"tier": tier}])
    of_runs = make_rating_session(scene.connection, run_id=scene.one("SELECT id FROM run WHERE name = 'less'")["id"])
    production = make_rating_session(scene.connection, rater="Bo", query=JobQuery(model="b"))
    for session, stars in ((of_runs, 3), (production, None)):
        items = scene.ask(
            """SELECT i.id, a.tier FROM rating_item i JOIN attempt a ON a.job_id = i.job_id
                WHERE i.session_id = :id AND i.kind = 'output' AND i.purpose = 'real'""",
            id=session.id,
        )
        assert items
        for item in items:
            given = stars if stars is not None else {"exact": 4, "fast": 1}[item["tier"]]
            save_rating(
                scene.connection, session.rater_id, rating_id=new_id(), item_id=item["id"], criterion="realism",
                stars=given,
            )  # fmt: skip
    rows = scene.ask("SELECT run, model, tier, stars FROM bench.rating_summary ORDER BY run, tier")
    assert [tuple(row.values()) for row in rows] == [
        ("less", "a", "fast", 3.0), (None, "b", "exact", 4.0), (None, "b", "fast", 1.0),
    ]  # fmt: skip
    rows = scene.ask("SELECT DISTINCT run, tier, stars FROM bench.ratings_current ORDER BY run, tier")
    assert [tuple(row.values()) for row in rows] == [("less", "fast", 3), (None, "exact", 4), (None, "fast", 1)]
