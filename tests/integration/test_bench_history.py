from __future__ import annotations

from inpaint_benchmark.history.questions import QUESTIONS
from inpaint_benchmark.history.report import measure_history
from inpaint_core.settings import Settings
from inpaint_db.migrate import upgrade
from inpaint_db.views import ANALYST_VIEWS


def test_years_of_trials_are_filled_in_and_every_view_is_asked(empty_database: Settings) -> None:
    upgrade(empty_database)
    lines: list[str] = []
    found = measure_history(empty_database, lines.append, trials=2_000)
    # 3 in 100 fail; each of the others has 33 measures, and each model and sample 5 of its trials together.
    assert (found["runs"], found["trials"]) == (2, 2_000) and found["measures"] > 50_000
    assert {f"bench.{answer['view']}" for answer in found["answers"]} == set(ANALYST_VIEWS)
    assert len(found["answers"]) == len(QUESTIONS) and all(answer["rows"] for answer in found["answers"])
    assert len(lines) == len(QUESTIONS) + 4
