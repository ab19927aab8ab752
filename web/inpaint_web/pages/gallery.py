"""All results of a run: samples down, models across. Not blind, and so for operators."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from inpaint_db.dataset_queries import list_samples
from inpaint_db.gallery_queries import GalleryTrial, gallery_trials, sample_picture, trial_picture
from inpaint_db.rating_words import SampleStars, stars_of_samples
from inpaint_db.run_queries import find_run, list_runs
from starlette.responses import Response

from inpaint_web.errors import NotThere
from inpaint_web.pages.responses import Small, picture_response
from inpaint_web.pictures import SMALL
from inpaint_web.site import OperatorOnly, SiteNow

router = APIRouter(dependencies=[OperatorOnly])
#: Samples of one page.
_SAMPLES = 12
#: With fewer pictures in a row each is larger than the smallest size that we serve.
_FEW = 5


@router.get("/gallery")
def galleries(site: SiteNow) -> Response:
    """Which runs there are."""
    with site.database.read() as connection:
        runs = list_runs(connection, 200)
    return site.page("runs.html", {"runs": runs})


@router.get("/gallery/{run}")
def gallery(run: str, site: SiteNow, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
    """One page of a run's samples."""
    with site.database.read() as connection:
        row = find_run(connection, run)
        every = list_samples(connection, row.dataset_version_id)
        samples = [sample for sample in every if row.samples is None or sample.name in row.samples]
        pages = max(1, -(-len(samples) // _SAMPLES))
        if page > pages:
            raise NotThere
        shown = samples[(page - 1) * _SAMPLES : page * _SAMPLES]
        trials = gallery_trials(connection, row.id, [sample.id for sample in shown])
        given = stars_of_samples(connection, row.id, [sample.id for sample in shown])
    cells: defaultdict[tuple[UUID, str], list[GalleryTrial]] = defaultdict(list)
    for trial in trials:
        cells[trial.sample_id, trial.model].append(trial)
    stars: defaultdict[tuple[UUID, str], list[SampleStars]] = defaultdict(list)
    for each in given:
        stars[each.sample_id, each.model].append(each)
    # A row is shared out so that the source is as wide as a result.
    units = 1 + len(row.models) * max((len(cell) for cell in cells.values()), default=1)
    values = {
        "run": row, "samples": shown, "cells": cells, "stars": stars, "page": page, "pages": pages, "units": units,
        "small": SMALL[0] if units >= _FEW else SMALL[1],
    }  # fmt: skip
    return site.page("gallery.html", values)


@router.get("/trial/{trial_id}/result")
def trial_result(trial_id: UUID, request: Request, site: SiteNow, small: Small) -> Response:
    """The result of a trial."""
    with site.database.read() as connection:
        uri = trial_picture(connection, trial_id, site.settings.s3_bucket)
    if uri is None:
        raise NotThere
    return picture_response(request, site.pictures.get(uri, small))


@router.get("/sample/{sample_id}/{role}")
def sample_image(
    sample_id: UUID, role: Literal["source", "mask"], request: Request, site: SiteNow, small: Small
) -> Response:
    """The source or the mask of a sample."""
    with site.database.read() as connection:
        uri = sample_picture(connection, sample_id, role, site.settings.s3_bucket)
    if uri is None:
        raise NotThere
    return picture_response(request, site.pictures.get(uri, small))
