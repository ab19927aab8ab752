"""What cleaning deletes, and what it leaves alone, rule by rule."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from factories import count, encode, make_image, make_mask, make_request
from gc_scene import MODEL, Scene, found
from inpaint_core.catalogue import load_catalogue
from inpaint_core.ids import new_id
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, StoredOutput, finish, requeue
from inpaint_db.session import Database
from inpaint_db.submissions import NewJob, insert_jobs, register_models
from inpaint_producer import InpaintClient
from sqlalchemy import text

DAY_S = 86_400


@pytest.fixture
def scene(settings: Settings, database: Database, client: InpaintClient) -> Scene:
    return Scene(settings, database, client)


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_nothing_of_a_job_is_deleted_unless_the_operator_says_after_how_many_days(scene: Scene) -> None:
    for seed, status in enumerate(JobStatus):
        if status.is_final:
            scene.ended(status, days_ago=1000, seed=seed)
    before = scene.jobs(), scene.stored()
    assert scene.clean().deleted == {}
    assert (scene.jobs(), scene.stored()) == before


def test_a_job_that_succeeded_long_ago_goes_with_its_rows_and_its_objects(scene: Scene, database: Database) -> None:
    old = scene.ended(days_ago=30.1)
    young = scene.ended(days_ago=0, seed=1)
    cleaned = scene.clean(keep_succeeded_days=30)
    # The mask is shared with the young job; the source of the old one is free now.
    assert found(cleaned) == {
        ("job", "succeeded_long_ago"): 1,
        ("output", "job_deleted"): 1,
        ("input", "unused"): 1,
        ("image", "unused"): 1,
    }
    assert cleaned.deleted["output", "job_deleted"].size_bytes == 9
    assert scene.jobs() == {young}
    assert not scene.stored(f"outputs/{old}/") and scene.stored(f"outputs/{young}/")
    assert len(scene.stored("inputs/")) == 2 and scene.missing() == set()
    with database.read() as connection:
        assert [count(connection, table) for table in ("attempt", "output", "image")] == [1, 1, 2]


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED])
def test_jobs_without_a_result_have_days_of_their_own(scene: Scene, status: JobStatus) -> None:
    succeeded = scene.ended(days_ago=0)
    ended = scene.ended(status, days_ago=8)
    assert scene.clean(keep_succeeded_days=9, keep_failed_days=9).deleted == {}
    assert scene.jobs() == {succeeded, ended}
    assert found(scene.clean(keep_failed_days=7))["job", f"{status.value}_long_ago"] == 1
    assert scene.jobs() == {succeeded} and scene.missing() == set()


def test_jobs_that_wait_or_run_stay_however_old_they_are(scene: Scene) -> None:
    queued, running = scene.queued(1), scene.queued(2)
    stored = scene.leave(scene.running(running))
    scene.age(10_000)
    assert scene.clean(keep_succeeded_days=1, keep_failed_days=1, orphan_grace_s=0, unknown=True).deleted == {}
    assert scene.jobs() == {queued, running}
    assert scene.missing() == set() and stored.key in scene.stored()


def test_many_jobs_go_in_portions(scene: Scene, database: Database) -> None:
    with database.begin() as connection:
        register_models(connection, [load_catalogue().card(MODEL)])
        insert_jobs(connection, [NewJob(new_id(), make_request()) for _ in range(1100)], max_attempts=3)
        connection.execute(text("UPDATE job SET status = 'canceled', finished_at = now() - interval '3 days'"))
    assert found(scene.clean(keep_failed_days=2)) == {("job", "canceled_long_ago"): 1100}
    assert scene.jobs() == set()


def test_a_job_that_is_queued_again_at_the_same_time_stays(scene: Scene, database: Database) -> None:
    job_id = scene.ended(JobStatus.FAILED, days_ago=8)
    with database.begin() as connection:
        connection.execute(text("UPDATE job SET status = 'queued', finished_at = NULL"))
        assert scene.clean(keep_failed_days=7).deleted == {}  # locked: left for the next time
    assert scene.clean(keep_failed_days=7).deleted == {}
    assert scene.jobs() == {job_id} and scene.missing() == set()


# --- outputs ----------------------------------------------------------------------------------------------------------


def test_what_a_dead_attempt_left_goes_and_what_counts_stays(scene: Scene, database: Database) -> None:
    first = scene.running(scene.queued())
    lost = scene.leave(first)
    with database.begin() as connection:
        assert requeue(connection, first, AttemptReport(), counts=True)
        connection.execute(text("UPDATE job SET not_before = now()"))
    second = scene.running(first.job_id)
    current = scene.leave(second)
    cleaned = scene.clean()
    assert found(cleaned) == {("output", "attempt_ended"): 1}
    assert cleaned.deleted["output", "attempt_ended"].size_bytes == 9
    assert scene.stored("outputs/") == {current.key} and lost.key != current.key
    good = StoredOutput(str(current), hashlib.sha256(b"something").hexdigest(), "PNG", 96, 64, 9, 1)
    with database.begin() as connection:
        assert finish(connection, second, JobStatus.SUCCEEDED, AttemptReport(), [good])
    extra = scene.leave(second, "draft.png")
    assert found(scene.clean()) == {("output", "attempt_ended"): 1}
    assert scene.stored("outputs/") == {current.key} and extra.key not in scene.stored()


def test_every_object_of_a_dead_attempt_of_several_windows_goes(scene: Scene) -> None:
    names = ("result.webp", "region.png", "raw.png", "raw-2.png")
    dead = scene.running(scene.queued())
    left = [scene.leave(dead, name) for name in names]
    assert scene.clean().deleted == {}, "it may still be stored"
    with scene.database.begin() as connection:
        assert requeue(connection, dead, AttemptReport(), counts=True)
        connection.execute(text("UPDATE job SET not_before = now()"))
    next_one = scene.running(dead.job_id)
    kept = {scene.leave(next_one, name).key for name in names}
    assert found(scene.clean()) == {("output", "attempt_ended"): len(left)}
    assert scene.stored("outputs/") == kept


def test_leftovers_stay_for_the_grace(scene: Scene, store: S3Store) -> None:
    job_id = scene.ended(JobStatus.FAILED)
    left = scene.put(f"outputs/{job_id}/1/result.png")
    assert scene.clean(store).deleted == {}  # stored just now
    assert scene.clean(orphan_grace_s=11 * DAY_S).deleted == {}
    assert left.key in scene.stored()
    assert found(scene.clean()) == {("output", "attempt_ended"): 1}


def test_twelve_hundred_leftovers_go_in_pages(scene: Scene) -> None:
    job_id = scene.ended(JobStatus.FAILED)
    kept = scene.ended(seed=1)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: scene.put(f"outputs/{job_id}/1/{i:04}.png"), range(1200)))
    cleaned = scene.clean()
    assert found(cleaned) == {("output", "attempt_ended"): 1200}
    assert scene.stored("outputs/") == {f"outputs/{kept}/1/result.png"}
    assert scene.missing() == set()


# --- what is not ours -------------------------------------------------------------------------------------------------

_OTHERS = (
    "mine/room.png",
    f"mine/inputs/{'0' * 64}.png",
    "inputs/readme.txt",
    f"inputs/{'0' * 63}.png",
    f"inputs/2024/{'0' * 64}.png",
    "outputs/notes.txt",
    f"outputs/{new_id()}/notes.txt",
    f"outputs/{new_id()}/zero/result.png",
    "outputs/not-a-job/1/result.png",
    "probes/1",
)


def test_objects_that_the_fleet_would_not_name_so_are_never_touched(scene: Scene) -> None:
    for key in _OTHERS:
        scene.put(key)
    cleaned = scene.clean(unknown=True, orphan_grace_s=0)
    assert cleaned.deleted == {} and cleaned.unknown.count == 0
    assert scene.stored() == set(_OTHERS)


def test_objects_that_the_database_does_not_know_are_counted_and_go_only_if_somebody_says_so(scene: Scene) -> None:
    good = scene.ended()
    before = scene.stored()
    unknown = {scene.put(f"outputs/{new_id()}/1/result.png").key, scene.put(f"inputs/{'a' * 64}.png", b"12345").key}
    cleaned = scene.clean()
    assert cleaned.deleted == {} and (cleaned.unknown.count, cleaned.unknown.size_bytes) == (2, 14)
    assert scene.stored() == before | unknown
    cleaned = scene.clean(unknown=True)
    assert found(cleaned) == {("output", "unknown"): 1, ("input", "unknown"): 1} and cleaned.unknown.count == 0
    assert scene.stored() == before and scene.jobs() == {good} and scene.images() == 2


def test_an_empty_database_takes_nothing_out_of_a_full_bucket(scene: Scene, database: Database) -> None:
    scene.ended()
    before = scene.stored()
    with database.begin() as connection:
        connection.execute(text("TRUNCATE job, attempt, output, image CASCADE"))
    cleaned = scene.clean(keep_succeeded_days=1, keep_failed_days=1)
    assert cleaned.deleted == {} and cleaned.unknown.count == len(before) == 3
    assert scene.stored() == before


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_an_input_goes_when_no_job_is_left_that_names_it(scene: Scene, database: Database) -> None:
    one, two = scene.queued(), scene.queued()
    scene.age(100)
    for gone, expected in ((one, {}), (two, {("input", "unused"): 2, ("image", "unused"): 2})):
        with database.begin() as connection:
            connection.execute(text("DELETE FROM job WHERE id = :id"), {"id": gone})
        assert found(scene.clean()) == expected
    assert scene.stored() == set() and scene.images() == 0


def test_an_input_that_was_used_lately_stays(scene: Scene, database: Database) -> None:
    scene.queued()
    with database.begin() as connection:
        connection.execute(text("DELETE FROM job"))
    assert scene.clean().deleted == {}  # held by the submit just now, though the objects look old
    scene.age(0.9)
    assert scene.clean().deleted == {}
    scene.age(0.2)
    assert found(scene.clean()) == {("input", "unused"): 2, ("image", "unused"): 2}


def test_an_input_that_was_uploaded_lately_stays(scene: Scene, database: Database, store: S3Store) -> None:
    scene.queued()
    with database.begin() as connection:
        connection.execute(text("DELETE FROM job"))
        connection.execute(text("DELETE FROM image"))
    cleaned = scene.clean(store, unknown=True)
    assert cleaned.deleted == {} and cleaned.unknown.count == 0 and len(scene.stored("inputs/")) == 2


def test_an_input_that_a_job_names_only_by_its_address_stays(scene: Scene, database: Database, store: S3Store) -> None:
    scene.queued()
    with database.begin() as connection:
        uris = connection.execute(text("DELETE FROM job RETURNING source_uri, mask_uri")).one()
        # As a whole-request message enters it: addresses, and no content.
        request = make_request(source=uris.source_uri, mask=uris.mask_uri)
        insert_jobs(connection, [NewJob(new_id(), request)], max_attempts=3)
    scene.age(100)
    for _ in range(2):  # with its row, and without it
        scene.clean(unknown=True)
        assert len(scene.stored("inputs/")) == 2 and scene.missing() == set()
    with database.begin() as connection:
        connection.execute(text("DELETE FROM job"))
    assert found(scene.clean(unknown=True)) == {("input", "unknown"): 2}


def test_the_row_of_an_input_that_lies_elsewhere_goes_and_its_object_stays(scene: Scene, database: Database) -> None:
    room, mask = scene.put("mine/room.png", encode(make_image())), scene.put("mine/mask.png", encode(make_mask()))
    scene.client.submit(str(room), str(mask), model=MODEL)
    scene.age(100)
    assert scene.clean().deleted == {} and scene.images() == 2
    with database.begin() as connection:
        connection.execute(text("DELETE FROM job"))
    assert found(scene.clean()) == {("image", "unused"): 2}
    assert scene.images() == 0 and scene.stored() == {"mine/room.png", "mine/mask.png"}


def test_many_unused_inputs_go_in_portions(scene: Scene, database: Database) -> None:
    shas = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(450)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda sha: scene.put(f"inputs/{sha}.png"), shas))
    with database.begin() as connection:
        connection.execute(
            text("""INSERT INTO image (sha256, format, mode, width, height, size_bytes, last_used_at)
                    SELECT unnest(CAST(:shas AS text[])), 'PNG', 'L', 1, 1, 9, now() - interval '9 days'"""),
            {"shas": shas[:440]},
        )
    assert found(scene.clean(unknown=True)) == {
        ("input", "unused"): 440, ("image", "unused"): 440, ("input", "unknown"): 10
    }  # fmt: skip
    assert scene.stored() == set() and scene.images() == 0
