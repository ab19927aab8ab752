"""The well-behaved producer of a run: submits each order when it is due, again and again until it is accepted."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from inpaint_core.errors import RetryableError
from inpaint_core.settings import Settings
from inpaint_producer import InpaintClient, JobSpec

from inpaint_benchmark.chaos.orders import PICTURES, Expect, Order
from inpaint_benchmark.chaos.scene import FEW_ATTEMPTS, chaos_catalogue, marked, pictures

_AT_ONCE = 20


class Producer:
    """Works in a thread of its own. What it was told is in `accepted`: key -> job."""

    def __init__(self, settings: Settings, orders: Sequence[Order]) -> None:
        self.accepted: dict[str, UUID] = {}
        #: Submissions that had to be repeated because a service was away.
        self.repeats = 0
        #: What ended the thread before its time.
        self.error: Exception | None = None
        self.orders = list(orders)
        self._settings = settings
        self._left = list(orders)
        self._images = pictures(PICTURES)
        self._mask = marked()
        self._end = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)

    def start(self) -> None:
        """Begin to submit."""
        self._started = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Submit no more."""
        self._end.set()
        self._thread.join(timeout=60)

    @property
    def done(self) -> bool:
        """All orders were accepted, or it gave up."""
        return not self._thread.is_alive()

    def spec(self, order: Order) -> JobSpec:
        """The order as a submission. The same order is the same request, whenever it is sent."""
        deadline = datetime.now(UTC) + timedelta(seconds=order.deadline_s) if order.deadline_s else None
        return JobSpec(
            self._images[order.picture],
            self._mask,
            order.model,
            order.prompt,
            campaign="chaos",
            deadline=deadline,
            idempotency_key=order.key,
        )

    def _run(self) -> None:
        few = self._settings.model_copy(update={"max_attempts": FEW_ATTEMPTS})
        with (
            InpaintClient(self._settings, catalogue=chaos_catalogue()) as client,
            InpaintClient(few, catalogue=chaos_catalogue()) as trouble,
        ):
            try:
                while self._left and not self._end.wait(0.1):
                    now = time.monotonic() - self._started
                    due = [order for order in self._left if order.at_s <= now][:_AT_ONCE]
                    for expected in (False, True):
                        chosen = [o for o in due if (o.expect in (Expect.POISONED, Expect.HUNG)) is expected]
                        self._submit(trouble if expected else client, chosen)
            except Exception as error:  # noqa: BLE001  (told by whoever checks the run)
                self.error = error

    def _submit(self, client: InpaintClient, orders: Sequence[Order]) -> None:
        if not orders:
            return
        try:
            answers = list(client.submit_many([self.spec(order) for order in orders]))
        except RetryableError:
            # Whether it was committed is unknown: the key decides when the same is sent once more.
            self.repeats += 1
            return
        for order, answer in zip(orders, answers, strict=True):
            self.accepted[order.key] = answer.id
            self._left.remove(order)
