"""Statements about datasets: a version is written once, whole, and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.errors import InvalidRequest
from inpaint_core.ids import new_id
from sqlalchemy import Connection, RowMapping, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from inpaint_db.datasets import SAMPLE_IMAGES, Dataset, DatasetVersion, Sample
from inpaint_db.outputs import Image


@dataclass(frozen=True, slots=True)
class NewSample:
    """A sample whose pictures have their rows in `image`. `images`: sha256 by role."""

    name: str
    images: Mapping[str, str]
    width: int
    height: int
    coverage: float
    prompt: str = ""
    negative_prompt: str = ""
    licence: str = ""
    source_url: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a dataset."""

    id: UUID
    dataset: str
    version: str
    content_sha256: str
    description: str
    licence: str
    imported_at: datetime
    samples: int


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample; `images` holds (sha256, format) by role."""

    id: UUID
    name: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    coverage: float
    tags: dict[str, str]
    images: dict[str, tuple[str, str]]


_VERSIONS = """
SELECT v.id, v.dataset, v.version, v.content_sha256, v.description, v.licence, v.imported_at,
       (SELECT count(*) FROM sample s WHERE s.dataset_version_id = v.id) AS samples
  FROM dataset_version v
"""


def list_versions(connection: Connection) -> list[VersionRow]:
    """All versions of all datasets, the newest of each first."""
    rows = connection.execute(text(_VERSIONS + " ORDER BY v.dataset, v.imported_at DESC"))
    return [VersionRow(**row._mapping) for row in rows]


def find_version(connection: Connection, dataset: str, version: str | None = None) -> VersionRow:
    """A version of a dataset, the newest if none is named; `InvalidRequest` with those that there are."""
    every = [row for row in list_versions(connection) if row.dataset == dataset]
    for row in every:
        if version in (None, row.version):
            return row
    if not every:
        known = ", ".join(sorted({row.dataset for row in list_versions(connection)})) or "none yet"
        raise InvalidRequest(
            f"There is no dataset {dataset!r} in the database; there are: {known}. Bring one in with "
            "`inpaint bench import`.",
            field="dataset",
        )
    raise InvalidRequest(
        f"{dataset} has no version {version!r}; it has {', '.join(row.version for row in every)}.", field="dataset"
    )


def insert_version(
    connection: Connection,
    dataset: str,
    version: str | None,
    content_sha256: str,
    samples: Sequence[NewSample],
    *,
    description: str = "",
    licence: str = "",
) -> tuple[VersionRow, bool]:
    """Write a version with its samples, unless the same content is there already; the version, and whether it is new.

    Without a name it is called by the next whole number. `InvalidRequest` if the name belongs to other content.
    """
    connection.execute(upsert(Dataset).values(name=dataset).on_conflict_do_nothing())
    # Two imports at once: the second waits here, and then finds what the first has written.
    connection.execute(select(Dataset.name).where(Dataset.name == dataset).with_for_update())
    every = [row for row in list_versions(connection) if row.dataset == dataset]
    for row in every:
        if row.content_sha256 == content_sha256:
            return row, False
    name = version or str(1 + max((int(row.version) for row in every if row.version.isdecimal()), default=0))
    if name in {row.version for row in every}:
        raise InvalidRequest(
            f"Version {name!r} of {dataset} is there already with other content, and versions never change. Give the "
            "new content a version of its own.",
            field="version",
        )
    version_id = new_id()
    connection.execute(
        insert(DatasetVersion).values(
            id=version_id, dataset=dataset, version=name, content_sha256=content_sha256, description=description,
            licence=licence,
        )
    )  # fmt: skip
    rows = [_row(version_id, position, sample) for position, sample in enumerate(samples)]
    connection.execute(insert(Sample), rows)
    return find_version(connection, dataset, name), True


def list_samples(connection: Connection, version_id: UUID) -> list[SampleRow]:
    """The samples of a version, in their order."""
    columns = [getattr(Sample, f"{role}_sha256") for role in SAMPLE_IMAGES]
    rows = connection.execute(
        select(Sample.__table__).where(Sample.dataset_version_id == version_id).order_by(Sample.position)
    ).mappings()
    found = list(rows)
    shas = {row[column.key] for row in found for column in columns if row[column.key]}
    # One parameter for all: a large dataset has more pictures than a statement may have parameters.
    known = connection.execute(select(Image.sha256, Image.format).where(Image.sha256 == func.any(sorted(shas))))
    formats: dict[str, str] = {row.sha256: row.format for row in known}
    return [_sample(row, formats) for row in found]


def _row(version_id: UUID, position: int, sample: NewSample) -> dict[str, Any]:
    images = {f"{role}_sha256": sample.images.get(role) for role in SAMPLE_IMAGES}
    return {
        "id": new_id(), "dataset_version_id": version_id, "name": sample.name, "position": position,
        "prompt": sample.prompt, "negative_prompt": sample.negative_prompt, "width": sample.width,
        "height": sample.height, "coverage": sample.coverage, "licence": sample.licence,
        "source_url": sample.source_url, "tags": dict(sample.tags), **images,
    }  # fmt: skip


def _sample(row: RowMapping, formats: Mapping[str, str]) -> SampleRow:
    shas = {role: row[f"{role}_sha256"] for role in SAMPLE_IMAGES if row[f"{role}_sha256"]}
    names = ("id", "name", "prompt", "negative_prompt", "width", "height", "coverage", "tags")
    return SampleRow(**{name: row[name] for name in names}, images={r: (sha, formats[sha]) for r, sha in shas.items()})
