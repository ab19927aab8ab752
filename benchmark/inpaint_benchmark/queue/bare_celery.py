"""The yardstick: a Celery worker with the fleet's settings and pool, around a task that does nothing."""

from __future__ import annotations

import sys
import time

from inpaint_core.queues import make_celery, queue_name
from inpaint_core.settings import load_settings

MODEL = "bench-bare"
TASK = "bench.noop"


def main() -> int:
    """Run until SIGTERM; print the time of the first and the last task, and their number."""
    settings = load_settings()
    app = make_celery(settings, [MODEL])
    seen: list[float] = []

    @app.task(name=TASK, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def noop() -> None:
        seen.append(time.monotonic())

    app.Worker(
        queues=[queue_name(MODEL)],
        pool="threads",
        concurrency=settings.worker_threads,
        task_events=True,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    ).start()
    sys.stdout.write(f"{seen[0]} {seen[-1]} {len(seen)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
