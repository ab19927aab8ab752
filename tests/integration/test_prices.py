from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from factories import MODEL, job_row, make_job, make_output, make_running, make_worker, try_claim
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, Claimed, finish, requeue
from inpaint_db.prices import list_prices, set_hourly, set_per_image
from inpaint_db.queries import get_job
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

NOW = datetime.now(UTC)


def run(connection: Connection, *, inference_s: float | None = 36, hours_ago: float = 0, **worker: Any) -> Claimed:
    """A job that succeeded; 36 seconds are a hundredth of an hour."""
    claimed = make_running(connection, worker=make_worker(connection, **worker))
    at = {"at": NOW - timedelta(hours=hours_ago), "id": claimed.job_id}
    connection.execute(text("UPDATE attempt SET started_at = :at WHERE job_id = :id"), at)
    seconds = {} if inference_s is None else {"inference_s": inference_s}
    finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(seconds), [make_output(claimed)])
    return claimed


def cost(connection: Connection, claimed: Claimed) -> tuple[float | None, str | None]:
    view = get_job(connection, claimed.job_id)
    return view.cost_usd, view.cost_unknown_reason


def test_cost_is_seconds_on_the_device_times_its_price(connection: Connection) -> None:
    set_hourly(connection, "cpu", 2.0, valid_from=NOW - timedelta(days=1))
    assert cost(connection, run(connection)) == (pytest.approx(0.02), None)


def test_without_a_price_the_cost_is_unknown_and_says_for_which_device(connection: Connection) -> None:
    assert cost(connection, run(connection)) == (None, "no price for cpu Test CPU")


def test_a_free_device_costs_nothing_which_is_not_unknown(connection: Connection) -> None:
    set_hourly(connection, "cpu", 0, valid_from=NOW - timedelta(days=1))
    assert cost(connection, run(connection)) == (0, None)


def test_the_price_in_force_when_the_attempt_started_counts(connection: Connection) -> None:
    set_hourly(connection, "cpu", 1.0, valid_from=NOW - timedelta(hours=10))
    set_hourly(connection, "cpu", 3.0, valid_from=NOW - timedelta(hours=5))
    assert cost(connection, run(connection, hours_ago=20)) == (None, "no price for cpu Test CPU")
    assert cost(connection, run(connection, hours_ago=7)) == (pytest.approx(0.01), None)
    assert cost(connection, run(connection, hours_ago=5)) == (pytest.approx(0.03), None)
    assert cost(connection, run(connection)) == (pytest.approx(0.03), None)


def test_a_corrected_price_corrects_history(connection: Connection) -> None:
    claimed = run(connection, hours_ago=1)
    assert cost(connection, claimed)[0] is None
    set_hourly(connection, "cpu", 1.0, valid_from=NOW - timedelta(hours=2))
    assert cost(connection, claimed)[0] == pytest.approx(0.01)
    set_hourly(connection, "cpu", 2.0, valid_from=NOW - timedelta(hours=2))
    assert cost(connection, claimed)[0] == pytest.approx(0.02)


def test_the_price_of_a_named_device_beats_that_of_its_kind_even_if_it_is_older(connection: Connection) -> None:
    set_hourly(connection, "cuda", 4.0, device_name="NVIDIA H200", valid_from=NOW - timedelta(days=2))
    set_hourly(connection, "cuda", 1.0, valid_from=NOW - timedelta(days=1))
    assert cost(connection, run(connection, device_kind="cuda", device_name="NVIDIA H200"))[0] == pytest.approx(0.04)
    assert cost(connection, run(connection, device_kind="cuda", device_name="NVIDIA L4"))[0] == pytest.approx(0.01)
    assert cost(connection, run(connection))[1] == "no price for cpu Test CPU"


def test_a_new_price_ends_the_one_before_of_the_same_device_alone(connection: Connection) -> None:
    set_hourly(connection, "cuda", 1.0, valid_from=NOW - timedelta(days=2))
    set_hourly(connection, "cuda", 4.0, device_name="NVIDIA H200", valid_from=NOW - timedelta(days=2))
    set_hourly(connection, "cuda", 2.0, valid_from=NOW)
    found = {(row.device_name, row.usd_per_hour): row.valid_to for row in list_prices(connection)}
    assert found == {(None, 1.0): NOW, ("NVIDIA H200", 4.0): None, (None, 2.0): None}


