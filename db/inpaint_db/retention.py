"""What may be deleted, as the database sees it: jobs that were kept long enough, and objects that nothing refers to.

Nothing here is asked for what a queued or running job needs, and no transaction holds more than a portion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from uuid import UUID

from inpaint_core.images import ImageFacts
from sqlalchemy import Connection, text

from inpaint_db.datasets import SAMPLE_IMAGES
from inpaint_db.session import Database
from inpaint_db.submissions import insert_images

#: Any number, as long as every version of this program uses the same.
ADVISORY_LOCK = 0x1A9A1318


@dataclass(frozen=True, slots=True)
class Keep:
    """How many days jobs stay after their end. None: for ever."""

    succeeded_days: int | None = None
    #: Failed, canceled and expired jobs.
    failed_days: int | None = None


#: No job may go: what is asked with this heeds every row that is there.
EVERYTHING = Keep()

# Whether the job `j` was kept long enough. Trials of benchmarks and what was rated need their jobs for ever; a table
# that does, too, is added here.
_PAST = """coalesce((
    (j.status = 'succeeded' AND j.finished_at < now() - make_interval(days => CAST(:succeeded_days AS int)))
 OR (j.status IN ('failed', 'canceled', 'expired')
     AND j.finished_at < now() - make_interval(days => CAST(:failed_days AS int))))
 AND NOT EXISTS (SELECT FROM trial t WHERE t.job_id = j.id)
 AND NOT EXISTS (SELECT FROM rating_item i WHERE i.job_id = j.id), false)"""

# Every reference to an input by its content. A table that refers to images is added here as one more UNION ALL; its
# foreign key to `image` is what makes the lock below hold against it.
_OF_SAMPLES = " ".join(f"UNION ALL SELECT s.{role}_sha256 FROM sample s" for role in SAMPLE_IMAGES)  # noqa: S608
_REFERENCED_IMAGES = f"""
    SELECT j.source_sha256 AS sha256 FROM job j WHERE NOT {_PAST}
    UNION ALL
    SELECT j.mask_sha256 FROM job j WHERE NOT {_PAST}
    UNION ALL
    SELECT j.reference_sha256 FROM job j WHERE j.reference_sha256 IS NOT NULL AND NOT {_PAST}
    UNION ALL
    SELECT j.control_sha256 FROM job j WHERE j.control_sha256 IS NOT NULL AND NOT {_PAST}
    {_OF_SAMPLES}
    UNION ALL
    SELECT t.output_sha256 FROM trial t WHERE t.output_sha256 IS NOT NULL"""  # noqa: S608  (text of this module)

# Every reference to an input by its address alone: jobs that came as a whole message know no content. A table that
# refers to objects without an `image` row is added here.
_REFERENCED_OBJECTS = f"""
    SELECT j.source_uri AS uri FROM job j
     WHERE j.source_sha256 IS NULL AND j.source_uri = ANY(:uris) AND NOT {_PAST}
    UNION
    SELECT j.mask_uri FROM job j
     WHERE j.mask_sha256 IS NULL AND j.mask_uri = ANY(:uris) AND NOT {_PAST}
    UNION
    SELECT j.reference_uri FROM job j
     WHERE j.reference_sha256 IS NULL AND j.reference_uri = ANY(:uris) AND NOT {_PAST}
    UNION
    SELECT j.control_uri FROM job j
     WHERE j.control_sha256 IS NULL AND j.control_uri = ANY(:uris) AND NOT {_PAST}"""  # noqa: S608

_UNUSED = f"NOT EXISTS (SELECT FROM ({_REFERENCED_IMAGES}) r WHERE r.sha256 = i.sha256)"
_LONG_UNUSED = "i.last_used_at < now() - make_interval(secs => :grace_s)"


# Thousands of jobs may share one mask. From that the planner concludes that reading the whole table finds one at once,
# which for an image that no job names means reading all of it.
_BY_INDEX = text("SET LOCAL enable_seqscan = off")


@contextmanager
def only_one(database: Database) -> Iterator[bool]:
    """Whether this is the only cleaning on the database; if so, it stays that until the end of the block.

    It saves work and is not what makes cleaning safe: a lost connection gives the lock away.
    """
    with database.autocommit() as connection:
        values = {"key": ADVISORY_LOCK}
        mine = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), values).scalar_one())
        try:
            yield mine
        finally:
            # The connection goes back to its pool, and would keep the lock there. A broken one has lost it anyway.
            if mine and not connection.invalidated:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), values)


# --- jobs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OldJobs:
    """Jobs of one status that go, and the outputs that are recorded of them."""

    status: str
    jobs: int
    outputs: int
    output_bytes: int


_COUNT_PAST = text(f"""
SELECT j.status, count(DISTINCT j.id) AS jobs, count(o.id) AS outputs,
       coalesce(sum(o.size_bytes), 0)::bigint AS output_bytes
  FROM job j LEFT JOIN output o ON o.job_id = j.id AND starts_with(o.uri, :prefix)
 WHERE {_PAST} GROUP BY j.status
