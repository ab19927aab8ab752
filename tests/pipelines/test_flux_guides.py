"""Reference and control images in FLUX: Redux and IP-Adapter, and one ControlNet for edges, depths and joints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, PipelineContract, Stopped, make_pixels, paint, small_card
from inpaint_core.guides import ControlType
from inpaint_core.job import ParameterValue
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import Edit, build_pipeline
from inpaint_worker.pipelines.acceleration_compiling import is_compiled
from inpaint_worker.pipelines.base import Control, Reference
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from tiny.flux import (
    UNION,
    bitsandbytes_on_cpu,
    write_flux_controlnet,
    write_flux_fill,
    write_flux_fill_nf4,
    write_ip_adapter,
    write_redux,
    write_turbo_lora,
    write_union,
)

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")
FILL, FILL_NF4 = "flux-1-fill-dev", "flux-1-fill-dev-nf4"
BETA, TURBO = "flux-1-dev-controlnet-inpainting-beta", "flux-1-dev-controlnet-inpainting-beta-turbo"


def reference(seed: int = 3, strength: float = 1) -> Reference:
    """A picture of its own size."""
    return Reference(make_pixels(60, 40, seed=seed), strength)


def control(seed: int = 3, strength: float = 0.7, kind: ControlType = ControlType.CANNY) -> Control:
    """Black and white, as large as the picture."""
    lines = np.where(make_pixels(seed=seed) > 127, np.uint8(255), np.uint8(0))
    return Control(lines, kind, strength)


class Guided:
    """What every model of FLUX does with guides."""

    name: ClassVar[str]
    more: ClassVar[dict[str, ParameterValue]] = {}

    def edit(self, pipeline: DiffusersPipeline, **changes: Any) -> Edit:
        parameters: dict[str, ParameterValue] = {"steps": 4, "prompt_tokens": 32, **self.more}
        given = {**parameters, **changes.pop("parameters", {})}
        plain = PipelineContract().edit(pipeline)
        return replace(plain, parameters=pipeline.card.resolve(given), **changes)

    @pytest.mark.parametrize("guide", ["reference", "control"])
    def test_it_heeds_the_image_and_how_much_of_it_is_wanted(self, pipeline: DiffusersPipeline, guide: str) -> None:
        made = {"reference": reference, "control": control}[guide]
        plain = paint(pipeline, self.edit(pipeline))
        one, other, half, once_more = (
            paint(pipeline, self.edit(pipeline, **{guide: image}))
            for image in (made(), made(seed=8), made(strength=0.3), made())
        )
        assert np.array_equal(one, once_more)
        pictures = [plain, one, other, half]
        assert len({picture.tobytes() for picture in pictures}) == len(pictures)

    @pytest.mark.parametrize("guide", ["reference", "control"])
    def test_at_strength_zero_it_paints_what_it_paints_without(self, pipeline: DiffusersPipeline, guide: str) -> None:
        made = {"reference": reference, "control": control}[guide]
        plain = self.edit(pipeline)
        assert np.array_equal(paint(pipeline, plain), paint(pipeline, replace(plain, **{guide: made(strength=0)})))

    def test_a_pose_binds_for_fewer_steps_than_other_types(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline, parameters={"steps": 8})
        canny, depth, pose = (
            paint(pipeline, replace(edit, control=control(kind=kind)))
            for kind in (ControlType.CANNY, ControlType.DEPTH, ControlType.POSE)
        )
        assert np.array_equal(canny, depth) and not np.array_equal(canny, pose)

    def test_a_control_image_binds_the_only_step(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline, parameters={"steps": 1})
        assert not np.array_equal(paint(pipeline, edit), paint(pipeline, replace(edit, control=control())))

    def test_both_guide_at_once(self, pipeline: DiffusersPipeline) -> None:
        alone = [self.edit(pipeline, reference=reference()), self.edit(pipeline, control=control())]
        both = paint(pipeline, self.edit(pipeline, reference=reference(), control=control()))
        assert not any(np.array_equal(both, paint(pipeline, edit)) for edit in alone)

    def test_the_prompt_counts_beside_a_reference(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline, reference=reference(strength=0.2))
        assert not np.array_equal(paint(pipeline, edit), paint(pipeline, replace(edit, prompt="a blue bird on a wire")))

    def test_a_prompt_is_remembered_with_and_without_guides(
        self, pipeline: DiffusersPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        edit = self.edit(pipeline, reference=reference(), control=control(), prompt="a green door")
        paint(pipeline, edit)
        remembered = paint(pipeline, edit)
        monkeypatch.setattr(pipeline.pipe, "encode_prompt", type(pipeline.pipe).encode_prompt.__get__(pipeline.pipe))
        assert np.array_equal(paint(pipeline, edit), remembered)

    def test_text_is_read_once_for_edits_with_and_without_guides(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline, prompt="a yellow boat")
        paint(pipeline, edit)
        read: list[Any] = []
        handle = pipeline.pipe.text_encoder_2.register_forward_pre_hook(lambda _model, args: read.append(args))
        try:
            paint(pipeline, replace(edit, reference=reference(), control=control()))
            assert not read
        finally:
            handle.remove()

    # Torch's compiler, on being imported.
    @pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
    def test_its_second_control_net_is_compiled_if_wished(self, root: Path) -> None:
        for wished in (True, False):
            fresh = loaded(self.name, root, accelerate="compile" if wished else "none")
            assert fresh.runtime is not None
            fresh.load_guide("control", fresh.runtime)
            net = fresh.pipe.components.get("union") or fresh.pipe.controlnet
            assert all(is_compiled(block) == wished for block in net.transformer_blocks)

    def test_an_exception_from_a_guided_step_leaves_no_trace(self, pipeline: DiffusersPipeline) -> None:
        plain = self.edit(pipeline)
        guided = replace(plain, reference=reference(), control=control())
        clean = paint(pipeline, plain), paint(pipeline, guided)

        def stop(done: int, total: int) -> None:
            if done == 2:
                raise Stopped

        for edit in (plain, guided):
            with pytest.raises(Stopped):
                pipeline.run(replace(guided, seed=7, reference=reference(seed=9), control=control(seed=9)), stop)
            assert np.array_equal(paint(pipeline, edit), clean[edit is guided])

    def test_memory_is_saved_with_guides(self, pipeline: DiffusersPipeline) -> None:
        guided = self.edit(pipeline, reference=reference(), control=control())
        clean = paint(pipeline, guided)
        assert paint(pipeline, replace(guided, save_memory=True)).shape == clean.shape
        assert np.array_equal(paint(pipeline, guided), clean)

    def test_all_of_a_wide_reference_is_seen(self, pipeline: DiffusersPipeline) -> None:
        one = make_pixels(96, 32)
        other = one.copy()
        other[:, :8] = 255 - other[:, :8]
        seen = [self.edit(pipeline, reference=Reference(image, 1.0)) for image in (one, other)]
        assert not np.array_equal(*(paint(pipeline, edit) for edit in seen))

    def test_wide_pictures_are_guided(self, pipeline: DiffusersPipeline) -> None:
        edit = replace(PipelineContract().edit(pipeline, shape=(160, 96)), parameters=self.edit(pipeline).parameters)
        lines = Control(make_pixels(160, 96, seed=4), ControlType.DEPTH, 0.7)
        assert paint(pipeline, replace(edit, control=lines, reference=reference())).shape == (96, 160, 3)

    def test_parts_that_take_turns_on_the_device_paint_the_same(self, pipeline: DiffusersPipeline) -> None:
        plain = self.edit(pipeline)
        guided = replace(plain, reference=reference(), control=control())
        clean = paint(pipeline, plain), paint(pipeline, guided)
        pipeline.pipe.enable_model_cpu_offload(device="cpu")
        try:
            # Or else both would be on the GPU in an edit that needs no image encoder.
            before = pipeline.pipe.transformer._hf_hook.prev_module_hook.model
            assert before is pipeline.pipe.text_encoder_2
            for edit in (guided, plain, guided):
                assert np.array_equal(paint(pipeline, edit), clean[edit is guided])
        finally:
            pipeline.pipe.remove_all_hooks()

    def test_plain_edits_paint_the_same_before_guides_are_read_and_after(self, root: Path) -> None:
        fresh = loaded(self.name, root)
        plain = self.edit(fresh)
        before = paint(fresh, plain)
        weights = {name: value.clone() for name, value in fresh.pipe.transformer.named_parameters()}
        for guides in ({"reference": reference()}, {"control": control()}):
            assert not np.array_equal(paint(fresh, replace(plain, **guides)), before)
            assert np.array_equal(paint(fresh, plain), before)
        after = dict(fresh.pipe.transformer.named_parameters())
        assert all(torch.equal(after[name], value) for name, value in weights.items())

    def test_what_it_is_guided_by_is_recorded(self, pipeline: DiffusersPipeline) -> None:
        described: Any = pipeline.described()["weights"]
        assert described["union"]["repo"] == UNION


class TestFluxFill(Guided):
    name = FILL

    @pytest.fixture(scope="class")
    @classmethod
    def root(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("fill")
        for write in (write_flux_fill, write_redux, write_union):
            write(folder)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, root: Path) -> DiffusersPipeline:
        return loaded(cls.name, root)

    def test_fewer_steps_are_guided_too(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline, parameters={"strength": 0.5})
        told: list[tuple[int, int]] = []
        painted = paint(pipeline, replace(edit, control=control(), reference=reference()), told)
        assert told[-1] == (2, 2) and not np.array_equal(painted, paint(pipeline, edit))


class TestFluxFillInFourBits(Guided):
    name = FILL_NF4

    @pytest.fixture(scope="class")
    @classmethod
    def root(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        folder = tmp_path_factory.mktemp("fill-nf4")
        for write in (write_flux_fill_nf4, write_redux, write_union):
            write(folder)
        with bitsandbytes_on_cpu():
            yield folder

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, root: Path) -> DiffusersPipeline:
        return loaded(cls.name, root)


class TestFluxControlNet(Guided):
    name = BETA

    @pytest.fixture(scope="class")
    @classmethod
    def root(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("controlnet")
        for write in (write_flux_controlnet, write_turbo_lora, write_ip_adapter, write_union):
            write(folder)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, root: Path) -> DiffusersPipeline:
        return loaded(cls.name, root)


class TestFluxControlNetTurbo(TestFluxControlNet):
    name = TURBO
    more: ClassVar = {"true_guidance": 2}


def loaded(name: str, root: Path, **settings: Any) -> DiffusersPipeline:
    """The pipeline of a card, with weights from `root`."""
    pipeline = build_pipeline(small_card(name, SIDE), load_settings(device="cpu", weights_dir=root, **settings))
    assert isinstance(pipeline, DiffusersPipeline)
    pipeline.load()
    return pipeline
