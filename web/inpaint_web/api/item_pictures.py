"""Pictures of items, under names that tell the place in a session and nothing else."""

from __future__ import annotations

import hashlib
import re
from uuid import UUID

from fastapi import APIRouter, Request
from inpaint_db.rating_pictures import Picture as Stored
from inpaint_db.rating_queries import ItemView
from starlette.responses import Response

from inpaint_web.api.ratings import shown
from inpaint_web.errors import NotThere
from inpaint_web.pages.responses import Small, picture_response
from inpaint_web.pictures import Picture
from inpaint_web.site import RaterNow, SiteNow

router = APIRouter()
_RESULT = re.compile(r"result-([1-9]\d{0,2})")


@router.get("/image/{session_id}/{position}/{role}")
def item_picture(
    session_id: UUID, position: int, role: str, request: Request, rater: RaterNow, site: SiteNow, small: Small
) -> Response:
    """The source, the mask, or a result."""
    with site.database.read() as connection:  # looking is not showing: the page fetches pictures early
        view = shown(connection, rater.id, session_id, position, site.settings.s3_bucket, note=False)
    stored = _stored(view, role)
    if stored is None:
        raise NotThere
    made = site.pictures.get(stored.uri, small, damage_seed=stored.damage_seed)
    # Of the place too: a tag of the content alone would tell that a picture is shown twice.
    etag = hashlib.sha256(f"{session_id}/{position}/{role} {made.etag}".encode()).hexdigest()[:32]
    return picture_response(request, Picture(made.data, made.media_type, f'"{etag}"'))


def _stored(view: ItemView, role: str) -> Stored | None:
    if role == "source":
        return view.source
    if role == "mask":
        return view.mask
    match = _RESULT.fullmatch(role)
    number = int(match[1]) if match else 0
    return view.results[number - 1] if 0 < number <= len(view.results) else None
