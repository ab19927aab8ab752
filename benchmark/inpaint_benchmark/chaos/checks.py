"""What must be true when all is quiet: questions to the database whose every row is a violation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from uuid import UUID

from inpaint_core.errors import InpaintError
from inpaint_core.storage import ObjectRef, ObjectStore
from sqlalchemy import Connection, text

#: Each gives a job, and what is wrong with it.
QUESTIONS = (
    "SELECT id, 'is still ' || status FROM job WHERE status IN ('queued', 'running')",
    """SELECT j.id, 'succeeded, but has ' || count(o.id) || ' outputs'
         FROM job j LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result'
        WHERE j.status = 'succeeded' GROUP BY j.id HAVING count(o.id) <> 1""",
    """SELECT j.id, 'has an output of attempt ' || o.attempt || ', but is ' || j.status || ' in attempt ' || j.attempt
         FROM output o JOIN job j ON j.id = o.job_id WHERE j.status <> 'succeeded' OR o.attempt <> j.attempt""",
    """SELECT a.job_id, 'attempt ' || a.number || ' is ' || a.status || ', but has an output'
         FROM output o JOIN attempt a ON a.job_id = o.job_id AND a.number = o.attempt WHERE a.status <> 'succeeded'""",
    """SELECT o.job_id, 'the output of attempt ' || o.attempt || ' is another''s: ' || o.uri FROM output o
        WHERE o.uri NOT LIKE '%/outputs/' || o.job_id || '/' || o.attempt || '/%'""",
    """SELECT o.job_id, 'has an output without a job or an attempt' FROM output o
         LEFT JOIN job j ON j.id = o.job_id LEFT JOIN attempt a ON a.job_id = o.job_id AND a.number = o.attempt
        WHERE j.id IS NULL OR a.job_id IS NULL""",
    """SELECT job_id, count(*) || ' attempts succeeded' FROM attempt
        WHERE status = 'succeeded' GROUP BY job_id HAVING count(*) > 1""",
    """SELECT j.id, 'is ' || j.status || ', but its last attempt is ' || a.status
         FROM job j JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
        WHERE (j.status = 'succeeded') <> (a.status = 'succeeded')""",
    """SELECT a.job_id, 'attempt ' || a.number || ' still runs' FROM attempt a WHERE a.status = 'running'""",
    # now() of a statement may be read a moment before the statement is let in.
    """SELECT a.job_id, 'attempts ' || a.number || ' and ' || b.number || ' ran at once' FROM attempt a
         JOIN attempt b ON b.job_id = a.job_id AND b.number > a.number
        WHERE b.started_at < a.finished_at - interval '50 ms'""",
    """SELECT j.id, 'is in attempt ' || j.attempt || ', but has the attempts ' || coalesce(string_agg(a.number::text,
              ',' ORDER BY a.number), 'none')
         FROM job j LEFT JOIN attempt a ON a.job_id = j.id GROUP BY j.id
       HAVING count(a.number) <> j.attempt OR coalesce(max(a.number), 0) <> j.attempt""",
    """SELECT j.id, 'counts ' || j.failures || ' failures of ' || j.max_attempts || ', its attempts '
              || count(a.number) FILTER (WHERE a.status IN ('failed', 'lost'))
         FROM job j LEFT JOIN attempt a ON a.job_id = j.id GROUP BY j.id
       HAVING j.failures > j.max_attempts
           OR j.failures <> count(a.number) FILTER (WHERE a.status IN ('failed', 'lost'))""",
    """SELECT id, 'failed without a reason' FROM job
        WHERE status = 'failed' AND (coalesce(error_code, '') = '' OR coalesce(error_message, '') = '')""",
    """SELECT min(j.id::text)::uuid, 'and others of the same picture differ in their result' FROM output o
         JOIN job j ON j.id = o.job_id
        GROUP BY j.source_sha256, j.mask_sha256, o.kind HAVING count(DISTINCT o.sha256) > 1""",
)


def record_problems(connection: Connection) -> list[str]:
    """What contradicts itself in the database."""
    return [f"job {row[0]} {row[1]}" for question in QUESTIONS for row in connection.execute(text(question))]


def stored_problems(connection: Connection, store: ObjectStore) -> list[str]:
    """Outputs whose object is not there, or is not what was recorded."""
    rows = connection.execute(text("SELECT job_id, uri, sha256, size_bytes FROM output")).all()
    return [f"job {row.job_id} {problem}" for row in rows for problem in _stored(store, row.uri, row.sha256)]


def claimed_problems(connection: Connection, claimed: set[tuple[UUID, int]]) -> list[str]:
    """Attempts that a worker was given and the database has forgotten."""
    known = {(row.job_id, row.number) for row in connection.execute(text("SELECT job_id, number FROM attempt"))}
    return [f"job {job} attempt {number} was claimed, but is not recorded" for job, number in claimed - known]


def statuses(connection: Connection) -> dict[UUID, tuple[str, str | None]]:
    """Status and error code of every job."""
    rows = connection.execute(text("SELECT id, status, error_code FROM job"))
    return {row.id: (row.status, row.error_code) for row in rows}


def count_problems(submitted: Mapping[str, UUID], extra: set[UUID], found: Mapping[UUID, object]) -> list[str]:
    """Jobs that were accepted and are not there, there and not accepted, or given to two keys."""
    accepted = set(submitted.values())
    problems = [f"job {job} was accepted, but is not there" for job in accepted - found.keys()]
    problems += [f"job {job} is there, but nobody submitted it" for job in found.keys() - accepted - extra]
    shared = [job for job, count in Counter(submitted.values()).items() if count > 1]
    return problems + [f"job {job} was given to two keys" for job in shared]


def _stored(store: ObjectStore, uri: str, sha256: str) -> Iterator[str]:
    try:
        data = store.get(ObjectRef.parse(uri), 1 << 24)
    except InpaintError as error:
        yield f"has an output that cannot be fetched: {error.message}"
        return
    if hashlib.sha256(data).hexdigest() != sha256:
        yield f"has an output whose {len(data)} stored bytes are not those that were recorded"
