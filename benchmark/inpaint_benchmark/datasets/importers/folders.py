"""Folders of pictures that belong together by name: sources/lamp.jpg, masks/lamp.png, truths/lamp.png."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from inpaint_core.edit import Polarity
from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits

from inpaint_benchmark.datasets import options
from inpaint_benchmark.datasets.checking import Picture, checked_sample
from inpaint_benchmark.datasets.facts import SampleFacts, checked, dataset_facts, kebab
from inpaint_benchmark.datasets.files import by_stem, listed, read_picture, subfolder
from inpaint_benchmark.datasets.loaded import Entry, LoadedDataset, LoadedSample, Role
from inpaint_benchmark.datasets.places import located
from inpaint_benchmark.datasets.prompts import find_prompts, read_prompts

#: What people add to the name of a mask.
_MASK_ENDINGS = ("-mask", "_mask", ".mask")


def read(
    path: Path,
    said: Mapping[str, str],
    limits: Limits,
    *,
    polarity: object = None,
    sources: str = "sources",
    masks: str = "masks",
    truths: str = "truths",
    prompts: object = None,
) -> LoadedDataset:
    """The pictures in `path`/`sources`, each with its mask; with its truth if there is a folder of them.

    Masks may be called lamp-mask or lamp_mask. `prompts` names a table or a JSON file of prompts by id, which is the
    name without its ending; prompts.csv or prompts.json is found by itself. `InvalidRequest` lists the files that have
    no counterpart.
    """
    marks = options.polarity(polarity, "folders", "folders do not tell.")
    found = by_stem(subfolder(path, sources, "sources"))
    groups = {Role.MASK: _masks(subfolder(path, masks, "masks"), found)}
    if (path / truths).is_dir() or truths != "truths":
        groups[Role.TRUTH] = by_stem(subfolder(path, truths, "truths"))
    for role, group in groups.items():
        _check_pairs(found, group, role)
    texts = read_prompts(find_prompts(path, prompts), found)
    entries = []
    for stem, source in found.items():
        place = f"{path.name}/{sources}/{source.name}"
        with located(place):
            facts = checked(SampleFacts, {"id": stem, **texts.get(stem, {})})
        files = {Role.SOURCE: source, **{role: group[stem] for role, group in groups.items()}}
        entries.append(Entry(stem, place, partial(_load, facts, files, marks, limits)))
    return LoadedDataset.of(dataset_facts(said, name=kebab(path)), entries, f"{path.name}/")


def _masks(folder: Path, sources: Mapping[str, Path]) -> dict[str, Path]:
    masks: dict[str, Path] = {}
    for stem, mask in by_stem(folder).items():
        bare = next((stem.removesuffix(e) for e in _MASK_ENDINGS if stem.lower().endswith(e)), stem)
        # A source may be called like a mask; what is called exactly like it is its own.
        name = stem if stem in sources else bare
        if name in masks:
            raise InvalidRequest(f"{folder.name}/ holds two masks for {name}: {masks[name].name} and {mask.name}.")
        masks[name] = mask
    return masks


def _check_pairs(sources: Mapping[str, Path], others: Mapping[str, Path], role: Role) -> None:
    alone = [path.name for stem, path in sources.items() if stem not in others]
    strays = [path.name for stem, path in others.items() if stem not in sources]
    problems = []
    if alone:
        problems.append(f"{len(alone)} sources have no {role}: {listed(alone)}.")
    if strays:
        problems.append(f"{len(strays)} {role} files have no source: {listed(strays)}.")
    if problems:
        raise InvalidRequest(
            f"{' '.join(problems)} Files belong together by their names without endings, in upper and lower case as "
            "they are; a set in which only some have one is written as a manifest.",
            unmatched=alone + strays,
        )


def _load(facts: SampleFacts, files: Mapping[Role, Path], polarity: Polarity, limits: Limits) -> LoadedSample:
    pictures = {
        role: Picture(read_picture(path, limits), f"{path.parent.name}/{path.name}") for role, path in files.items()
    }
    source, mask = pictures.pop(Role.SOURCE), pictures.pop(Role.MASK)
    return checked_sample(facts, source, mask, polarity=polarity, limits=limits, others=pictures)