""")  # noqa: S608


def count_past(connection: Connection, keep: Keep, *, prefix: str) -> list[OldJobs]:
    """What `delete_past` would delete in all; of outputs, those whose address begins with `prefix`."""
    rows = connection.execute(_COUNT_PAST, {**asdict(keep), "prefix": prefix})
    return [OldJobs(**row._mapping) for row in rows]


@dataclass(frozen=True, slots=True)
class DeletedJob:
    """A job that is gone with its attempts, and the objects (address, bytes) that were recorded of it."""

    id: UUID
    status: str
    outputs: tuple[tuple[str, int], ...]


# A job that somebody is just queueing again is locked, and left alone. The outputs are read as they were before.
_DELETE_PAST = text(f"""
WITH past AS MATERIALIZED (
    SELECT j.id, j.status FROM job j WHERE {_PAST} ORDER BY j.submitted_at LIMIT :limit FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM job USING past WHERE job.id = past.id
)
SELECT past.id, past.status, o.uri, o.size_bytes FROM past LEFT JOIN output o ON o.job_id = past.id
""")  # noqa: S608


def delete_past(connection: Connection, keep: Keep, *, limit: int) -> list[DeletedJob]:
    """Delete jobs that were kept long enough, with their attempts and outputs; at most `limit`."""
    connection.execute(_BY_INDEX)
    found: dict[UUID, tuple[str, list[tuple[str, int]]]] = {}
    for row in connection.execute(_DELETE_PAST, {**asdict(keep), "limit": limit}):
        _, outputs = found.setdefault(row.id, (row.status, []))
        if row.uri is not None:
            outputs.append((row.uri, row.size_bytes))
    return [DeletedJob(job_id, status, tuple(outputs)) for job_id, (status, outputs) in found.items()]


# --- outputs ----------------------------------------------------------------------------------------------------------

# An attempt that has ended never runs again, so what is left over once stays so: no lock is needed.
_LEFT_OVER = text("""
SELECT k.uri, j.id IS NOT NULL AS known
  FROM unnest(CAST(:uris AS text[]), CAST(:jobs AS uuid[]), CAST(:numbers AS int[])) AS k(uri, job_id, number)
  LEFT JOIN job j ON j.id = k.job_id
  LEFT JOIN attempt a ON a.job_id = k.job_id AND a.number = k.number
 WHERE a.status IS DISTINCT FROM 'running' AND NOT EXISTS (SELECT FROM output o WHERE o.uri = k.uri)
""")


def left_over(connection: Connection, objects: Sequence[tuple[str, UUID, int]]) -> dict[str, bool]:
    """Which of these objects (address, job, attempt) no output names and no running attempt may still enter; and
    whether the job is there, so that the attempt is known to have ended without them.
    """
    uris, jobs, numbers = zip(*objects, strict=True) if objects else ((), (), ())
    connection.execute(_BY_INDEX)
    values = {"uris": list(uris), "jobs": list(jobs), "numbers": list(numbers)}
    return {row.uri: row.known for row in connection.execute(_LEFT_OVER, values)}


# --- inputs -----------------------------------------------------------------------------------------------------------
#
# An input may be wanted again at any moment, so looking and deleting have to exclude whoever is about to use it. The
# row in `image` is the lock. A producer holds its images (`hold_images`) first, then uploads them or looks whether they
# are there, then inserts its jobs. Cleaning locks the row, deletes the object, deletes the row, and commits. Whoever
# comes second waits for the other: a producer finds no row, makes one, and uploads; cleaning finds a row that was used
# within the grace, and goes on to the next.

_TOUCH = text("""
UPDATE image SET last_used_at = now() WHERE sha256 = ANY(:shas) AND last_used_at < now() - interval '5 minutes'
""")


def hold_images(connection: Connection, facts: Collection[ImageFacts]) -> None:
    """Record inputs that jobs are about to name. Once this is committed they are not removed for the grace.

    Only then upload them, or look whether they are still in the bucket.
    """
    insert_images(connection, facts)
    connection.execute(_TOUCH, {"shas": [fact.sha256 for fact in facts]})


@dataclass(frozen=True, slots=True)
class Input:
    """An object of the bucket that is named after its content."""

    sha256: str
    uri: str


_UNUSED_INPUTS = text(f"""
SELECT k.sha256, i.sha256 IS NOT NULL AS recorded
  FROM unnest(CAST(:shas AS text[])) AS k(sha256) LEFT JOIN image i ON i.sha256 = k.sha256
 WHERE i.sha256 IS NULL OR ({_LONG_UNUSED} AND {_UNUSED})
