"""Tiers of networks that are compiled: nothing is compiled anew when jobs of several tiers follow each other.

torch traces and guards here as ever; what it traced is run as it is, since writing kernels for a CPU takes minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from contract import Stopped, paint
from inpaint_core.tiers import Tier
from inpaint_worker.pipelines import acceleration_compiling
from inpaint_worker.pipelines.base import Work
from tiered import MODELS, edit_of, load
from torch._dynamo.utils import counters

# Torch's compiler, on being imported; diffusers, of its own use of itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("fill", "compile"),
        ("fill", "compile-whole"),
        ("sd2", "compile"),
        pytest.param("sd3-both", "compile", marks=pytest.mark.thorough),
        pytest.param("qwen-both", "compile", marks=pytest.mark.thorough),
        pytest.param("kandinsky", "compile-whole", marks=pytest.mark.thorough),
    ],
)
def test_tiers_take_turns_without_compiling_anew(
    name: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceleration_compiling, "_BACKEND", "eager")
    torch._dynamo.reset()
    counters.clear()
    model = MODELS[name]
    model.write(tmp_path)
    plain, compiled = load(model, tmp_path), load(model, tmp_path, accelerate=how)
    edits = {tier: edit_of(model, plain, tier) for tier in (Tier.EXACT, Tier.FAST)}
    expected = {tier: paint(plain, edit) for tier, edit in edits.items()}
    assert counters["stats"]["unique_graphs"] == 0
    painted = {tier: paint(compiled, edit) for tier, edit in edits.items()}
    graphs = counters["stats"]["unique_graphs"]
    assert graphs > 0

    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise Stopped

    for tier in (Tier.FAST, Tier.EXACT, Tier.EXACT, Tier.FAST):
        assert np.array_equal(paint(compiled, edits[tier]), painted[tier])
        if tier is Tier.FAST:
            assert compiled.work == Work(model.passes, model.computed)
            with pytest.raises(Stopped):
                compiled.run(edits[tier], stop)
    assert counters["stats"]["unique_graphs"] == graphs
    assert not counters["graph_break"]
    for tier, picture in painted.items():
        assert np.abs(picture.astype(int) - expected[tier].astype(int)).max() <= 1
