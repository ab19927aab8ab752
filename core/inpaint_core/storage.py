"""The object store as the fleet sees it: a protocol, references, and where things lie in the bucket."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

_URI = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>.+)", re.DOTALL)
#: S3's own limit on the length of a key in bytes.
_MAX_KEY_BYTES = 1024
_CONTENT_KEY = re.compile(r"inputs/(?P<sha>[0-9a-f]{64})\.[a-z]+")
_OUTPUT_KEY = re.compile(r"outputs/(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(?P<attempt>[1-9]\d{0,8})/.+")
#: Where the fleet itself stores. What else lies in the bucket belongs to others.
INPUTS, OUTPUTS = "inputs/", "outputs/"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object, written `s3://bucket/key`."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def parse(cls, uri: str) -> ObjectRef:
        """From `s3://bucket/key`; ValueError says what is wrong."""
        match = _URI.fullmatch(uri)
        if not match:
            raise ValueError("must be s3://bucket/key")
        key = match["key"]
        if len(key.encode()) > _MAX_KEY_BYTES:
            raise ValueError(f"the key is longer than {_MAX_KEY_BYTES} bytes")
        if any(ord(char) < 32 for char in key) or any(part in ("", ".", "..") for part in key.split("/")):
            raise ValueError("the key has control characters, or an empty, '.' or '..' part")
        return cls(match["bucket"], key)

    @property
    def content_sha256(self) -> str | None:
        """The sha256 in the name of a content-addressed input, else None."""
        match = _CONTENT_KEY.fullmatch(self.key)
        return match["sha"] if match else None

    @property
    def attempt(self) -> tuple[UUID, int] | None:
        """Job and number of the attempt that stored it, by its name; None if the fleet would not name it so."""
        match = _OUTPUT_KEY.fullmatch(self.key)
        return (UUID(match["job"]), int(match["attempt"])) if match else None


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store says of an object without sending it."""

    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """An object as a listing shows it."""

    ref: ObjectRef
    size_bytes: int
    #: By the store's clock.
    modified_at: datetime


class ObjectStore(Protocol):
    """Where images lie. Every method may raise `StorageUnavailable` or `AccessDenied`."""

    bucket: str

    def put(self, ref: ObjectRef, data: bytes, content_type: str) -> None:
        """Store `data`, replacing what was there."""

    def get(self, ref: ObjectRef, max_bytes: int) -> bytes:
        """The object's bytes; `ObjectNotFound`, or `ImageTooLarge` before reading more than `max_bytes`."""

    def stat(self, ref: ObjectRef) -> ObjectInfo:
        """Size and etag; `ObjectNotFound` if there is no such object."""

    def delete(self, ref: ObjectRef) -> None:
        """Remove the object; nothing happens if there is none."""

    def delete_many(self, refs: Collection[ObjectRef]) -> None:
        """Remove objects of `bucket`, 1,000 with one request. If it raises, some may be gone."""

    def list_pages(self, prefix: str) -> Iterator[list[ObjectEntry]]:
        """Objects of `bucket` below `prefix`, 1,000 at a time. Those of a page may be removed before the next."""

    def check(self) -> None:
        """Raise unless the store answers, accepts the keys and holds the bucket."""

    def presigned_get(self, ref: ObjectRef, expires_s: int) -> str:
        """A URL that anybody may fetch the object from, for `expires_s` seconds."""


def input_ref(bucket: str, sha256: str, extension: str) -> ObjectRef:
    """Where an uploaded image lies: content-addressed, so the same photo is stored once."""
    return ObjectRef(bucket, f"inputs/{sha256}.{extension}")


def output_ref(bucket: str, job_id: UUID, attempt: int, name: str) -> ObjectRef:
    """Where an attempt stores an image: under its number, so that a fenced-off attempt overwrites nothing."""
    return ObjectRef(bucket, f"outputs/{job_id}/{attempt}/{name}")
