"""How an attempt ended, written down: patiently, and only if the attempt is still the current one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inpaint_core.errors import DatabaseUnavailable, InpaintError, OperatorError, ServiceUnavailable
from inpaint_core.log import get_logger
from inpaint_core.patience import backoff_s, patiently
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import StoredOutput, finish, requeue
from inpaint_db.queries import job_statuses
from inpaint_db.session import Database
from sqlalchemy import Connection
from structlog.stdlib import BoundLogger

from inpaint_worker.attempt import Attempt, Stop

#: How long a result waits for a Postgres that is away; then its lease has run out and the relay decides.
_PATIENCE_S = 300
#: So many attempts that an outage ended, with hours of pauses between them, are no outage but the job's own object.
_MOST_OUTAGES = 50
_log = get_logger("inpaint.worker")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Records the end of one attempt."""

    settings: Settings
    database: Database
    attempt: Attempt

    @property
    def log(self) -> BoundLogger:
        """Bound here, since attempts are also ended from threads that know nothing of the job."""
        return _log.bind(job_id=str(self.attempt.claimed.job_id), attempt=self.attempt.claimed.number)

    def succeeded(self, outputs: Sequence[StoredOutput]) -> None:
        """The outputs are stored."""
        claimed, report = self.attempt.claimed, self.attempt.measured()
        if self._write(lambda c: finish(c, claimed, JobStatus.SUCCEEDED, report, outputs)):
            self.log.info("job_succeeded", **{name: round(value, 3) for name, value in report.seconds.items()})

    def ended(self, status: JobStatus, error: InpaintError) -> None:
        """The job is over without an output."""
        claimed, report = self.attempt.claimed, self.attempt.measured()
        if self._write(
            lambda c: finish(c, claimed, status, report, error_code=error.code, error_message=error.message)
        ):
            self.log.warning(f"job_{status.value}", code=error.code, reason=error.message)

    def again_or_failed(self, error: InpaintError) -> None:
        """Back into the queue after a pause, or failed if this was the last attempt."""
        claimed = self.attempt.claimed
        if claimed.failures + 1 >= claimed.max_attempts:
            self.ended(JobStatus.FAILED, error)
            return
        pause = backoff_s(claimed.failures, self.settings.backoff_s, self.settings.backoff_max_s)
        if self._requeue(counts=True, pause_s=pause, error=error):
            self.log.warning("job_again_later", code=error.code, reason=error.message, pause_s=round(pause, 1))

    def again_later(self, error: InpaintError) -> None:
        """Back into the queue after a pause, without counting: an outage is not the job's fault, however long."""
        number = self.attempt.claimed.number
        if number - self.attempt.claimed.failures > _MOST_OUTAGES:
            self.again_or_failed(error)
            return
        pause = backoff_s(min(number - 1, 20), self.settings.backoff_s, self.settings.backoff_max_s)
        if self._requeue(counts=False, pause_s=pause, error=error):
            self.log.warning("job_again_later", code=error.code, reason=error.message, pause_s=round(pause, 1))

    def stopped(self, reason: Stop) -> None:
        """Somebody or something wanted the end of the attempt."""
        match reason:
            case Stop.CANCELED:
                error = InpaintError("The job was canceled while it ran.")
                self._end_quietly(JobStatus.CANCELED, "canceled", error)
            case Stop.EXPIRED:
                error = InpaintError("The deadline passed while the job ran. Submit it again with a later one.")
                self._end_quietly(JobStatus.EXPIRED, "deadline_passed", error)
            case Stop.DRAINED:
                if self._requeue(counts=False, pause_s=0, error=None):
                    self.log.info("job_handed_back")
            case Stop.FENCED:
                self.log.warning(
                    "job_fenced_off", reason="its lease ran out and another attempt was opened or it was ended"
                )

    def _end_quietly(self, status: JobStatus, code: str, error: InpaintError) -> None:
        claimed, report = self.attempt.claimed, self.attempt.measured()
        if self._write(lambda c: finish(c, claimed, status, report, error_code=code, error_message=error.message)):
            self.log.info(f"job_{status.value}")

    def _requeue(self, *, counts: bool, pause_s: float, error: InpaintError | None) -> bool:
        claimed, report = self.attempt.claimed, self.attempt.measured()
        code, message = (error.code, error.message) if error else (None, None)
        return self._write(
            lambda c: requeue(
                c, claimed, report, counts=counts, pause_s=pause_s, error_code=code, error_message=message
            )
        )

    def _write(self, statement: Callable[[Connection], bool]) -> bool:
        def once() -> bool:
            try:
                with self.database.autocommit() as connection:
                    return statement(connection)
            except OperatorError as error:
                # A full disk, a missing grant: as little the job's fault as a Postgres that is away.
                raise DatabaseUnavailable(error.message, **error.facts) from error

        try:
            if patiently(once, for_s=_PATIENCE_S):
                return True
            # A commit whose answer was lost looks like this, too: then the job stands as we left it.
            job_id = self.attempt.claimed.job_id
            with self.database.read() as connection:
                found = job_statuses(connection, [job_id]).get(job_id)
            self.log.warning("not_recorded", reason="the attempt is no longer the current one", job_is=found)
        except ServiceUnavailable as error:
            self.log.error(
                "not_recorded", reason=error.message, then="the lease runs out and the relay requeues the job"
            )
        return False
