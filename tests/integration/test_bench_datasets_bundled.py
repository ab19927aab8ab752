"""The dataset of the package, in a database that may know an older one, or another of that name."""

from __future__ import annotations

import pytest
from factories import LIMITS
from inpaint_benchmark.datasets import bundled
from inpaint_benchmark.runs.starting import resolve_dataset
from inpaint_core.s3 import S3Store
from inpaint_db.dataset_queries import NewSample, insert_version, list_samples, list_versions
from inpaint_db.session import Database
from sqlalchemy import text
from test_bench_runs import quiet

NAME = "furniture-rooms"


def known(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.version for row in list_versions(connection)]


def as_older(database: Database, version: str) -> None:
    """What was brought in is taken for what an older package brought along."""
    with database.begin() as connection:
        values = {"version": version, "sha": "0" * 64}
        connection.execute(text("UPDATE dataset_version SET version = :version, content_sha256 = :sha"), values)


def test_a_newer_one_of_the_package_is_brought_in_when_a_run_names_it(database: Database, store: S3Store) -> None:
    first = resolve_dataset(NAME, database, store, LIMITS, quiet)
    assert first.version == bundled(NAME).version
    as_older(database, "0.9")
    assert resolve_dataset(f"{NAME}@0.9", database, store, LIMITS, quiet).id == first.id
    assert known(database) == ["0.9"]
    newest = resolve_dataset(NAME, database, store, LIMITS, quiet)
    assert (newest.version, newest.samples) == (first.version, 10)
    assert known(database) == [first.version, "0.9"]
    assert resolve_dataset(NAME, database, store, LIMITS, quiet).id == newest.id


@pytest.mark.parametrize("wanted", [NAME, f"{NAME}@mine"])
def test_one_of_that_name_that_a_user_brought_in_later_stays_the_newest(
    database: Database, store: S3Store, wanted: str
) -> None:
    first = resolve_dataset(NAME, database, store, LIMITS, quiet)
    with database.begin() as connection:
        sample = list_samples(connection, first.id)[0]
        connection.execute(text("UPDATE dataset_version SET imported_at = imported_at - interval '1 day'"))
        images = {role: sha256 for role, (sha256, _) in sample.images.items()}
        own = NewSample("one", images, sample.width, sample.height, sample.coverage)
        mine, _ = insert_version(connection, NAME, "mine", "1" * 64, [own])
    assert resolve_dataset(wanted, database, store, LIMITS, quiet).id == mine.id
