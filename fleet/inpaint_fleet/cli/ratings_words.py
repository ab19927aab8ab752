"""`inpaint ratings words`: what raters wrote when they flagged or skipped something."""

from __future__ import annotations

from inpaint_fleet.cli import console, options, wording
from inpaint_fleet.cli.bench_run import RunName


def words(run: RunName, as_json: options.Json = False) -> None:
    """Show what was flagged and skipped in a run, by whom, and what they wrote. Skips taken back are left out."""
    from inpaint_core.settings import load_settings
    from inpaint_db.rating_words import words_of
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        about = find_run(connection, run, with_results=True)
        found = words_of(connection, about.id, limit=100_000)
    if as_json:
        console.document(found)
        return
    if not found:
        console.tell(f"nobody has flagged or skipped anything of {about.name}")
        return
    rows = [
        (
            wording.moment(w.created_at), w.kind, w.rater, w.model, w.sample,
            w.item_kind + f" ({w.purpose})" * (w.purpose != "real"), f"{w.session}, item {w.position}", w.reason,
        )
        for w in found
    ]  # fmt: skip
    console.table(("when", "what", "rater", "model", "sample", "shown", "session", "words"), rows, whole=True)
