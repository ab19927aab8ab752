"""Reading a model from a folder in the hub's layout: safetensors only, this disk only, nobody else's code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.errors import WeightsMissing
from inpaint_core.log import get_logger
from safetensors import SafetensorError

from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.weights import Located

log = get_logger("inpaint.worker")


def read_pretrained(kind: Any, card: ModelCard, role: str, found: Located, runtime: Runtime, **parts: Any) -> Any:
    """`kind.from_pretrained` for the weights that `card` names `role`, in the number format of `runtime`.

    `parts` are passed on: components that come from elsewhere, None for those that are not wanted.
    Tensors go from the file to the device one by one: several times as fast as by way of a whole model in memory, and
    that memory is not needed. An offloaded pipeline begins on the CPU.
    Raises `WeightsMissing` for a folder that lacks files or holds broken ones.
    """
    with incomplete_weights(card, role, found):
        return kind.from_pretrained(
            found.folder,
            variant=_variant(found.folder, card.weights[role].variant),
            dtype=runtime.dtype,
            use_safetensors=True,
            local_files_only=True,
            **{"device_map": None if runtime.offload else runtime.device, **parts},
        )


@contextlib.contextmanager
def incomplete_weights(card: ModelCard, role: str, found: Located) -> Iterator[None]:
    """What reading a folder raises, as `WeightsMissing` with the command that fetches it again."""
    try:
        yield
    except (OSError, ValueError, NotImplementedError, SafetensorError) as error:  # the third: tensors are missing
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise WeightsMissing(
            f"{found.folder} does not hold all of {card.weights[role].repo} that {card.name} needs ({reason}). Fetch "
            f"it again: inpaint models pull {card.name}",
            repo=card.weights[role].repo,
        ) from error


def _variant(folder: Path, wanted: str | None) -> str | None:
    """The variant, if the folder has it. Older mirrors hold only the plain files; they are converted while read."""
    if wanted is None or any(folder.rglob(f"*.{wanted}*.safetensors")):
        return wanted
    log.warning("variant_missing", folder=str(folder), variant=wanted, instead="the plain files, which are larger")
    return None
