"""What a report asks of a run: the views that analysts read, so that both say the same, and a little beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

#: A row of a view, by column.
ViewRow = dict[str, Any]


def trial_columns(connection: Connection) -> list[str]:
    """The columns of `bench.trial_wide`, in their order."""
    return list(connection.execute(text("SELECT * FROM bench.trial_wide LIMIT 0")).keys())


def trial_rows(connection: Connection, run_id: UUID) -> list[ViewRow]:
    """`bench.trial_wide` of a run: by model as planned, then in the order of the samples."""
    return _rows(
        connection,
        """
        SELECT w.* FROM bench.trial_wide w JOIN sample s ON s.id = w.sample_id JOIN run r ON r.id = w.run_id
         WHERE w.run_id = :run_id
         ORDER BY array_position(r.models, w.model), s.position, w.trial""",
        run_id=run_id,
    )


def leaderboard_rows(connection: Connection, run_id: UUID) -> list[ViewRow]:
    """`bench.leaderboard` of a run, by model as planned."""
    return _rows(
        connection,
        """
        SELECT l.* FROM bench.leaderboard l JOIN run r ON r.id = l.run_id
         WHERE l.run_id = :run_id ORDER BY array_position(r.models, l.model)""",
        run_id=run_id,
    )


def reproducibility_rows(connection: Connection, run_id: UUID) -> list[ViewRow]:
    """`bench.reproducibility` of a run: how its trials differ, by model and sample."""
    return _rows(
        connection,
        """
        SELECT v.* FROM bench.reproducibility v JOIN sample s ON s.id = v.sample_id JOIN run r ON r.id = v.run_id
         WHERE v.run_id = :run_id ORDER BY array_position(r.models, v.model), s.position""",
        run_id=run_id,
    )


def pareto_rows(connection: Connection, run: str) -> list[ViewRow]:
    """`bench.pareto_front` of a run, the cheapest first."""
    return _rows(
        connection,
        "SELECT * FROM bench.pareto_front WHERE run = :run ORDER BY cost_per_1k_usd, seconds, model",
        run=run,
    )


def failure_rows(connection: Connection, run: str) -> list[ViewRow]:
    """`bench.failures_by_kind` of a run, with the sentence of an example."""
    return _rows(
        connection,
        """
        SELECT f.*, j.error_message AS example_message
          FROM bench.failures_by_kind f LEFT JOIN job j ON j.id = f.example_job
         WHERE f.run = :run ORDER BY f.jobs DESC, f.model, f.error_code""",
        run=run,
    )


def missing_measures(connection: Connection, run_id: UUID) -> dict[tuple[str, str], list[str]]:
    """Why metrics have no value: by model and metric the reasons, the most frequent first."""
    rows = connection.execute(
        text("""
        SELECT model, metric, reason FROM current_measure
         WHERE run_id = :run_id AND value IS NULL
         GROUP BY model, metric, reason ORDER BY model, metric, count(*) DESC, reason"""),
        {"run_id": run_id},
    )
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row.model, row.metric), []).append(row.reason)
    return found


def model_cards(connection: Connection, models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The cards of models as workers or producers last had them, by name."""
    rows = connection.execute(text("SELECT name, card FROM model WHERE name = ANY(:names)"), {"names": list(models)})
    return {row.name: row.card for row in rows}


def _rows(connection: Connection, statement: str, **values: object) -> list[ViewRow]:
    return [dict(row) for row in connection.execute(text(statement), values).mappings()]
