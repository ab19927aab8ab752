"""The client library: submit edits, follow them, fetch results."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from inpaint_core.catalogue import Catalogue, load_catalogue
from inpaint_core.edit import EditOptions
from inpaint_core.errors import JobNotFound
from inpaint_core.guides import ControlType
from inpaint_core.job import ParameterValue, parse_job_id
from inpaint_core.settings import Settings, load_settings
from inpaint_core.status import JobStatus, Priority
from inpaint_core.storage import ObjectRef
from inpaint_core.tiers import Tier

from inpaint_producer.outputs import RESULT, choose_output, file_name, write_whole
from inpaint_producer.polling import pauses
from inpaint_producer.spec import ImageSource, JobSpec, MaskSource, take_portion

if TYPE_CHECKING:
    from inpaint_core.s3 import S3Store
    from inpaint_db.queries import JobFilter, JobView
    from inpaint_db.session import Database
    from inpaint_db.submissions import Submitted
    from PIL.Image import Image
    from sqlalchemy import Connection

    from inpaint_producer.submit import Submitter

T = TypeVar("T")
JobId = UUID | str
#: `submit_many` takes this many at a time: one transaction, and their images in memory at once.
CHUNK = 500
#: How long waiting for a job puts up with a database that is away.
_PATIENCE_S = 60


class InpaintClient:
    """A connection to the fleet. Use it as a context manager, or call `close`. Safe to use from several threads.

    >>> with InpaintClient() as client:
    ...     job = client.submit("room.jpg", "mask.png", model="opencv-telea")
    ...     client.wait(job.id)
    ...     client.download(job.id, "edited.png")
    """

    def __init__(self, settings: Settings | None = None, *, catalogue: Catalogue | None = None) -> None:
        """Without `settings`, they are read from `INPAINT_*`, the configuration file, or a running local stack."""
        self.settings = settings or load_settings()
        self.catalogue = catalogue or load_catalogue(self.settings.catalogue)
        for service in ("Postgres", "S3", "Redis"):
            self.settings.need(service)
        self._database: Database | None = None
        self._store: S3Store | None = None
        self._submitter: Submitter | None = None

    # Connections are made when first needed: importing and constructing a client costs next to nothing.

    @property
    def database(self) -> Database:
        """The connection pool to Postgres."""
        if self._database is None:
            from inpaint_db.session import Database

            self._database = Database(self.settings, application="inpaint-client")
        return self._database

    @property
    def store(self) -> S3Store:
        """The object store."""
        if self._store is None:
            from inpaint_core.s3 import S3Store

            self._store = S3Store(self.settings)
        return self._store

    @property
    def _submit(self) -> Submitter:
        if self._submitter is None:
            from inpaint_producer.submit import Submitter

            self._submitter = Submitter(self.settings, self.catalogue, self.database, self.store)
        return self._submitter

    def submit(
        self,
        source: ImageSource,
        mask: MaskSource,
        *,
        model: str,
        prompt: str = "",
        negative_prompt: str = "",
        seed: int | None = None,
        parameters: Mapping[str, ParameterValue] | None = None,
        campaign: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: Priority | str = Priority.NORMAL,
        deadline: datetime | None = None,
        idempotency_key: str | None = None,
        edit: EditOptions | Mapping[str, Any] | None = None,
        reference_image: ImageSource | None = None,
        reference_strength: float | None = None,
        control_image: ImageSource | None = None,
        control_type: ControlType | str | None = None,
        control_strength: float | None = None,
        outputs: int = 1,
        tier: Tier | str | None = None,
    ) -> Submitted:
        """Queue one edit: repaint what `mask` (white) marks in `source`.

        Images are paths, `s3://bucket/key`, encoded bytes or PIL images. A mask may also be "alpha", for the
        transparent pixels of the source (a file of that name is `Path("alpha")`), or boxes and polygons, as in
        `{"boxes": [[left, top, right, bottom]]}`. `edit` says how masks are read, how the picture is fitted to the
        model and how the result is stored; `help(EditOptions)` has its fields.

        Where the model's card says that it can, `reference_image` shows what belongs into the masked area, and
        `control_image`, of the shape of the source, where its lines or depths are (`control_type`: canny, depth, ...).
        `outputs` asks for variants of the edit, made with seed, seed + 1, and so on.
        `tier` (exact, fast, turbo), of those that the model has, says what may be left out for speed; without it, the
        worker's own setting does, which is exact unless somebody has changed it.

        Raises a `RequestError` that says what is wrong before anything is stored, or a `ServiceUnavailable` that names
        the service and its address.
        """
        spec = JobSpec(
            source,
            mask,
            model,
            prompt,
            negative_prompt,
            seed,
            parameters or {},
            campaign,
            tags or {},
            priority,
            deadline,
            idempotency_key,
            edit,
            reference_image,
            reference_strength,
            control_image,
            control_type,
            control_strength,
            outputs,
            tier,
        )
        return self._submit.submit([spec])[0]

    def submit_many(self, specs: Iterable[JobSpec]) -> Iterator[Submitted]:
        """Queue many edits, 500 at a time; answers come in the order of the specs, as each portion is queued.

        A wrong spec raises with its position in `error.index`; the portions before it are queued, its own is not.
        Call `check` on each first to learn of all mistakes beforehand.
        """
        specs = iter(specs)
        first = 0
        while True:
            chunk = take_portion(specs, CHUNK)
            if not chunk:
                return
            try:
                yield from self._submit.submit(chunk)
            except Exception as error:
                if isinstance(facts := getattr(error, "facts", None), dict) and "index" in facts:
                    facts["index"] += first
                raise
            first += len(chunk)

    def check(self, spec: JobSpec) -> None:
        """Raise what submitting `spec` would raise; nothing is stored."""
        self._submit.check(spec)

    def get(self, job_id: JobId) -> JobView:
        """How the job stands; `JobNotFound` if there is none."""
        from inpaint_db.queries import get_job

        with self.database.read() as connection:
            return get_job(connection, _uuid(job_id))

    def list_jobs(self, where: JobFilter | None = None, *, limit: int = 20) -> list[JobView]:
        """The newest jobs that match."""
        from inpaint_db import queries

        with self.database.read() as connection:
            return queries.list_jobs(connection, where or queries.JobFilter(), limit)

    def wait(self, job_id: JobId, *, timeout_s: float | None = None) -> JobView:
        """Wait until the job has ended, however it did; `TimeoutError` after `timeout_s`."""
        return self.wait_many([job_id], timeout_s=timeout_s)[0]

    def wait_many(self, job_ids: Collection[JobId], *, timeout_s: float | None = None) -> list[JobView]:
        """Wait until all jobs have ended; they are returned in the order given."""
        ids = [_uuid(job_id) for job_id in job_ids]
        for _ in self.as_ended(ids, timeout_s=timeout_s):
            pass
        from inpaint_db.queries import get_jobs

        with self.database.read() as connection:
            found = get_jobs(connection, ids)
        return [found[job_id] for job_id in ids]

    def as_ended(
        self, job_ids: Collection[JobId], *, timeout_s: float | None = None
    ) -> Iterator[tuple[UUID, JobStatus]]:
        """Yield each job as it ends; `TimeoutError` names how many have not."""
        from inpaint_db.queries import job_statuses

        left = {_uuid(job_id) for job_id in job_ids}
        for _ in pauses(timeout_s, lambda: f"{len(left)} of {len(job_ids)} jobs have not ended"):
            found = self._patiently(lambda connection: job_statuses(connection, left))
            if missing := left - found.keys():
                raise JobNotFound(f"There is no job {min(missing)}.", job_id=str(min(missing)))
            for job_id, status in found.items():
                if status.is_final:
                    left.discard(job_id)
                    yield job_id, status
            if not left:
                return

    def stream(self, job_id: JobId, *, timeout_s: float | None = None) -> Iterator[JobView]:
        """Yield the job each time its status, phase or step changes, and at last when it has ended."""
        from inpaint_db.queries import get_job

        shown: Any = None
        wanted = _uuid(job_id)
        for _ in pauses(timeout_s, lambda: f"job {job_id} has not ended", longest_s=0.5):
            view = self._patiently(lambda connection: get_job(connection, wanted))
            now = (view.status, view.attempt, view.phase, view.steps_done, view.waiting_for)
            if now != shown:
                shown = now
                yield view
            if view.status.is_final:
                return

    def _patiently(self, ask: Callable[[Connection], T]) -> T:
        """Ask the database again while it is away for a moment: the job goes on meanwhile, so the waiting may, too."""
        from inpaint_core.patience import patiently

        def once() -> T:
            with self.database.read() as connection:
                return ask(connection)

        return patiently(once, for_s=_PATIENCE_S)

    def result_bytes(self, job_id: JobId, kind: str = RESULT, number: int = 1) -> bytes:
        """The encoded output of a job that succeeded, of several the one of that number; `JobFailed` says why not.

        `kind` is `result`, `region` (the mask of what the job might change), or `raw` (what the model returned, if the
        edit had `keep_raw`; that of further windows is `raw-2`, `raw-3` and so on).
        """
        return self._output(job_id, kind, number)[1]

    def result(self, job_id: JobId, kind: str = RESULT, number: int = 1) -> Image:
        """The output as a PIL image."""
        from PIL import Image as PillowImage

        image = PillowImage.open(io.BytesIO(self.result_bytes(job_id, kind, number)))
        image.load()
        return image

    def download(self, job_id: JobId, path: str | Path, kind: str = RESULT, number: int = 1) -> Path:
        """Write the output to `path` as it is stored. An existing file is replaced only when whole.

        A folder gets `<job id>.png`, with the ending of the format it is stored in, `<job id>-2.png` for the second
        output, and `<job id>-region.png` and the like for other kinds.
        """
        uri, data = self._output(job_id, kind, number)
        target = Path(path)
        if target.is_dir():
            target = target / file_name(job_id, kind, uri, number)
        write_whole(target, data)
        return target

    def _output(self, job_id: JobId, kind: str, number: int) -> tuple[str, bytes]:
        from inpaint_db.queries import job_outputs

        view = self.get(job_id)
        with self.database.read() as connection:
            uri = choose_output(view, job_outputs(connection, view.id, number), kind, number)
        # An output may be larger than any input is allowed to be: PNG of a 50-megapixel photo.
        return uri, self.store.get(ObjectRef.parse(uri), max_bytes=1 << 31)

    def cancel(self, job_id: JobId) -> JobStatus:
        """Ask for the job's end. `canceled` at once if it was queued; `running` until its worker hears of it;
        the final status it already had, if it has ended.
        """
        from inpaint_db.submissions import request_cancel

        with self.database.begin() as connection:
            status = request_cancel(connection, _uuid(job_id))
        if status is None:
            raise JobNotFound(f"There is no job {job_id}.", job_id=str(job_id))
        return status

    def retry(self, job_ids: Collection[JobId]) -> list[UUID]:
        """Queue failed, canceled or expired jobs again; returns those that were."""
        from inpaint_db.queries import retry_jobs

        with self.database.begin() as connection:
            return retry_jobs(connection, [_uuid(job_id) for job_id in job_ids])

    def close(self) -> None:
        """Close all connections."""
        if self._submitter is not None:
            self._submitter.close()
        if self._database is not None:
            self._database.close()

    def __enter__(self) -> InpaintClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _uuid(job_id: JobId) -> UUID:
    return job_id if isinstance(job_id, UUID) else parse_job_id(job_id)
