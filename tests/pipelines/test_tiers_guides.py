"""Reference and control images in a quicker tier, parts that take turns on the device, and what is kept outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contract import Stopped, make_pixels, paint
from factories import LIMITS, encode, make_image
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.guides import ControlType
from inpaint_core.tiers import Tier
from inpaint_worker.geometry.canvas import open_canvas
from inpaint_worker.pipelines import Edit
from inpaint_worker.pipelines.base import Control, Reference, Work, work_of
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from tiered import MODELS, Model, counted_blocks, edit_of, load
from tiny import flux
from tiny import stable_diffusion as sd

# Diffusers' Euler scheduler makes numpy arrays of tensors in a way that numpy is giving up; it warns of its own import.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
]
#: What is written for each model's guides.
GUIDES: dict[str, tuple[Callable[[Path], Path], ...]] = {
    "sdxl": (sd.write_ip_adapter, sd.write_controlnet_union),
    "fill": (flux.write_redux, flux.write_union),
    "controlnet": (flux.write_ip_adapter, flux.write_union),
    "controlnet-true-guidance": (flux.write_ip_adapter, flux.write_union),
    "kandinsky": (),
}


@pytest.fixture(scope="module", params=list(GUIDES))
def named(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(named: str) -> Model:
    return MODELS[named]


@pytest.fixture(scope="module")
def pipeline(named: str, model: Model, tmp_path_factory: pytest.TempPathFactory) -> DiffusersPipeline:
    root = tmp_path_factory.mktemp("guided")
    for write in (model.write, *GUIDES[named]):
        write(root)
    return load(model, root)


def guided(pipeline: DiffusersPipeline, edit: Edit, reference: float | None, control: float | None) -> Edit:
    """`edit` with images of these strengths, as far as the model takes them."""
    image, lines = make_pixels(60, 40, seed=5), make_pixels(*edit.image.shape[1::-1], seed=6)
    if reference is not None and pipeline.card.reference is not None:
        edit = replace(edit, reference=Reference(image, reference))
    if control is not None and pipeline.card.control is not None:
        edit = replace(edit, control=Control(lines, ControlType.CANNY, control))
    return edit


def test_guides_count_in_a_quicker_tier(model: Model, pipeline: DiffusersPipeline) -> None:
    plain = edit_of(model, pipeline, Tier.FAST)
    painted = {paint(pipeline, plain).tobytes()}
    wanted = [(0.8, None), (None, 0.8), (0.8, 0.8)] if pipeline.card.control else [(0.8, None)]
    for strengths in wanted:
        edit = guided(pipeline, plain, *strengths)
        with counted_blocks(pipeline) as seen:
            fast = paint(pipeline, edit)
        assert work_of(pipeline) == Work(model.passes, model.computed) and sum(seen) == model.computed
        assert not np.array_equal(fast, paint(pipeline, replace(edit, tier=Tier.EXACT)))
        painted.add(fast.tobytes())
    assert len(painted) == 1 + len(wanted)


def test_a_strength_of_zero_is_no_image(model: Model, pipeline: DiffusersPipeline) -> None:
    plain = edit_of(model, pipeline, Tier.FAST)
    assert np.array_equal(paint(pipeline, guided(pipeline, plain, 0.0, 0.0)), paint(pipeline, plain))


def test_where_nothing_was_left_out_it_is_the_exact_picture(model: Model, pipeline: DiffusersPipeline) -> None:
    exact = guided(pipeline, edit_of(model, pipeline), 0.8, 0.8)
    painted = paint(pipeline, replace(exact, tier=Tier.TURBO))
    work = work_of(pipeline)
    assert work is not None and work.computed == work.passes
    assert np.array_equal(painted, paint(pipeline, exact))


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.thorough), 3])
def test_canceled_it_leaves_no_trace(model: Model, pipeline: DiffusersPipeline, step: int) -> None:
    plain = edit_of(model, pipeline)
    edits = [edit for exact in (plain, guided(pipeline, plain, 0.8, 0.8)) for edit in _tiers(exact)]
    clean = [paint(pipeline, edit) for edit in edits]

    def stop(done: int, _total: int) -> None:
        if done == step:
            raise Stopped

    for edit in edits:
        with pytest.raises(Stopped):
            pipeline.run(replace(edit, seed=9), stop)
        assert all(np.array_equal(paint(pipeline, one), before) for one, before in zip(edits, clean, strict=True))


def _tiers(edit: Edit) -> tuple[Edit, Edit]:
    return edit, replace(edit, tier=Tier.FAST)


@pytest.mark.parametrize("name", ["sd2", "sd3-both", "fill", "controlnet-true-guidance", "qwen-both", "kandinsky"])
def test_parts_that_take_turns_on_the_device_paint_the_same(name: str, tmp_path: Path) -> None:
    model = MODELS[name]
    model.write(tmp_path)
    pipeline = load(model, tmp_path)
    edits = _tiers(edit_of(model, pipeline))
    clean = [paint(pipeline, edit) for edit in edits]
    pipe = pipeline.pipe
    on_cpu = pipe.enable_model_cpu_offload
    pipe.enable_model_cpu_offload = lambda device="cpu": on_cpu(device=device)
    pipe.enable_model_cpu_offload()

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise Stopped

    for _ in range(2):
        for edit, before in zip(edits, clean, strict=True):
            assert np.array_equal(paint(pipeline, edit), before)
        with pytest.raises(Stopped):
            pipeline.run(replace(edits[1], seed=7), stop)


@pytest.mark.parametrize("name", ["sd2", "fill"])
def test_what_lies_outside_the_mask_is_kept_bit_for_bit(name: str, tmp_path: Path) -> None:
    model = MODELS[name]
    model.write(tmp_path)
    pipeline = load(model, tmp_path)
    source = make_image(300, 200)
    mask = MaskShapes(boxes=((100, 60, 180, 140),))
    canvas = open_canvas(encode(source, "PNG"), mask, EditOptions(), pipeline.card.size, LIMITS)
    for number in range(len(canvas.windows)):
        image, region = canvas.show(number)
        edit = edit_of(model, pipeline, Tier.FAST, image=image, region=region)
        canvas.take(number, paint(pipeline, edit))
        work = work_of(pipeline)
        assert work is not None and work.computed < work.passes
    result = canvas.result()
    assert result.exact and result.outside_changed_pixels == 0
    assert result.fitting.inside_change_mean is not None and result.fitting.inside_change_mean > 0
