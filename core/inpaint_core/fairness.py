"""In which order a queue serves its jobs: by priority, then so that small campaigns pass big ones.

Redis serves ten steps, 0 first. Step 0 is for jobs that come back or have waited long. Each priority has a band of
three steps. Within it the first few waiting jobs of a campaign stand in front, the next few dozen behind them, and the
bulk at the end: ten jobs that are submitted behind a campaign of 50,000 pass all of it but its first 32.
"""

from __future__ import annotations

from inpaint_core.status import Priority

#: The steps of a queue, most urgent first. Celery's Redis transport knows no others.
STEPS = tuple(range(10))
#: For jobs that come back, and for those that have waited long: behind a backlog they would wait twice.
FIRST_STEP = 0
_BAND = {Priority.HIGH: 1, Priority.NORMAL: 4, Priority.LOW: 7}
#: With so many jobs of its campaign waiting already, a job stands one step further back.
_STEPS_BACK_AT = (4, 32)
#: Counting further changes nothing.
COUNT_UP_TO = _STEPS_BACK_AT[-1]


def step_for(priority: Priority, waiting: int) -> int:
    """The step of a job whose campaign has so many jobs of the same priority waiting in the same queue."""
    return _BAND[priority] + sum(waiting >= limit for limit in _STEPS_BACK_AT)


def last_step(priority: Priority) -> int:
    """The last step of a priority: for producers that know nothing of campaigns."""
    return step_for(priority, COUNT_UP_TO)
