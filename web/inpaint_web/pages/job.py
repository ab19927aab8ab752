"""One job: its pictures, where its seconds went, what it cost, and each attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from inpaint_db.gallery_queries import AttemptView, job_attempts
from inpaint_db.queries import JobFilter, JobView, get_job, job_outputs, list_jobs
from starlette.responses import Response

from inpaint_web.errors import NotThere
from inpaint_web.pages.responses import Small, picture_response
from inpaint_web.site import OperatorOnly, SiteNow

router = APIRouter(dependencies=[OperatorOnly])
Role = Literal["source", "mask", "result", "region", "reference", "control"]


@dataclass(frozen=True, slots=True)
class Span:
    """A phase on the time line: where it begins and how long it is, per cent of the whole."""

    phase: str
    seconds: float
    start: float
    width: float


@router.get("/jobs")
def jobs(site: SiteNow) -> Response:
    """The newest jobs."""
    with site.database.read() as connection:
        found = list_jobs(connection, JobFilter(), 100)
    return site.page("jobs.html", {"jobs": found})


@router.get("/jobs/{job_id}")
def job(job_id: UUID, site: SiteNow) -> Response:
    """Everything that is known of one."""
    with site.database.read() as connection:
        found = get_job(connection, job_id)
        attempts = job_attempts(connection, job_id)
    values = {"job": found, "attempts": attempts, "spans": {a.number: spans(a) for a in attempts}}
    return site.page("job.html", values)


@router.get("/jobs/{job_id}/{role}")
def job_picture(
    job_id: UUID, role: Role, request: Request, site: SiteNow, small: Small, number: Annotated[int, Query(ge=1)] = 1
) -> Response:
    """One of its pictures; `number`: which of several results."""
    with site.database.read() as connection:
        found = get_job(connection, job_id)
        uri = _inputs(found).get(role) or job_outputs(connection, job_id, number).get(role)
    if uri is None:
        raise NotThere
    return picture_response(request, site.pictures.get(uri, small))


def _inputs(job: JobView) -> dict[str, str | None]:
    return {
        "source": job.source_uri,
        "mask": job.mask_uri,
        "reference": job.reference_uri,
        "control": job.control_uri,
    }


def spans(attempt: AttemptView) -> list[Span]:
    """The phases of an attempt, one after another."""
    total = sum(attempt.seconds.values())
    found: list[Span] = []
    begun = 0.0
    for phase, length in attempt.seconds.items():
        if total > 0:
            found.append(Span(phase, length, 100 * begun / total, 100 * length / total))
        begun += length
    return found
