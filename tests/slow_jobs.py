"""Jobs for the slow worker, and waiting until they look as they should."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from factories import make_image, make_mask
from inpaint_db.queries import JobView
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from slow_worker import CARD
from sqlalchemy import text

SOURCE = make_image(120, 80)
MASK = make_mask(120, 80)
LONG_S = 30
#: For tests that have to wait until a lease has run out.
SHORT_LEASE = {"INPAINT_LEASE_S": "2", "INPAINT_HEARTBEAT_S": "0.5"}


def submit(client: InpaintClient, prompt: str, **fields: object) -> UUID:
    """Submit a job that does what the prompt says."""
    return client.submit(SOURCE, MASK, model=CARD.name, prompt=prompt, **fields).id  # type: ignore[arg-type]


def until(client: InpaintClient, job_id: UUID, good: Callable[[JobView], bool], relay: Relay | None = None) -> JobView:
    """Wait until the job looks as it should, sweeping meanwhile if there is a relay."""
    deadline = time.monotonic() + LONG_S
    while not good(view := client.get(job_id)):
        assert time.monotonic() < deadline, f"the job is still {view}"
        if relay:
            relay.sweep()
        time.sleep(0.05)
    return view


def on_device(view: JobView) -> bool:
    """The pipeline has begun with the job."""
    return view.phase == "inference" and view.steps_total is not None


def ended(view: JobView) -> bool:
    """The job has a final status."""
    return view.status.is_final


def attempts(database: Database, job_id: UUID) -> list[tuple[int, str]]:
    """Number and status of all attempts of a job."""
    with database.read() as connection:
        statement = text("SELECT number, status FROM attempt WHERE job_id = :id ORDER BY number")
        return [(row.number, row.status) for row in connection.execute(statement, {"id": job_id})]
