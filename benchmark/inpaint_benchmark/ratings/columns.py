"""The columns in which stars leave and come in; docs/ratings.md explains them."""

from __future__ import annotations

#: What an export has, in this order.
EXPORTED = (
    "run", "model", "sample", "trial", "kind", "purpose", "criterion", "stars", "rater", "imported", "rubric",
    "rubric_version", "session", "duration_s", "hasty", "times_given", "skipped", "flagged", "rater_checks",
    "rater_checks_failed", "rater_failing", "created_at", "job_id", "item_id", "rating_id",
)  # fmt: skip
#: What an import reads; whatever else a file has is left alone.
NEEDED = ("model", "sample", "criterion", "stars")
OPTIONAL = ("run", "trial", "rater", "kind", "purpose", "duration_s", "rating_id")

#: A spreadsheet takes a cell that begins so for a formula, and would carry it out.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def disarmed(cell: str) -> str:
    """Text that a spreadsheet shows and does not carry out."""
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def armed(cell: str) -> str:
    """The text that was `disarmed`."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
