"""Where the command writes: results to stdout, everything else to stderr.

Nothing else in the command line writes. What goes to a terminal is laid out for it; what goes into a pipe or a file is
tab-separated and never cut, so that ids survive. Rich is loaded only where something is drawn.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

#: Control characters, by which a prompt or an error text could command the terminal.
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")
#: How often progress is told where there is no terminal.
_TELL_EVERY_S = 5.0
#: What the last column of a table gets at least, where the others leave little of the terminal.
_LAST_COLUMN = 24


def clean(text: object) -> str:
    """Text of any origin on one line, without control characters."""
    return str(text).translate(_CONTROL)


def say(text: str = "") -> None:
    """A line of the result, to stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """A line about what is going on, to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """Something worth knowing that stops nothing."""
    tell(f"note: {text}")


def fail(text: str) -> None:
    """Why the command cannot go on."""
    tell(f"error: {text}")


def document(value: object) -> None:
    """One JSON document, to stdout."""
    say(json.dumps(value, default=plain, indent=2, ensure_ascii=False))


def plain(value: object) -> Any:
    """What JSON has no word for: dataclasses as objects, ids, times and paths as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    return str(value)


def on_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person reads it."""
    return (stream or sys.stdout).isatty()


def console(stream: TextIO | None = None) -> Console:
    """A Rich console that draws what it is given: no markup in data, no guessed colours."""
    from rich.console import Console

    return Console(file=stream or sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, whole: bool = False) -> None:
    """A table to stdout. Into a pipe: tab-separated, with a header. On a terminal: laid out, without empty columns
    unless it is to be `whole`.

    Only the last column is folded to fit, so that ids and names can be copied whole.
    """
    texts = [["" if value is None else clean(value) for value in row] for row in rows]
    if not on_terminal():
        for line in (columns, *texts):
            say("\t".join(line))
        return
    from rich.table import Table

    every = whole or not texts
    shown = [place for place, _ in enumerate(columns) if every or any(line[place] for line in texts)]
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for place in shown:
        drawn.add_column(columns[place], no_wrap=place != shown[-1], overflow="fold")
    for line in texts:
        drawn.add_row(*(line[place] for place in shown))
    fixed = sum(max(len(columns[p]), *(len(line[p]) for line in texts), 0) + 2 for p in shown[:-1])
    out = console()
    out.width = max(out.width, fixed + _LAST_COLUMN)
    out.print(drawn, crop=False)


def pairs(rows: Sequence[tuple[str, object]]) -> None:
    """Names with their values, one on a line, to stdout."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        say(f"{name}\t{clean(value)}" if not on_terminal() else f"{name:<{width}}  {clean(value)}")


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; call what it gives with how many more are done."""
    if on_terminal(sys.stderr):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console(sys.stderr)) as bar:
            task = bar.add_task(what, total=total)
            yield lambda more: bar.advance(task, more)
        return
    done, told = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, told
        done += more
        if done == total or time.monotonic() - told >= _TELL_EVERY_S:
            told = time.monotonic()
            tell(f"{what}: {done:,} of {total:,}")

    yield advance


@contextlib.contextmanager
def live_line() -> Iterator[Callable[[str], None]]:
    """One line on stderr that changes in place on a terminal; elsewhere each change is a line of its own."""
    if not on_terminal(sys.stderr):
        yield tell
        return
    with console(sys.stderr).status("") as status:
        yield lambda text: status.update(clean(text))


def confirm(question: str) -> bool:
    """Ask on stderr. Without a terminal nobody could answer, and the answer is no."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
