"""What there is in a dataset, sample by sample, with what a person should look at before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inpaint_core.errors import RequestError

from inpaint_benchmark.datasets.loaded import Entry, LoadedDataset, load

#: Above this share a mask is rarely meant so: most often it is drawn the other way round.
SUSPICIOUS_COVERAGE = 0.6


@dataclass(frozen=True, slots=True)
class Description:
    """A sample in short. Sizes are pixels of the source as displayed, `coverage` the share that the mask marks.

    `problem` is why the sample cannot be used; size and coverage are then unknown (None).
    """

    id: str
    width: int | None = None
    height: int | None = None
    coverage: float | None = None
    warnings: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def suspicious(self) -> bool:
        """Whether the mask marks so much that it may be inverted."""
        return self.coverage is not None and self.coverage > SUSPICIOUS_COVERAGE

    @property
    def line(self) -> str:
        """For a terminal: `lamp  1024x768  12.5 %`, and what is to be said of it."""
        if self.problem is not None:
            return f"{self.id}  cannot be used: {self.problem}"
        remarks = "".join(f"  {warning}" for warning in self.warnings)
        return f"{self.id}  {self.width}x{self.height}  {100 * (self.coverage or 0):.1f} %{remarks}"


def describe(dataset: LoadedDataset) -> list[Description]:
    """Every sample in short; reads every picture, and raises for none of them."""
    return list(describing(dataset))


def describing(dataset: LoadedDataset) -> Iterator[Description]:
    """The same one by one, for a progress bar over `len(dataset.samples)`."""
    return map(_description, dataset.samples.entries)


def _description(entry: Entry) -> Description:
    try:
        sample = load(entry)
    except RequestError as error:
        return Description(entry.id, problem=error.message)
    warnings = []
    if sample.coverage > SUSPICIOUS_COVERAGE:
        warnings.append(f"the mask marks {sample.coverage:.0%} of the picture: is it inverted?")
    if not sample.prompt:
        warnings.append("there is no prompt")
    return Description(sample.id, sample.width, sample.height, sample.coverage, tuple(warnings))
