"""What a report says, whatever it is written as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from inpaint_db.dataset_queries import SampleRow, VersionRow
from inpaint_db.published_queries import PublishedRow
from inpaint_db.run_queries import RunRow

from inpaint_benchmark.published import Publication
from inpaint_benchmark.report.ratings import Stars
from inpaint_benchmark.report.statistics import Estimate

#: measured: by this fleet. imported: results made elsewhere, measured here. published: numbers of others.
Origin = Literal["measured", "imported", "published"]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A row of the review's table of models, from a card."""

    model: str
    release_date: str
    architecture: str
    size: str
    max_resolution: str
    key_characteristics: str


@dataclass(frozen=True, slots=True)
class Automatic:
    """An automatic metric in place of stars: an estimate, or why there is none."""

    metric: str
    label: str
    unit: str
    digits: int
    estimate: Estimate | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """How a model does by one criterion: stars if somebody gave them, and what was computed."""

    stars: Stars | None
    automatic: tuple[Automatic, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A row of the review's evaluation. A number that is None has its reason beside it."""

    model: str
    #: Name of the card; of published rows None if there is none.
    card: str | None
    origin: Origin
    #: For people: "measured", "imported, made on 2024-11-02", "published (review)".
    origin_note: str
    cells: dict[str, Cell]
    memory_gb: float | None
    memory_reason: str | None
    seconds: Estimate | None
    seconds_reason: str | None
    cost_per_1k_usd: Estimate | None
    cost_reason: str | None
    steps: int | None
    pixels: float | None
    device: str | None
    trials: int | None
    succeeded: int | None
    failed: int | None
    #: What its trials ran in; None: not told.
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds on the device: warm trials, and apart from them the first one after loading."""

    model: str
    #: Commits of its weights and number format; None: not known.
    version: str | None
    device: str | None
    warm_trials: int
    mean: Estimate | None
    median_s: float | None
    p95_s: float | None
    cold_trials: int
    cold_s: float | None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. `front`, `failures`, `reproducibility` and `trials` are rows of the views of schema bench."""

    run: RunRow
    dataset: VersionRow
    samples: list[SampleRow]
    models: list[ModelFacts]
    rows: list[Evaluation]
    timings: list[Timing]
    front: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    reproducibility: list[dict[str, Any]]
    trial_columns: list[str]
    trials: list[dict[str, Any]]
    #: Of delivered pictures: how many are the source, bit for bit, outside of the edit region; and of how many.
    exact: tuple[int, int]
    #: What the reader is to know first: trials without an end, without measures.
    notes: list[str]
    publication: Publication | None = None
    published: tuple[PublishedRow, ...] = ()

    @property
    def own(self) -> list[Evaluation]:
        """Rows of this run."""
        return [row for row in self.rows if row.origin != "published"]
