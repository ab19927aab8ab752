"""One log of many processes: every line says when, and who."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import zlib
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

#: Size at which the file is set aside, and how many old ones are kept.
MAX_BYTES = 10 << 20
OLD_FILES = 3

#: The supervisor's own lines.
STACK = "stack"
_NAME_WIDTH = 20
#: Cyan, yellow, green, magenta, blue, and their bright kin; red is left for what goes wrong.
_COLORS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
#: The time that a program puts in front of its own line: structlog's and Redis'. It is said once already.
_OWN_TIME = re.compile(r"^(?:\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?|\d+:[A-Z] \d+ \w{3} \d{4} [\d:.]+) +")
#: Everything below a space but the tab: a line from a child must not move the cursor of whoever reads it.
_CONTROL = dict.fromkeys((*range(9), *range(10, 32), 127))


class StackLog:
    """Writes lines to a file and, if there is one, to a terminal. Safe to use from several threads."""

    def __init__(self, path: Path, echo: TextIO | None = None) -> None:
        self.path = path
        self._echo = echo
        self._color = echo is not None and echo.isatty() and not os.environ.get("NO_COLOR")
        self._lock = threading.Lock()
        self._width = _NAME_WIDTH
        self._file: TextIO | None = None

    def __enter__(self) -> StackLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def say(self, text: str) -> None:
        """A line of the stack itself."""
        self.line(STACK, text)

    def line(self, name: str, text: str) -> None:
        """A line of a child."""
        text = _OWN_TIME.sub("", text.translate(_CONTROL))
        now = datetime.now().astimezone()
        with self._lock:
            self._width = max(self._width, len(name))
            label = name.ljust(self._width)
            self._write_file(f"{now:%Y-%m-%d %H:%M:%S} {label} | {text}\n")
            if self._echo is not None:
                if self._color:
                    color = 1 if name == STACK else _COLORS[zlib.crc32(name.encode()) % len(_COLORS)]
                    label = f"\x1b[{color}m{label} |\x1b[0m"
                else:
                    label += " |"
                self._write_echo(f"{now:%H:%M:%S} {label} {text}\n")

    def close(self) -> None:
        """Close the file; lines that still come are only echoed."""
        with self._lock:
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()
            self._file = None

    def _write_file(self, line: str) -> None:
        # A full disk must not stop the stack: the terminal still gets the line, and the next one is tried again.
        with contextlib.suppress(OSError):
            if self._file is None:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1)
            self._file.write(line)
            if self._file.tell() > MAX_BYTES:
                self._file.close()
                self._file = None
                self._rotate()

    def _rotate(self) -> None:
        for number in range(OLD_FILES, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            if newer.exists():
                newer.replace(older)

    def _write_echo(self, line: str) -> None:
        assert self._echo is not None  # noqa: S101  (asked by the caller)
        try:
            self._echo.write(line)
            self._echo.flush()
        except (OSError, ValueError):
            # The terminal was closed. The file has everything.
            self._echo = None
