"""While one job is on the device, the others are fetched, prepared, encoded and stored: it does not wait for that."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import pytest
from inpaint_benchmark.queue.running import measure_idle
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from sqlalchemy import text

pytest.importorskip("inpaint_worker.serve", reason="comes with the extra 'worker'")
#: Of the time that all else takes: the device may wait so long, and waits for all of it where nothing overlaps.
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of one run, seconds."""

    #: Between two jobs.
    idle_s: float
    #: What a job takes before and after the device.
    beside_s: float


def test_the_device_does_not_wait_for_what_can_be_done_meanwhile(settings: Settings) -> None:
    found = measured(settings)
    assert found.idle_s < SHARE * found.beside_s, (
        f"Between two jobs the device waited {found.idle_s:.3f} s, while all that a job needs beside it takes "
        f"{found.beside_s:.3f} s: preparing and storing no longer overlap the device."
    )


def test_with_one_job_in_hand_nothing_overlaps_and_the_measurement_tells(settings: Settings) -> None:
    found = measured(settings.model_copy(update={"worker_threads": 1}))
    assert found.idle_s > SHARE * found.beside_s


def measured(settings: Settings) -> Measured:
    """Some jobs through a pipeline that sleeps longer than all else takes, with a network before the object store."""
    idle = measure_idle(settings, jobs=6, seconds=1.2, s3_delay_s=0.1, pixels=512)
    assert idle.jobs == 6
    with Database(settings) as database, database.read() as connection:
        beside = connection.execute(
            text(
                "SELECT fetch_s + prepare_s + composite_s + encode_s + store_s FROM attempt WHERE status = 'succeeded'"
            )
        ).scalars()
        return Measured(statistics.median(idle.gap_ms) / 1000, statistics.median(float(one) for one in beside))
