"""Weights of a model in full size that anybody may have: random numbers in the layout of the hub.

Seconds and gigabytes do not depend on what the numbers are, as long as they are not all alike: zeros switch fewer
transistors, and a GPU that stays cool keeps a higher clock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inpaint_core.card import ModelCard


def write_weights(
    card: ModelCard,
    folder: Path,
    *,
    tiny: bool = False,
    device: str = "cpu",
    told: Callable[[str], None] = lambda _line: None,
    seed: int = 0,
) -> None:
    """Write all weights that `card` needs for a plain edit to `folder`/OWNER/REPO, for `INPAINT_WEIGHTS_DIR`.

    What is there already of the same kind, size and seed is kept, so that runs and cards share it; real weights are
    never overwritten. At most one file of 4 GB is in memory at a time, on `device` and on the CPU.

    Args:
        card: any of the catalogue that diffusers runs, or one of a deployment's own from the same repositories.
        folder: made if it is not there.
        tiny: the same classes and topology, narrow and with few layers: seconds on a CPU.
        device: where the numbers are drawn, "cpu" or "cuda". Quantising to NF4 (full size) needs "cuda".
        told: gets a line for each part that is written.
        seed: of the numbers. On one kind of device the same seed gives the same files.

    Raises:
        OperatorError: a repository whose architecture is not known here, a folder that holds other weights, or a
            disk that is too small.
    """
    raise NotImplementedError
