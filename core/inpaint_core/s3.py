"""The object store over the MinIO SDK: MinIO, any S3, and the local stack's rclone."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any, NoReturn
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from inpaint_core.errors import AccessDenied, ImageTooLarge, ObjectNotFound, RequestError, StorageUnavailable
from inpaint_core.settings import Settings
from inpaint_core.storage import ObjectEntry, ObjectInfo, ObjectRef

_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"}
#: What servers say when their disk is full, each in its own way; the local stack's says InternalError.
_FULL = {"InternalError", "InsufficientStorage", "XMinioStorageFull"}
_MISSING = {"NoSuchKey", "NoSuchObject", "NotFound"}
#: Objects of one listing or one bulk delete: S3's own limit.
_PAGE = 1000


class S3Store:
    """`ObjectStore` on one S3 endpoint. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        settings.need("S3")
        assert settings.s3_url and settings.s3_secret_key  # noqa: S101  (`need` has checked)
        parts = urlsplit(settings.s3_url)
        self.address = settings.s3_url
        self.bucket = settings.s3_bucket
        self._readable = {settings.s3_bucket, *settings.s3_read_buckets}
        # The SDK's own defaults are 300 s timeouts and five retries: a worker would hang on a dead store.
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=2, read=15),
            # S3 says of its 500 that it should be tried again. The last answer is returned, since its code tells why.
            retries=urllib3.Retry(
                total=3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504], raise_on_status=False
            ),
            maxsize=16,
        )
        self._client = Minio(
            parts.netloc,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=parts.scheme == "https",
            region=settings.s3_region,
            http_client=pool,
        )

    def put(self, ref: ObjectRef, data: bytes, content_type: str) -> None:
        """Store `data`, replacing what was there."""
        with self._errors(ref):
            self._client.put_object(ref.bucket, ref.key, io.BytesIO(data), len(data), content_type=content_type)

    def get(self, ref: ObjectRef, max_bytes: int) -> bytes:
        """The object's bytes; `ObjectNotFound`, or `ImageTooLarge` before reading more than `max_bytes`."""
        self._check_readable(ref)
        with self._errors(ref):
            response = self._client.get_object(ref.bucket, ref.key)
            try:
                size = int(response.headers.get("Content-Length", 0))
                # Without a length, one byte too many tells that it is too large.
                # As it is stored: an object marked `Content-Encoding: gzip` would be unpacked without any limit.
                data = b"" if size > max_bytes else bytes(response.read(max_bytes + 1, decode_content=False))
            finally:
                response.close()
                response.release_conn()
        if max(size, len(data)) > max_bytes:
            raise ImageTooLarge(
                f"{ref} has {f'{size:,}' if size else 'more'} bytes; at most {max_bytes:,} are accepted "
                "(INPAINT_MAX_IMAGE_BYTES).",
                size_bytes=size or None,
                limit=max_bytes,
            )
        if size and len(data) != size:
            raise StorageUnavailable(
                f"S3 at {self.address} closed the connection after {len(data):,} of {size:,} bytes of {ref}.",
                service="S3",
                address=self.address,
            )
        return data

    def stat(self, ref: ObjectRef) -> ObjectInfo:
        """Size and etag; `ObjectNotFound` if there is no such object."""
        self._check_readable(ref)
        with self._errors(ref):
            found = self._client.stat_object(ref.bucket, ref.key)
        return ObjectInfo(int(found.size or 0), str(found.etag or ""))

    def delete(self, ref: ObjectRef) -> None:
        """Remove the object; nothing happens if there is none."""
        with contextlib.suppress(ObjectNotFound), self._errors(ref):
            self._client.remove_object(ref.bucket, ref.key)

    def delete_many(self, refs: Collection[ObjectRef]) -> None:
        """Remove objects of `bucket`, 1,000 with one request. If it raises, some may be gone."""
        with self._errors(ObjectRef(self.bucket, "")):
            # The SDK sends nothing until it is asked for what went wrong.
            wrong = [
                error
                for error in self._client.remove_objects(self.bucket, [DeleteObject(ref.key) for ref in refs])
                if error.code not in _MISSING
            ]
        for error in wrong:
            self._translate(ObjectRef(self.bucket, error.name or ""), error.code, MinioException(error.message))

    def list_pages(self, prefix: str) -> Iterator[list[ObjectEntry]]:
        """Objects of `bucket` below `prefix`, 1,000 at a time. Those of a page may be removed before the next."""
        where = ObjectRef(self.bucket, prefix)
        with self._errors(where):
            found = iter(self._client.list_objects(self.bucket, prefix=prefix, recursive=True))
        page: list[ObjectEntry] = []
        while True:
            with self._errors(where):
                following = [
                    ObjectEntry(ObjectRef(self.bucket, entry.object_name), int(entry.size or 0), entry.last_modified)
                    for entry in itertools.islice(found, _PAGE)
                ]
            # A page is given out when the next has been read: some servers look for the last object of a page to go
            # on behind it, and would begin anew if the reader had removed it.
            if page:
                yield page
            if not following:
                return
            page = following

    def presigned_get(self, ref: ObjectRef, expires_s: int) -> str:
        """A URL that anybody may fetch the object from, for `expires_s` seconds."""
        with self._errors(ref):
            return str(self._client.presigned_get_object(ref.bucket, ref.key, expires=timedelta(seconds=expires_s)))

    def ensure_bucket(self) -> bool:
        """Create the bucket if it is missing; True if it was."""
        with self._errors(ObjectRef(self.bucket, "")):
            if self._client.bucket_exists(self.bucket):
                return False
            self._client.make_bucket(self.bucket)
            return True

    def check(self) -> None:
        """Raise unless the store answers, accepts the keys and holds the bucket."""
        with self._errors(ObjectRef(self.bucket, "")):
            if not self._client.bucket_exists(self.bucket):
                raise ObjectNotFound(
                    f"S3 at {self.address} has no bucket {self.bucket!r}. Create it with `inpaint storage init`.",
                    ref=self.bucket,
                )

    def _check_readable(self, ref: ObjectRef) -> None:
        if ref.bucket not in self._readable:
            raise RequestError(
                f"{ref} lies in a bucket that jobs may not name; allowed: {', '.join(sorted(self._readable))}. "
                "Add it to INPAINT_S3_READ_BUCKETS, or upload the image.",
                ref=str(ref),
            )

    @contextlib.contextmanager
    def _errors(self, ref: ObjectRef) -> Iterator[None]:
        """What the SDK and urllib3 raise, in the fleet's words."""
        try:
            yield
        except S3Error as error:
            self._translate(ref, error.code or "", error)
        except InvalidResponseError as error:
            # rclone sends its error bodies as text/xml, which the SDK does not read; the code stands in the body.
            self._translate(ref, _code_in(error), error)
        except (ServerError, MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            self._translate(ref, "", error)

    def _translate(self, ref: ObjectRef, code: str, error: Exception) -> NoReturn:
        if code == "NoSuchBucket":
            raise ObjectNotFound(
                f"S3 at {self.address} has no bucket {ref.bucket!r}. Create it with `inpaint storage init`.",
                ref=ref.bucket,
            ) from None
        if code in _MISSING:
            raise ObjectNotFound(
                f"There is no object {ref}. Upload it first, or mend the name.", ref=str(ref)
            ) from None
        if code in _DENIED:
            raise AccessDenied(
                f"S3 at {self.address} refused the credentials ({code}). Check INPAINT_S3_ACCESS_KEY and "
                "INPAINT_S3_SECRET_KEY, and that they may use the bucket.",
                service="S3",
                address=self.address,
            ) from None
        if code in _FULL:
            raise StorageUnavailable(
                f"S3 at {self.address} could not do it ({code}). Its disk may be full: see its log.",
                service="S3",
                address=self.address,
            ) from error
        detail = code or _reason(error)
        raise StorageUnavailable(
            f"S3 at {self.address} does not answer ({detail}). Check that it runs and that INPAINT_S3_URL is right.",
            service="S3",
            address=self.address,
        ) from error


def _code_in(error: InvalidResponseError) -> str:
    text = str(error)
    start = text.find("<Code>")
    if start >= 0:
        return text[start + 6 : text.find("</Code>", start)]
    return {"404": "NoSuchKey", "403": "AccessDenied"}.get(str(getattr(error, "_code", "")), "")


def _reason(error: Any) -> str:
    """The innermost reason, without the object addresses that urllib3 prints."""
    while (inner := getattr(error, "reason", None)) is not None and inner is not error:
        error = inner
    text = str(error).split(": ")[-1]
    return text if len(text) < 200 else text[:200] + "..."
