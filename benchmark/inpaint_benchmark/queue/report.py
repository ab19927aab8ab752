"""The three measurements, one after the other, as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from inpaint_core.settings import Settings

from inpaint_benchmark.queue.running import measure_idle, measure_overhead
from inpaint_benchmark.queue.submitting import measure_submitting


def measure_queue(settings: Settings, say: Callable[[str], None], *, quick: bool = False) -> dict[str, Any]:
    """Measure everything on the given servers, whose database must be migrated. `say` gets a line at a time.

    `quick` makes the numbers small and noisy: to see that it works.
    """
    say("Submitting (images are in the store already)")
    submitting = measure_submitting(settings, jobs=100 if quick else 1000, singles=30 if quick else 300)
    say(f"  {submitting.jobs} x (INSERT, commit, send_task)   {submitting.by_hand_s:8.2f} s")
    say(
        f"  submit_many of {submitting.jobs:<5}                 {submitting.many_s:8.2f} s"
        f"   {submitting.many_is_faster:.1f}x faster (aim: 5x)"
    )
    say(f"  one INSERT, commit, send_task         {submitting.pair_s * 1000:8.2f} ms")
    say(
        f"  one submit                            {submitting.single_s * 1000:8.2f} ms"
        f"   {submitting.single_costs:.2f}x that pair (aim: at most 2x)"
    )

    say("Overhead of a job (no-op pipeline, 64x64, one thread)")
    overhead = measure_overhead(settings, jobs=50 if quick else 300)
    say(f"  a bare Celery task                    {overhead.bare_ms:8.2f} ms")
    say(f"  a whole job                           {overhead.job_ms:8.2f} ms")
    for name, value in overhead.parts_ms.items():
        say(f"    {name:<12}{value:8.2f} ms")
    rest = overhead.job_ms - overhead.delivery_ms
    say(f"    {'Celery':<12}{rest:8.2f} ms (between two deliveries)")

    say("Idle device between two jobs (sleeps 1.3 s, 1024x1024 photos, 20 ms more per S3 call)")
    idle = measure_idle(settings, jobs=5 if quick else 20)
    gaps = sorted(idle.gap_ms)
    say(f"  {len(gaps)} gaps: median {gaps[len(gaps) // 2]:.1f} ms, longest {gaps[-1]:.1f} ms")
    say(f"  idle {idle.idle_share:.2%} of the busy time (aim: under 2 %)")
    return {
        "submitting": {
            **asdict(submitting),
            "many_is_faster": submitting.many_is_faster,
            "single_costs": submitting.single_costs,
        },
        "overhead": asdict(overhead),
        "idle": {**asdict(idle), "idle_share": idle.idle_share},
    }
