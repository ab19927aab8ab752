"""Taking in images: read from wherever they are, checked, and stored once by content."""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from inpaint_core.errors import InputNotFound, InvalidRequest, UnreadableImage
from inpaint_core.images import ImageFacts, Limits, describe, inspect_image, open_image
from inpaint_core.masks import Reading, alpha_mask, count_marked, inspect_mask
from inpaint_core.storage import ObjectRef, ObjectStore, input_ref
from PIL import Image, ImageOps

from inpaint_producer.spec import ImageSource

Role = Literal["source", "mask", "reference", "control"]
#: The field of a request that names an image of this role.
FIELDS: dict[Role, str] = {
    "source": "source", "mask": "mask", "reference": "reference_image", "control": "control_image",
}  # fmt: skip
#: What a PIL image is stored as, if PNG does not know its mode.
_STORED_AS = {"CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB", "PA": "RGBA", "RGBa": "RGBA"}
#: An object that was seen is not asked for again within this time. The cleaning leaves inputs alone for far longer.
TRUST_S = 300
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Use:
    """What an image is for, and how it is read as a mask; a source is so only if its transparency is the mask."""

    role: Role
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """An image that passed its checks: where it lies or will lie, and its bytes if it is not stored yet."""

    use: Use
    ref: ObjectRef
    facts: ImageFacts
    #: Pixels to repaint, if it was read as a mask.
    marked: int | None
    data: bytes | None


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    intake: Intake
    #: It was seen, or uploaded, after the database had been told that it is about to be used.
    held: bool


class ImageIntake:
    """Checks and stores the images of jobs. Remembers what it has seen; safe to use from several threads."""

    def __init__(
        self, store: ObjectStore, limits: Limits, known: Callable[[str], ImageFacts | None] = lambda _sha: None
    ) -> None:
        """`known` tells the facts of an image by its sha256, if the database has them."""
        self._store = store
        self._limits = limits
        self._known = known
        self._seen: OrderedDict[tuple[str, Use], _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, image: ImageSource, use: Use) -> Intake:
        """Read one image and check it; nothing is stored."""
        if isinstance(image, str) and image.startswith("s3://"):
            return self._object(image, use)
        data, what = _read(image, use.role, self._limits)
        facts, marked = _inspect(data, self._limits, what, use)
        ref = input_ref(self._store.bucket, facts.sha256, facts.extension)
        seen = self._recall(str(ref), use, held=True)
        return seen or Intake(use, ref, facts, marked, data)

    def store(self, intake: Intake) -> Intake:
        """Upload the image if it is not stored yet. It must be held in the database: what was seen before that may
        have been removed in between, and is looked for again.
        """
        if intake.data is not None:
            self._store.put(intake.ref, intake.data, intake.facts.media_type)
        elif not self._is_cleaned(intake.ref) or self._recall(str(intake.ref), intake.use, held=True):
            return intake
        else:
            self._store.stat(intake.ref)
        stored = replace(intake, data=None)
        self._remember(stored, held=True)
        return stored

    def forget(self) -> None:
        """Trust nothing that was seen before."""
        with self._lock:
            self._seen.clear()

    def _object(self, uri: str, use: Use) -> Intake:
        try:
            ref = ObjectRef.parse(uri)
        except ValueError as error:
            raise InvalidRequest(f"{use.role}: {uri!r} {error}.", field=FIELDS[use.role]) from None
        seen = self._recall(uri, use)
        if seen:
            return seen
        sha = ref.content_sha256 if ref.bucket == self._store.bucket else None
        facts = self._known(sha) if sha else None
        marked = None
        if facts and _is_recorded(facts, use):
            self._store.stat(ref)  # recorded once, but is it still there?
            marked = facts.masked_pixels if use.reading else None
        else:
            data = self._store.get(ref, self._limits.max_bytes)
            facts, marked = _inspect(data, self._limits, f"{use.role} {uri}", use)
        intake = Intake(use, ref, facts, marked, None)
        if sha:  # only content-addressed objects never change under their name
            self._remember(intake, held=False)
        return intake

    def _is_cleaned(self, ref: ObjectRef) -> bool:
        """Whether the fleet removes the object when no job needs it: only what is named after its content."""
        return ref.bucket == self._store.bucket and ref.content_sha256 is not None

    def _recall(self, uri: str, use: Use, *, held: bool = False) -> Intake | None:
        with self._lock:
            seen = self._seen.get((uri, use))
        trusted = seen and seen.at > time.monotonic() - TRUST_S and (seen.held or not held)
        return seen.intake if seen and trusted else None

    def _remember(self, intake: Intake, *, held: bool) -> None:
        with self._lock:
            self._seen[str(intake.ref), intake.use] = _Seen(time.monotonic(), intake, held)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)


def _inspect(data: bytes, limits: Limits, what: str, use: Use) -> tuple[ImageFacts, int | None]:
    """Decode once: what it is, and how many pixels it marks if it is read as a mask."""
    if use.role == "mask":
        return inspect_mask(data, limits, what, use.reading)
    if use.reading is None:
        return inspect_image(data, limits, what), None
    image = open_image(data, limits, what)
    marked = count_marked(alpha_mask(image, use.reading.threshold, what))
    return describe(data, image, limits), marked


def _is_recorded(facts: ImageFacts, use: Use) -> bool:
    """Whether what the database knows of an image answers for this use of it."""
    if use.role != "mask":
        return use.reading is None
    return bool(facts.masked_pixels) and (use.reading is None or use.reading.is_usual)


def _read(image: ImageSource, role: Role, limits: Limits) -> tuple[bytes, str]:
    """The encoded bytes, and what to call them in an error."""
    if isinstance(image, bytes):
        return image, role
    if isinstance(image, Image.Image):
        return _png(image, role), role
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        raise InvalidRequest(
            f"{role}: {image!r} is a web address, and those are not fetched. Download it first, or put it into the "
            "bucket and name it as s3://bucket/key.",
            field=FIELDS[role],
        )
    if not isinstance(image, str | Path):
        raise InvalidRequest(
            f"{role}: {type(image).__name__} is not taken as an image. Give a path, s3://bucket/key, encoded bytes or "
            "a PIL image.",
            field=FIELDS[role],
        )
    path = Path(image)
    try:
        # One byte over the limit is enough to know that it is too large.
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1), f"{role} {path}"
    except FileNotFoundError:
        raise InputNotFound(f"There is no file {path} (given as the {role}). Check the path.", path=str(path)) from None
    except IsADirectoryError:
        raise UnreadableImage(
            f"The {role} {path} is a folder. Name one image, or use `inpaint submit-batch` for many.", path=str(path)
        ) from None
    except OSError as error:
        raise UnreadableImage(f"The {role} {path} cannot be read: {error.strerror}.", path=str(path)) from None


def _png(image: Image.Image, role: Role) -> bytes:
    buffer = io.BytesIO()
    try:
        # As the same picture would be taken from its file: PNG would keep the pixels, but not how to turn them.
        upright = ImageOps.exif_transpose(image)
        upright = upright.convert(_STORED_AS.get(upright.mode, upright.mode))
        upright.save(buffer, "PNG", compress_level=1)
    except (OSError, ValueError) as error:
        raise UnreadableImage(
            f"The {role}, a PIL image of mode {image.mode}, cannot be stored as PNG ({error}). Convert it to RGB or L.",
            mode=image.mode,
        ) from None
    return buffer.getvalue()
