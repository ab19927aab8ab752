"""What lies in the bucket, and results that no worker had to make."""

from __future__ import annotations

from uuid import UUID

from factories import (
    encode,
    make_image,
    make_output,
    make_worker,
    try_claim,
)
from inpaint_core.s3 import S3Store
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.claims import AttemptReport, Claimed, finish
from inpaint_db.session import Database
from PIL import Image

MODEL = "opencv-telea"


def objects(store: S3Store) -> set[str]:
    return {str(entry.object_name) for entry in store._client.list_objects(store.bucket, recursive=True)}


def complete(database: Database, store: S3Store, job_id: UUID, image: Image.Image | None = None) -> Claimed:
    """Do what a worker does, and store a picture."""
    with database.begin() as connection:
        claimed = try_claim(connection, job_id, make_worker(connection))
        assert claimed is not None
        output = make_output(claimed)
        uri = output.uri.replace("s3://inpaint/", f"s3://{store.bucket}/")
        store.put(ObjectRef.parse(uri), encode(image or make_image()), "image/png")
        from dataclasses import replace

        finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [replace(output, uri=uri)])
    return claimed
