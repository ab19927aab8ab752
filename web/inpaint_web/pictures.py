"""Pictures as pages show them: decoded and written anew, so that nothing but pixels leaves this server.

What a file says of itself (EXIF, text, profiles, its format, the name of its object) could tell which model made it.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass

from inpaint_core.damage import damage
from inpaint_core.images import Limits, open_image
from inpaint_core.storage import ObjectRef, ObjectStore
from PIL import Image, ImageCms

#: Longest side of a picture to be judged, pixels: more than a screen shows. All larger ones are scaled to it.
MOST_SIDE = 2560
#: Sides of small pictures in grids.
SMALL = (320, 640)
#: Outputs may have more bytes than any input is allowed to have.
_MOST_BYTES = 1 << 31
_CACHE_BYTES = 96 << 20
#: Pictures that are decoded at once, whatever asks for them.
_MOST_DECODING = 3
#: Address, size for grids, seed of damage.
_Key = tuple[str, int | None, int | None]
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True, slots=True)
class Picture:
    """Bytes for a browser."""

    data: bytes
    media_type: str
    etag: str


class Pictures:
    """Reads objects of the store and keeps what it made of the newest. Safe to use from several threads."""

    def __init__(self, store: ObjectStore, limits: Limits, *, cache_bytes: int = _CACHE_BYTES) -> None:
        self._store = store
        # Outputs of models may be larger than inputs are allowed to be.
        self._limits = Limits(_MOST_BYTES, 178_000_000, 1 << 16, limits.max_frames)
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[_Key, Picture] = OrderedDict()
        self._kept = 0
        self._lock = threading.Lock()
        self._making: dict[_Key, threading.Lock] = {}
        # A large picture is hundreds of megabytes of pixels while it is decoded.
        self._decoding = threading.BoundedSemaphore(_MOST_DECODING)

    def get(self, uri: str, small: int | None = None, damage_seed: int | None = None) -> Picture:
        """The picture, without loss; or `small` pixels wide at most, for a grid. `damage_seed`: spoilt on purpose."""
        key = (uri, small, damage_seed)
        with self._lock:
            if (found := self._cache.get(key)) is not None:
                self._cache.move_to_end(key)
                return found
            making = self._making.setdefault(key, threading.Lock())
        with making:  # a page and its prefetching ask for the same picture at once: it is made once
            with self._lock:
                if (found := self._cache.get(key)) is not None:
                    return found
            try:
                data = self._store.get(ObjectRef.parse(uri), _MOST_BYTES)
                with self._decoding:
                    made = clean(data, self._limits, small, damage_seed)
                with self._lock:
                    self._keep(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return made

    def _keep(self, key: _Key, picture: Picture) -> None:
        self._cache[key] = picture
        self._kept += len(picture.data)
        while self._kept > self._cache_bytes and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._kept -= len(oldest.data)


def clean(data: bytes, limits: Limits, small: int | None = None, damage_seed: int | None = None) -> Picture:
    """The pixels of a file as people see them, in a file of ours."""
    image = as_seen(open_image(data, limits, "picture"))
    if damage_seed is not None:
        image = damage(image, damage_seed)
    side = small or MOST_SIDE
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    # Made of the bare pixels: Pillow hands on what it knows of a file to what it writes.
    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    buffer = io.BytesIO()
    if small is None:
        bare.save(buffer, "PNG", compress_level=3)
    else:
        bare.save(buffer, "WEBP", quality=82, method=2)
    made = buffer.getvalue()
    media_type = "image/png" if small is None else "image/webp"
    return Picture(made, media_type, f'"{hashlib.sha256(made).hexdigest()[:32]}"')


def as_seen(image: Image.Image) -> Image.Image:
    """8 bits of grey or sRGB; what is transparent lies on white."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 257).convert("L")
    if image.mode in ("1", "L") and not profile and "transparency" not in image.info:
        return image.convert("L")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    if profile:
        try:
            found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(image, found, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            turned = None  # a broken profile is no profile, as browsers have it
        if turned is not None:
            return turned
    return image.convert("RGB")
