"""A tier on its way: from the request to the worker, into the attempt, and out again in views. And what it loses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from factories import job_row, make_job, make_running, make_worker, row, try_claim
from inpaint_benchmark.report.making import make_report
from inpaint_benchmark.runs.measuring import measure_run, measure_waiting
from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import CannotDo, InvalidRequest, SettingsInvalid
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_core.tiers import Tier, TierUse
from inpaint_db.claims import AttemptReport, finish, requeue
from inpaint_db.dataset_queries import VersionRow
from inpaint_db.measure_queries import TIER_FACTS
from inpaint_db.presence import EnvironmentFacts, register_worker
from inpaint_db.queries import get_job, retry_jobs
from inpaint_db.run_queries import find_run
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from inpaint_worker.pipelines.base import Work
from inpaint_worker.serve import require_tier
from slow_jobs import ended, on_device, submit, until
from slow_worker import CARD, SlowWorker
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from test_bench_runs import begin, bring_in, measures, quiet, run_to_its_end, write_dataset


def attempts(database: Database, job_id: UUID) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Status, tier and parameters of the attempts of a job."""
    with database.read() as connection:
        statement = text("SELECT status, tier, parameters FROM attempt WHERE job_id = :id ORDER BY number")
        return [(row.status, row.tier, row.parameters) for row in connection.execute(statement, {"id": job_id})]


def wait(client: InpaintClient, job_id: UUID, relay: Relay | None = None) -> None:
    assert until(client, job_id, ended, relay).status is JobStatus.SUCCEEDED


# --- the claim --------------------------------------------------------------------------------------------------------


def test_the_requests_tier_goes_before_the_workers(connection: Connection) -> None:
    worker = make_worker(connection)
    said, unsaid = make_job(connection, tier="turbo"), make_job(connection)
    assert (job_row(connection, said)["tier"], job_row(connection, unsaid)["tier"]) == ("turbo", None)
    claimed = [try_claim(connection, job_id, worker, tier="fast") for job_id in (said, unsaid)]
    assert [each and each.tier for each in claimed] == ["turbo", "fast"]
    assert [row(connection, "attempt", job_id=job_id)["tier"] for job_id in (said, unsaid)] == ["turbo", "fast"]
    assert [get_job(connection, job_id).tier for job_id in (said, unsaid)] == ["turbo", "fast"]


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize(("named", "then"), [(None, "exact"), ("fast", "fast")])
def test_a_retry_keeps_the_tier_that_the_job_names_and_no_other(
    connection: Connection, by_hand: bool, named: str | None, then: str
) -> None:
    job_id, worker = make_job(connection, tier=named), make_worker(connection)
    claimed = try_claim(connection, job_id, worker, tier="fast")
    assert claimed is not None and claimed.tier == "fast"
    if by_hand:
        assert finish(connection, claimed, JobStatus.FAILED, AttemptReport())
        assert retry_jobs(connection, [job_id]) == [job_id]
    else:
        assert requeue(connection, claimed, AttemptReport(), counts=True)
    again = try_claim(connection, job_id, worker, tier="exact")
    assert again is not None and (again.number, again.tier) == (2, then)
    assert [row(connection, "attempt", job_id=job_id, number=n)["tier"] for n in (1, 2)] == ["fast", then]


@pytest.mark.parametrize("table", ["job", "attempt", "run"])
def test_the_database_knows_three_tiers(connection: Connection, table: str) -> None:
    make_running(connection)
    statement = f"UPDATE {table} SET tier = 'quick'"
    if table == "run":
        statement = "INSERT INTO run (id, name, dataset_version_id, models, seeds, tier) VALUES " \
            "(gen_random_uuid(), 'r', gen_random_uuid(), '{a}', '{1}', 'quick')"  # fmt: skip
    with pytest.raises(IntegrityError, match=f"ck_{table}_tier_known"):
        connection.execute(text(statement))


