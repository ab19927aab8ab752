"""A picture as a response: kept by this browser for an hour, and not sent again while it is the same."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from inpaint_web.pictures import Picture
from inpaint_web.security.headers import PICTURE


def picture_response(request: Request, picture: Picture) -> Response:
    """Its bytes, or 304 if the browser has them."""
    headers = {"cache-control": PICTURE, "etag": picture.etag, "vary": "Cookie"}
    if request.headers.get("if-none-match") == picture.etag:
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type=picture.media_type, headers=headers)
