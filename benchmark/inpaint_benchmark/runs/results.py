"""Results of systems that the fleet cannot run, read from files: those of vendors, and of models that are gone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

from inpaint_core.card import ModelCard
from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_core.images import ImageFacts, Limits, inspect_image
from inpaint_core.job import printable
from inpaint_core.storage import ObjectStore, input_ref
from inpaint_core.tiers import Tier
from inpaint_db.dataset_queries import SampleRow, VersionRow, list_samples
from inpaint_db.result_queries import ImportedResult, imported_outputs, insert_results, open_imported_run
from inpaint_db.retention import hold_images
from inpaint_db.run_queries import RunRow
from inpaint_db.session import Database
from inpaint_db.submissions import register_models

from inpaint_benchmark.datasets.facts import unknown
from inpaint_benchmark.datasets.files import read_picture
from inpaint_benchmark.runs.fleet import Progress
from inpaint_benchmark.runs.planning import MOST_TRIALS
from inpaint_benchmark.runs.starting import check_run_name

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp")
_NUMBERED = re.compile(r"(.+)-([1-9][0-9]{0,2})")


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of results beside their pictures; None: nothing. Seconds and dollars are of one image."""

    model: ModelCard
    made_on: date | None = None
    seconds: float | None = None
    cost_usd: float | None = None
    device: str | None = None
    tier: Tier = Tier.EXACT


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file, and the trial that it is the result of."""

    path: Path
    sample: SampleRow
    number: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    run: RunRow
    #: Results that were not there before.
    new: int
    there: int
    #: Samples without a result.
    missing: tuple[str, ...]


def import_results(
    folder: Path,
    version: VersionRow,
    name: str,
    origin: Origin,
    database: Database,
    store: ObjectStore,
    limits: Limits,
    progress: Progress,
) -> Imported:
    """Store the pictures of a folder as the trials of a run. The same again adds nothing.

    `SAMPLE.png` is trial 1 of a sample, `SAMPLE-2.png` its trial 2. Everything is checked before anything is written:
    raises a `RequestError` for names that are no sample's, for sizes that are not the source's, and for pictures other
    than those that the run holds already.
    """
    check_run_name(name)
    if origin.made_on is not None and origin.made_on > datetime.now(UTC).date():
        raise InvalidRequest(f"made_on {origin.made_on} is in the future.", field="made_on")
    with database.read() as connection:
        samples = list_samples(connection, version.id)
    files = result_files(folder, samples)
    facts: list[ImageFacts] = []
    with progress("checking", len(files)) as advance:
        for file in files:
            facts.append(_fitting(file, limits))
            advance(1)
    with database.begin() as connection:
        register_models(connection, [origin.model])
        highest = max(file.number for file in files)
        run = open_imported_run(connection, name, version, origin.model.name, highest, origin.tier)
        _refuse_others(files, facts, imported_outputs(connection, run.id))
        hold_images(connection, set(facts))
    with progress("storing", len(files)) as advance:
        for file, fact in zip(files, facts, strict=True):
            store.put(input_ref(store.bucket, fact.sha256, fact.extension), _same(file, fact, limits), fact.media_type)
            advance(1)
    results = [
        ImportedResult(
            file.sample.id,
            file.number,
            fact.sha256,
            origin.made_on,
            origin.device,
            origin.seconds,
            origin.cost_usd,
        )
        for file, fact in zip(files, facts, strict=True)
    ]
    with database.begin() as connection:
        new = insert_results(connection, run, origin.model.name, results)
    found = {file.sample.name for file in files}
    missing = tuple(sample.name for sample in samples if sample.name not in found)
    return Imported(run, new, len(files) - new, missing)


def result_files(folder: Path, samples: Sequence[SampleRow]) -> list[ResultFile]:
    """Pictures of a folder with the trials that their names tell, in the order of samples and trials."""
    if not folder.is_dir():
        raise InputNotFound(f"{folder} is no folder. Give the one that holds the results.", path=str(folder))
    found: dict[tuple[str, int], ResultFile] = {}
    for path in sorted(_pictures(folder)):
        file = _named(path, samples)
        other = found.setdefault((file.sample.name, file.number), file)
        if other is not file:
            raise InvalidRequest(
                f"{printable(other.path.name)} and {printable(path.name)} are both trial {file.number} of "
                f"{file.sample.name}. Keep one of them.",
                path=str(path),
            )
    if not found:
        raise InputNotFound(
            f"{folder} holds no pictures ({', '.join(_ENDINGS)}). Results are called after their sample: "
            f"{samples[0].name}.png, or {samples[0].name}-2.png for its second trial.",
            path=str(folder),
        )
    order = {sample.name: place for place, sample in enumerate(samples)}
    return sorted(found.values(), key=lambda file: (order[file.sample.name], file.number))


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_file() and path.suffix.lower() in _ENDINGS and not path.name.startswith("."):
            yield path


def _named(path: Path, samples: Sequence[SampleRow]) -> ResultFile:
    """A name that is a sample's as a whole is trial 1 of it, even if it ends in a number."""
    by_name = {sample.name: sample for sample in samples}
    if path.stem in by_name:
        return ResultFile(path, by_name[path.stem], 1)
    numbered = _NUMBERED.fullmatch(path.stem)
    if numbered is None or numbered[1] not in by_name:
        stem = numbered[1] if numbered else path.stem
        raise InvalidRequest(f"{printable(path.name)}: {unknown(stem, by_name, 'sample')}", path=str(path))
    number = int(numbered[2])
    if number > MOST_TRIALS:
        raise InvalidRequest(f"{printable(path.name)}: a run has at most {MOST_TRIALS} trials.", path=str(path))
    return ResultFile(path, by_name[numbered[1]], number)


def _fitting(file: ResultFile, limits: Limits) -> ImageFacts:
    facts = inspect_image(read_picture(file.path, limits), limits, printable(file.path.name))
    sample = file.sample
    if (facts.width, facts.height) != (sample.width, sample.height):
        raise InvalidRequest(
            f"{printable(file.path.name)} is {facts.width}x{facts.height}, and the source of {sample.name} is "
            f"{sample.width}x{sample.height}. Results are compared pixel by pixel: bring them to the size of their "
            "source first.",
            path=str(file.path),
        )
    return facts


def _same(file: ResultFile, fact: ImageFacts, limits: Limits) -> bytes:
    """The bytes of a file, again: all results together may be more than memory holds."""
    data = read_picture(file.path, limits)
    if hashlib.sha256(data).hexdigest() != fact.sha256:
        raise InvalidRequest(f"{printable(file.path.name)} was changed during the import. Run it again.")
    return data


def _refuse_others(
    files: Sequence[ResultFile], facts: Sequence[ImageFacts], there: dict[tuple[UUID, int], str]
) -> None:
    for file, fact in zip(files, facts, strict=True):
        if there.get((file.sample.id, file.number), fact.sha256) != fact.sha256:
            raise InvalidRequest(
                f"{printable(file.path.name)} is another picture than the one that the run holds as trial "
                f"{file.number} of {file.sample.name}. Results never change: give these a run of their own with --run.",
                path=str(file.path),
            )