def test_an_attempt_of_which_nothing_is_said_is_exact(connection: Connection) -> None:
    claimed = make_running(connection)
    assert claimed.tier == "exact"
    with pytest.raises(IntegrityError):
        connection.execute(text("UPDATE attempt SET tier = NULL"))


def test_facts_of_a_tier_are_those_that_a_pipeline_tells() -> None:
    # Two attempts that differ in these alone were asked for the same: see `measure_queries`.
    assert set(TIER_FACTS) == {"tier", *TierUse.model_fields, *Work(4, 3).described()}


# --- the worker -------------------------------------------------------------------------------------------------------


def test_a_job_runs_in_the_tier_that_it_names_and_the_attempt_says_what_that_came_to(
    start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
) -> None:
    start_slow()
    fast, plain = submit(slow_client, "a chair", tier="fast"), submit(slow_client, "a chair")
    for job_id in (fast, plain):
        wait(slow_client, job_id)
    work = {"tier": "fast", "step_cache": 0.1, "network_passes": 4, "network_passes_computed": 3}
    assert attempts(database, fast) == [("succeeded", "fast", work)]
    assert attempts(database, plain) == [("succeeded", "exact", {})]
    assert (slow_client.get(fast).tier, slow_client.get(plain).tier) == ("fast", "exact")
    assert slow_client.result_bytes(fast) != slow_client.result_bytes(plain)


def test_several_outputs_add_up(
    start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
) -> None:
    start_slow()
    job_id = submit(slow_client, "a chair", tier="fast", outputs=3)
    wait(slow_client, job_id)
    ((_, _, parameters),) = attempts(database, job_id)
    assert parameters == {"tier": "fast", "step_cache": 0.1, "network_passes": 12, "network_passes_computed": 9}


def test_a_worker_that_is_set_to_a_tier_runs_what_names_none_in_it(
    start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, relay: Relay, database: Database
) -> None:
    first = start_slow(INPAINT_TIER="fast", INPAINT_LEASE_S="2", INPAINT_HEARTBEAT_S="0.5")
    named, unnamed = submit(slow_client, "a chair", tier="exact"), submit(slow_client, "a chair")
    for job_id in (named, unnamed):
        wait(slow_client, job_id)
    assert [attempts(database, job_id)[0][1] for job_id in (named, unnamed)] == ["exact", "fast"]
    lost = submit(slow_client, "sleep 1")
    until(slow_client, lost, on_device)
    first.kill()
    start_slow()
    wait(slow_client, lost, relay)
    assert [each[:2] for each in attempts(database, lost)] == [("lost", "fast"), ("succeeded", "exact")]


def test_a_job_that_names_no_tier_never_waits_for_one_that_its_model_has_lost(
    start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
) -> None:
    # Handed back before it ran, by a worker set to a tier that the card of the next one lacks.
    job_id = submit(slow_client, "a chair")
    facts = EnvironmentFacts("cpu", "Test CPU", None, None, "3.11", "Linux", {})
    with database.begin() as connection:
        other = register_worker(connection, CARD, facts, host="other", pid=1, version="0")
        claimed = try_claim(connection, job_id, other, model=CARD.name, tier="turbo")
        assert claimed is not None and requeue(connection, claimed, AttemptReport(), counts=False)
    assert Tier.TURBO not in CARD.tiers
    start_slow()
    wait(slow_client, job_id)
    assert [each[:2] for each in attempts(database, job_id)] == [("released", "turbo"), ("succeeded", "exact")]


def test_a_worker_is_not_started_in_a_tier_that_its_model_lacks(settings: Settings) -> None:
    require_tier(settings, CARD)
    require_tier(settings.model_copy(update={"tier": Tier.FAST}), CARD)
    turbo = settings.model_copy(update={"tier": Tier.TURBO})
    with pytest.raises(SettingsInvalid, match="INPAINT_TIER is turbo, and test-slow runs in exact and fast"):
        require_tier(turbo, CARD)
    with pytest.raises(SettingsInvalid, match="test-slow runs in exact alone"):
        require_tier(turbo, CARD.model_copy(update={"tiers": {}}))


