"""Bringing a dataset into the fleet: its pictures into the object store, its samples into Postgres."""

from __future__ import annotations

from collections.abc import Iterator

from inpaint_core.images import ImageFacts, Limits, inspect_image
from inpaint_core.masks import inspect_mask
from inpaint_core.storage import ObjectStore, input_ref
from inpaint_db.dataset_queries import NewSample, VersionRow, insert_version
from inpaint_db.retention import hold_images
from inpaint_db.session import Database

from inpaint_benchmark.datasets import ContentHash, LoadedDataset, LoadedSample, Role
from inpaint_benchmark.runs.fleet import Progress


def import_dataset(
    dataset: LoadedDataset, database: Database, store: ObjectStore, limits: Limits, progress: Progress
) -> tuple[VersionRow, bool]:
    """Store a dataset whole; its version, and whether it is new. The same content again changes nothing.

    Raises a `RequestError` that names the sample for one that cannot be used; then no version is written. Pictures that
    were stored until then are removed by `inpaint gc`, as any that nobody needs.
    """
    content, samples = ContentHash(), []
    with progress("importing", len(dataset.samples)) as advance:
        for sample in dataset.samples:
            content.add(sample)
            samples.append(_stored(sample, database, store, limits))
            advance(1)
    with database.begin() as connection:
        return insert_version(
            connection,
            dataset.name,
            dataset.version,
            content.hexdigest(),
            samples,
            description=dataset.description,
            licence=dataset.licence,
        )


def _stored(sample: LoadedSample, database: Database, store: ObjectStore, limits: Limits) -> NewSample:
    facts = dict(_facts(sample, limits))
    # Held before they are stored, as a producer does: else cleaning might take them before the version names them.
    with database.begin() as connection:
        hold_images(connection, set(facts.values()))
    for role, fact in facts.items():
        store.put(input_ref(store.bucket, fact.sha256, fact.extension), sample.images[role], fact.media_type)
    return NewSample(
        name=sample.id,
        images={role.value: fact.sha256 for role, fact in facts.items()},
        width=sample.width,
        height=sample.height,
        coverage=sample.coverage,
        prompt=sample.prompt,
        negative_prompt=sample.negative_prompt,
        licence=sample.licence,
        source_url=sample.source_url,
        tags=sample.tags,
    )


def _facts(sample: LoadedSample, limits: Limits) -> Iterator[tuple[Role, ImageFacts]]:
    for role, data in sample.images.items():
        if role is Role.MASK:  # so that a job that names it need not read it again
            yield role, inspect_mask(data, limits, f"mask of {sample.id}")[0]
        else:
            yield role, inspect_image(data, limits, f"{role} of {sample.id}")
