"""A model that takes a reference and a control image, and a worker around it in this process that tells what it saw."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
from factories import make_image
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import InpaintError
from inpaint_core.ids import new_id
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.size import SizeRule
from inpaint_core.status import WorkerState
from inpaint_core.storage import ObjectRef
from inpaint_db.presence import EnvironmentFacts, WorkerIdentity, register_worker, set_worker_state
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.intake import Intake
from inpaint_worker.pipelines import Edit
from inpaint_worker.resident import Resident
from inpaint_worker.task import JobRunner
from slow_worker import CARD as SLOW
from sqlalchemy import text
from stored import objects

CARD = ModelCard.model_validate(
    SLOW.model_dump()
    | {
        "name": "test-guided",
        "title": "Guided",
        "summary": "Paints the mean colour of the reference, and copies the control image.",
        "reference": {"by": "its mean colour", "strength": 0.6},
        "control": {"by": "copying", "types": ["canny", "depth"], "strength": 0.8},
        "negative_prompt": False,
    }
)
#: As `CARD`, but its reference has no strength, and it paints in one size only.
FIXED = CARD.model_copy(
    update={
        "name": "test-fixed",
        "reference": CARD.reference.model_copy(update={"strength": None}) if CARD.reference else None,
        "size": SizeRule(native_area=256 * 256, multiple_of=64, max_aspect=1),
    }
)
#: Reads prompts, negative ones as well, and takes no guide.
PLAIN = SLOW.model_copy(update={"name": "test-plain", "negative_prompt": True})
CATALOGUE = Catalogue({card.name: card for card in (FIXED, CARD, PLAIN)})
SIZE = (900, 600)
SOURCE = make_image(*SIZE)
FAR = {"boxes": [[10, 10, 40, 30], [850, 560, 880, 590]]}
BOX = {"boxes": [[300, 200, 420, 300]]}


class Painter:
    """The mean colour of the reference by its strength, the control image, or the seed as a grey; and a diary."""

    def __init__(self, card: ModelCard = CARD) -> None:
        self.card = card
        self.seen: list[Edit] = []
        #: It writes over everything that it is given.
        self.spoils = False
        self.before_each: Callable[[int], None] = lambda number: None

    def load(self) -> None:
        """Nothing to load."""

    def described(self) -> dict[str, object]:
        """Nothing that could change a picture."""
        return {}

    def warm(self) -> None:
        """Nothing to warm."""

    def run(self, edit: Edit, on_step: Any) -> Any:
        """One step."""
        self.before_each(len(self.seen))
        on_step(0, 1)
        self.seen.append(_copied(edit))
        painted = np.full_like(edit.image, edit.seed % 251)
        if edit.reference is not None:
            strength = 1.0 if edit.reference.strength is None else edit.reference.strength
            painted[:] = np.rint(edit.reference.image.reshape(-1, 3).mean(axis=0) * strength)
        if edit.control is not None:
            painted = edit.control.image.copy()
        if self.spoils:
            edit.image[:], edit.region[:] = 0, True
            for guide in (edit.reference, edit.control):
                if guide is not None:
                    guide.image[:] = 77
        on_step(1, 1)
        return painted


def _copied(edit: Edit) -> Edit:
    copies = {name: getattr(edit, name) for name in ("reference", "control")}
    guides = {name: each and replace(each, image=each.image.copy()) for name, each in copies.items()}
    return replace(edit, image=edit.image.copy(), region=edit.region.copy(), **guides)


class FailingOnce(S3Store):
    """A store in which the put after so many does not work."""

    error: InpaintError | None = None
    after = 0

    def put(self, ref: ObjectRef, data: bytes, content_type: str) -> None:
        """Store it, or fail."""
        self.after -= 1
        if self.after < 0 and (error := self.error):
            self.error = None
            raise error
        super().put(ref, data, content_type)


class Workshop:
    """What a worker of `card` is made of."""

    def __init__(self, settings: Settings, database: Database, card: ModelCard = CARD) -> None:
        self.database, self.painter, self.store = database, Painter(card), FailingOnce(settings)
        with database.begin() as connection:
            self.worker = register(connection, card)
        quick = settings.model_copy(update={"heartbeat_s": 0.1})
        self.heartbeat = Heartbeat(quick, database, self.worker, lambda: None)
        self.runner = JobRunner(quick, database, self.store, self.worker, Resident(self.painter), self.heartbeat)
        self.intake = Intake(quick, card, database, self.runner)

    def run(self, job_id: UUID) -> None:
        """Run a job that waits, whenever it is due."""
        with self.database.begin() as connection:
            connection.execute(text("UPDATE job SET not_before = now() WHERE status = 'queued'"))
        self.runner.run(job_id)

    def receive(self, request: dict[str, Any]) -> UUID:
        """Deliver a message that holds its whole request, and run it; the id of its job."""
        job_id = new_id()
        self.intake.receive(str(job_id), (), {"version": 1, "request": {"model": self.painter.card.name, **request}})
        return job_id

    def until_told_to_stop(self) -> None:
        """Wait until the heartbeat has heard that the running attempt should end."""
        [attempt] = self.heartbeat.running()
        deadline = time.monotonic() + 30
        while attempt.stopped is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @property
    def edit(self) -> Edit:
        """The only edit that was seen."""
        [edit] = self.painter.seen
        return edit


def register(connection: Any, card: ModelCard) -> WorkerIdentity:
    """A ready worker of a card that is not in the package."""
    facts = EnvironmentFacts("cpu", "Test CPU", None, None, "3.11", "Linux", {"pillow": "12"})
    worker = register_worker(connection, card, facts, host="testhost", pid=1, version="0")
    set_worker_state(connection, worker.id, WorkerState.READY)
    return worker


def submit(client: InpaintClient, mask: Any = BOX, **fields: Any) -> UUID:
    return client.submit(SOURCE, mask, model=CARD.name, **fields).id


def output_rows(database: Database, job_id: UUID) -> list[Any]:
    with database.read() as connection:
        statement = text("SELECT * FROM output WHERE job_id = :id ORDER BY number, kind")
        return list(connection.execute(statement, {"id": job_id}).all())


def is_whole(database: Database, store: S3Store, job_id: UUID, attempt: int = 1) -> None:
    """Every object of the bucket's outputs is in a row and is what the row says; all are of one attempt."""
    found = output_rows(database, job_id)
    assert {row.attempt for row in found} == {attempt}
    for row in found:
        data = store.get(ObjectRef.parse(row.uri), 1 << 24)
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (row.sha256, row.size_bytes)
    mine = {key for key in objects(store) if key.startswith(f"outputs/{job_id}/{attempt}/")}
    assert mine == {ObjectRef.parse(row.uri).key for row in found}
