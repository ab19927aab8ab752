"""How seconds, money, sizes, times and jobs read."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint_db.queries import JobView


def seconds(value: float | None) -> str:
    """A duration with as many digits as matter: 0.004 s, 1.32 s, 84 s, 12 min, 3.5 h."""
    if value is None:
        return ""
    if value < 0.1:
        return f"{value:.3f} s"
    if value < 10:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h" if value < 172_800 else f"{value / 86_400:.1f} days"


def usd(value: float | None) -> str:
    """US dollars with at least two digits that are not zero, and no exponent: one edit may cost $0.0000021."""
    if value is None:
        return ""
    if value == 0 or value >= 1:
        return f"${value:,.2f}"
    return f"${value:.{max(2, 1 - math.floor(math.log10(value)))}f}"


def size(value: float | None) -> str:
    """Bytes in decimal units, as disks are sold and `df -H` tells them."""
    if value is None:
        return ""
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit in ("bytes", "kB") or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(value: datetime | None) -> str:
    """A time in UTC to the second."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def plural(count: int, one: str, many: str | None = None) -> str:
    """1 job, 1,200 jobs."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def phases(job: JobView) -> str:
    """Where its seconds went: queue 0.01, fetch 0.02, inference 0.31."""
    names = {name: name.removesuffix("_s").replace("_", " ").replace("queue wait", "queue") for name in job.seconds}
    return ", ".join(f"{names[name]} {value:.3f}" for name, value in job.seconds.items())


def cost(job: JobView) -> str:
    """What it cost, or why that is not known."""
    if job.cost_usd is not None and job.cost_unknown_reason:
        return f"cost at least {usd(job.cost_usd)} (of one attempt it is unknown: {job.cost_unknown_reason})"
    if job.cost_usd is not None:
        return f"cost {usd(job.cost_usd)}"
    return f"cost unknown: {job.cost_unknown_reason}"


def model(job: JobView) -> str:
    """The model, and the tier where that is not exact: flux-1-fill-dev (fast)."""
    return job.model if job.tier in (None, "exact") else f"{job.model} ({job.tier})"


def job_line(job: JobView) -> str:
    """One line that says how a job went."""
    words = [str(job.id), job.status.value, model(job)]
    if job.total_s is not None:
        words.append(f"in {job.total_s:.2f} s" + (f" ({phases(job)})" if job.seconds else ""))
    if job.started_at is not None and job.status.is_final:
        words.append(cost(job))
    return "  ".join(words)


def why_not_done(job: JobView) -> str:
    """What holds a job up, how far it is, or what went wrong with it."""
    if job.status == "queued":
        if job.waiting_for is None:
            if not job.attempt:
                return "queued: waits for its worker"
            return "queued again" + (f": {job.error_message}" if job.error_message else "")
        hint = f". Start one with `inpaint worker {job.model}`" if job.waiting_for.startswith("no worker") else ""
        before = f" ({job.error_message})" if job.error_message else ""
        return f"queued: {job.waiting_for}{hint}{before}"
    if job.status == "running":
        steps = f" {job.steps_done or 0} of {job.steps_total} steps" if job.steps_total else ""
        attempt = f" (attempt {job.attempt})" if job.attempt > 1 else ""
        phase = {"gpu_wait": "waits for the job before it"}.get(job.phase or "", job.phase or "starting")
        return f"running: {phase}{steps}{attempt}"
    if job.error_code:
        return f"{job.error_code}: {job.error_message}"
    return job.status.value