def test_a_price_from_now_on_is_valid_at_once(connection: Connection) -> None:
    set_hourly(connection, "cpu", 2.0, note="list price of 2026")
    [price] = list_prices(connection)
    assert price.valid_from == connection.execute(text("SELECT now()")).scalar_one()
    assert price.note == "list price of 2026"


def test_a_job_that_did_not_reach_the_device_costs_nothing(connection: Connection) -> None:
    set_hourly(connection, "cpu", 2.0, valid_from=NOW - timedelta(days=1))
    assert cost(connection, run(connection, inference_s=None)) == (0.0, None)


def test_a_running_attempt_has_no_cost_yet(connection: Connection) -> None:
    set_hourly(connection, "cpu", 2.0, valid_from=NOW - timedelta(days=1))
    assert cost(connection, make_running(connection)) == (None, "still running")


def test_a_job_that_never_ran_says_so(connection: Connection) -> None:
    job_id = make_job(connection)
    view = get_job(connection, job_id)
    assert (view.cost_usd, view.cost_unknown_reason) == (None, "never ran")


def test_all_attempts_of_a_job_are_paid_for(connection: Connection) -> None:
    set_hourly(connection, "cpu", 1.0, valid_from=NOW - timedelta(days=1))
    worker = make_worker(connection)
    first = make_running(connection, worker=worker)
    requeue(connection, first, AttemptReport({"inference_s": 72}), counts=True)
    second = try_claim(connection, first.job_id, worker)
    assert second is not None
    finish(connection, second, JobStatus.SUCCEEDED, AttemptReport({"inference_s": 36}), [make_output(second)])
    assert cost(connection, second)[0] == pytest.approx(0.03)


def test_an_api_is_paid_by_the_image_and_only_for_images_that_were_made(connection: Connection) -> None:
    set_hourly(connection, "cpu", 100.0, valid_from=NOW - timedelta(days=1))
    made = run(connection)
    set_per_image(connection, MODEL, 0.04, valid_from=NOW - timedelta(days=1))
    assert cost(connection, made) == (pytest.approx(0.04), None)
    failed = make_running(connection)
    finish(connection, failed, JobStatus.FAILED, AttemptReport({"inference_s": 36}))
    assert cost(connection, failed) == (0.0, None)
    assert job_row(connection, failed.job_id)["status"] == "failed"


WINDOW = {"box": [0, 0, 64, 64], "size": [1024, 1024], "content": [1024, 1024]}


def test_each_window_is_an_image_that_an_api_is_paid_for_even_if_a_later_one_failed(connection: Connection) -> None:
    worker = make_worker(connection, device_kind="api", device_name="openai")
    set_per_image(connection, MODEL, 0.04, valid_from=NOW - timedelta(days=1))
    made = make_running(connection, worker=worker)
    report = AttemptReport({"inference_s": 36}, steps_done=3, steps_total=3, windows=[WINDOW] * 3)
    finish(connection, made, JobStatus.SUCCEEDED, report, [make_output(made)])
    assert cost(connection, made) == (pytest.approx(0.12), None)
    failed = make_running(connection, worker=worker)
    report = AttemptReport({"inference_s": 36}, steps_done=2, steps_total=3, windows=[WINDOW] * 3)
    finish(connection, failed, JobStatus.FAILED, report)
    assert cost(connection, failed) == (pytest.approx(0.08), None)


def test_without_a_price_of_its_images_the_cost_of_an_api_is_unknown(connection: Connection) -> None:
    set_hourly(connection, "cpu", 100.0, valid_from=NOW - timedelta(days=1))
    claimed = run(connection, device_kind="api", device_name="openai")
    assert cost(connection, claimed) == (None, f"no price for an image of {MODEL}")


@pytest.mark.parametrize(
    ("columns", "values", "constraint"),
    [
        ("device_kind", "'cpu'", "one_amount|hourly_is_for_a_device"),
        ("device_kind, usd_per_hour", "'cpu', -1", "not_negative"),
        ("usd_per_hour", "1", "hourly_is_for_a_device"),
        ("usd_per_image", "1", "per_image_is_for_a_model"),
        ("device_kind, usd_per_hour, valid_to", "'cpu', 1, now()", "valid_range"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(
    connection: Connection, columns: str, values: str, constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), connection.begin_nested():
        connection.execute(text(f"INSERT INTO price (id, {columns}) VALUES (gen_random_uuid(), {values})"))


def test_a_price_for_a_model_that_nobody_knows_is_refused(connection: Connection) -> None:
    with pytest.raises(IntegrityError, match="fk_price_model_model"), connection.begin_nested():
        set_per_image(connection, "nobody", 0.04)
