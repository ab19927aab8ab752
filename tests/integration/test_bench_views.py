"""Views of a run: trials, leaderboard, reproducibility, Pareto front. Answers are worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from bench_scene import START, Scene, painted
from inpaint_benchmark.metrics.registry import METRICS
from sqlalchemy import Connection

DAY = timedelta(days=1)


@pytest.fixture
def scene(connection: Connection) -> Scene:
    return Scene(connection)


def trial_of(scene: Scene, model: str, number: int = 1) -> dict[str, object]:
    return scene.one("SELECT * FROM bench.trial_wide WHERE run = 'r' AND model = :m AND trial = :n", m=model, n=number)


def leader(scene: Scene, model: str = "a", run: str = "r") -> dict[str, object]:
    return scene.one("SELECT * FROM bench.leaderboard WHERE run = :run AND model = :model", run=run, model=model)


# --- trial_wide -------------------------------------------------------------------------------------------------------


def test_every_metric_of_a_picture_is_a_column_of_a_trial(scene: Scene) -> None:
    columns = scene.ask("""SELECT column_name AS name FROM information_schema.columns
                            WHERE table_schema = 'bench' AND table_name = 'trial_wide'""")
    of_pictures = {metric.name for metric in METRICS.values() if metric.scope == "output"}
    assert len(of_pictures) == 33 and of_pictures <= {column["name"] for column in columns}


def test_a_trial_has_all_that_is_known_of_it(scene: Scene) -> None:
    scene.model("a", "The A")
    scene.run("r", scene.dataset("one", tags={"room": "kitchen"}), ["a"], seeds=[7])
    scene.price(3.6, START - DAY, device_kind="cuda")
    attempt = {
        "queue_wait_s": 4.0, "gpu_wait_s": 0.5, "inference_s": 10.0, "first_after_load": True,
        "peak_memory_bytes": 5_000_000_000, "peak_memory_kind": "cuda_allocated",
        **painted(28, (1024, 1024), (512, 256)),
    }  # fmt: skip
    job_id = scene.trial("r", "a", "one", attempts=[attempt])
    scene.version("r", "a", "one", "base 1a2b3c4d, bfloat16")
    scene.measure("r", "a", "one", seam_ratio=1.25, truth_effect_ssim="no_ground_truth")
    row = trial_of(scene, "a")
    assert row["cost_usd"] == pytest.approx(0.01)  # 10 s at 3.60 an hour
    wanted = {
        "run": "r", "run_created_at": START, "dataset": "rooms", "dataset_version": "1", "sample": "one",
        "sample_tags": {"room": "kitchen"}, "coverage": 0.25, "model": "a", "review_name": "The A",
        "model_version": "base 1a2b3c4d, bfloat16", "trial": 1, "seed": 7, "imported": False,
        "made_on": date(2026, 3, 2), "status": "succeeded", "cold": True, "attempts": 1, "queue_wait_s": 4.0,
        "gpu_wait_s": 0.5, "inference_s": 10.0, "total_s": 40.0, "cost_unknown_reason": None,
        "peak_memory_bytes": 5_000_000_000, "peak_memory_kind": "cuda_allocated", "device_kind": "cuda",
        "device_name": "GPU A", "torch_version": "2.9", "diffusers_version": "0.42", "source_width": 96,
        "source_height": 64, "painted_pixels": 1024 * 1024 + 512 * 256, "windows": 2, "steps": 28, "error_code": None,
        "job_id": job_id, "finished_at": START + timedelta(seconds=40), "seam_ratio": 1.25, "truth_effect_ssim": None,
        "outside_exact": None,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted


def test_what_has_not_run_has_no_numbers(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a", "b", "c"])
    scene.trial("r", "b", "one", status="queued", attempts=[])
    scene.trial("r", "c", "one", status="failed", attempts=[{"inference_s": None}], error_code="invalid_image")
    planned, queued, failed = (trial_of(scene, model) for model in "abc")
    assert (planned["status"], planned["job_id"], planned["cost_unknown_reason"]) == ("planned", None, "never ran")
    assert (queued["status"], queued["attempts"], queued["cost_unknown_reason"]) == ("queued", 0, "never ran")
    assert (failed["status"], failed["error_code"], failed["made_on"]) == ("failed", "invalid_image", None)
    for row in (planned, queued):
        for name in ("cost_usd", "inference_s", "cold", "steps", "painted_pixels", "made_on", "seam_ratio"):
            assert row[name] is None, name
    # The device was not used, which is known to cost nothing.
    assert failed["cost_usd"] == 0


def test_an_imported_trial_has_what_the_import_told(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"], seeds=[1, 2])
    told = {"inference_s": 9.5, "cost_usd": 0.02, "device_name": "An A100", "peak_memory_bytes": 7}
    scene.imported("r", "a", "one", 1, made_on=date(2024, 12, 1), **told)
    scene.imported("r", "a", "one", 2)
    full, bare = trial_of(scene, "a", 1), trial_of(scene, "a", 2)
    assert {name: full[name] for name in told} == told
    assert (full["imported"], full["status"], full["cold"], full["made_on"]) == (
        True, "succeeded", None, date(2024, 12, 1),
    )  # fmt: skip
    assert (bare["cost_usd"], bare["cost_unknown_reason"]) == (None, "not told by the import")


def test_a_retry_costs_too_and_what_a_lost_worker_cost_is_unknown(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a", "b"])
    scene.price(3600, START - DAY, device_kind="cuda")
    scene.trial("r", "a", "one", attempts=[{"inference_s": 2.0}, {"inference_s": 5.0}])
    scene.trial("r", "b", "one", attempts=[{"status": "lost"}, {"inference_s": 5.0}])
    retried, lost = trial_of(scene, "a"), trial_of(scene, "b")
    assert (retried["cost_usd"], retried["cost_unknown_reason"], retried["inference_s"]) == (7.0, None, 5.0)
    assert (lost["cost_usd"], lost["cost_unknown_reason"]) == (5.0, "the worker was lost before it told")


def test_only_the_current_version_of_a_metric_is_shown(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"], seeds=[1, 2])
    scene.connection.exec_driver_sql("""
        INSERT INTO metric SELECT name, 99, unit, direction, scope, description, false FROM metric
         WHERE name = 'seam_ratio'""")
    for number in (1, 2):
        scene.trial("r", "a", "one", number)
        scene.measure("r", "a", "one", number, version=99, seam_ratio=50.0)
    scene.measure("r", "a", "one", 1, seam_ratio=1.5)
    assert [trial_of(scene, "a", number)["seam_ratio"] for number in (1, 2)] == [1.5, None]
    assert leader(scene)["seam_ratio"] == 1.5
    scene.connection.exec_driver_sql("UPDATE metric SET current = false WHERE name = 'seam_ratio'")
    scene.connection.exec_driver_sql("UPDATE metric SET current = true WHERE name = 'seam_ratio' AND version = 99")
    assert leader(scene)["seam_ratio"] == 50.0


# --- leaderboard ------------------------------------------------------------------------------------------------------


def test_seconds_are_of_warm_trials_and_cold_ones_stand_apart(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"], seeds=range(1, 7))
    for number, seconds in enumerate((30.0, 1.0, 2.0, 3.0, 10.0), start=1):
        scene.trial("r", "a", "one", number, attempts=[{"inference_s": seconds, "first_after_load": number == 1}])
    scene.trial("r", "a", "one", 6, status="failed", attempts=[{"inference_s": 99.0}], error_code="gpu_memory")
    row = leader(scene)
    counts = ("trials", "succeeded", "failed", "samples", "warm_trials")
    assert tuple(row[name] for name in counts) == (6, 5, 1, 1, 4)
    assert (row["warm_median_s"], row["warm_mean_s"], row["cold_s"]) == (2.5, 4.0, 30.0)
    assert row["warm_p95_s"] == pytest.approx(3 + 0.85 * 7)  # between the third and the fourth of four


def test_a_sample_with_more_results_counts_no_more(scene: Scene) -> None:
    scene.run("r", scene.dataset("one", "two"), ["a"], seeds=[1, 2, 3])
    for number, value in enumerate((1.0, 2.0, 3.0), start=1):
        scene.trial("r", "a", "one", number)
        scene.measure("r", "a", "one", number, seam_ratio=value, inside_blank=float(number == 1))
    scene.trial("r", "a", "two", 1)
    scene.measure("r", "a", "two", 1, seam_ratio=8.0, inside_blank=0.0, truth_effect_psnr="no_ground_truth")
    scene.measure("r", "a", "one", None, trials_delta_e_mean=4.0)
    scene.measure("r", "a", "two", None, trials_delta_e_mean="one_trial")
    row = leader(scene)
    assert row["seam_ratio"] == (2 + 8) / 2  # not (1 + 2 + 3 + 8) / 4
    assert row["blank_share"] == pytest.approx((1 / 3 + 0) / 2)
    assert row["trials_delta_e_mean"] == 4.0
    assert (row["truth_effect_psnr"], row["trials_ssim_mean"]) == (None, None)


def test_a_price_that_is_unknown_for_one_is_unknown_for_the_mean(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"], seeds=[1, 2])
    scene.price(3600, START - DAY, device_kind="cuda", device_name="GPU A")
    scene.trial("r", "a", "one", 1, attempts=[{"inference_s": 1.0}])
    assert leader(scene)["cost_per_1k_usd"] == 1000
    scene.trial("r", "a", "one", 2, attempts=[{"inference_s": 1.0}], device=("cuda", "GPU B"))
    row = leader(scene)
    assert (row["cost_per_1k_usd"], row["cost_unknown_reason"]) == (None, "no price for cuda GPU B")
    assert row["device"] == "GPU A | GPU B"


def test_each_trial_is_paid_by_the_price_of_its_day(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"], seeds=[1, 2, 3])
    scene.price(3600, START, START + DAY, device_kind="cuda")
    scene.price(7200, START + DAY, device_kind="cuda")
    for number, at in enumerate((START, START + DAY, START + 9 * DAY), start=1):
        scene.trial("r", "a", "one", number, at=at, attempts=[{"inference_s": 1.0}])
    assert leader(scene)["cost_per_1k_usd"] == pytest.approx(1000 * (1 + 2 + 2) / 3)


def test_memory_is_the_most_and_a_changed_model_is_said_to_be_one(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"], seeds=[1, 2, 3])
    for number, (memory, side) in enumerate(((2e9, 1024), (3e9, 512), (1e9, 1024)), start=1):
        columns = {"peak_memory_bytes": int(memory), "peak_memory_kind": "cuda_allocated"}
        scene.trial("r", "a", "one", number, attempts=[columns | painted(28 if number < 3 else 4, (side, side))])
        scene.version("r", "a", "one", f"base {number % 2}", number)
    row = leader(scene)
    assert (row["peak_memory_gb"], row["steps"], row["model_version"]) == (3.0, 28, "base 0 | base 1")
    assert row["painted_pixels"] == pytest.approx((1024**2 + 512**2 + 1024**2) / 3)


def test_a_run_of_which_nothing_succeeded_says_so(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"])
    row = leader(scene)
    assert (row["trials"], row["succeeded"], row["failed"]) == (1, 0, 0)
    assert (row["cost_per_1k_usd"], row["cost_unknown_reason"]) == (None, "none has succeeded")
    for name in ("warm_median_s", "cold_s", "peak_memory_gb", "seam_ratio", "blank_share", "model_version", "device"):
        assert row[name] is None, name


# --- reproducibility --------------------------------------------------------------------------------------------------


def test_trials_of_a_sample_are_compared_among_themselves(scene: Scene) -> None:
    scene.run("r", scene.dataset("one", "two"), ["a"], seeds=[5, 5])
    for number in (1, 2):
        scene.trial("r", "a", "one", number)
    scene.trial("r", "a", "two", 1)
    scene.trial("r", "a", "two", 2, status="failed", error_code="gpu_memory")
    scene.measure(
        "r", "a", "one", None, trials_delta_e_mean=0.5, trials_delta_e_worst=0.7, trials_ssim_mean=0.9,
        trials_ssim_worst=0.8, trials_same_seed_identical=0.0,
    )  # fmt: skip
    scene.measure("r", "a", "two", None, trials_delta_e_mean="one_trial", trials_same_seed_identical="no_equal_seeds")
    one, two = scene.ask("SELECT * FROM bench.reproducibility WHERE run = 'r' ORDER BY sample")
    names = ("trials", "seeds", "trials_delta_e_mean", "trials_delta_e_worst", "trials_ssim_mean", "trials_ssim_worst",
             "identical", "unmeasured_reason")  # fmt: skip
    assert tuple(one[name] for name in names) == (2, 1, 0.5, 0.7, 0.9, 0.8, False, None)
    assert tuple(two[name] for name in names) == (1, 1, None, None, None, None, None, "one_trial")


# --- pareto_front -----------------------------------------------------------------------------------------------------


def test_a_model_is_on_the_front_unless_another_is_as_good_in_all_and_better_in_one(scene: Scene) -> None:
    models = {"cheap": (1.0, 0.5), "good": (5.0, 0.9), "beaten": (5.0, 0.8), "twin": (1.0, 0.5), "unpriced": (1.0, 1.0)}
    scene.run("r", scene.dataset("one"), [*models, "unmeasured"])
    scene.price(3600, START, device_kind="cuda", device_name="GPU A")
    for model, (seconds, ssim) in models.items():
        device = ("cuda", "GPU B" if model == "unpriced" else "GPU A")
        scene.trial("r", model, "one", attempts=[{"inference_s": seconds}], device=device)
        scene.measure("r", model, "one", truth_effect_ssim=ssim, seam_ratio=1.0)
    scene.trial("r", "unmeasured", "one", attempts=[{"inference_s": 0.1}])
    rows = {row["model"]: row for row in scene.ask("SELECT * FROM bench.pareto_front WHERE run = 'r'")}
    assert {model: row["on_front"] for model, row in rows.items()} == {
        "cheap": True, "good": True, "beaten": False, "twin": True, "unpriced": None, "unmeasured": None,
    }  # fmt: skip
    good = rows["good"]
    assert (good["cost_per_1k_usd"], good["seconds"], good["quality"], good["quality_is"]) == (
        5000, 5.0, 0.9, "truth_effect_ssim",
    )  # fmt: skip
    # Not judged by its seam beside others' likeness.
    assert (rows["unmeasured"]["quality"], rows["unmeasured"]["quality_is"]) == (None, "truth_effect_ssim")


def test_without_truth_a_model_is_judged_by_its_seam_and_by_what_is_not_blank(scene: Scene) -> None:
    scene.run("r", scene.dataset("one", "two"), ["a", "b"])
    for sample, blank in (("one", 1.0), ("two", 0.0)):
        scene.measure("r", "a", sample, seam_ratio=2.0, inside_blank=blank)
        scene.measure("r", "b", sample, seam_ratio=0.5, inside_blank=0.0)
    rows = scene.ask("SELECT quality, quality_is FROM bench.pareto_front WHERE run = 'r' ORDER BY model")
    assert [(row["quality"], row["quality_is"]) for row in rows] == [(0.25, "seamlessness"), (1.0, "seamlessness")]