""")  # noqa: S608


def unused_inputs(
    connection: Connection, inputs: Sequence[Input], keep: Keep, *, grace_s: float
) -> tuple[list[Input], list[Input]]:
    """Those that no job names and nobody used within `grace_s`: with a row in `image`, and without one."""
    connection.execute(_BY_INDEX)
    values = {"shas": [each.sha256 for each in inputs], "grace_s": grace_s, **asdict(keep)}
    recorded = {row.sha256: row.recorded for row in connection.execute(_UNUSED_INPUTS, values)}
    found = [each for each in inputs if each.sha256 in recorded]
    if found:
        named = {"uris": [each.uri for each in found], **asdict(keep)}
        in_use = set(connection.execute(text(_REFERENCED_OBJECTS), named).scalars())
        found = [each for each in found if each.uri not in in_use]
    return [f for f in found if recorded[f.sha256]], [f for f in found if not recorded[f.sha256]]


_LOCK = text(f"SELECT sha256 FROM image i WHERE sha256 = ANY(:shas) AND {_LONG_UNUSED} FOR UPDATE SKIP LOCKED")  # noqa: S608

# There is no row to lock. This one stands in a producer's way until the transaction ends, and is never committed.
_STAND_IN = text("""
INSERT INTO image (sha256, format, mode, width, height, size_bytes, last_used_at)
SELECT sha256, '', '', 1, 1, 1, '-infinity' FROM unnest(CAST(:shas AS text[])) AS k(sha256) ORDER BY sha256
ON CONFLICT DO NOTHING RETURNING sha256
""")


def take_unused(connection: Connection, inputs: Sequence[Input], *, recorded: bool, grace_s: float) -> list[Input]:
    """Lock those of the inputs that are still unused, and delete their rows. In the same transaction delete the
    objects: until it commits, nobody can begin to use them; if it does not, the rows are back.

    Give either recorded inputs or such without a row: the first are never waited for, the second are waited for in
    the order in which a producer takes them, so that the two cannot block each other.
    """
    shas = sorted({each.sha256 for each in inputs})
    statement = _LOCK if recorded else _STAND_IN
    locked = set(connection.execute(statement, {"shas": shas, "grace_s": grace_s}).scalars())
    # A new statement sees what was committed before the lock; after it, nobody can insert a reference.
    here = [each for each in inputs if each.sha256 in locked]
    taken, _ = unused_inputs(connection, here, EVERYTHING, grace_s=grace_s)
    gone = {each.sha256 for each in taken} if recorded else locked
    connection.execute(text("DELETE FROM image WHERE sha256 = ANY(:shas)"), {"shas": sorted(gone)})
    return taken


_PAGE = text(f"""
WITH page AS MATERIALIZED (SELECT sha256, last_used_at FROM image WHERE sha256 > :after ORDER BY sha256 LIMIT :limit)
SELECT max(i.sha256) AS last,
       coalesce(array_agg(i.sha256) FILTER (WHERE {_LONG_UNUSED} AND {_UNUSED}), '{{}}') AS unused FROM page i
""")  # noqa: S608


def unused_images(
    connection: Connection, after: str, keep: Keep, *, grace_s: float, limit: int
) -> tuple[str | None, list[str]]:
    """Of the next `limit` images behind `after`: the last, and those that no job names and nobody used for long.

    Begin with "" and go on with the last; it is None at the end.
    """
    values = {"after": after, "limit": limit, "grace_s": grace_s, **asdict(keep)}
    connection.execute(_BY_INDEX)
    row = connection.execute(_PAGE, values).one()
    return row.last, list(row.unused)


def delete_unused(connection: Connection, shas: Sequence[str], *, grace_s: float) -> int:
    """Delete the rows of images that are still unused, wherever they lie; how many were."""
    rows = [Input(sha, uri="") for sha in shas]
    return len(take_unused(connection, rows, recorded=True, grace_s=grace_s))
