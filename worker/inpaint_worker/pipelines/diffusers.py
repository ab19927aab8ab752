"""What every diffusers model needs: loading, warming, steps, seeds, savers. Families say how theirs is called."""

from __future__ import annotations

import contextlib
import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from inpaint_core.acceleration import NOTHING, Acceleration
from inpaint_core.card import ModelCard
from inpaint_core.edit import Detail
from inpaint_core.errors import OperatorError, WeightsGated, WeightsMissing
from inpaint_core.log import get_logger
from inpaint_core.settings import Settings
from inpaint_core.tiers import Tier
from PIL import Image

from inpaint_worker.arrays import Pixels
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.pipelines.acceleration import accelerate_pipeline
from inpaint_worker.pipelines.acceleration_compiling import forget_graphs, keep_compiled, many_graphs
from inpaint_worker.pipelines.acceleration_kernels import attending
from inpaint_worker.pipelines.base import Edit, StepCallback, Work
from inpaint_worker.pipelines.fp8 import quantise
from inpaint_worker.pipelines.prompts import remember_prompts
from inpaint_worker.pipelines.runtime import Runtime, choose_runtime, generator, gpu_errors
from inpaint_worker.pipelines.savers import Savers
from inpaint_worker.pipelines.tier_run import TierRun
from inpaint_worker.pipelines.weights import Located, locate, read_ahead

#: What guides an edit beside its prompt, as `Edit` calls it.
Guide = Literal["reference", "control"]
_WARM_PROMPT = "a chair"
#: What diffusers calls after each step.
_CALLBACK = "callback_on_step_end"
log = get_logger("inpaint.worker")


