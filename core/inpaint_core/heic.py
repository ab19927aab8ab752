"""HEIC, which Pillow opens with pi-heif if that is installed, and what pi-heif must not be given."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

#: How a HEIC calls itself at its beginning.
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
#: A photo in tiles has some hundred.
_MOST_BOXES = 10_000


@functools.cache
def register_heic() -> bool:
    """Teach Pillow to open HEIC, if the extra is installed."""
    with contextlib.suppress(ImportError):
        import pi_heif

        pi_heif.register_heif_opener()
        return True
    return False


def is_sound(data: bytes) -> bool:
    """Whether the names of a HEIC's items are text. pi-heif 1.4 takes that for granted, and ends the process if not."""
    budget = iter(range(_MOST_BOXES))
    try:
        for meta in _boxes(memoryview(data), b"meta", budget):
            for items in _boxes(meta[4:], b"iinf", budget):
                # Behind version and flags, the count of entries takes two or four bytes.
                for item in _boxes(items[6 if bytes(items[:1]) == b"\0" else 8 :], b"infe", budget):
                    # Behind the ids of the item and of its protection.
                    bytes(item[10 if bytes(item[:1]) == b"\3" else 8 :]).decode()
    except ValueError:  # a UnicodeDecodeError is one
        return False
    return True


def _boxes(data: memoryview, kind: bytes, budget: Iterator[int]) -> Iterator[memoryview]:
    """The contents of those boxes (ISO/IEC 14496-12) that are of this kind; ValueError if there is no end of them."""
    for _ in budget:
        if len(data) < 8:
            return
        size, head = int.from_bytes(data[:4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[8:16], "big"), 16
        if size == 0:
            size = len(data)
        if data[4:8] == kind:
            yield data[head:size]
        data = data[max(size, head) :]
    raise ValueError("too many boxes")
