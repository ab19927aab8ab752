"""PIE-Bench: 700 pictures with prompts before and after an edit, and masks (Ju et al., arXiv 2310.01506).

mapping_file.json: {key: {"image_path": "0_random_140/x.jpg", "original_prompt", "editing_prompt", "editing_type_id",
"mask": [runs], ...}}; pictures lie in annotation_images/. Read as evaluation/evaluate.py in cure-lab/PnPInversion does:
runs over 512x512 pixels row by row mark what is edited, the outermost pixels are marked, too ("to avoid annotation
errors in boundary"), and brackets, which show what differs, are taken out of the prompt.

Edits of style and background often mark the whole picture, which is no inpainting: those samples are refused. Leave
them out by their types, or one by one (`LoadedDataset.without`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inpaint_core.edit import Polarity
from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits

from inpaint_benchmark.datasets import options
from inpaint_benchmark.datasets.facts import dataset_facts
from inpaint_benchmark.datasets.importers import mapping_file
from inpaint_benchmark.datasets.loaded import LoadedDataset

_PROMPTS = ("editing_prompt", "original_prompt")


def read(
    path: Path,
    said: Mapping[str, str],
    limits: Limits,
    *,
    base: object = None,
    prompt: str = "editing_prompt",
    types: object = None,
    border_to_one: object = True,
    images: str = "annotation_images",
    polarity: object = Polarity.WHITE,
    size: object = mapping_file.SIZE,
    cut_runs: object = False,
) -> LoadedDataset:
    """PIE-Bench of its mapping file, or of the folder that holds it.

    `base`: the number of the first pixel, 0 or 1; must be said (PnPInversion's reader takes 0). `types`: the types of
    edits to take, such as "1,2,4"; all if it is left out. `border_to_one`: mark the outermost pixels, as published.
    `images`: the folder of the pictures, beside the mapping file. `cut_runs`: as `rle.decode_rle`.
    """
    runs = mapping_file.Runs(
        base=mapping_file.chosen_base(base, "pie-bench"),
        size=options.pixels(size, "size"),
        border=options.truth(border_to_one, "border_to_one"),
        cut=options.truth(cut_runs, "cut_runs"),
        polarity=options.drawn_polarity(polarity, "pie-bench"),
    )
    field = options.choice(prompt, "prompt", _PROMPTS)
    file, items = mapping_file.read_mapping(path)
    entries = mapping_file.entries(
        file,
        _of_types(items, types),
        file.parent / str(images),
        image="image_path",
        mask="mask",
        facts=lambda item: _facts(item, field),
        runs=runs,
        limits=limits,
    )
    return LoadedDataset.of(dataset_facts(said, name="pie-bench"), entries, file.name)


def _of_types(items: Mapping[str, dict[str, Any]], types: object) -> Mapping[str, dict[str, Any]]:
    if types is None:
        return items
    wanted = {name.strip() for name in (types.split(",") if isinstance(types, str) else map(str, _several(types)))}
    there = {str(item.get("editing_type_id")) for item in items.values()}
    if strange := sorted(wanted - there):
        raise InvalidRequest(
            f"There are no edits of type {', '.join(strange)}; there are {', '.join(sorted(there))}.", field="types"
        )
    return {key: item for key, item in items.items() if str(item.get("editing_type_id")) in wanted}


def _several(types: object) -> list[object]:
    return list(types) if isinstance(types, list | tuple | set | frozenset) else [types]


def _facts(item: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    prompt = mapping_file.text(item, field).replace("[", "").replace("]", "")
    kind = item.get("editing_type_id")
    return {"prompt": prompt, "tags": {"editing_type": kind} if isinstance(kind, str) else {}}
