"""BrushBench: 600 pictures with captions and masks (Ju et al., BrushNet, arXiv 2403.06976).

mapping_file.json: {key: {"image": "images/x.jpg", "caption": "...", "inpainting_mask": [runs], "outpainting_mask":
[runs]}}, read as examples/brushnet/evaluate_brushnet.py in TencentARC/BrushNet does: runs over 512x512 pixels row by
row, what they mark is repainted, and the prompt is the caption of the whole picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inpaint_core.edit import Polarity
from inpaint_core.images import Limits

from inpaint_benchmark.datasets import options
from inpaint_benchmark.datasets.facts import dataset_facts
from inpaint_benchmark.datasets.importers import mapping_file
from inpaint_benchmark.datasets.loaded import LoadedDataset

_MASKS = {"inside": "inpainting_mask", "outside": "outpainting_mask"}


def read(
    path: Path,
    said: Mapping[str, str],
    limits: Limits,
    *,
    base: object = None,
    mask: str = "inside",
    polarity: object = Polarity.WHITE,
    size: object = mapping_file.SIZE,
    cut_runs: object = False,
) -> LoadedDataset:
    """BrushBench of its mapping file, or of the folder that holds it.

    `base`: the number of the first pixel, 0 or 1; must be said (BrushNet's reader takes 1). `mask`: inside (the object)
    or outside (all around it). `cut_runs`: as `rle.decode_rle`.
    """
    runs = mapping_file.Runs(
        base=mapping_file.chosen_base(base, "brushbench"),
        size=options.pixels(size, "size"),
        border=False,
        cut=options.truth(cut_runs, "cut_runs"),
        polarity=options.drawn_polarity(polarity, "brushbench"),
    )
    field = _MASKS[options.choice(mask, "mask", list(_MASKS))]
    file, items = mapping_file.read_mapping(path)
    entries = mapping_file.entries(
        file,
        items,
        file.parent,
        image="image",
        mask=field,
        facts=lambda item: {"prompt": mapping_file.text(item, "caption"), "tags": {"mask": mask}},
        runs=runs,
        limits=limits,
    )
    return LoadedDataset.of(dataset_facts(said, name="brushbench"), entries, file.name)
