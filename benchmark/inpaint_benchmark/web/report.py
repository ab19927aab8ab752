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


def measure_web(
    settings: Settings, url: str, say: Callable[[str], None], *, raters: int = 50, ratings: int = 100
) -> dict[str, Any]:
    """Measure the server at `url`, which works over `settings`. `say` gets a line at a time."""
    found: dict[str, Any] = {}
    people = make_raters(settings, raters, items=-(-ratings // 4))
    for name, pause_s in (("paced", _PACE_S), ("flat out", 0.0)):
        about = f"about {1 / pause_s:.0f} save a second each" if pause_s else "as fast as it goes"
        say(f"{raters} raters at once, {ratings} ratings each, {about}")
        load = measure_load(settings, url, people, ratings, pause_s)
        for line in _lines(load):
            say(f"  {line}")
        found[name.replace(" ", "_")] = asdict(load)
    return found


def _lines(load: Load) -> list[str]:
    return [
        f"{load.ratings:,} ratings saved, {load.sent_again:,} of them sent twice: {load.lost} lost, {load.doubled} "
        f"doubled, {load.refused} refused",
        f"{load.saves_per_s:.0f} saves a second; a save took {load.median_ms:.0f} ms (median), {load.p95_ms:.0f} ms "
        f"(95th percentile), {load.longest_ms:.0f} ms (longest)",
    ]
