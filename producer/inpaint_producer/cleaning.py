"""Cleaning up: jobs that were kept long enough, and objects that nothing needs any more.

Every step may be cut short at any moment, and is found to be done in part by the next cleaning. Objects that the fleet
would not have named as it does (`inputs/<sha256>.<extension>`, `outputs/<job>/<attempt>/...`) are not looked at.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from inpaint_core.settings import Settings
from inpaint_core.storage import INPUTS, OUTPUTS, ObjectEntry, ObjectRef, ObjectStore
from inpaint_db import retention
from inpaint_db.migrate import require_current
from inpaint_db.retention import Input, Keep
from inpaint_db.session import Database

#: Jobs of one transaction, and inputs whose rows are locked while their objects are deleted with one request.
_JOBS, _INPUTS = 500, 200
#: Rows of `image` that one question looks at.
_IMAGES = 2000
T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """How many there were, and their bytes (rows have none)."""

    count: int = 0
    size_bytes: int = 0

    def add(self, count: int, size_bytes: int = 0) -> None:
        """Count some more."""
        self.count += count
        self.size_bytes += size_bytes


@dataclass(slots=True)
class Cleaned:
    """What a cleaning deleted, or would delete."""

    dry_run: bool
    #: By kind (job, output, input, image: the row of an input) and reason.
    deleted: dict[tuple[str, str], Tally] = field(default_factory=dict)
    #: Old objects, named as the fleet names its own, of which this database has no record: left alone unless asked for.
    unknown: Tally = field(default_factory=Tally)
    looked_at: int = 0
    #: False: it was stopped, and the next one goes on.
    complete: bool = False
    seconds: float = 0.0

    def add(self, kind: str, reason: str, count: int, size_bytes: int = 0) -> None:
        """Count what was deleted."""
        if count:
            self.deleted.setdefault((kind, reason), Tally()).add(count, size_bytes)

    @property
    def total(self) -> Tally:
        """Everything together."""
        tallies = self.deleted.values()
        return Tally(sum(t.count for t in tallies), sum(t.size_bytes for t in tallies))


class _Stopped(Exception):
    """Somebody wants the cleaning to end."""


class Cleaner:
    """Cleans one database and its bucket. `run` does it once."""

    def __init__(self, settings: Settings, database: Database, store: ObjectStore) -> None:
        self._database = database
        self._store = store
        self._keep = Keep(settings.keep_succeeded_days, settings.keep_failed_days)
        self._grace_s = settings.orphan_grace_s

    def run(
        self,
        *,
        dry_run: bool = False,
        unknown: bool = False,
        stopped: Callable[[], bool] = lambda: False,
        progress: Callable[[str, Cleaned], None] = lambda _step, _cleaned: None,
    ) -> Cleaned | None:
        """Clean up; None if another cleaning is at it. `dry_run` only looks, beside any other.

        `unknown`: also objects that this database has no record of. Only for a bucket that no other database uses.
        """
        with self._database.read() as connection:
            require_current(connection)
        once = _Once(
            self._database, self._store, self._keep, self._grace_s, Cleaned(dry_run), unknown, progress, stopped
        )
        if dry_run:
            return once.run()
        with retention.only_one(self._database) as mine:
            return once.run() if mine else None


@dataclass(slots=True)
class _Once:
    database: Database
    store: ObjectStore
    keep: Keep
    grace_s: float
    cleaned: Cleaned
    unknown: bool
    progress: Callable[[str, Cleaned], None]
    stopped: Callable[[], bool]

    def run(self) -> Cleaned:
        began = time.monotonic()
        try:
            # Leftovers before jobs: once its row is gone, nobody can tell whose they were.
            self._outputs()
            self._jobs()
            self._inputs()
            self._images()
            self.cleaned.complete = True
        except _Stopped:
            pass
        self.cleaned.seconds = time.monotonic() - began
        return self.cleaned

    @property
    def _goes(self) -> Keep:
        """Which jobs do not count as referring to their inputs; in earnest they are deleted by then."""
        return self.keep if self.cleaned.dry_run else retention.EVERYTHING

    def _step(self, name: str) -> None:
        if self.stopped():
            raise _Stopped
        self.progress(name, self.cleaned)

    # --- outputs ------------------------------------------------------------------------------------------------------

    def _outputs(self) -> None:
        """Objects of attempts that ended without them."""
        for page in self._old_objects("outputs", OUTPUTS):
            owned = [(str(entry.ref), *owner) for entry in page if (owner := entry.ref.attempt)]
            with self.database.read() as connection:
                known = retention.left_over(connection, owned)
            self._drop([e for e in page if known.get(str(e.ref)) is True], "output", "attempt_ended")
            self._drop_unknown([e for e in page if known.get(str(e.ref)) is False], "output")

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _jobs(self) -> None:
        """Jobs that were kept long enough, with their outputs."""
        prefix = f"s3://{self.store.bucket}/{OUTPUTS}"
        if self.cleaned.dry_run:
            with self.database.read() as connection:
                for old in retention.count_past(connection, self.keep, prefix=prefix):
                    self.cleaned.add("job", f"{old.status}_long_ago", old.jobs)
                    self.cleaned.add("output", "job_deleted", old.outputs, old.output_bytes)
            return
        if self.keep == retention.EVERYTHING:
            return
        deleted = None
        while deleted is None or len(deleted) == _JOBS:
            self._step("jobs")
            with self.database.begin() as connection:
                deleted = retention.delete_past(connection, self.keep, limit=_JOBS)
            # First the rows, then the objects. Cut short in between, objects are left that no row names: space is lost
            # until somebody asks for it. The other way round rows would be left that name what is gone: a job that
            # says "succeeded" and cannot show its picture.
            outputs = [output for job in deleted for output in job.outputs if output[0].startswith(prefix)]
            self.store.delete_many([ObjectRef.parse(uri) for uri, _ in outputs])
            for job in deleted:
                self.cleaned.add("job", f"{job.status}_long_ago", 1)
            self.cleaned.add("output", "job_deleted", len(outputs), sum(size for _, size in outputs))

    # --- inputs -------------------------------------------------------------------------------------------------------

    def _inputs(self) -> None:
        """Objects that no job names and nobody used lately."""
        for page in self._old_objects("inputs", INPUTS):
            entries = {str(e.ref): e for e in page}
            inputs = [Input(sha, uri) for uri, e in entries.items() if (sha := e.ref.content_sha256)]
            with self.database.read() as connection:
                recorded, unrecorded = retention.unused_inputs(connection, inputs, self._goes, grace_s=self.grace_s)
            if self.cleaned.dry_run:
                self._drop([entries[each.uri] for each in recorded], "input", "unused")
            else:
                for portion in _portions(recorded, _INPUTS):
                    self._take(portion, entries, recorded=True)
            if self.cleaned.dry_run or not self.unknown:
                self._drop_unknown([entries[each.uri] for each in unrecorded], "input")
            else:
                for portion in _portions(unrecorded, _INPUTS):
                    self._take(portion, entries, recorded=False)

    def _take(self, inputs: Sequence[Input], entries: dict[str, ObjectEntry], *, recorded: bool) -> None:
        # The objects go while their rows are locked: a producer that wants one waits, and then uploads it.
        with self.database.begin() as connection:
            taken = retention.take_unused(connection, inputs, recorded=recorded, grace_s=self.grace_s)
            self.store.delete_many([entries[each.uri].ref for each in taken])
        size = sum(entries[each.uri].size_bytes for each in taken)
        self.cleaned.add("input", "unused" if recorded else "unknown", len(taken), size)
        if recorded:
            self.cleaned.add("image", "unused", len({each.sha256 for each in taken}))

    def _images(self) -> None:
        """Rows of inputs that are gone, or that never lay in `inputs/`."""
        after: str | None = ""
        while after is not None:
            self._step("images")
            with self.database.read() as connection:
                after, unused = retention.unused_images(
                    connection, after, self._goes, grace_s=self.grace_s, limit=_IMAGES
                )
            if self.cleaned.dry_run:
                self.cleaned.add("image", "unused", len(unused))
                continue
            for portion in _portions(unused, _INPUTS):
                with self.database.begin() as connection:
                    deleted = retention.delete_unused(connection, portion, grace_s=self.grace_s)
                self.cleaned.add("image", "unused", deleted)

    # --- objects ------------------------------------------------------------------------------------------------------

    def _old_objects(self, step: str, prefix: str) -> Iterator[list[ObjectEntry]]:
        before = datetime.now(UTC) - timedelta(seconds=self.grace_s)
        self._step(step)
        for page in self.store.list_pages(prefix):
            yield [entry for entry in page if entry.modified_at < before]
            self.cleaned.looked_at += len(page)
            self._step(step)

    def _drop(self, entries: Collection[ObjectEntry], kind: str, reason: str) -> None:
        if entries and not self.cleaned.dry_run:
            self.store.delete_many([entry.ref for entry in entries])
        self.cleaned.add(kind, reason, len(entries), sum(entry.size_bytes for entry in entries))

    def _drop_unknown(self, entries: Collection[ObjectEntry], kind: str) -> None:
        # A database that was emptied, restored, or is not the one that this bucket belongs to knows nothing of good
        # pictures, either. So they go only if a person says so.
        if self.unknown:
            self._drop(entries, kind, "unknown")
        else:
            self.cleaned.unknown.add(len(entries), sum(entry.size_bytes for entry in entries))


def _portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while portion := list(itertools.islice(left, size)):
        yield portion
