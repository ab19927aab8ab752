"""Writing what is drawn to safetensors, in several files where one would be too large."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import save_file

from inpaint_benchmark.gpu.drawing import Drawn

#: 10^9 bytes, as much as is in memory at a time.
LARGEST = 4_000_000_000
_KIND = {"format": "pt"}


def write_file(path: Path, tensors: Iterable[Drawn], device: str) -> None:
    """One file, however large."""
    held = {name: tensor for one in tensors for name, tensor in one.draw(device).items()}
    save_file(held, path, metadata=_KIND)


def write_files(
    folder: Path, stem: str, variant: str | None, tensors: Iterable[Drawn], device: str, largest: int = LARGEST
) -> None:
    """As diffusers and transformers name them: STEM.VARIANT.safetensors, or several and an index of them.

    A file is larger than `largest` only if one tensor is.
    """
    shards = _shards(tensors, largest)
    named = stem if variant is None else f"{stem}.{variant}"
    if len(shards) == 1:
        write_file(folder / f"{named}.safetensors", shards[0], device)
        return
    where: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"{named}-{number:05d}-of-{len(shards):05d}.safetensors"
        held = {name: tensor for one in shard for name, tensor in one.draw(device).items()}
        save_file(held, folder / file, metadata=_KIND)
        where |= dict.fromkeys(held, file)
        del held
    index = f"{stem}.safetensors.index.json" if variant is None else f"{stem}.safetensors.index.{variant}.json"
    total = sum(one.bytes for shard in shards for one in shard)
    told = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / index).write_text(json.dumps(told, indent=2), encoding="utf-8")


def _shards(tensors: Iterable[Drawn], largest: int) -> list[list[Drawn]]:
    shards: list[list[Drawn]] = [[]]
    size = 0
    for one in tensors:
        if shards[-1] and size + one.bytes > largest:
            shards.append([])
            size = 0
        shards[-1].append(one)
        size += one.bytes
    return shards
