"""The table of a run, or of several: for people, and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from inpaint_benchmark.chaos.run import Result
from inpaint_benchmark.chaos.stage import median, p95


def table(results: Sequence[Result]) -> Iterator[str]:
    """The lines of the table, and what else is worth knowing. Several runs are added up."""
    yield f"{'fault':<32}{'times':>6}{'jobs hit':>10}{'recovery median':>17}{'p95':>9}"
    for row in _rows(results):
        seconds = "".join(
            f"{'-' if value is None else f'{value:.1f} s':>{width}}"
            for value, width in ((row["recovery_median_s"], 17), (row["recovery_p95_s"], 9))
        )
        yield f"{row['fault']:<32}{row['times']:>6}{row['jobs_hit']:>10}{seconds}"
    yield "recovery: until a job that was hit ran again or ended; one that was waiting waits for its turn, too"
    ended: Counter[str] = Counter()
    for result in results:
        ended.update(result.ended)
    made = sum(times for result in results for times, _ in result.faults.values())
    yield (
        f"{ended.total()} jobs: {', '.join(f'{count} {status}' for status, count in sorted(ended.items()))}; "
        f"{sum(r.attempts for r in results)} attempts, {made} faults, {sum(r.restarts for r in results)} restarts, "
        f"{sum(r.repeats for r in results)} submissions repeated"
    )
    yield f"seeds {', '.join(str(r.seed) for r in results)}; {sum(r.wall_s for r in results):.0f} s"
    for result in results:
        for line in result.skipped:
            yield f"not made: {line}"
        for line in result.violations:
            yield f"BROKEN (seed {result.seed}): {line}"
    broken = sum(len(result.violations) for result in results)
    yield f"{broken} promises broken" if broken else "no job lost, none recorded twice"


def as_data(results: Sequence[Result]) -> dict[str, Any]:
    """The same for programs."""
    return {"faults": list(_rows(results)), "runs": [asdict(result) for result in results]}


def _rows(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    for fault in sorted({fault for result in results for fault in result.faults}):
        seconds = [each for result in results for each in result.recoveries.get(fault, [])]
        yield {
            "fault": fault,
            "times": sum(result.faults.get(fault, (0, 0))[0] for result in results),
            "jobs_hit": sum(result.faults.get(fault, (0, 0))[1] for result in results),
            "recovery_median_s": median(seconds),
            "recovery_p95_s": p95(seconds),
        }
