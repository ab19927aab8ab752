from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from factories import count, make_illustrated_job, make_output, make_rating, make_trial, make_worker, try_claim
from inpaint_core.errors import AccessDenied, DatabaseUnavailable, OperatorError, SchemaBehind
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.migrate import downgrade, head_revision, migrations_folder, require_current, upgrade
from inpaint_db.prices import set_hourly
from inpaint_db.schema import metadata
from inpaint_db.session import Database
from inpaint_db.views import VIEWS
from inpaint_db.web_keys import web_key
from outages import closed_port
from pydantic import SecretStr
from sqlalchemy import Connection, inspect, text


@pytest.fixture
def empty(empty_database: Settings) -> Iterator[Database]:
    with Database(empty_database, application="inpaint-test") as database:
        yield database


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def views(connection: Connection) -> set[str]:
    found = inspect(connection)
    schemas = {"public": "", "bench": "bench."}
    return {prefix + name for schema, prefix in schemas.items() for name in found.get_view_names(schema)}


def fill(connection: Connection) -> None:
    """One of everything."""
    set_hourly(connection, "cpu", 2.0)
    job_id = make_illustrated_job(connection, prompt="a sofa", tags={"room": "7"})
    claimed = try_claim(connection, job_id, make_worker(connection))
    assert claimed is not None
    finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport({"inference_s": 1.0}), [make_output(claimed)])
    make_trial(connection, job_id)
    make_rating(connection)
    web_key(connection)


# --- up and down ------------------------------------------------------------------------------------------------------


def test_an_empty_database_is_brought_to_the_newest_schema_and_back(empty: Database, empty_database: Settings) -> None:
    assert upgrade(empty_database) == (None, head_revision())
    with empty.read() as connection:
        assert tables(connection) == set(metadata.tables)
        assert views(connection) == set(VIEWS)
        require_current(connection)
    assert downgrade(empty_database, "base") == (head_revision(), None)
    with empty.read() as connection:
        assert tables(connection) == set() and views(connection) == set()
        assert "bench" not in inspect(connection).get_schema_names()


def test_a_database_with_data_goes_down_and_up_again(empty: Database, empty_database: Settings) -> None:
    upgrade(empty_database)
    with empty.begin() as connection:
        fill(connection)
        assert all(count(connection, table) for table in metadata.tables)
    downgrade(empty_database, "base")
    upgrade(empty_database)
    with empty.begin() as connection:
        fill(connection)
        assert count(connection, "job_report") == 1


def test_upgrading_twice_keeps_the_data(empty: Database, empty_database: Settings) -> None:
    upgrade(empty_database)
    with empty.begin() as connection:
        fill(connection)
    assert upgrade(empty_database) == (head_revision(), head_revision())
    with empty.read() as connection:
        assert count(connection, "job_report") == 1


def test_two_upgrades_at_once_take_turns(empty: Database, empty_database: Settings) -> None:
    # Processes, since Alembic's own context is a global of the process.
    assert empty_database.postgres_url is not None
    env = {**os.environ, "INPAINT_POSTGRES_URL": empty_database.postgres_url.get_secret_value()}
    program = "from inpaint_db.migrate import *; print(upgrade(load_settings())[1])"
    program = "from inpaint_core.settings import load_settings; " + program
    upgrades = [
        subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in upgrades]
    assert said == [head_revision()] * 3
    with empty.read() as connection:
        assert count(connection, "alembic_version") == 1


def test_an_upgrade_waits_for_one_that_runs_already(empty: Database, empty_database: Settings) -> None:
    lock = re.search(r"ADVISORY_LOCK = (\w+)", (migrations_folder() / "env.py").read_text(encoding="utf-8"))
    assert lock is not None
    done = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        with empty.begin() as other:
            other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(lock[1], 0)})
            upgrading = threads.submit(upgrade, empty_database)
            upgrading.add_done_callback(lambda _: done.set())
            assert not done.wait(0.5)
        assert upgrading.result(timeout=20)[1] == head_revision()


