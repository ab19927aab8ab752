"""What analysts ask of each view: of one run, and of the whole history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A query; `{run}` and `{other}` stand for names of runs."""

    view: str
    about: str
    sql: str

    def of(self, run: str, other: str) -> str:
        """The query about these runs."""
        return self.sql.format(run=run, other=other)


def _both(view: str, about: str, whole: str) -> tuple[Question, Question]:
    one = Question(view, "one run, all columns", f"SELECT * FROM bench.{view} WHERE run = '{{run}}'")  # noqa: S608
    return one, Question(view, about, whole)


QUESTIONS: tuple[Question, ...] = (
    *_both(
        "trial_wide", "all, two metrics by model",
        "SELECT model, avg(seam_ratio), avg(truth_effect_ssim) FROM bench.trial_wide GROUP BY model",
    ),
    Question("trial_wide", "all, cost by model", "SELECT model, avg(cost_usd) FROM bench.trial_wide GROUP BY model"),
    Question(
        "trial_wide", "the newest 100, all columns",
        "SELECT * FROM bench.trial_wide ORDER BY finished_at DESC LIMIT 100",
    ),
    *_both(
        "leaderboard", "all, dollars and likeness by run and model",
        "SELECT run, model, cost_per_1k_usd, truth_effect_ssim FROM bench.leaderboard",
    ),
    *_both(
        "reproducibility", "all, by model",
        "SELECT model, avg(trials_ssim_mean), count(*) FILTER (WHERE identical) FROM bench.reproducibility GROUP BY 1",
    ),
    *_both(
        "cost_per_1k", "all, by model and device",
        "SELECT model, device_name, min(cost_per_1k_usd), max(cost_per_1k_usd) FROM bench.cost_per_1k GROUP BY 1, 2",
    ),
    *_both(
        "queue_wait", "all, worst day of each model",
        "SELECT model, max(queue_wait_p99_s) FROM bench.queue_wait GROUP BY 1",
    ),
    *_both(
        "failures_by_kind", "all, by code",
        "SELECT error_code, sum(jobs) FROM bench.failures_by_kind GROUP BY 1",
    ),
    *_both("pareto_front", "all, what is on a front", "SELECT * FROM bench.pareto_front WHERE on_front"),
    Question(
        "run_comparison", "two runs, all columns",
        "SELECT * FROM bench.run_comparison WHERE run_a = '{run}' AND run_b = '{other}'",
    ),
    Question(
        "run_comparison", "two runs, by metric",
        "SELECT metric, better, count(*) FROM bench.run_comparison WHERE run_a = '{run}' AND run_b = '{other}' "
        "GROUP BY 1, 2",
    ),
    Question("tier_loss", "all, all columns", "SELECT * FROM bench.tier_loss"),
    *_both(
        "ratings_current", "all, stars by criterion",
        "SELECT criterion, avg(stars) FROM bench.ratings_current GROUP BY 1",
    ),
    *_both(
        "rating_summary", "all, stars by model",
        "SELECT model, criterion, avg(stars) FROM bench.rating_summary GROUP BY 1, 2",
    ),
    *_both("agreement", "all, by criterion", "SELECT criterion, count(*) FROM bench.agreement GROUP BY 1"),
    Question("raters", "all", "SELECT * FROM bench.raters"),
    *_both("unrated", "all, by run", "SELECT run, count(*) FROM bench.unrated GROUP BY 1"),
)  # fmt: skip
