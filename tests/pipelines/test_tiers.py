"""Tiers: a quicker one leaves work out and tells how much, and the next job knows nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract import SIDE, Stopped, paint
from inpaint_core.errors import GpuOutOfMemory
from inpaint_core.tiers import Tier
from inpaint_worker.arrays import Pixels
from inpaint_worker.pipelines import Edit
from inpaint_worker.pipelines.base import Work, work_of
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from tiered import MODELS, Model, counted_blocks, edit_of, load

# Diffusers' Euler scheduler makes numpy arrays of tensors in a way that numpy is giving up; it warns of its own import.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module", params=list(MODELS.values()), ids=list(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    assert isinstance(request.param, Model)
    return request.param


@pytest.fixture(scope="module")
def root(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiers")
    model.write(root)
    return root


@pytest.fixture(scope="module")
def pipeline(model: Model, root: Path) -> DiffusersPipeline:
    return load(model, root)


@pytest.fixture(scope="module")
def clean(model: Model, root: Path) -> dict[Tier, Pixels]:
    """What a worker paints whose first job it is."""
    fresh = {tier: load(model, root) for tier in (Tier.EXACT, Tier.FAST)}
    return {tier: paint(pipeline, edit_of(model, pipeline, tier)) for tier, pipeline in fresh.items()}


def is_clean(model: Model, pipeline: DiffusersPipeline, clean: dict[Tier, Pixels]) -> bool:
    """Whether it paints as a fresh worker does, in full and in the quicker tier."""
    tiers = (Tier.EXACT, Tier.FAST, Tier.EXACT)
    return all(np.array_equal(paint(pipeline, edit_of(model, pipeline, tier)), clean[tier]) for tier in tiers)


def test_a_quicker_tier_computes_less_and_tells_how_much(model: Model, pipeline: DiffusersPipeline) -> None:
    for tier, computed in ((Tier.EXACT, model.passes), (Tier.FAST, model.computed), (Tier.TURBO, model.passes)):
        with counted_blocks(pipeline) as seen:
            paint(pipeline, edit_of(model, pipeline, tier))
        assert sum(seen) == computed
        assert work_of(pipeline) == (None if tier is Tier.EXACT else Work(model.passes, computed))


def test_the_picture_is_another_and_the_same_each_time(
    model: Model, pipeline: DiffusersPipeline, clean: dict[Tier, Pixels]
) -> None:
    painted = paint(pipeline, edit_of(model, pipeline, Tier.FAST))
    assert painted.shape == (SIDE, SIDE, 3)
    assert not np.array_equal(painted, clean[Tier.EXACT])
    assert np.array_equal(painted, clean[Tier.FAST])


def test_where_nothing_was_left_out_it_is_the_exact_picture(
    model: Model, pipeline: DiffusersPipeline, clean: dict[Tier, Pixels]
) -> None:
    assert np.array_equal(paint(pipeline, edit_of(model, pipeline, Tier.TURBO)), clean[Tier.EXACT])


def test_steps_are_told_as_in_full(model: Model, pipeline: DiffusersPipeline) -> None:
    for tier in (Tier.EXACT, Tier.FAST):
        edit = edit_of(model, pipeline, tier)
        told: list[tuple[int, int]] = []
        paint(pipeline, edit, told)
        total = pipeline.steps(edit)
        assert told == [(done, total) for done in range(total + 1)]


def test_the_prompt_the_seed_and_the_picture_still_count(model: Model, pipeline: DiffusersPipeline) -> None:
    edit = edit_of(model, pipeline, Tier.FAST)
    painted = paint(pipeline, edit)
    others = [
        replace(edit, seed=2),
        replace(edit, prompt="a blue bird on a wire"),
        replace(edit, image=np.where(edit.region[..., None], edit.image, 255 - edit.image)),
    ]
    for other in others:
        assert not np.array_equal(paint(pipeline, other), painted)


def test_shapes_and_seeds_may_change_from_one_window_to_the_next(
    model: Model, pipeline: DiffusersPipeline, root: Path
) -> None:
    shapes = ((SIDE, SIDE), (2 * SIDE, SIDE // 2), (SIDE // 2, 2 * SIDE), (SIDE, SIDE))
    edits = [edit_of(model, pipeline, Tier.FAST, shape=shape, seed=seed) for seed, shape in enumerate(shapes)]
    in_turn = [paint(pipeline, edit) for edit in edits]
    fresh = load(model, root)
    for edit, painted in zip(reversed(edits), reversed(in_turn), strict=True):
        assert np.array_equal(paint(fresh, edit), painted)


def _stopped(pipeline: DiffusersPipeline, edit: Edit, step: int, error: BaseException) -> None:
    def stop(done: int, _total: int) -> None:
        if done == step:
            raise error

    pipeline.run(edit, stop)


@pytest.mark.parametrize("step", [0, pytest.param(1, marks=pytest.mark.thorough), 2, 3])
def test_canceled_between_two_steps_it_leaves_no_trace(
    model: Model, pipeline: DiffusersPipeline, clean: dict[Tier, Pixels], step: int
) -> None:
    edit = edit_of(model, pipeline, Tier.FAST, seed=7, prompt="another")
    with pytest.raises(Stopped):
        _stopped(pipeline, edit, step, Stopped())
    assert work_of(pipeline) is None
    assert is_clean(model, pipeline, clean)


def test_an_error_inside_the_network_leaves_no_trace(
    model: Model, pipeline: DiffusersPipeline, clean: dict[Tier, Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = pipeline.pipe.scheduler.step
    calls: list[None] = []

    def breaks(*args: Any, **named: Any) -> Any:
        calls.append(None)
        if len(calls) == 2:
            raise ZeroDivisionError
        return step(*args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.pipe.scheduler, "step", breaks)
        with pytest.raises(ZeroDivisionError):
            paint(pipeline, edit_of(model, pipeline, Tier.FAST, seed=7))
    assert is_clean(model, pipeline, clean)


def test_a_retry_after_too_little_memory_is_as_if_it_were_the_first(
    model: Model, pipeline: DiffusersPipeline, root: Path, clean: dict[Tier, Pixels]
) -> None:
    edit = edit_of(model, pipeline, Tier.FAST)
    with pytest.raises(GpuOutOfMemory):
        _stopped(pipeline, edit, 2, torch.OutOfMemoryError("CUDA out of memory"))
    saving = replace(edit, save_memory=True)
    assert np.array_equal(paint(pipeline, saving), paint(load(model, root), saving))
    assert is_clean(model, pipeline, clean)


def test_nothing_is_kept_in_memory_after_a_run(model: Model, pipeline: DiffusersPipeline) -> None:
    parts = pipeline.pipe.components
    networks = [parts[name] for name in ("transformer", "unet", "controlnet") if parts.get(name) is not None]
    paint(pipeline, edit_of(model, pipeline))  # diffusers' own pipelines may leave something with their first
    before = [(dict(network.__dict__), list(map(type, network.modules()))) for network in networks]
    paint(pipeline, edit_of(model, pipeline, Tier.FAST))
    for network, (fields, kinds) in zip(networks, before, strict=True):
        left = {name: value for name, value in network.__dict__.items() if fields.get(name) is not value}
        assert not {name: value for name, value in left.items() if value is not None}
        assert list(map(type, network.modules())) == kinds


@pytest.mark.parametrize("strength", [0.3, 0.7])
def test_with_less_strength_shares_are_those_of_the_steps_that_run(
    model: Model, pipeline: DiffusersPipeline, strength: float
) -> None:
    if "strength" not in pipeline.card.parameters:
        pytest.skip("it has no strength")
    parameters = {"steps": 10, "strength": strength}
    exact = edit_of(model, pipeline, parameters=parameters)
    with counted_blocks(pipeline) as seen:
        whole = paint(pipeline, exact)
    passes, steps = sum(seen), pipeline.steps(exact)
    told: list[tuple[int, int]] = []
    with counted_blocks(pipeline) as seen:
        painted = paint(pipeline, replace(exact, tier=Tier.FAST), told)
    assert not np.array_equal(painted, whole)
    assert told == [(done, steps) for done in range(steps + 1)]
    by_hand = passes - steps // 2 if model.use.guidance_until else 1
    assert work_of(pipeline) == Work(passes, by_hand) and sum(seen) == by_hand
