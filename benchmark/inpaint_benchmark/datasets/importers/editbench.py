"""EditBench: 240 pictures with masks and three prompts each (Wang et al., arXiv 2212.06909).

Its archive holds, for each of the halves `natural` and `generated`, annotations_natural.csv, references_natural/ and
masks_natural/. The column `aos` names a picture and its mask (`<aos>.png`); the prompts are `prompt_full`,
`prompt_mask-simple` and `prompt_mask-rich`. The paper measures against the unmasked picture, which is source and truth
alike.

The archive does not say which colour of its masks is repainted, and those who read it differ: the authors of BrushNet
take the black part (github.com/TencentARC/BrushNet/issues/33), others hand the masks to pipelines that repaint white.
So the caller looks at one and says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from inpaint_core.edit import Polarity
from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_core.images import Limits

from inpaint_benchmark.datasets import options
from inpaint_benchmark.datasets.checking import Picture, checked_sample
from inpaint_benchmark.datasets.facts import SampleFacts, checked, dataset_facts
from inpaint_benchmark.datasets.files import inside, read_picture
from inpaint_benchmark.datasets.loaded import Entry, LoadedDataset, LoadedSample, Role
from inpaint_benchmark.datasets.places import located
from inpaint_benchmark.datasets.tables import read_table

#: Column by what the paper calls the prompt.
PROMPTS = {"full": "prompt_full", "simple": "prompt_mask-simple", "rich": "prompt_mask-rich"}
_HALVES = ("natural", "generated")


def read(
    path: Path,
    said: Mapping[str, str],
    limits: Limits,
    *,
    polarity: object = None,
    prompt: str = "full",
    images: str | None = None,
    masks: str | None = None,
) -> LoadedDataset:
    """EditBench in its folder, or the half that one of its CSV files describes.

    `prompt`: full (the whole picture, what BrushNet's figures were made with), simple or rich (the masked object).
    `images` and `masks` name folders beside a CSV that is not called as published. Ids are `natural-<aos>`.
    """
    marks = options.polarity(polarity, "editbench", "EditBench does not, and its readers differ; open one.")
    column = PROMPTS[options.choice(prompt, "prompt", list(PROMPTS))]
    entries: list[Entry] = []
    for table in _tables(path):
        entries += _entries(table, column, images, masks, marks, limits)
    return LoadedDataset.of(dataset_facts(said, name="editbench"), entries, path.name)


def _tables(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [table for half in _HALVES if (table := path / f"annotations_{half}.csv").is_file()]
    if not found:
        raise InputNotFound(
            f"{path} has neither annotations_natural.csv nor annotations_generated.csv. Give the folder of EditBench, "
            "or one CSV file.",
            path=str(path),
        )
    return found


def _entries(
    table: Path, column: str, images: str | None, masks: str | None, polarity: Polarity, limits: Limits
) -> Iterator[Entry]:
    half = match[1] if (match := re.fullmatch(r"annotations_(\w+)", table.stem)) else None
    folders = (images or (half and f"references_{half}"), masks or (half and f"masks_{half}"))
    if folders[0] is None or folders[1] is None:
        raise InvalidRequest(
            f"{table.name} is not called annotations_natural.csv or annotations_generated.csv, so that its folders are "
            "not known: name them with images and masks.",
            field="images" if folders[0] is None else "masks",
        )
    for row in read_table(table, ("aos", column)):
        place, name = f"{table.name} line {row.line}", row.cells["aos"]
        with located(place):
            facts = checked(SampleFacts, _sample(name, half, row.cells[column]))
            source = inside(table.parent, f"{folders[0]}/{name}.png", "source")
            mask = inside(table.parent, f"{folders[1]}/{name}.png", "mask")
        yield Entry(facts.id, place, partial(_load, facts, source, mask, polarity, limits))


def _sample(name: str, half: str | None, prompt: str) -> dict[str, object]:
    sample: dict[str, object] = {"id": f"{half}-{name}" if half and name else name, "prompt": prompt}
    return {**sample, "tags": {"half": half}} if half else sample


def _load(facts: SampleFacts, source: Path, mask: Path, polarity: Polarity, limits: Limits) -> LoadedSample:
    picture = Picture(read_picture(source, limits), f"{source.parent.name}/{source.name}")
    marks = Picture(read_picture(mask, limits), f"{mask.parent.name}/{mask.name}")
    return checked_sample(facts, picture, marks, polarity=polarity, limits=limits, others={Role.TRUTH: picture})