def test_an_upgrade_does_not_wait_long_for_a_table_that_somebody_uses(
    empty: Database, empty_database: Settings
) -> None:
    upgrade(empty_database)
    with empty.begin() as connection:
        connection.execute(text("LOCK TABLE job IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            downgrade(empty_database, "base")
    with empty.read() as connection:
        assert tables(connection) == set(metadata.tables)


# --- models and migrations agree --------------------------------------------------------------------------------------


def test_the_mapped_classes_are_what_the_migrations_make(connection: Connection) -> None:
    options = {"compare_type": True, "compare_server_default": True, "include_object": _no_views}
    assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def _no_views(_object: object, name: str, kind: str, *_: object) -> bool:
    return not (kind == "table" and name in VIEWS)


def test_constraints_and_indexes_are_the_same_in_classes_and_migrations(
    connection: Connection, empty: Database
) -> None:
    # Alembic does not compare checks, nor the conditions of indexes.
    written = text("""
        SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
        UNION ALL
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'""")
    with empty.begin() as other:
        metadata.create_all(other)
        by_classes = {row.name: row.definition for row in other.execute(written)}
    by_migrations = {row.name: row.definition for row in connection.execute(written)}
    ours = {name: found for name, found in by_migrations.items() if "alembic_version" not in name}
    assert len(ours) > 50
    assert ours == by_classes


def test_every_constraint_and_index_is_named_by_the_convention(connection: Connection) -> None:
    names = text("""
        SELECT conrelid::regclass::text AS of, conname AS name, contype::text AS kind FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')
           AND conrelid <> 'alembic_version'::regclass
        UNION ALL
        SELECT indrelid::regclass::text, c.relname, 'i' FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary
           AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype = 'u')""")
    prefix = {"c": "ck", "f": "fk", "p": "pk", "u": "uq", "i": "ix"}
    found = connection.execute(names).all()
    assert len(found) > 30
    assert [row.name for row in found if not row.name.startswith(f"{prefix[row.kind]}_{row.of}")] == []


def test_every_foreign_key_has_an_index_on_its_side_or_says_why_not(connection: Connection) -> None:
    bare = text("""
        SELECT k.conname FROM pg_constraint k
         WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND NOT EXISTS (
               SELECT 1 FROM pg_index i WHERE i.indrelid = k.conrelid
                  AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)""")
    # Models and their versions, environments, workers, datasets and ratings are never deleted; prices, runs and rubrics
    # are few.
    unneeded = {
        "fk_trial_model_model",
        "fk_trial_model_version_id_model_version",
        "fk_measure_sample_id_sample",
        "fk_model_version_model_model",
        "fk_run_dataset_version_id_dataset_version",
        "fk_job_model_model",
        "fk_job_worker_id_worker",
        "fk_price_model_model",
        "fk_worker_environment_id_environment",
        "fk_worker_model_model",
        "fk_attempt_environment_id_environment",
        "fk_rating_session_rubric_id_rubric",
        "fk_rating_session_run_id_run",
        "fk_rating_item_repeat_of_rating_item",
        "fk_rating_item_sample_id_sample",
        "fk_rating_supersedes_rating",
    }
    assert set(connection.execute(bare).scalars()) <= unneeded


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_says_what_it_means(connection: Connection, view: str) -> None:
    columns = text("""SELECT attname, col_description(attrelid, attnum) AS meaning FROM pg_attribute
                       WHERE attrelid = CAST(:view AS regclass) AND attnum > 0 AND NOT attisdropped""")
    found = {row.attname: row.meaning for row in connection.execute(columns, {"view": view})}
    assert len(found) > 2
    assert [name for name, meaning in found.items() if not (meaning and len(meaning) > 5)] == []
    described = text("SELECT obj_description(CAST(:view AS regclass))")
    assert connection.execute(described, {"view": view}).scalar_one()


def test_migrations_carry_a_date_and_are_one_line_of_descent() -> None:
    files = sorted((migrations_folder() / "versions").glob("*.py"))
    assert files and all(re.match(r"\d{8}_(\d+_)?\w+\.py", file.name) for file in files)
    parents = [re.search(r"^down_revision = (.*)$", Path(file).read_text(), re.MULTILINE) for file in files]
    assert len({match[1] for match in parents if match}) == len(files)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_database_that_was_never_migrated_says_what_to_run(empty: Database) -> None:
    with empty.read() as connection, pytest.raises(SchemaBehind, match=r"is empty, .*Run: inpaint db upgrade"):
        require_current(connection)


def test_a_question_to_a_database_that_was_never_migrated_says_what_to_run(empty: Database) -> None:
    with pytest.raises(SchemaBehind, match="Run: inpaint db upgrade"), empty.read() as connection:
        connection.execute(text("SELECT * FROM job"))


def test_a_database_of_a_newer_program_says_to_update_this_one(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '29990101_01'"))
    with database.read() as connection, pytest.raises(SchemaBehind, match=r"29990101_01.*Update this program"):
        require_current(connection)


def connect(settings: Settings) -> None:
    with Database(settings, application="inpaint-test") as database, database.read():
        pass


def with_url(settings: Settings, **parts: str) -> Settings:
    from urllib.parse import urlsplit

    assert settings.postgres_url is not None
    url = urlsplit(settings.postgres_url.get_secret_value())
    return settings.model_copy(update={"postgres_url": SecretStr(url._replace(**parts).geturl())})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_wrong_password_is_said_to_be_one_and_not_shown(servers: Settings, host: str) -> None:
    from urllib.parse import urlsplit

    assert servers.postgres_url is not None
    parts = urlsplit(servers.postgres_url.get_secret_value())
    wrong = with_url(servers, netloc=f"{parts.username}:hunter2@{host}:{parts.port}")
    with pytest.raises(AccessDenied, match="refused the user or password") as caught:
        connect(wrong)
    assert "hunter2" not in str(caught.value) and caught.value.address == f"{host}:{parts.port}"


def test_a_database_that_does_not_exist_is_named(servers: Settings) -> None:
    with pytest.raises(OperatorError, match=r'"nowhere" does not exist\. Create it'):
        connect(with_url(servers, path="/nowhere"))


def test_a_postgres_that_is_away_is_named_with_its_address(servers: Settings) -> None:
    port = closed_port()
    away = with_url(servers, netloc=f"me:hunter2@127.0.0.1:{port}")
    with pytest.raises(DatabaseUnavailable, match=f"127.0.0.1:{port} does not answer"):
        connect(away)
