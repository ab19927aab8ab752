"""Jobs per hour of a whole worker, from submit to stored, against what its pipeline would make alone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.catalogue import Catalogue
from inpaint_core.ids import new_id
from inpaint_core.settings import Settings, as_environment
from inpaint_producer import InpaintClient, JobSpec
from sqlalchemy import text

from inpaint_benchmark.gpu.child import Request
from inpaint_benchmark.gpu.children import Ending, run_child
from inpaint_benchmark.gpu.jobs import whole_picture
from inpaint_benchmark.gpu.modes import Mode

_LOOK_S = 0.5
#: Of the campaign: how many jobs ended how; of the attempts: when the first and the last ended.
_ENDED = "SELECT status, count(*) FROM job WHERE campaign = :campaign GROUP BY status"
_TIMES = """
SELECT count(*) AS jobs, extract(epoch FROM max(a.finished_at) - min(a.finished_at)) AS span_s
FROM attempt a JOIN job j ON j.id = a.job_id WHERE j.campaign = :campaign AND j.status = 'succeeded'
"""


def measure_throughput(
    request: Request,
    servers: Settings,
    told: Callable[[str], None],
    log: Path,
    scratch: Path,
    left_s: Callable[[], float | None],
) -> Ending:
    """Have a worker queue its jobs and make them; `servers`: migrated, with no other jobs; `left_s`: before it ends."""
    campaign = f"throughput-{new_id()}"
    request = request.model_copy(update={"campaign": campaign})
    card = request.card(request.settings())
    with InpaintClient(servers, catalogue=Catalogue({card.name: card})) as client:
        over = threading.Event()
        watching: list[threading.Thread] = []

        def watch(pid: int) -> None:
            arguments = (client, campaign, pid, over, told)
            thread = threading.Thread(target=_end_when_done, args=arguments, daemon=True)
            watching.append(thread)
            thread.start()

        module = "inpaint_benchmark.gpu.worker_process"
        variables = as_environment(servers)
        try:
            ending = run_child(
                request, told, log, scratch, timeout_s=left_s(), module=module, variables=variables, started=watch
            )
        finally:
            over.set()
            for thread in watching:
                thread.join()
        ending.found |= {"painted": _painted(client, campaign)}
        ending.found |= _figures(client, campaign, ending.found)
    if ending.failed is None and ending.found.get("jobs") != ending.found.get("loop_images"):
        ending.failed = (
            f"Only {ending.found.get('jobs', 0)} of {ending.found.get('loop_images')} jobs succeeded; see {log}."
        )
    return ending


def queue_jobs(request: Request, settings: Settings, card: ModelCard, count: int) -> None:
    """Submit so many jobs of the order, for the worker that asks for it."""
    with InpaintClient(settings, catalogue=Catalogue({card.name: card})) as client:
        list(client.submit_many(_specs(request, count)))


def _specs(request: Request, count: int) -> list[JobSpec]:
    order = request.order
    tier = Mode.parse(order.mode).tier
    parameters = {} if order.steps is None else {"steps": order.steps}
    pictures = [whole_picture(order.width, order.height, number) for number in range(count)]
    return [
        JobSpec(
            each.source,
            each.mask,
            order.model,
            each.prompt,
            seed=each.seed,
            parameters=parameters,
            campaign=request.campaign,
            edit=each.edit,
            tier=tier,
        )
        for each in pictures
    ]


def _end_when_done(
    client: InpaintClient, campaign: str, pid: int, over: threading.Event, told: Callable[[str], None]
) -> None:
    """Stop the worker when all jobs have ended. It queues them all before it begins with the first."""
    before = 0
    while not over.wait(_LOOK_S):
        with client.database.read() as connection:
            ended = {row[0]: int(row[1]) for row in connection.execute(text(_ENDED), {"campaign": campaign})}
        jobs = sum(ended.values())
        done = sum(count for status, count in ended.items() if status not in ("queued", "running"))
        if done != before:
            told(f"{done} of {jobs} jobs")
            before = done
        if 0 < jobs <= done:
            os.kill(pid, signal.SIGTERM)
            return


def _painted(client: InpaintClient, campaign: str) -> list[tuple[int, int]]:
    statement = "SELECT a.windows FROM attempt a JOIN job j ON j.id = a.job_id WHERE j.campaign = :campaign LIMIT 1"
    with client.database.read() as connection:
        windows = connection.execute(text(statement), {"campaign": campaign}).scalar() or []
    return [(int(window["size"][0]), int(window["size"][1])) for window in windows]


def _figures(client: InpaintClient, campaign: str, found: dict[str, Any]) -> dict[str, Any]:
    """From the ends that Postgres holds: the first job only starts the clock."""
    with client.database.read() as connection:
        row = connection.execute(text(_TIMES), {"campaign": campaign}).mappings().one()
    jobs = int(row["jobs"])
    if jobs < 2 or "bare_s" not in found:
        return {"jobs": jobs}
    span_s = float(row["span_s"])
    job_s = span_s / (jobs - 1)
    bare = [found[name] for name in ("bare_s", "bare_after_s") if name in found]
    bare_s = sum(bare) / len(bare)
    return {
        "jobs": jobs,
        "job_s": job_s,
        "jobs_per_hour": 3600 / job_s,
        "bare_per_hour": 3600 / bare_s,
        "share": bare_s / job_s,
    }
