"""The measurement as text: at the pace of people, and as fast as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from inpaint_core.settings import Settings

from inpaint_benchmark.web.load import Load, measure_load
from inpaint_benchmark.web.scene import make_raters

#: Seconds between two stars of a quick rater.
_PACE_S = 1.0
#: At that pace so many milliseconds for 95 % of saves. Nobody waits for one, but undo and finishing wait for the last.
AIM_P95_MS = 250.0


def measure_web(
    settings: Settings, url: str, say: Callable[[str], None], *, raters: int = 50, ratings: int = 100
) -> dict[str, Any]:
    """Measure the server at `url`, which works over `settings`. `say` gets a line at a time.

    `missed` of what is returned: in words, what fell short of the aims; empty if nothing did.
    """
    found: dict[str, Any] = {"missed": []}
    people = make_raters(settings, raters, items=-(-ratings // 4))
    for name, pause_s in (("paced", _PACE_S), ("flat out", 0.0)):
        about = f"about {1 / pause_s:.0f} save a second each" if pause_s else "as fast as it goes"
        say(f"{raters} raters at once, {ratings} ratings each, {about}")
        load = measure_load(settings, url, people, ratings, pause_s)
        for line in _lines(load):
            say(f"  {line}")
        found[name.replace(" ", "_")] = asdict(load)
        missed = _missed(load, AIM_P95_MS if pause_s else None)
        found["missed"] += [f"{name}: {what}" for what in missed]
        aim = "none lost, doubled or refused" + (f", 95 % of saves within {AIM_P95_MS:.0f} ms" if pause_s else "")
        say(f"  aim: {aim}: {'missed' if missed else 'met'}")
    return found


def _missed(load: Load, p95_ms: float | None) -> list[str]:
    counts = (("lost", load.lost), ("doubled", load.doubled), ("refused", load.refused))
    missed = [f"{count} {what}" for what, count in counts if count]
    if p95_ms is not None and load.p95_ms > p95_ms:
        missed.append(f"95 % of saves within {load.p95_ms:.0f} ms, not {p95_ms:.0f}")
    return missed


def _lines(load: Load) -> list[str]:
    return [
        f"{load.ratings:,} ratings saved, {load.sent_again:,} of them sent twice: {load.lost} lost, {load.doubled} "
        f"doubled, {load.refused} refused",
        f"{load.saves_per_s:.0f} saves a second; a save took {load.median_ms:.0f} ms (median), {load.p95_ms:.0f} ms "
        f"(95th percentile), {load.longest_ms:.0f} ms (longest)",
    ]