def test_a_tier_that_a_model_lacks_is_refused_before_anything_is_stored(
    slow_client: InpaintClient, database: Database
) -> None:
    with pytest.raises(CannotDo, match="test-slow has no tier turbo"):
        submit(slow_client, "a chair", tier="turbo")
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM job")) == 0


def test_a_job_in_a_tier_that_the_workers_card_lacks_waits_for_another_worker(
    start_slow: Callable[..., SlowWorker], settings: Settings, database: Database
) -> None:
    start_slow()
    newer = CARD.model_copy(update={"tiers": {**CARD.tiers, Tier.TURBO: CARD.tiers[Tier.FAST]}})
    with InpaintClient(settings, catalogue=Catalogue({CARD.name: newer})) as client:
        job_id = submit(client, "a chair", tier="turbo")
        view = until(client, job_id, lambda view: view.error_code is not None)
    assert view.status is JobStatus.QUEUED
    assert "the tier turbo, which by this worker's catalogue test-slow cannot take" in (view.error_message or "")
    assert attempts(database, job_id)[0][:2] == ("released", "turbo")


# --- benchmarks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def version(database: Database, store: S3Store, tmp_path: Path) -> VersionRow:
    return bring_in(database, store, write_dataset(tmp_path))[0]


def losses(database: Database, run: UUID, sample: str = "one") -> dict[str, float | str]:
    found = measures(database, run)
    return {name: found[CARD.name, sample, 1, f"exact_{name}"] for name in ("psnr", "ssim", "delta_e")}


def ask(database: Database, statement: str, **values: Any) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [dict(row) for row in connection.execute(text(statement), values).mappings()]


def test_the_loss_of_a_tier_is_measured_against_the_same_in_exact(
    start_slow: Callable[..., SlowWorker],
    slow_client: InpaintClient,
    settings: Settings,
    database: Database,
    version: VersionRow,
) -> None:
    start_slow(INPAINT_TIER="fast")  # which a run does not leave to the worker
    exact = begin(slow_client, version, CARD.name, name="all", seeds=[7])
    fast = begin(slow_client, version, CARD.name, name="less", seeds=[7], tier=Tier.FAST)
    other = begin(slow_client, version, CARD.name, name="other-seed", seeds=[8], tier=Tier.FAST)
    for begun in (fast, other, exact):  # the one that it is held against comes last
        run_to_its_end(slow_client, settings, begun)
    none = dict.fromkeys(("psnr", "ssim", "delta_e"), "no_exact_trial")
    assert losses(database, fast.run.id) == losses(database, other.run.id) == none
    assert losses(database, exact.run.id) == dict.fromkeys(none, "is_exact")
    unknown = make_report(find_run_now(database, "less"), "md", settings, database, quiet)
    assert "What the tier fast of test-slow loses is not known" in unknown

    assert measure_waiting(find_run_now(database, "all"), settings, database, quiet) == {"less": 2}
    assert measure_waiting(find_run_now(database, "all"), settings, database, quiet) == {}
    found = losses(database, fast.run.id)
    assert found["psnr"] == pytest.approx(30.07, abs=0.01)  # every channel inside is off by 8 levels
    assert 0.5 < float(found["ssim"]) < 1 and 0.5 < float(found["delta_e"]) < 10
    assert losses(database, other.run.id) == none

    leaders = {row["run"]: row for row in ask(database, "SELECT * FROM bench.leaderboard")}
    assert {name: row["tier"] for name, row in leaders.items()} == {
        "all": "exact",
        "less": "fast",
        "other-seed": "fast",
    }
    less = leaders["less"]
    assert (less["exact_psnr"], less["computed_share"]) == (pytest.approx(30.07, abs=0.01), 0.75)
    assert [leaders["all"][name] for name in ("exact_psnr", "exact_ssim", "exact_delta_e", "computed_share")] == [
        None
    ] * 4
    (loss,) = ask(database, "SELECT * FROM bench.tier_loss")
    assert (loss["model"], loss["tier"], loss["trials"], loss["compared"], loss["samples"]) == (
        CARD.name,
        "fast",
        4,
        2,
        2,
    )
    assert (loss["exact_delta_e"], loss["uncompared_reason"]) == (less["exact_delta_e"], "no_exact_trial")
    assert loss["exact_delta_e_worst"] >= loss["exact_delta_e"]
    wide = ask(database, "SELECT DISTINCT run, tier, computed_share FROM bench.trial_wide ORDER BY run")
    assert [tuple(row.values()) for row in wide] == [
        ("all", "exact", None), ("less", "fast", 0.75), ("other-seed", "fast", 0.75),
    ]  # fmt: skip

    report = make_report(find_run_now(database, "less"), "md", settings, database, quiet)
    assert "test-slow (fast)" in report or "test-slow \\(fast\\)" in report
    assert "Made in the tier fast" in report and "differs from exact by a mean of" in report
    assert "tier" not in make_report(find_run_now(database, "all"), "md", settings, database, quiet)


