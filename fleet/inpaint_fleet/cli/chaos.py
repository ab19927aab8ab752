"""`inpaint bench chaos` and `inpaint bench soak`: what the fleet survives, and whether it grows."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from signal import Signals

    from inpaint_benchmark.chaos.servers import Service
    from inpaint_core.settings import Settings

    from inpaint_fleet.local.servers import LocalServers

_END_S = 15.0


class LocalFaults:
    """The servers of a local stack, as a chaos run kills and restarts them. Use it from the main thread."""

    def __init__(self, servers: LocalServers) -> None:
        self._servers = servers

    def end(self, service: Service, signal: Signals) -> None:
        """Send the signal to its process; returns when it is gone."""
        child = self._servers.supervisor.child(service)
        os.kill(child.identity.pid, signal)
        until = time.monotonic() + _END_S
        while child.exit_status is None:
            if time.monotonic() > until:
                child.kill()
            time.sleep(0.02)

    def start(self, service: Service) -> None:
        """Start it on its old port, over its old data; returns when it answers."""
        self._servers.start_server(service)

    def wipe_redis(self) -> None:
        """Remove what the stopped Redis has on disk."""
        home = self._servers.folder.root / "redis"
        # A file until Redis 6, a folder since 7.
        found = [*home.glob("appendonly*"), *home.glob("dump.rdb")]
        if not found:
            raise FileNotFoundError(f"Redis keeps no data in {home}: there is nothing to lose.")
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextlib.contextmanager
def own_servers() -> Iterator[tuple[Settings, LocalFaults]]:
    """Servers in a temporary folder, migrated and empty; gone afterwards."""
    from inpaint_db.migrate import upgrade

    from inpaint_fleet.local.servers import LocalServers

    # Not the servers that the user has. ignore_errors: Postgres may still be writing when it is killed.
    folder = Path(tempfile.mkdtemp(prefix="inpaint-chaos-servers-"))
    folder.chmod(0o711)
    try:
        servers = LocalServers(folder)
        with servers as settings:
            upgrade(settings)
            yield settings, LocalFaults(servers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def chaos(
    seed: Annotated[int, typer.Option(help="Decides what breaks and when.")] = 1,
    minutes: Annotated[float, typer.Option(help="Repeat with the next seeds for so long; 0: one run.")] = 0,
    jobs: Annotated[int, typer.Option(min=50, help="Jobs of one run.")] = 300,
    logs: Annotated[Path | None, typer.Option(help="Keep what the processes say in this folder.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")] = None,
) -> None:
    """Break everything while jobs run, and check that none is lost and none is recorded twice.

    One run takes about two minutes, on servers of its own that are started in a temporary folder and removed
    afterwards. Exit status 1 if a promise was broken.
    """
    import json
    import logging

    from inpaint_benchmark.chaos.report import as_data, table
    from inpaint_benchmark.chaos.run import Result, Run, run_chaos

    from inpaint_fleet.cli import console

    # That a Redis which was killed on purpose is away need not be told.
    logging.getLogger("inpaint").setLevel(logging.ERROR)
    results: list[Result] = []
    until = time.monotonic() + 60 * minutes
    while not results or time.monotonic() < until:
        with own_servers() as (settings, faults):
            run = Run.whole(seed + len(results), jobs)
            kept = logs / f"seed-{run.seed}" if logs else None
            results.append(run_chaos(run, settings, faults, console.tell, kept))
        done = results[-1]
        console.tell(f"seed {done.seed}: {done.wall_s:.0f} s, {len(done.violations)} promises broken")
    for line in table(results):
        console.say(line)
    if output:
        output.write_text(json.dumps(as_data(results), indent=2) + "\n", encoding="utf-8")
    if any(result.violations for result in results):
        raise typer.Exit(1)


def plain_celery(
    seed: Annotated[int, typer.Option(help="Decides what breaks and when.")] = 1,
) -> None:
    """Break plain Celery in the same ways, with the same broker settings, and count what is lost.

    Takes about four minutes.
    """
    from inpaint_benchmark.chaos.plain_celery import report

    from inpaint_fleet.cli import console

    with own_servers() as (settings, faults):
        report(settings, faults, console.say, seed=seed)


def soak(
    jobs: Annotated[int, typer.Option(min=100, help="How many.")] = 20_000,
    output: Annotated[Path | None, typer.Option(help="Write every sample to this file, as JSON.")] = None,
) -> None:
    """Run many jobs that do nothing through one worker, and watch its memory, connections and Redis' keys.

    20,000 jobs take about eight minutes, on servers of its own.
    """
    import json

    from inpaint_benchmark.chaos import soak as soaking

    from inpaint_fleet.cli import console

    with own_servers() as (settings, _):
        samples = soaking.soak(settings, console.tell, jobs=jobs)
    for line in soaking.table(samples):
        console.say(line)
    if output:
        output.write_text(json.dumps(soaking.as_data(samples), indent=2) + "\n", encoding="utf-8")
