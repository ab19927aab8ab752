"""Cleaning beside the relay: every now and then, in a thread of its own, so that no sweep waits for it."""

from __future__ import annotations

import random
import threading

from inpaint_core.errors import InpaintError, NotConfigured
from inpaint_core.log import get_logger
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.session import Database

from inpaint_producer.cleaning import Cleaned, Cleaner

#: The first time comes after this share of the interval: not while the relay has to catch up.
_FIRST = 0.1
log = get_logger("inpaint.cleaning")


def start_cleaning(settings: Settings, stop: threading.Event) -> threading.Thread | None:
    """Clean every `gc_interval_s` in a thread of its own, until `stop` is set. None if that is not wanted, or no object
    store is configured: a relay needs none for anything else.
    """
    if not settings.gc_interval_s:
        return None
    try:
        store = S3Store(settings)
    except NotConfigured as error:
        log.warning("relay_does_not_clean", reason=error.message)
        return None
    thread = threading.Thread(target=_clean_regularly, args=(settings, store, stop), name="cleaning", daemon=True)
    thread.start()
    return thread


def _clean_regularly(settings: Settings, store: S3Store, stop: threading.Event) -> None:
    pause = settings.gc_interval_s * _FIRST
    # Jitter keeps several relays from cleaning one after the other each time.
    while not stop.wait(pause * random.uniform(0.8, 1.2)):  # noqa: S311  (not a secret)
        pause = settings.gc_interval_s
        try:
            with Database(settings, application="inpaint-cleaning", pool_size=2) as database:
                cleaned = Cleaner(settings, database, store).run(stopped=stop.is_set)
        except InpaintError as error:
            log.warning("cleaning_failed", reason=error.message, next_try_s=pause)
        except Exception:
            log.exception("cleaning_raised")
        else:
            _tell(cleaned)


def _tell(cleaned: Cleaned | None) -> None:
    if cleaned is None:
        log.info("cleaning_is_done_elsewhere")
        return
    facts = {f"{kind}s_{reason}": tally.count for (kind, reason), tally in sorted(cleaned.deleted.items())}
    log.info(
        "cleaned", **facts, size_bytes=cleaned.total.size_bytes, unknown_objects=cleaned.unknown.count,
        took_s=round(cleaned.seconds, 1),
    )  # fmt: skip