def find_run_now(database: Database, name: str) -> Any:
    with database.read() as connection:
        return find_run(connection, name)


def test_the_newest_exact_trial_counts_and_no_other_options(
    start_slow: Callable[..., SlowWorker],
    slow_client: InpaintClient,
    settings: Settings,
    database: Database,
    store: S3Store,
    version: VersionRow,
) -> None:
    start_slow()
    grown = begin(slow_client, version, CARD.name, name="grown", seeds=[7], samples=["one"], edit={"grow": 4})
    fast = begin(slow_client, version, CARD.name, name="less", seeds=[7], samples=["one"], tier=Tier.FAST)
    for begun in (grown, fast):
        run_to_its_end(slow_client, settings, begun)
    assert losses(database, fast.run.id)["delta_e"] == "no_exact_trial"
    first, second = (
        begin(slow_client, version, CARD.name, name=name, seeds=[7], samples=["one"]) for name in ("first", "second")
    )
    for begun in (first, second):
        run_to_its_end(slow_client, settings, begun)
    pictures = {
        row["run"]: ObjectRef.parse(row["uri"])
        for row in ask(
            database,
            """SELECT r.name AS run, o.uri FROM run r JOIN trial t ON t.run_id = r.id JOIN output o USING (job_id)
                WHERE o.kind = 'result'""",
        )
    }
    # As if the newer one had made what the fast one did.
    store.put(pictures["second"], store.get(pictures["less"], 1 << 20), "image/png")
    measure_run(fast.run, settings, database, quiet)
    assert losses(database, fast.run.id) == {"psnr": "identical", "ssim": 1.0, "delta_e": 0.0}


def test_a_run_in_a_tier_that_a_model_lacks_leaves_no_run(
    slow_client: InpaintClient, database: Database, version: VersionRow
) -> None:
    with pytest.raises(CannotDo, match="test-slow has no tier turbo"):
        begin(slow_client, version, CARD.name, tier=Tier.TURBO)
    assert ask(database, "SELECT id FROM run") == []


def test_a_run_of_one_tier_is_another_than_that_of_the_other(
    slow_client: InpaintClient, database: Database, version: VersionRow
) -> None:
    exact = begin(slow_client, version, CARD.name)
    fast = begin(slow_client, version, CARD.name, tier=Tier.FAST)
    assert exact.run.name != fast.run.name and (exact.run.tier, fast.run.tier) == ("exact", "fast")
    assert begin(slow_client, version, CARD.name, tier=Tier.FAST).run.id == fast.run.id
    with pytest.raises(InvalidRequest, match="with other tier"):
        begin(slow_client, version, CARD.name, name=fast.run.name)
