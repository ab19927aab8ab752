"""`inpaint gc`: delete what was kept long enough, and what nothing needs any more."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint_fleet.cli import console, options, wording

if TYPE_CHECKING:
    from inpaint_producer.cleaning import Cleaned

#: How often progress is told where no line can change in place.
_TELL_EVERY_S = 5.0
_WHY = {
    "succeeded_long_ago": "succeeded longer ago than INPAINT_KEEP_SUCCEEDED_DAYS",
    "failed_long_ago": "failed longer ago than INPAINT_KEEP_FAILED_DAYS",
    "canceled_long_ago": "canceled longer ago than INPAINT_KEEP_FAILED_DAYS",
    "expired_long_ago": "expired longer ago than INPAINT_KEEP_FAILED_DAYS",
    "job_deleted": "of jobs that go",
    "attempt_ended": "left over from attempts that ended without them",
    "unused": "no job refers to them",
    "unknown": "not recorded in this database",
}


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be deleted.")] = False,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help="Also delete old objects below inputs/ and outputs/ that this database has no record of. "
            "Only for a bucket that no other database uses, and after a look with --dry-run.",
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Delete jobs that were kept long enough, leftovers of dead attempts, and inputs that no job needs.

    How long is set by INPAINT_KEEP_SUCCEEDED_DAYS, INPAINT_KEEP_FAILED_DAYS (not set: for ever) and
    INPAINT_ORPHAN_GRACE_S. The relay does the same every INPAINT_GC_INTERVAL_S. It may be interrupted at any time.
    """
    from inpaint_core.s3 import S3Store
    from inpaint_core.settings import load_settings
    from inpaint_db.session import Database
    from inpaint_producer.cleaning import Cleaner

    settings = load_settings()
    store = S3Store(settings)
    with Database(settings, application="inpaint-gc", pool_size=2) as database, _telling() as progress:
        cleaned = Cleaner(settings, database, store).run(dry_run=dry_run, unknown=unknown, progress=progress)
    if as_json:
        console.document(_document(cleaned, dry_run))
    if cleaned is None:
        console.note("another cleaning is at work, so nothing was done here; `--dry-run` looks beside it")
    elif not as_json:
        _show(cleaned)


def _document(cleaned: Cleaned | None, dry_run: bool) -> dict[str, Any]:
    if cleaned is None:
        return {"dry_run": dry_run, "done": False, "reason": "another cleaning is at work"}
    return {
        "dry_run": cleaned.dry_run,
        "done": True,
        "deleted": [
            {"kind": kind, "reason": reason, "count": tally.count, "size_bytes": tally.size_bytes}
            for (kind, reason), tally in sorted(cleaned.deleted.items())
        ],
        "unknown_objects_left": cleaned.unknown,
        "objects_looked_at": cleaned.looked_at,
        "took_s": round(cleaned.seconds, 3),
    }


def _show(cleaned: Cleaned) -> None:
    total = cleaned.total
    if total.count:
        rows = [
            (f"{kind} records" if kind == "image" else f"{kind}s", f"{tally.count:,}",
             wording.size(tally.size_bytes or None), _WHY[reason])
            for (kind, reason), tally in sorted(cleaned.deleted.items())
        ]  # fmt: skip
        console.table(("what", "count", "size", "why"), rows)
    verb = "would be deleted" if cleaned.dry_run else "deleted"
    found = wording.plural(total.count, "row or object", "rows and objects")
    console.tell(
        f"{found} {verb}, {wording.size(total.size_bytes)}; "
        f"{wording.plural(cleaned.looked_at, 'object')} looked at in {wording.seconds(cleaned.seconds)}"
    )
    if cleaned.unknown.count:
        console.note(
            f"{wording.plural(cleaned.unknown.count, 'object')} ({wording.size(cleaned.unknown.size_bytes)}) of which "
            "this database has no record are left alone; `inpaint gc --unknown` deletes them"
        )


@contextlib.contextmanager
def _telling() -> Iterator[Callable[[str, Cleaned], None]]:
    """Progress on stderr: a line that changes in place, or one every few seconds."""
    told = time.monotonic()
    every = 0.1 if console.on_terminal(sys.stderr) else _TELL_EVERY_S
    with console.live_line() as line:

        def tell(step: str, cleaned: Cleaned) -> None:
            nonlocal told
            if time.monotonic() - told < every:
                return
            told = time.monotonic()
            line(f"{step}: {cleaned.looked_at:,} objects looked at, {cleaned.total.count:,} rows and objects found")

        yield tell
