"""Runs, trials and measures with the numbers that a test says, written as rows: nobody waits for a worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from factories import make_facts
from inpaint_benchmark.metrics.registry import METRICS
from inpaint_core.ids import new_id
from inpaint_core.tiers import Tier
from inpaint_db.dataset_queries import NewSample, insert_version, list_samples
from inpaint_db.datasets import SAMPLE_IMAGES
from inpaint_db.measure_queries import Found, MetricRow, register_metrics, save_measures
from inpaint_db.run_queries import RunPlan, insert_run
from inpaint_db.submissions import insert_images
from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

#: When runs are planned unless a test says otherwise.
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
GPU = ("cuda", "GPU A")


class Scene:
    """Writes benchmark rows. Metrics are those of the program, in their current versions."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._runs: dict[str, UUID] = {}
        self._tiers: dict[str, str] = {}
        self._workers: dict[tuple[str, str, str], tuple[UUID, UUID]] = {}
        register_metrics(
            connection,
            [MetricRow(m.name, m.version, m.unit, m.direction, m.scope, m.description) for m in METRICS.values()],
        )

    def dataset(self, *samples: str, name: str = "rooms", version: str = "1", **fields: Any) -> UUID:
        """A version of a dataset; samples of one name have the same pictures in each, unless a role has another."""
        known = {"source": make_facts("room"), "mask": make_facts("mask", masked_pixels=1536)}
        known |= {role: make_facts(fields.pop(role)) for role in SAMPLE_IMAGES if role in fields}
        insert_images(self.connection, list(known.values()))
        images = {role: fact.sha256 for role, fact in known.items()}
        rows = [NewSample(s, images, 96, 64, 0.25, prompt=f"a sofa for {s}", **fields) for s in samples]
        content = hashlib.sha256(f"{name} {version} {samples}".encode()).hexdigest()
        made, _ = insert_version(self.connection, name, version, content, rows)
        return made.id

    def run(
        self,
        name: str,
        version_id: UUID,
        models: Sequence[str],
        seeds: Sequence[int] = (1,),
        at: datetime = START,
        tier: str = Tier.EXACT.value,
    ) -> UUID:
        """A run with all of its trials, none of them submitted."""
        for model in models:
            self.model(model)
        samples = [s.id for s in list_samples(self.connection, version_id)]
        row = insert_run(self.connection, name, RunPlan(version_id, models, None, seeds, tier=tier), samples)
        self._execute("UPDATE run SET created_at = :at WHERE id = :id", id=row.id, at=at)
        self._runs[name] = row.id
        self._tiers[name] = tier
        return row.id

    def model(self, name: str, review_name: str | None = None) -> None:
        """A model that there may be already."""
        self._execute(
            "INSERT INTO model (name, family, card) VALUES (:name, 'test', :card) ON CONFLICT DO NOTHING",
            {"card": JSONB()},
            name=name,
            card={} if review_name is None else {"review_name": review_name},
        )

    def price(self, usd: float, since: datetime, until: datetime | None = None, **of: str) -> None:
        """Dollars an hour of `device_kind` (and `device_name`), or an image of `model`."""
        if "model" in of:
            self.model(of["model"])
        column = "usd_per_image" if "model" in of else "usd_per_hour"
        columns = ["id", column, "valid_from", "valid_to", *of]
        self._insert("price", dict(zip(columns, [new_id(), usd, since, until, *of.values()], strict=True)))

    def job(
        self,
        model: str,
        status: str = "succeeded",
        *,
        attempts: Sequence[Mapping[str, Any]] = ({},),
        device: tuple[str, str] = GPU,
        at: datetime = START,
        **fields: Any,
    ) -> UUID:
        """A job with attempts whose columns are given; the last one ends as the job does, ten seconds later."""
        self.model(model)
        final = status not in ("queued", "running")
        job = {
            "id": new_id(), "model": model, "status": status, "source_uri": "s3://inpaint/inputs/secret",
            "mask_uri": "s3://inpaint/inputs/secret", "prompt": "secret", "request_hash": "", "max_attempts": 3,
            "attempt": len(attempts), "submitted_at": at, "finished_at": at + timedelta(seconds=40) if final else None,
        }  # fmt: skip
        self._insert("job", job | fields)
        for number, columns in enumerate(attempts, start=1):
            worker, environment = self._worker(model, *device)
            ended = "failed" if number < len(attempts) else status
            attempt = {
                "job_id": job["id"], "number": number, "worker_id": worker, "environment_id": environment,
                "status": ended, "started_at": at, "finished_at": at + timedelta(seconds=10),
            }  # fmt: skip
            self._insert("attempt", attempt | columns)
        return job["id"]  # type: ignore[return-value]

    def trial(self, run: str, model: str, sample: str, number: int = 1, status: str = "succeeded", **job: Any) -> UUID:
        """Give a planned trial its job, whose attempts ran in the tier of the run."""
        attempts = [{"tier": self._tiers[run]} | dict(columns) for columns in job.pop("attempts", ({},))]
        job_id = self.job(model, status, attempts=attempts, **job)
        self._set_trial(run, model, sample, number, job_id=job_id)
        return job_id

    def imported(self, run: str, model: str, sample: str, number: int = 1, **columns: Any) -> None:
        """Give a planned trial a result that was made elsewhere, another picture for each number."""
        made = make_facts("room" if number == 1 else f"room, trial {number}")
        insert_images(self.connection, [made])
        given = {"imported_at": START, "output_sha256": made.sha256} | columns
        self._set_trial(run, model, sample, number, **given)

    def version(self, run: str, model: str, sample: str, label: str, number: int = 1) -> None:
        """Say which version of its model made a trial."""
        digest = hashlib.sha256(f"{model} {label}".encode()).hexdigest()
        row = {"id": new_id(), "model": model, "fingerprint": digest, "held": {}, "label": label}
        known = self.connection.scalar(text("SELECT id FROM model_version WHERE fingerprint = :f"), {"f": digest})
        if known is None:
            self._insert("model_version", row)
        self._set_trial(run, model, sample, number, model_version_id=known or row["id"])

    def measure(
        self,
        run: str,
        model: str,
        sample: str,
        number: int | None = 1,
        *,
        version: int | None = None,
        **values: float | str,
    ) -> None:
        """Values by metric, or reasons why there is none. `number` None: of all trials together."""
        found = [
            Found(m, version or METRICS[m].version, *((None, v) if isinstance(v, str) else (v, None)))
            for m, v in values.items()
        ]
        trial = None if number is None else self._trial_id(run, model, sample, number)
        key = {"run_id": self._runs[run], "model": model, "sample_id": self._sample_id(run, sample)}
        save_measures(self.connection, found, **key, trial_id=trial)  # type: ignore[arg-type]

    def ask(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of an answer."""
        return [dict(row) for row in self.connection.execute(text(statement), values).mappings()]

    def one(self, statement: str, **values: Any) -> dict[str, Any]:
        """The only row of an answer."""
        (row,) = self.ask(statement, **values)
        return row

    def _worker(self, model: str, kind: str, name: str) -> tuple[UUID, UUID]:
        key = (model, kind, name)
        if key not in self._workers:
            environment, worker = new_id(), new_id()
            packages = {"torch": "2.9", "diffusers": "0.42"}
            self._insert(
                "environment",
                {
                    "id": environment, "fingerprint": str(key), "device_kind": kind, "device_name": name,
                    "python_version": "3.11", "operating_system": "Linux", "packages": packages,
                },
            )  # fmt: skip
            facts = {"id": worker, "model": model, "environment_id": environment, "host": "h", "pid": 1, "version": "0"}
            self._insert("worker", facts)
            self._workers[key] = worker, environment
        return self._workers[key]

    def _sample_id(self, run: str, sample: str) -> UUID:
        return self.one(  # type: ignore[no-any-return]
            "SELECT s.id FROM sample s JOIN run r USING (dataset_version_id) WHERE r.id = :r AND s.name = :s",
            r=self._runs[run], s=sample,
        )["id"]  # fmt: skip

    def _trial_id(self, run: str, model: str, sample: str, number: int) -> UUID:
        return self.one(  # type: ignore[no-any-return]
            "SELECT id FROM trial WHERE run_id = :r AND model = :m AND sample_id = :s AND number = :n",
            r=self._runs[run], m=model, s=self._sample_id(run, sample), n=number,
        )["id"]  # fmt: skip

    def _set_trial(self, run: str, model: str, sample: str, number: int, **columns: Any) -> None:
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        key = self._trial_id(run, model, sample, number)
        self._execute(f"UPDATE trial SET {changes} WHERE id = :key", key=key, **columns)

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        types = {name: JSONB() for name, value in row.items() if isinstance(value, dict | list)}
        values = ", ".join(f":{name}" for name in row)
        self._execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})", types, **row)

    def _execute(self, statement: str, types: Mapping[str, TypeEngine[Any]] | None = None, **values: Any) -> None:
        bound = text(statement)
        if types:
            bound = bound.bindparams(*(bindparam(name, type_=kind) for name, kind in types.items()))
        self.connection.execute(bound, values)


def painted(steps: int, *sizes: tuple[int, int]) -> dict[str, Any]:
    """Columns of an attempt that painted windows of these sizes in so many steps."""
    return {"parameters": {"steps": steps}, "windows": [{"size": list(size)} for size in sizes]}
