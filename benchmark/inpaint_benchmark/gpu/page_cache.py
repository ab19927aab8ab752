"""How much of some files the system holds in memory: weights that it holds load several times as fast."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

_PROT_NONE, _MAP_SHARED, _FAILED = 0, 1, ctypes.c_void_p(-1).value


def cached_share(paths: Iterable[Path]) -> float | None:
    """Share of their pages that are in memory, 0 to 1; None where there is nothing, or the kernel does not tell."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_longlong]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    pages = held = 0
    for path in paths:
        length = path.stat().st_size
        if not length:
            continue
        count = -(-length // mmap.PAGESIZE)
        told = ctypes.create_string_buffer(count)
        opened = os.open(path, os.O_RDONLY)
        try:
            place = libc.mmap(None, length, _PROT_NONE, _MAP_SHARED, opened, 0)
            if place == _FAILED:
                return None
            try:
                if libc.mincore(place, length, told):
                    return None
            finally:
                libc.munmap(place, length)
        finally:
            os.close(opened)
        pages += count
        held += sum(byte & 1 for byte in told.raw[:count])
    return held / pages if pages else None
