"""Views that cover production, and the comparison of two runs. Answers are worked out by hand."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from bench_scene import START, Scene
from sqlalchemy import Connection

DAY = timedelta(days=1)


@pytest.fixture
def scene(connection: Connection) -> Scene:
    return Scene(connection)


# --- cost_per_1k ------------------------------------------------------------------------------------------------------


def test_a_new_price_begins_a_new_row_and_production_has_no_run(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"])
    scene.price(3600, START, START + DAY, device_kind="cuda")
    scene.price(7200, START + DAY, device_kind="cuda")
    scene.trial("r", "a", "one", attempts=[{"inference_s": 1.0}])
    for at, seconds in ((START, 2.0), (START + 2 * DAY, 2.0), (START + 3 * DAY, 4.0)):
        scene.job("a", at=at, attempts=[{"inference_s": seconds}])
    scene.job("a", "failed", attempts=[{"inference_s": 50.0}], error_code="gpu_memory")
    rows = scene.ask("SELECT * FROM bench.cost_per_1k WHERE model = 'a' ORDER BY run, usd_per_hour")
    found = [(row["run"], row["usd_per_hour"], row["jobs"], row["cost_per_1k_usd"]) for row in rows]
    assert found == [("r", 3600, 1, 1000), (None, 3600, 1, 2000), (None, 7200, 2, 1000 * (4 + 8) / 2)]
    end = START + timedelta(seconds=40)
    assert (rows[2]["first_at"], rows[2]["last_at"]) == (end + 2 * DAY, end + 3 * DAY)
    assert (rows[2]["seconds_per_image"], rows[2]["usd_per_image"]) == (3.0, None)


def test_a_job_with_several_outputs_made_several_images(scene: Scene) -> None:
    scene.price(0.02, START, model="vendor")
    api = ("api", "api.example.com")
    scene.job("vendor", outputs=3, device=api, attempts=[{"inference_s": 6.0, "windows": [{}, {}]}])
    scene.job("vendor", device=api, attempts=[{"inference_s": 2.0, "windows": [{}]}])
    row = scene.one("SELECT * FROM bench.cost_per_1k WHERE model = 'vendor'")
    # Two windows of three outputs are six calls, and one more.
    assert (row["jobs"], row["images"], row["usd_per_image"], row["usd_per_hour"]) == (2, 4, 0.02, None)
    assert row["cost_per_1k_usd"] == pytest.approx(1000 * 7 * 0.02 / 4)


def test_a_device_without_a_price_and_an_import_without_a_cost_say_why(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"], seeds=[1, 2])
    scene.trial("r", "a", "one", 1, attempts=[{"inference_s": 1.0}])
    scene.imported("r", "a", "one", 2, device_name="An A100")
    rows = scene.ask("SELECT * FROM bench.cost_per_1k WHERE run = 'r' ORDER BY device_name")
    assert [(row["device_name"], row["cost_per_1k_usd"], row["cost_unknown_reason"]) for row in rows] == [
        ("An A100", None, "not told by the import"),
        ("GPU A", None, "no price for cuda GPU A"),
    ]


def test_the_price_of_a_device_goes_before_that_of_its_kind(scene: Scene) -> None:
    scene.price(3600, START, device_kind="cuda")
    scene.price(36, START, START + DAY, device_kind="cuda", device_name="GPU A")
    for at in (START, START + DAY):
        scene.job("a", at=at, attempts=[{"inference_s": 1.0}])
    costs = scene.ask("SELECT cost_usd FROM attempt_cost ORDER BY cost_usd")
    assert [row["cost_usd"] for row in costs] == pytest.approx([0.01, 1.0])


def test_of_prices_that_overlap_the_one_that_began_last_is_in_force(scene: Scene) -> None:
    """Against a price by price look-up, over prices that nobody would enter by the command."""
    dice = random.Random(1)
    prices = []
    for usd in range(1, 30):
        begin = START + dice.randrange(20) * DAY
        end = None if dice.random() < 0.3 else begin + dice.randrange(1, 10) * DAY
        if begin not in [price[1] for price in prices]:
            prices.append((usd, begin, end))
            scene.price(usd, begin, end, device_kind="cuda")
    for day in range(-2, 35):
        at = START + day * DAY
        valid = [(begin, usd) for usd, begin, end in prices if begin <= at and (end is None or at < end)]
        job_id = scene.job("a", at=at, attempts=[{"inference_s": 3600.0}])
        found = scene.one("SELECT cost_usd FROM attempt_cost WHERE job_id = :id", id=job_id)["cost_usd"]
        assert found == (max(valid)[1] if valid else None), day


# --- queue_wait -------------------------------------------------------------------------------------------------------


def test_waits_are_told_by_day_run_and_model(scene: Scene) -> None:
    scene.run("r", scene.dataset("one"), ["a"])
    scene.trial("r", "a", "one", attempts=[{"queue_wait_s": 100.0}])
    for wait in range(11):
        scene.job("a", attempts=[{"queue_wait_s": float(wait), "gpu_wait_s": 2.0, "inference_s": 8.0}])
    scene.job("a", at=START + DAY, attempts=[{"queue_wait_s": 1.0}, {"queue_wait_s": 3.0}, {"queue_wait_s": None}])
    rows = scene.ask("SELECT * FROM bench.queue_wait WHERE model = 'a' ORDER BY day, run")
    run, today, tomorrow = rows
    assert (run["run"], run["attempts"], run["queue_wait_p50_s"], run["gpu_wait_mean_s"]) == ("r", 1, 100.0, None)
    names = ("day", "run", "attempts", "queue_wait_mean_s", "queue_wait_p50_s", "queue_wait_p90_s", "queue_wait_max_s")
    assert tuple(today[name] for name in names) == (date(2026, 3, 2), None, 11, 5.0, 5.0, 9.0, 10.0)
    assert today["queue_wait_p99_s"] == pytest.approx(9.9)
    assert (today["gpu_wait_mean_s"], today["inference_mean_s"]) == (2.0, 8.0)
    assert (tomorrow["day"], tomorrow["attempts"], tomorrow["queue_wait_mean_s"]) == (date(2026, 3, 3), 2, 2.0)


# --- failures_by_kind -------------------------------------------------------------------------------------------------


def test_failures_are_counted_by_code_with_the_newest_as_an_example(scene: Scene) -> None:
    scene.run("r", scene.dataset("one", "two"), ["a"])
    for sample in ("one", "two"):
        scene.trial("r", "a", sample, status="failed", error_code="gpu_memory", error_message="secret")
    scene.job("a", "failed", error_code="gpu_memory")
    newest = scene.job("a", "failed", at=START + DAY, error_code="gpu_memory")
    scene.job("a", "expired", attempts=[])
    scene.job("a", "canceled", error_code="canceled")
    scene.job("a")
    rows = scene.ask("SELECT * FROM bench.failures_by_kind WHERE model = 'a' ORDER BY run, error_code")
    found = [(row["run"], row["status"], row["error_code"], row["jobs"], row["samples"]) for row in rows]
    assert found == [
        ("r", "failed", "gpu_memory", 2, 2),
        (None, "expired", "expired", 1, 0),
        (None, "failed", "gpu_memory", 2, 0),
    ]
    assert (rows[2]["example_job"], rows[2]["last_at"]) == (newest, START + DAY + timedelta(seconds=40))


# --- run_comparison ---------------------------------------------------------------------------------------------------


def compare(scene: Scene, a: str, b: str) -> dict[tuple[str, str, str], tuple[object, ...]]:
    rows = scene.ask("SELECT * FROM bench.run_comparison WHERE run_a = :a AND run_b = :b", a=a, b=b)
    return {
        (row["model"], row["sample"], row["metric"]): (
            row["value_a"], row["value_b"], row["difference"], row["better"],
        )
        for row in rows
    }  # fmt: skip


@pytest.mark.parametrize("role", ["truth", "object_mask", "effect_mask", "reference"])
def test_samples_with_another_picture_are_others(scene: Scene, role: str) -> None:
    for number, run in enumerate(("before", "after")):
        scene.run(run, scene.dataset("one", version=str(number), **{role: f"{role} {number}"}), ["a"])
        scene.measure(run, "a", "one", 1, truth_effect_ssim=0.5)
    assert compare(scene, "before", "after") == {}


def test_two_runs_are_compared_sample_by_sample(scene: Scene) -> None:
    version = scene.dataset("one", "two")
    for run in ("before", "after"):
        scene.run(run, version, ["a", "b"], seeds=[1, 2])
    scene.measure("before", "a", "one", 1, seam_ratio=1.0, truth_effect_ssim=0.5, inside_change_mean=1.0)
    scene.measure("before", "a", "one", 2, seam_ratio=2.0, truth_effect_ssim="no_ground_truth")
    scene.measure("before", "a", "two", 1, seam_ratio=4.0)
    scene.measure("before", "a", "one", None, trials_ssim_mean=0.9)
    scene.measure("after", "a", "one", 1, seam_ratio=1.0, truth_effect_ssim=0.75, inside_change_mean=2.0)
    scene.measure("after", "a", "one", None, trials_ssim_mean=0.4)
    scene.measure("after", "a", "two", 1, seam_ratio="flat_outside")
    scene.measure("after", "b", "one", 1, seam_ratio=1.0)
    found = compare(scene, "before", "after")
    assert found == {
        ("a", "one", "seam_ratio"): (1.5, 1.0, -0.5, "b"),
        ("a", "one", "truth_effect_ssim"): (0.5, 0.75, 0.25, "b"),
        ("a", "one", "inside_change_mean"): (1.0, 2.0, 1.0, None),
        ("a", "one", "trials_ssim_mean"): (0.9, 0.4, -0.5, "a"),
        ("a", "two", "seam_ratio"): (4.0, None, None, None),
    }
    assert compare(scene, "after", "before")["a", "one", "seam_ratio"] == (1.0, 1.5, 0.5, "a")


def test_a_mean_that_differs_in_its_last_digit_is_the_same(scene: Scene) -> None:
    version = scene.dataset("one")
    for run in ("before", "after"):
        scene.run(run, version, ["a"], seeds=[1, 2, 3])
    for number, value in enumerate((0.1, 0.2, 0.3), start=1):
        scene.measure("before", "a", "one", number, seam_ratio=value)
        scene.measure("after", "a", "one", 4 - number, seam_ratio=value)
    assert compare(scene, "before", "after")["a", "one", "seam_ratio"][-1] == "same"


def test_samples_are_the_same_in_two_versions_of_a_dataset_if_pictures_and_prompt_are(scene: Scene) -> None:
    scene.run("before", scene.dataset("one", "two"), ["a"])
    scene.run("after", scene.dataset("one", "two", "three", version="2"), ["a"])
    scene.connection.exec_driver_sql("""
        UPDATE sample SET prompt = 'another' WHERE name = 'two' AND dataset_version_id =
               (SELECT id FROM dataset_version WHERE dataset = 'rooms' AND version = '2')""")
    for run in ("before", "after"):
        for sample in ("one", "two"):
            scene.measure(run, "a", sample, seam_ratio=1.0)
    assert set(compare(scene, "before", "after")) == {("a", "one", "seam_ratio")}
