"""Cleaning that only looks, that dies half way, and that meets another."""

from __future__ import annotations

from typing import Any

import pytest
from gc_scene import AgedStore, Scene, found
from inpaint_core.errors import StorageUnavailable
from inpaint_core.settings import Settings
from inpaint_db.retention import ADVISORY_LOCK
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.cleaning import Cleaner
from sqlalchemy import text


@pytest.fixture
def scene(settings: Settings, database: Database, client: InpaintClient) -> Scene:
    return Scene(settings, database, client)


def test_a_dry_run_tells_what_the_real_one_does_and_changes_nothing(scene: Scene) -> None:
    scene.some_of_everything()
    before = scene.jobs(), scene.stored(), scene.images()
    days = {"keep_succeeded_days": 15, "keep_failed_days": 15}
    dry = scene.clean(dry_run=True, **days)
    assert dry.dry_run and (scene.jobs(), scene.stored(), scene.images()) == before
    real = scene.clean(**days)
    assert real.deleted == dry.deleted and real.unknown == dry.unknown
    assert found(real) == {
        ("job", "succeeded_long_ago"): 3, ("job", "failed_long_ago"): 1, ("output", "job_deleted"): 3,
        ("output", "attempt_ended"): 1, ("input", "unused"): 3, ("image", "unused"): 3,
    }  # fmt: skip
    assert scene.missing() == set()
    assert scene.clean(**days).deleted == {}, "a second run finds nothing"


@pytest.mark.parametrize("after", range(4))
def test_a_cleaning_that_dies_leaves_no_row_that_names_a_missing_object(
    scene: Scene, settings: Settings, database: Database, after: int
) -> None:
    class Dying(AgedStore):
        """Dies in the middle of its n-th bulk delete."""

        calls = 0

        def delete_many(self, refs: Any) -> None:
            self.calls += bool(refs)
            if self.calls > after:
                super().delete_many(list(refs)[: len(refs) // 2])
                raise StorageUnavailable("Gone.")
            super().delete_many(refs)

    scene.some_of_everything()
    chosen = settings.model_copy(update={"keep_succeeded_days": 15, "keep_failed_days": 15})
    dying = Dying(settings)
    if after < 3:
        with pytest.raises(StorageUnavailable):
            Cleaner(chosen, database, dying).run()
    else:
        Cleaner(chosen, database, dying).run()
    assert scene.missing() == set()
    scene.clean(unknown=True, keep_succeeded_days=15, keep_failed_days=15)
    assert scene.missing() == set()
    assert (len(scene.jobs()), len(scene.stored("outputs/")), len(scene.stored("inputs/"))) == (2, 1, 3)
    assert scene.images() == 3


def test_only_one_cleans_at_a_time_and_a_dry_run_looks_beside_it(
    scene: Scene, settings: Settings, database: Database
) -> None:
    cleaner = Cleaner(settings, database, AgedStore(settings))
    with database.autocommit() as other:
        assert other.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_LOCK}).scalar_one()
        assert cleaner.run() is None
        assert cleaner.run(dry_run=True) is not None
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
    assert cleaner.run() is not None
    # The connection went back to its pool without the lock.
    with Database(settings) as elsewhere:
        assert Cleaner(settings, elsewhere, AgedStore(settings)).run() is not None


def test_a_cleaning_that_is_stopped_says_so(scene: Scene, settings: Settings, database: Database) -> None:
    scene.ended(days_ago=20)
    chosen = settings.model_copy(update={"keep_succeeded_days": 15})
    cleaned = Cleaner(chosen, database, AgedStore(settings)).run(stopped=lambda: True)
    assert cleaned is not None and not cleaned.complete and cleaned.deleted == {}
    assert len(scene.jobs()) == 1


def test_progress_is_told_as_it_goes(scene: Scene, settings: Settings, database: Database) -> None:
    scene.ended()
    told: list[tuple[str, int]] = []
    Cleaner(settings, database, AgedStore(settings)).run(
        progress=lambda step, cleaned: told.append((step, cleaned.looked_at))
    )
    assert [step for step, _ in told if step] and told[0] == ("outputs", 0) and told[-1] == ("images", 3)
