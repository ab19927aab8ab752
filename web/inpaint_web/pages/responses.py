"""A picture as a response: kept by this browser for an hour, and not sent again while it is the same."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from inpaint_web.errors import WebError
from inpaint_web.pictures import SMALL, Picture
from inpaint_web.security.headers import PICTURE


def picture_response(request: Request, picture: Picture) -> Response:
    """Its bytes, or 304 if the browser has them."""
    headers = {"cache-control": PICTURE, "etag": picture.etag, "vary": "Cookie"}
    if request.headers.get("if-none-match") == picture.etag:
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type=picture.media_type, headers=headers)


def _small(small: int | None = None) -> int | None:
    if small is not None and small not in SMALL:
        raise WebError(f"small is {small}; it must be {' or '.join(map(str, SMALL))}, or absent for the whole picture.")
    return small


#: `?small=320`: so many pixels at most, for a grid.
Small = Annotated[int | None, Depends(_small)]
