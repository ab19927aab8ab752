"""Weights of a model in full size that anybody may have: random numbers in the layout of the hub.

Seconds and gigabytes do not depend on what the numbers are, as long as they are not all alike: zeros switch fewer
transistors, and a GPU that stays cool keeps a higher clock.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from inpaint_core.card import ModelCard
from inpaint_core.errors import DiskFull, OperatorError

from inpaint_benchmark.gpu.drawing import Drawn
from inpaint_benchmark.gpu.networks import is_network
from inpaint_benchmark.gpu.planning import Piece, network_of, pieces, tensors
from inpaint_benchmark.gpu.safetensors_files import LARGEST, write_file, write_files
from inpaint_benchmark.gpu.scratch import MARKER
from inpaint_benchmark.gpu.stand_in_tokenizers import stand_in

_STEMS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}
_Told = Callable[[str], None]


def write_weights(
    card: ModelCard,
    folder: Path,
    *,
    tiny: bool = False,
    device: str = "cpu",
    told: _Told = lambda _line: None,
    seed: int = 0,
    largest_file: int = LARGEST,
) -> None:
    """Write all weights that `card` needs for a plain edit to `folder`/OWNER/REPO, for `INPAINT_WEIGHTS_DIR`.

    What is there already of the same kind, size and seed is kept, so that runs and cards share it; other random
    weights are replaced, real ones are never touched. At most one file is in memory at a time.

    Args:
        card: any of the catalogue that diffusers runs, or one of a deployment's own from the same repositories.
        folder: made if it is not there.
        tiny: the same classes and topology, narrow and with few layers: seconds on a CPU.
        device: where the numbers are drawn, "cpu" or "cuda".
        told: gets a line for each network that is written.
        seed: of the numbers. On one kind of device the same seed gives the same files.
        largest_file: bytes; what is larger comes in several files. A LoRA and a single file are written whole.

    Raises:
        OperatorError: a repository whose architecture is not known here, or a folder that holds other weights.
        DiskFull: before anything is written, if the disk is too small.
    """
    dtype: torch.dtype = getattr(torch, card.dtype or "float32")
    missing = []
    for piece in pieces(card):
        noted = _noted(piece, dtype, seed, tiny=tiny)
        if _holds(piece, folder, noted):
            continue
        network = network_of(piece, tiny=tiny) if is_network(piece.part) else None
        drawn = [] if network is None else tensors(piece, network, dtype, seed, tiny=tiny)
        missing.append((piece, noted, network, drawn))
    _require_room(folder, sum(one.bytes for _, _, _, drawn in missing for one in drawn))
    for piece, noted, network, drawn in missing:
        place = piece.place(folder)
        _empty(place)
        _note(place, {**noted, "complete": False})
        if network is None:
            _besides(piece).save_pretrained(place)
        else:
            told(f"{piece.repository.name} {piece.folder or piece.weights.file or ''}: {_gb(drawn)}")
            _write(piece, place, network, drawn, device, largest_file)
        _note(place, {**noted, "complete": True})
        _index(piece, folder)


def _write(piece: Piece, place: Path, network: torch.nn.Module, drawn: list[Drawn], device: str, largest: int) -> None:
    if piece.weights.file is not None:
        file = place / piece.weights.file
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, drawn, device)
        return
    _configure(piece, place, network)
    write_files(place, _STEMS[piece.part.library], piece.weights.variant, drawn, device, largest)


def _configure(piece: Piece, place: Path, network: Any) -> None:
    """Its config.json, as published."""
    if piece.part.library == "transformers":
        network.config.architectures = [piece.part.kind]
        network.config.save_pretrained(place)
    else:
        network.save_config(place)
    file = place / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    if piece.part.held_by is not None:
        config["_class_name"] = piece.part.kind
    if piece.repository.quantisation is not None:
        config["quantization_config"] = _nf4()
    file.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _nf4() -> dict[str, Any]:
    options = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.bfloat16}
    config: dict[str, Any] = diffusers.BitsAndBytesConfig(**options).to_dict()
    return config


def _besides(piece: Piece) -> Any:
    return stand_in(piece.part) if piece.part.stand_in else piece.part.held()(**piece.part.config)


def _index(piece: Piece, folder: Path) -> None:
    found = piece.repository
    if found.pipeline is None:
        return
    from inpaint_benchmark.gpu.architectures import part

    classes = {name: (part(one).library, part(one).kind) for name, one in found.parts.items()}
    told = {"_class_name": found.pipeline, "_diffusers_version": diffusers.__version__, **found.options, **classes}
    (folder / found.name / "model_index.json").write_text(json.dumps(told, indent=2), encoding="utf-8")


def _noted(piece: Piece, dtype: torch.dtype, seed: int, *, tiny: bool) -> dict[str, Any]:
    return {
        "part": piece.part.name,
        "config": piece.part.configured(tiny=tiny),
        "dtype": str(dtype).removeprefix("torch."),
        "variant": piece.weights.variant,
        "seed": seed,
    }


def _holds(piece: Piece, folder: Path, noted: dict[str, Any]) -> bool:
    """Whether the part is there; raises for what was not made here."""
    place = piece.place(folder)
    if not place.exists() or not any(place.iterdir()):
        return False
    marker = place / MARKER
    if not marker.is_file():
        if not piece.folder and not any(place.rglob("*.safetensors")):
            return False
        raise OperatorError(
            f"{place} holds files that were not made here, perhaps the real weights of {piece.repository.name}. Name "
            "an empty folder for random ones."
        )
    found: object = json.loads(marker.read_text(encoding="utf-8"))
    return bool(found == json.loads(json.dumps({**noted, "complete": True})))


def _empty(place: Path) -> None:
    if place.exists() and (place / MARKER).is_file():
        shutil.rmtree(place)
    place.mkdir(parents=True, exist_ok=True)


def _note(place: Path, noted: dict[str, Any]) -> None:
    (place / MARKER).write_text(json.dumps(noted), encoding="utf-8")


def _require_room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFull(
            f"The weights take {needed / 1e9:.1f} GB, and {folder} has room for {free / 1e9:.1f} GB. Name a folder "
            "with more."
        )


def _gb(drawn: list[Drawn]) -> str:
    return f"{sum(one.bytes for one in drawn) / 1e9:.2f} GB"
