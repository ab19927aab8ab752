"""Fill a database with years of benchmarks, and time what analysts ask."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from inpaint_core.settings import Settings
from inpaint_db.measure_queries import MetricRow, register_metrics
from inpaint_db.session import Database
from sqlalchemy import Connection, text

from inpaint_benchmark.history.questions import QUESTIONS, Question
from inpaint_benchmark.metrics.registry import METRICS

#: 10 models x 10 samples x 10 trials; see fill.sql.
TRIALS_PER_RUN = 1_000
#: What every answer should take less than.
AIM_S = 1.0
_TIMES = 3


def measure_history(settings: Settings, tell: Callable[[str], None], trials: int = 100_000) -> dict[str, Any]:
    """Fill the database that `settings` names, which must be migrated and empty, and time the views in it.

    The user must be a superuser, as with the servers that the program starts itself. `tell` gets a line at a time; what
    is returned has for each question its seconds, the pages it looked at, and the indexes it used.
    """
    runs = max(2, trials // TRIALS_PER_RUN)
    with Database(settings, application="inpaint-history") as database:
        tell(f"Filling in {runs * TRIALS_PER_RUN:,} trials of {runs} runs")
        started = time.monotonic()
        with database.begin() as connection:
            _fill(connection, runs)
        with database.autocommit() as connection:
            # As autovacuum does in time. Without it an index alone does not tell which rows are visible.
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM (ANALYZE)"))
        filled_s = time.monotonic() - started
        with database.autocommit() as connection:
            measures = connection.scalar(text("SELECT count(*) FROM measure"))
            tell(f"  {measures:,} measures, {filled_s:.0f} s")
            # One core for one query, so that what it takes is seen whole.
            connection.execute(text("SET max_parallel_workers_per_gather = 0"))
            tell(f"Least of {_TIMES} times, by the clock and of a core (aim: under {AIM_S:g} s each)")
            answers = []
            for question in QUESTIONS:
                answer = _ask(connection, question, question.of(f"run-{runs // 2}", f"run-{runs}"))
                answers.append(answer)
                tell(
                    f"  {question.view:<17} {question.about:<43} {answer['seconds']:7.3f} s  "
                    f"{_shown(answer['core_s'])}  {answer['rows']:>5} rows"
                )
    clock = sum(answer["seconds"] < AIM_S for answer in answers)
    # A machine that has other things to do stretches the clock, and not what a question takes of a core.
    core = sum(answer["core_s"] is not None and answer["core_s"] < AIM_S for answer in answers)
    tell(f"Less than {AIM_S:g} s: {clock} of {len(answers)} by the clock, {core} of a core")
    return {"runs": runs, "trials": runs * TRIALS_PER_RUN, "measures": measures, "fill_s": filled_s, "answers": answers}


def _fill(connection: Connection, runs: int) -> None:
    register_metrics(
        connection,
        [MetricRow(m.name, m.version, m.unit, m.direction, m.scope, m.description) for m in METRICS.values()],
    )
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT set_config('history.runs', :runs, true)"), {"runs": str(runs)})
    statements = resources.files(__package__).joinpath("fill.sql").read_text(encoding="utf-8")
    # Without parameters, so that a % is a %.
    connection.exec_driver_sql(statements, execution_options={"no_parameters": True})


def _ask(connection: Connection, question: Question, statement: str) -> dict[str, Any]:
    pid = int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    seconds, cores, rows = [], [], 0
    for _ in range(_TIMES):
        before, started = _core_s(pid), time.monotonic()
        rows = len(connection.exec_driver_sql(statement).all())
        seconds.append(time.monotonic() - started)
        after = _core_s(pid)
        cores.append(None if before is None or after is None else after - before)
    known = [core for core in cores if core is not None]
    plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}").scalar_one()[0]
    return {
        "view": question.view, "about": question.about, "sql": statement,
        "seconds": min(seconds), "core_s": min(known, default=None), "rows": rows,
        "planning_ms": plan["Planning Time"], "execution_ms": plan["Execution Time"],
        "buffers_hit": plan["Plan"]["Shared Hit Blocks"], "buffers_read": plan["Plan"]["Shared Read Blocks"],
        "index_names": sorted(_names(plan["Plan"])),
    }  # fmt: skip


def _core_s(pid: int) -> float | None:
    """Seconds of a core that a server process has used, to a hundredth; None if it runs elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _shown(core_s: float | None) -> str:
    return "      -" if core_s is None else f"{core_s:5.2f} s"


def _names(node: dict[str, Any]) -> set[str]:
    """Indexes that a plan reads."""
    below = (_names(child) for child in node.get("Plans", ()))
    return {node["Index Name"]} | set().union(*below) if "Index Name" in node else set().union(*below)
