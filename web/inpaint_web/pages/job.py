"""One job: its pictures, where its seconds went, what it cost, and each attempt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from inpaint_core.errors import JobNotFound
from inpaint_db.gallery_queries import AttemptView, job_attempts, jobs_beginning_with
from inpaint_db.queries import JobFilter, JobView, get_job, get_jobs, job_outputs, list_jobs
from starlette.responses import RedirectResponse, Response

from inpaint_web.errors import NotThere
from inpaint_web.pages.responses import Small, picture_response
from inpaint_web.site import OperatorOnly, Site, SiteNow

router = APIRouter(dependencies=[OperatorOnly])
#: Jobs of a list.
_MOST = 100
#: The beginning of an id, as somebody may type it.
_BEGINNING = re.compile(r"[0-9a-fA-F]{4,32}")
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
        found = list_jobs(connection, JobFilter(), _MOST)
    return site.page("jobs.html", {"jobs": found, "beginning": None})


@router.get("/jobs/{name}")
def job(name: str, site: SiteNow) -> Response:
    """Everything that is known of one; of those whose ids begin so, where it is not a whole id."""
    try:
        job_id = UUID(name)
    except ValueError:
        return _beginning_with(name, site)
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


def _beginning_with(name: str, site: Site) -> Response:
    """On to the only one, or a choice of several."""
    with site.database.read() as connection:
        ids = jobs_beginning_with(connection, name, _MOST) if _BEGINNING.fullmatch(name.replace("-", "")) else []
        found = get_jobs(connection, ids)
    if len(ids) == 1:
        return RedirectResponse(f"/jobs/{ids[0]}", status_code=303)
    if ids:
        return site.page("jobs.html", {"jobs": [found[job_id] for job_id in ids], "beginning": name})
    raise JobNotFound(
        f"There is no job whose id begins with {name[:40]!r}. An id looks like "
        "01a21634-2c18-77b4-9f30-a4642b81cac0; four of its first digits are enough. The newest jobs are under Jobs."
    )


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
