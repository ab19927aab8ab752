"""How much of some files the system holds in memory: weights that it holds load several times as fast."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

#: That of the bytes that `mincore` gives tells of the page.
_LOWEST_BIT = bytes(byte & 1 for byte in range(256))
_PROT_NONE, _MAP_SHARED, _FAILED = 0, 1, ctypes.c_void_p(-1).value


def cached_share(paths: Iterable[Path]) -> float | None:
    """Share of their pages that are in memory, 0 to 1; None where there is nothing, or the kernel does not tell.

    Of files that are not this user's, and that it may not write, Linux says that all is in memory (since 5.2).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_longlong]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    pages = held = 0
    for path in paths:
        status = path.stat()
        if not (length := status.st_size):
            continue
        if status.st_uid != os.geteuid() and not os.access(path, os.W_OK):
            return None
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
        held += told.raw[:count].translate(_LOWEST_BIT).count(1)
    return held / pages if pages else None
