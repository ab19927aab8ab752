"""Raters at work: each shows an item, saves its stars one by one, and sends some of them again, as a bad line does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any
from uuid import UUID, uuid4

import urllib3
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from sqlalchemy import text

from inpaint_benchmark.web.scene import Rater

#: Of saves, so many are sent twice.
_AGAIN = 0.05


@dataclass(slots=True)
class _Worked:
    """What one rater did."""

    #: Id of each rating that was answered as saved, with its stars.
    saved: dict[UUID, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it. Milliseconds are of a save, from sending to its answer."""

    raters: int
    ratings: int
    sent_again: int
    lost: int
    doubled: int
    refused: int
    saves_per_s: float
    median_ms: float
    p95_ms: float
    longest_ms: float


def measure_load(settings: Settings, url: str, raters: Sequence[Rater], ratings: int, pause_s: float) -> Load:
    """Every rater gives so many ratings at once with the others, with about `pause_s` between two of them."""
    works = [_Worked() for _ in raters]
    threads = [
        threading.Thread(target=_work, args=(url, rater, ratings, pause_s, work))
        for rater, work in zip(raters, works, strict=True)
    ]
    before = _rows(settings)
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    told = {key: stars for work in works for key, stars in work.saved.items()}
    rows = {key: stars for key, stars in _rows(settings).items() if key not in before}
    seconds = sorted(second for work in works for second in work.seconds)
    cuts = quantiles(seconds, n=100)
    return Load(
        raters=len(raters),
        ratings=len(told),
        sent_again=len(seconds) - len(told),
        lost=sum(rows.get(key) != stars for key, stars in told.items()),
        doubled=len(rows) - len(told),
        refused=sum(len(work.refused) for work in works),
        saves_per_s=len(seconds) / took,
        median_ms=1000 * cuts[49],
        p95_ms=1000 * cuts[94],
        longest_ms=1000 * seconds[-1],
    )


def _work(url: str, rater: Rater, ratings: int, pause_s: float, work: _Worked) -> None:
    chance = random.Random(rater.token)
    pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=30)
    entered = pool.request("GET", f"{url}/enter/{rater.token}", redirect=False)
    headers = {"cookie": entered.headers["set-cookie"].partition(";")[0], "origin": url}
    base = f"{url}/api/sessions/{rater.session_id}/items"
    time.sleep(chance.random() * pause_s)
    position = 0
    while len(work.saved) + len(work.refused) < ratings:
        position = position % rater.items + 1
        item = pool.request("GET", f"{base}/{position}", headers=headers).json()
        for criterion in item["criteria"][: ratings - len(work.saved) - len(work.refused)]:
            key, stars = uuid4(), chance.randrange(5)
            body = {"criterion": criterion, "stars": stars, "duration_s": 3.2, "ui_version": "load"}
            for _ in range(2 if chance.random() < _AGAIN else 1):
                _save(pool, f"{base}/{position}/ratings/{key}", body, headers, work, key)
            time.sleep(pause_s * (0.5 + chance.random()))


def _save(
    pool: urllib3.PoolManager, path: str, body: dict[str, Any], headers: dict[str, str], work: _Worked, key: UUID
) -> None:
    begun = time.monotonic()
    answer = pool.request("PUT", path, json=body, headers=headers)
    work.seconds.append(time.monotonic() - begun)
    if answer.status == 200:
        work.saved[key] = body["stars"]
    else:
        work.refused.append(answer.data.decode("utf-8", "replace")[:200])


def _rows(settings: Settings) -> dict[UUID, int]:
    with Database(settings) as database, database.read() as connection:
        return {row.id: row.stars for row in connection.execute(text("SELECT id, stars FROM rating"))}