class DiffusersPipeline(ABC):
    """One diffusers pipeline in memory. Where it is compiled, the thread that loaded it has to run it."""

    #: How many tokens a step sees depends on more than the picture's shape: on the prompt, or on a reference image.
    varying: ClassVar[bool] = False

    def __init__(self, card: ModelCard, settings: Settings) -> None:
        self.card = card
        self._settings = settings
        self.pipe: Any = None
        self.runtime: Runtime | None = None
        #: Where its parts were found, by their role on the card.
        self.located: dict[str, Located] = {}
        self._forget: list[Callable[[], None]] = []
        self._guides: set[Guide] = set()
        self._without: dict[Guide, OperatorError] = {}
        self._is_warm = False
        #: Of the last run; None if nothing was to be left out.
        self.work: Work | None = None

    @abstractmethod
    def assemble(self, runtime: Runtime) -> Any:
        """The pipeline with its weights, on the CPU or wherever `runtime` says. `self.located` has the folders."""

    @abstractmethod
    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """What its `__call__` takes for an edit, without size, generator and callback. White in the mask: repaint."""

    def load_guide(self, guide: Guide, runtime: Runtime) -> None:  # noqa: B027  (some need nothing more)
        """Read what edits with such an image need. Called before the first of them; `self.located` has the folders.

        Edits without such an image must give the same bits before and after.
        """

    def called(self, edit: Edit) -> Any:  # noqa: ARG002
        """The diffusers pipeline that makes this edit: one of its own, where guides need another class."""
        return self.pipe

    def load(self) -> None:
        """Find the weights, read them once from the disk, and build the pipeline."""
        self.runtime = choose_runtime(self.card, self._settings)
        if self.runtime.acceleration.compiling is not None:
            keep_compiled(self._settings.compile_cache)
        log.info("runtime_chosen", model=self.card.name, **self.runtime.described())
        needed = [role for role, weights in self.card.weights.items() if weights.needed_for is None]
        self.located = {role: self._locate(role) for role in needed}
        self._locate_guides()
        for role in needed:
            self._read_ahead(role)
        with gpu_errors(self.card, loading=True):
            self.pipe = self.assemble(self.runtime)
            self._place()
        self.prepare(self.pipe)

    def prepare(self, pipe: Any) -> None:
        """What every diffusers pipeline is told once: be silent, and remember prompts."""
        pipe.set_progress_bar_config(disable=True)
        if hasattr(pipe, "encode_prompt"):
            self._forget.append(remember_prompts(pipe))

    def _locate(self, role: str) -> Located:
        found = locate(self.card, role, self._settings)
        log.info("weights_found", role=role, revision=found.revision)
        return found

    def _locate_guides(self) -> None:
        """Find what guides need, too: whether it is there should be known before the first job that needs it."""
        for role, weights in self.card.weights.items():
            if weights.needed_for is None:
                continue
            try:
                self.located[role] = self._locate(role)
            except (WeightsMissing, WeightsGated) as error:
                self._without[weights.needed_for] = error
                log.warning("guide_missing", guide=weights.needed_for, reason=error.message, then="such jobs wait")

    def _read_ahead(self, role: str, told: Callable[[int], None] = lambda _bytes: None) -> None:
        weights, found = self.card.weights[role], self.located[role]
        read_ahead(found.folder, weights.variant, told, folders=weights.folders, file=weights.file)

    def _need(self, guide: Guide, told: Callable[[int], None]) -> None:
        """Have what an edit with such an image needs in memory; raises what was missing when the worker started."""
        if guide in self._without:
            # A new one each time: to one that is kept, every job would add its frames, with the pictures in them.
            raise copy.copy(self._without[guide])
        if guide in self._guides:
            return
        assert self.runtime is not None  # noqa: S101  (load chose it)
        for role, weights in self.card.weights.items():
            if weights.needed_for == guide:
                self._read_ahead(role, told)
        lacking = [name for name, part in self.pipe.components.items() if part is None]
        try:
            with gpu_errors(self.card, guide=guide, on_full=self._give_up):
                self.load_guide(guide, self.runtime)
        except BaseException:
            self.pipe.register_modules(**dict.fromkeys(lacking))  # what was read of it would stay on the GPU
            raise
        finally:
            if self.runtime.offload:
                self.pipe.enable_model_cpu_offload()  # anew: it does not know of a new part
        self._guides.add(guide)
        log.info("guide_loaded", guide=guide)

    def described(self) -> dict[str, object]:
        """Device, number format, savers, and the commits of its weights."""
        weights = {
            role: {
                "repo": self.card.weights[role].repo,
                "revision": found.revision,
                **self.card.weights[role].model_dump(include={"file", "variant"}, exclude_none=True),
            }
            for role, found in self.located.items()
        }
        held = self.runtime.described() if self.runtime is not None else {}
        return {**held, "quantisation": self.card.quantisation, "weights": weights}

    def _place(self) -> None:
        assert self.runtime is not None  # noqa: S101  (load chose it)
        if not self.runtime.offload and self.runtime.device != "cpu" and self.card.quantisation != "nf4":
            self.pipe.to(self.runtime.device)
        accelerate_pipeline(self.pipe, self.runtime.acceleration, varying=self.varying)
        if self.card.quantisation == "fp8":  # what was fused, too; what is compiled is so only when it is called
            quantise(self.pipe.transformer, self.runtime.device)
        if self.runtime.offload:
            self.pipe.enable_model_cpu_offload()

    def warm(self) -> None:
        """The fleet's own first job, on made-up input in the model's favourite shape, with as few steps as may be.

        With INPAINT_WARM_SHAPES=all then one in each of the others.
        """
        favourite = min(shapes(self.card.size, Detail.NATIVE), key=lambda shape: abs(shape[0] - shape[1]))
        self._warm(*favourite)
        self._is_warm = True
        for shape in shapes(self.card.size, Detail.FULL) if self._settings.warm_shapes == "all" else ():
            if shape != favourite:
                self._warm(*shape)

    def _warm(self, width: int, height: int) -> None:
        image = np.full((height, width, 3), 127, np.uint8)
        region = np.zeros((height, width), np.bool_)
        region[height // 4 : height // 2, width // 4 : width // 2] = True
        parameters = self.card.resolve({})
        if (steps := self.card.parameters.get("steps")) is not None:
            parameters["steps"] = int(steps.minimum or 1)
        self.run(Edit(image, region, seed=0, prompt=_WARM_PROMPT, parameters=parameters), lambda _done, _total: None)
        log.info("warmed", model=self.card.name, width=width, height=height)

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """See `Pipeline`. The same edit gives the same bits on one machine."""
        self.work = None
        height, width = edit.image.shape[:2]
        image = Image.fromarray(np.ascontiguousarray(edit.image))
        mask = Image.fromarray(np.where(edit.region, np.uint8(255), np.uint8(0)))
        with (
            gpu_errors(self.card, loading=not self._is_warm, on_full=self._give_up),
            Savers(self.pipe, edit.save_memory or self._tiles),
            attending(self._acceleration.attention),
            many_graphs() if self._acceleration.compiling else contextlib.nullcontext(),
            torch.inference_mode(),
        ):
            total = self.steps(edit)
            self._load_guides(edit, lambda _bytes: on_step(0, total))
            pipe = self.called(edit)
            on_step(0, total)
            try:
                with self._in_tier(edit, self.callbacks(edit, on_step)) as callbacks:
                    result = pipe(
                        **self.arguments(edit, image, mask),
                        **callbacks,
                        height=height,
                        width=width,
                        generator=generator(edit.seed),
                        output_type="pil",
                    )
            except BaseException:
                # An offloaded pipeline does this at the end of a call. Without, the part that worked last stays on the
                # GPU, and the next job's text encoders find no room beside it.
                pipe.maybe_free_model_hooks()
                raise
        painted: Image.Image = result.images[0]
        return np.asarray(painted.convert("RGB"), np.uint8)

    @contextlib.contextmanager
    def _in_tier(self, edit: Edit, callbacks: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """While this lasts, the networks leave out what the edit's tier allows; `callbacks` as they are then needed."""
        if edit.tier is Tier.EXACT:
            yield callbacks
            return
        run = TierRun(self.pipe, self.card.tiers[edit.tier], self.denoising_steps(edit))
        with run.entered():
            yield {**callbacks, _CALLBACK: run.counting(callbacks[_CALLBACK])}
        self.work = run.work

    @property
    def _acceleration(self) -> Acceleration:
        return NOTHING if self.runtime is None else self.runtime.acceleration

    @property
    def _tiles(self) -> bool:
        return self.runtime is not None and self.runtime.tiling

    def _load_guides(self, edit: Edit, told: Callable[[int], None]) -> None:
        # Gigabytes may come from a slow disk: `told` shows that the job lives, and ends it if it was canceled.
        if edit.reference is not None:
            self._need("reference", told)
        if edit.control is not None:
            self._need("control", told)

    def _give_up(self) -> None:
        """What is held for later jobs, where memory did not suffice."""
        for forget in self._forget:
            forget()
        if self._acceleration.compiling == "cuda-graphs":
            forget_graphs()

    def steps(self, edit: Edit) -> int:
        """How many steps it will take in all."""
        return int(edit.parameters.get("steps", 1))

    def denoising_steps(self, edit: Edit) -> int:
        """How many of them ask the network that a tier spares."""
        return self.steps(edit)

    def callbacks(self, edit: Edit, on_step: StepCallback) -> dict[str, Any]:
        """How the pipeline tells of its steps. To stop it, `on_step` raises: the next run is then as if nothing was."""
        return {_CALLBACK: counted(on_step, self.steps(edit))}


def counted(on_step: StepCallback, total: int, before: int = 0) -> Callable[..., dict[str, Any]]:
    """A callback of diffusers that counts for itself: what it is told differs between families."""
    done = before

    def step(_pipe: Any, _index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        nonlocal done
        done += 1
        on_step(min(done, total), total)
        return tensors

    return step
