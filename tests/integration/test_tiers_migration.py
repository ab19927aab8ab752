"""The schema that knows tiers, and the way back: what was made with work left out is never taken for exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from factories import job_row, make_job, make_output, make_running, make_trial, make_worker, row, try_claim
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.migrate import downgrade, upgrade
from inpaint_db.session import Database
from sqlalchemy import Connection, text

BEFORE = "20261126_04"


@pytest.fixture
def live(empty_database: Settings) -> Iterator[Database]:
    """A database of the newest schema."""
    upgrade(empty_database)
    with Database(empty_database, application="inpaint-test") as database:
        yield database


def succeeded(connection: Connection, parameters: dict[str, Any] | None = None, **fields: Any) -> UUID:
    claimed = make_running(connection, **fields)
    report = AttemptReport(parameters=parameters)
    assert finish(
        connection, claimed, JobStatus.SUCCEEDED, report, [make_output(claimed), make_output(claimed, "region")]
    )
    return claimed.job_id


def tiers(database: Database) -> dict[UUID, str]:
    with database.read() as connection:
        return {row.job_id: row.tier for row in connection.execute(text("SELECT job_id, tier FROM attempt"))}


def test_what_ran_before_there_were_tiers_was_exact(live: Database, empty_database: Settings) -> None:
    downgrade(empty_database, BEFORE)
    with live.begin() as connection:
        connection.execute(text("INSERT INTO model (name, family, card) VALUES ('old', 'test', '{}')"))
        connection.execute(
            text("""
            WITH e AS (INSERT INTO environment (id, fingerprint, device_kind, device_name, python_version,
                                                operating_system, packages)
                       VALUES (gen_random_uuid(), 'f', 'cpu', 'c', '3.11', 'Linux', '{}') RETURNING id),
                 w AS (INSERT INTO worker (id, model, environment_id, host, pid, version)
                       SELECT gen_random_uuid(), 'old', e.id, 'h', 1, '0' FROM e RETURNING id, environment_id),
                 j AS (INSERT INTO job (id, model, status, source_uri, mask_uri, request_hash, max_attempts, attempt,
                                        finished_at)
                       VALUES (gen_random_uuid(), 'old', 'succeeded', 's3://a/b', 's3://a/b', '', 3, 1, now())
                       RETURNING id)
            INSERT INTO attempt (job_id, number, worker_id, environment_id, status, finished_at, parameters)
            SELECT j.id, 1, w.id, w.environment_id, 'succeeded', now(), '{"steps": 4}' FROM j, w""")
        )
    upgrade(empty_database)
    assert list(tiers(live).values()) == ["exact"]
    with live.read() as connection:
        assert connection.execute(text("SELECT tier FROM job")).scalars().all() == [None]
        assert connection.execute(text("SELECT tier FROM job_report")).scalars().all() == ["exact"]


def test_there_and_back_tiers_of_attempts_and_runs_are_what_they_were(live: Database, empty_database: Settings) -> None:
    with live.begin() as connection:
        fast = succeeded(connection, {"steps": 4, "tier": "fast"}, tier="fast")
        plain = succeeded(connection, {"steps": 4})
        lost = make_running(connection, tier="turbo").job_id
        make_trial(connection, fast)
        connection.execute(text("UPDATE run SET tier = 'fast', note = 'quick look'"))
    before = tiers(live)
    assert before == {fast: "fast", plain: "exact", lost: "turbo"}
    downgrade(empty_database, BEFORE)
    with live.read() as connection:
        assert row(connection, "attempt", job_id=fast)["parameters"] == {"steps": 4, "tier": "fast"}
        assert row(connection, "attempt", job_id=plain)["parameters"] == {"steps": 4}
        assert row(connection, "run", name="test")["note"] == "quick look (tier fast)"
    upgrade(empty_database)
    assert tiers(live) == before
    with live.read() as connection:
        run = row(connection, "run", name="test")
        assert (run["tier"], run["note"]) == ("fast", "quick look")
        assert connection.execute(text("SELECT tier FROM bench.leaderboard")).scalars().all() == ["fast"]


@pytest.mark.parametrize("note", ["", "quick look"])
def test_there_and_back_a_run_without_attempts_is_of_its_tier_by_its_note(
    live: Database, empty_database: Settings, note: str
) -> None:
    with live.begin() as connection:
        make_trial(connection, make_job(connection))
        connection.execute(text("UPDATE trial SET job_id = NULL"))
        connection.execute(text("UPDATE run SET tier = 'turbo', note = :note"), {"note": note})
    downgrade(empty_database, BEFORE)
    upgrade(empty_database)
    with live.read() as connection:
        run = row(connection, "run", name="test")
    assert (run["tier"], run["note"]) == ("turbo", note)


def test_jobs_that_wait_run_in_full_after_the_way_back(live: Database, empty_database: Settings) -> None:
    with live.begin() as connection:
        job_id = make_job(connection, tier="fast")
    downgrade(empty_database, BEFORE)
    with live.read() as connection:
        assert job_row(connection, job_id)["status"] == "queued"
    upgrade(empty_database)
    with live.begin() as connection:
        claimed = try_claim(connection, job_id, make_worker(connection))
        assert claimed is not None and claimed.tier == "exact"


def test_there_and_back_the_schema_is_the_same(live: Database, empty_database: Settings) -> None:
    def schema() -> list[Any]:
        with live.read() as connection:
            return [
                connection.execute(text(statement)).all()
                for statement in (
                    """SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default
                         FROM information_schema.columns WHERE table_schema IN ('public', 'bench') ORDER BY 1, 2, 3""",
                    """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
                        WHERE conrelid IN ('job'::regclass, 'attempt'::regclass, 'run'::regclass) ORDER BY 1""",
                )
            ]

    before = schema()
    downgrade(empty_database, BEFORE)
    assert schema() != before
    upgrade(empty_database)
    assert schema() == before
