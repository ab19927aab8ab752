"""A plain Celery worker with the fleet's broker settings, whose task sleeps and notes its end."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path

from celery import Celery
from inpaint_core.queues import make_celery, queue_name
from inpaint_core.settings import Settings, load_settings

from inpaint_benchmark.chaos.worker_process import end_with_parent

MODEL = "chaos-plain"
TASK = "chaos.plain"


def make_plain(settings: Settings, pool: str, visibility_s: float) -> Celery:
    """The application of producer and worker."""
    app = make_celery(settings, [MODEL])
    options = {**app.conf.broker_transport_options, "visibility_timeout": visibility_s}
    app.conf.update(worker_pool=pool, broker_transport_options=options)
    return app


def main() -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pool", choices=["threads", "prefork"], default="threads")
    parser.add_argument("--visibility", type=float, default=3600)
    options = parser.parse_args()
    end_with_parent()
    app = make_plain(load_settings(), options.pool, options.visibility)

    # One at a time computes, as in a worker of the fleet; a child of the prefork pool has a device of its own.
    device = threading.Lock()
    concurrency = 2 if options.pool == "threads" else 1

    @app.task(name=TASK, bind=True, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def work(self: object, seconds: float) -> None:
        job = self.request.id  # type: ignore[attr-defined]
        with device:
            time.sleep(seconds)
        _note(options.folder, f"finished {job}")

    app.Worker(
        queues=[queue_name(MODEL)],
        pool=options.pool,
        concurrency=concurrency,
        hostname=f"plain-{os.getpid()}@localhost",
        without_mingle=True,
        without_gossip=True,
        quiet=True,
        optimization="fair",
    ).start()
    return 0


def _note(folder: Path, line: str) -> None:
    """One write: a process that is killed leaves whole lines behind."""
    file = os.open(folder / f"plain-{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, (line + "\n").encode())
    finally:
        os.close(file)


if __name__ == "__main__":
    sys.exit(main())
