"""Views: what analysts ask. Each .sql file here makes one, and a COMMENT tells what each column means.

Those of the schema `bench` are for analysts, who may read nothing else; the others may name objects and quote errors.
"""

from __future__ import annotations

from importlib import resources

from sqlalchemy import Connection, text

#: The schema that analysts read. It stays when views are made anew, since what they were granted hangs on it.
SCHEMA = "bench"
#: In the order in which they depend on each other.
VIEWS = (
    "device_price",
    "image_price",
    "attempt_tier",
    "attempt_report",
    "attempt_cost",
    "job_cost",
    "job_report",
    "current_measure",
    "current_rating",
    "asked_criterion",
    "rating_progress",
    "rating_check",
    "rater_checks",
    "given_stars",
    "bench.trial_wide",
    "bench.ratings_current",
    "bench.rating_summary",
    "bench.agreement",
    "bench.raters",
    "bench.unrated",
    "bench.leaderboard",
    "bench.reproducibility",
    "bench.cost_per_1k",
    "bench.queue_wait",
    "bench.failures_by_kind",
    "bench.pareto_front",
    "bench.run_comparison",
    "bench.tier_loss",
)
#: Of those, the ones that analysts read.
ANALYST_VIEWS = tuple(name for name in VIEWS if name.startswith(f"{SCHEMA}."))


def create_views(connection: Connection) -> None:
    """Make all views anew."""
    # Not IF NOT EXISTS, which needs the right to create schemas even where somebody else has made this one.
    if not _has_schema(connection):
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS 'Benchmarks and the fleet''s history, for analysts.'"))
    for name in VIEWS:
        file = resources.files(__name__).joinpath(name.replace(".", "/") + ".sql")
        # Without parameters, so that a % is a %.
        connection.exec_driver_sql(file.read_text(encoding="utf-8"), execution_options={"no_parameters": True})


def drop_views(connection: Connection) -> None:
    """Drop all views; they hold no data."""
    for name in reversed(VIEWS):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def drop_schema(connection: Connection) -> None:
    """Drop the empty schema, and with it all grants."""
    connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA}"))


def _has_schema(connection: Connection) -> bool:
    return bool(connection.scalar(text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": SCHEMA}))
