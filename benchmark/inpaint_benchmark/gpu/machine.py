"""The machine that measures, as a row names it."""

from __future__ import annotations

from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.settings import Settings
from inpaint_worker.environment import describe_environment

from inpaint_benchmark.gpu.rows import Machine


def describe_machine(card: ModelCard, settings: Settings) -> Machine:
    """What a worker of `card` finds here. Imports torch."""
    import torch

    facts = describe_environment(card, settings)
    library: Any = torch.backends.cudnn
    cudnn = library.version() if facts.device_kind == "cuda" else None
    cpu = describe_environment(card, settings.model_copy(update={"device": "cpu"})).device_name
    return Machine(
        device_kind="cuda" if facts.device_kind == "cuda" else "cpu",
        device_name=facts.device_name,
        device_memory_gb=facts.device_memory_bytes / 1e9 if facts.device_memory_bytes else None,
        driver=facts.driver_version,
        cuda=torch.version.cuda if facts.device_kind == "cuda" else None,
        cudnn=None if cudnn is None else str(cudnn),
        cpu=cpu,
        python=facts.python_version,
        operating_system=facts.operating_system,
        packages=facts.packages,
    )
