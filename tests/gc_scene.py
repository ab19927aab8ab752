"""A database and a bucket with something to clean in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from factories import count, make_image, make_mask, make_worker, try_claim
from inpaint_core.ids import new_id
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectEntry, ObjectRef, output_ref
from inpaint_db.claims import AttemptReport, Claimed, StoredOutput, finish
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.cleaning import Cleaned, Cleaner
from sqlalchemy import text

MODEL = "opencv-telea"


class AgedStore(S3Store):
    """A store in which every object looks ten days older than it is."""

    def list_pages(self, prefix: str) -> Iterator[list[ObjectEntry]]:
        for page in super().list_pages(prefix):
            yield [ObjectEntry(e.ref, e.size_bytes, e.modified_at - timedelta(days=10)) for e in page]


class Scene:
    """Jobs with their objects, in whatever state and of whatever age."""

    def __init__(self, settings: Settings, database: Database, client: InpaintClient) -> None:
        self.settings, self.database, self.client = settings, database, client
        self.store = S3Store(settings)
        with database.begin() as connection:
            self.worker = make_worker(connection)

    def queued(self, seed: int = 0, **fields: Any) -> UUID:
        return self.client.submit(make_image(seed=seed), make_mask(), model=MODEL, **fields).id

    def running(self, job_id: UUID) -> Claimed:
        with self.database.begin() as connection:
            claimed = try_claim(connection, job_id, self.worker, lease_s=3600)
        assert claimed is not None
        return claimed

    def ref(self, key: str) -> ObjectRef:
        return ObjectRef(self.store.bucket, key)

    def put(self, key: str, data: bytes = b"something") -> ObjectRef:
        ref = ObjectRef(self.store.bucket, key)
        self.store.put(ref, data, "image/png")
        return ref

    def leave(self, claimed: Claimed, name: str = "result.png") -> ObjectRef:
        """An object that the attempt stored and did not enter."""
        return self.put(output_ref(self.store.bucket, claimed.job_id, claimed.number, name).key)

    def ended(self, status: JobStatus = JobStatus.SUCCEEDED, *, days_ago: float = 0, seed: int = 0) -> UUID:
        """A job that ended so many days ago, as did everything about it; a succeeded one has an output."""
        claimed = self.running(self.queued(seed))
        outputs = []
        if status is JobStatus.SUCCEEDED:
            ref = self.leave(claimed)
            outputs = [StoredOutput(str(ref), hashlib.sha256(b"something").hexdigest(), "PNG", 96, 64, 9, 1)]
        with self.database.begin() as connection:
            assert finish(connection, claimed, status, AttemptReport(), outputs)
        self.age(days_ago)
        return claimed.job_id

    def age(self, days: float) -> None:
        """Let days pass for all jobs and images."""
        with self.database.begin() as connection:
            for statement in (
                "UPDATE job SET finished_at = finished_at - :ago, submitted_at = submitted_at - :ago",
                "UPDATE image SET last_used_at = last_used_at - :ago",
            ):
                connection.execute(text(statement), {"ago": timedelta(days=days)})

    def jobs(self) -> set[UUID]:
        with self.database.read() as connection:
            return set(connection.execute(text("SELECT id FROM job")).scalars())

    def images(self) -> int:
        with self.database.read() as connection:
            return count(connection, "image")

    def stored(self, prefix: str = "") -> set[str]:
        return {entry.ref.key for page in self.store.list_pages(prefix) for entry in page}

    def missing(self) -> set[str]:
        """Objects that a row names and the bucket does not hold."""
        with self.database.read() as connection:
            named = connection.execute(
                text("SELECT uri FROM output UNION SELECT source_uri FROM job UNION SELECT mask_uri FROM job")
            )
            return {ObjectRef.parse(uri).key for uri in named.scalars()} - self.stored()

    def clean(
        self, store: S3Store | None = None, *, dry_run: bool = False, unknown: bool = False, **values: Any
    ) -> Cleaned:
        """Clean up where every object is ten days old; keywords that are settings replace those."""
        chosen = self.settings.model_copy(update=values)
        cleaner = Cleaner(chosen, self.database, store or AgedStore(self.settings))
        cleaned = cleaner.run(dry_run=dry_run, unknown=unknown)
        assert cleaned is not None and cleaned.complete
        return cleaned

    def some_of_everything(self) -> None:
        """Old and young jobs in several states, leftovers, and an object that nobody knows."""
        for seed in range(3):
            self.ended(days_ago=20, seed=seed)
        job_id = self.ended(JobStatus.FAILED, days_ago=20, seed=4)
        self.put(f"outputs/{job_id}/1/left.png")
        self.ended(seed=2)
        self.running(self.queued(seed=5))
        self.put(f"outputs/{new_id()}/1/result.png")


def found(cleaned: Cleaned) -> dict[tuple[str, str], int]:
    return {what: tally.count for what, tally in cleaned.deleted.items()}
