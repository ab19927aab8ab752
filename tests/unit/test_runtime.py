"""What a model runs on, and what the fleet makes of CUDA's errors, by torch.cuda as it answers on other machines."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
from inpaint_core.acceleration import Acceleration
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import DeviceTooSmall, GpuContextBroken, GpuOutOfMemory, SettingsInvalid
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.gpu_room import Gpu, offloads

torch = pytest.importorskip("torch", reason="comes with the extra 'diffusers'")
from inpaint_worker.pipelines.runtime import choose_runtime, gpu_errors  # noqa: E402

NO_SAVERS = {"offload": False, "acceleration": "none", "tiling": False}
CARDS = load_catalogue()
FILL, NF4, SD2 = (CARDS[name] for name in ("flux-1-fill-dev", "flux-1-fill-dev-nf4", "stable-diffusion-2-inpainting"))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it with sizes in GB: torch.cuda then tells of such a GPU."""

    def install(total: float, free: float | None = None) -> None:
        sizes = (int((total if free is None else free) * 1e9), int(total * 1e9))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: sizes)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA Test")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))

    return install


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with one."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


class TestChoosing:
    def test_a_model_that_fits_is_held_whole_in_its_own_number_format(self, gpu: Any) -> None:
        gpu(42.3, 41.9)
        runtime = choose_runtime(CARDS["flux-1-dev-controlnet-inpainting-beta-turbo"], load_settings())
        assert runtime.described() == {"device": "cuda", "dtype": "bfloat16", **NO_SAVERS}

    @pytest.mark.parametrize("card", [FILL, NF4, SD2], ids=lambda card: card.name)
    def test_one_that_does_not_is_offloaded_quantised_or_not(self, gpu: Any, card: ModelCard) -> None:
        gpu((card.gpu_memory_gb or 0) * 0.8)
        assert choose_runtime(card, load_settings()).offload

    @pytest.mark.parametrize(
        ("wish", "total", "free", "offload"),
        [
            ("auto", 80, 79, False),
            ("auto", 39, 39, True),  # it would fit with nothing to spare
            ("auto", 80, 30, True),  # somebody else holds the rest
            ("always", 80, 79, True),
            ("never", 39, 38, False),
        ],
    )
    def test_what_the_setting_says_of_offloading_is_done(
        self, gpu: Any, wish: Any, total: float, free: float, offload: bool
    ) -> None:
        gpu(total, free)
        assert choose_runtime(FILL, load_settings(offload=wish)).offload is offload

    @pytest.mark.parametrize(
        ("wish", "total", "free", "tiling"),
        [
            ("auto", 80, 79, False),
            ("auto", 39, 30, False),  # offloaded, and 5 GB are left for pictures
            ("auto", 39, 26, True),  # offloaded, and hardly any
            ("never", 39, 26, False),
            ("always", 80, 79, True),
        ],
    )
    def test_pictures_are_tiled_where_hardly_any_memory_is_left(
        self, gpu: Any, wish: Any, total: float, free: float, tiling: bool
    ) -> None:
        gpu(total, free)
        runtime = choose_runtime(FILL, load_settings(tiling=wish))
        assert (runtime.tiling, runtime.described()["tiling"]) == (tiling, tiling)

    def test_a_cpu_tiles_only_if_it_is_told_to(self) -> None:
        assert not choose_runtime(SD2, load_settings(device="cpu")).tiling
        assert choose_runtime(SD2, load_settings(device="cpu", tiling="always")).tiling

    @pytest.mark.parametrize(
        ("wish", "total", "free", "words"),
        [
            ("auto", 16.9, 16.5, "NVIDIA Test has 16.9 GB, 16.5 GB of them free. Use a larger GPU."),
            ("always", 24.1, 23.9, "Use a larger GPU."),  # its transformer alone has 23.8 GB
            ("auto", 80, 20, "End what else uses this GPU"),
            ("never", 25.3, 25.1, "Set INPAINT_OFFLOAD=auto, or use a larger GPU."),
        ],
    )
    def test_a_gpu_that_is_too_small_is_refused_with_what_is_needed_and_what_there_is(
        self, gpu: Any, wish: Any, total: float, free: float, words: str
    ) -> None:
        gpu(total, free)
        with pytest.raises(DeviceTooSmall) as raised:
            choose_runtime(FILL, load_settings(offload=wish))
        message = raised.value.message
        assert message.startswith("flux-1-fill-dev needs 38 GB of GPU memory, or 25 GB with only the part")
        assert words in message
        assert (raised.value.need_gb, raised.value.have_gb) == (38, pytest.approx(total))

    def test_what_a_card_leaves_open_is_half_of_the_whole(self) -> None:
        assert NF4.offload_memory_gb is None
        assert offloads(NF4, Gpu("x", int(10e9), int(10e9)), "auto")
        with pytest.raises(DeviceTooSmall, match="needs 20 GB of GPU memory, or 10 GB"):
            offloads(NF4, Gpu("x", int(9.9e9), int(9.9e9)), "auto")

    def test_a_card_that_needs_no_certain_memory_fits_everywhere(self) -> None:
        card = SD2.model_copy(update={"gpu_memory_gb": None})
        assert not offloads(card, Gpu("x", int(1e9), 0), "auto")

    @pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
    def test_a_part_needs_less_than_the_whole(self, card: ModelCard) -> None:
        assert card.offload_memory_gb is None or card.offload_memory_gb < (card.gpu_memory_gb or 0)

    def test_without_a_gpu_the_remedy_is_named(self, no_gpu: None) -> None:
        with pytest.raises(
            DeviceTooSmall, match=r"an NVIDIA GPU with 38 GB, and torch .* finds none.*INPAINT_DEVICE=cpu"
        ):
            choose_runtime(FILL, load_settings())

    def test_a_cpu_computes_in_single_precision_and_asks_no_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("it was asked"))
        runtime = choose_runtime(SD2, load_settings(device="cpu", offload="always"))
        assert runtime.described() == {"device": "cpu", "dtype": "float32", **NO_SAVERS}

    def test_four_bits_stay_in_the_format_that_they_are_computed_in(self) -> None:
        assert choose_runtime(NF4, load_settings(device="cpu")).dtype is torch.bfloat16


class TestAccelerating:
    def test_what_was_asked_for_is_chosen_and_recorded(self, gpu: Any, compiler: None) -> None:
        gpu(80)
        runtime = choose_runtime(FILL, load_settings(accelerate="fuse-qkv,cuda-graphs"))
        assert runtime.described()["acceleration"] == "cuda-graphs,fuse-qkv"
        assert choose_runtime(FILL, load_settings()).described()["acceleration"] == "none"

    @pytest.mark.parametrize(
        ("accelerate", "settings", "words"),
        [
            ("half-vae", {}, "flux-1-fill-dev cannot have half-vae; it can have compile, compile-whole, cuda-graphs"),
            ("cuda-graphs", {"device": "cpu"}, "cuda-graphs is for NVIDIA GPUs, and the model runs on the CPU"),
            ("cuda-graphs", {"offload": "always"}, "cuda-graphs needs the whole model on the GPU"),
            ("attention=cudnn", {"device": "cpu"}, "attention=cudnn is for GPUs.*; there are: native"),
            ("attention=flash", {}, "needs the package flash-attn, which is not installed.*are: native, cudnn, effic"),
            ("attention=flash-3", {}, "is for Hopper GPUs, and NVIDIA Test is none"),
        ],
    )
    def test_what_is_not_possible_is_refused(
        self, gpu: Any, compiler: None, accelerate: str, settings: dict[str, Any], words: str
    ) -> None:
        gpu(80)
        with pytest.raises(SettingsInvalid, match=f"INPAINT_ACCELERATE is {accelerate}, and .*{words}"):
            choose_runtime(FILL, load_settings(accelerate=accelerate, **settings))

    def test_of_what_a_card_says_it_is_left_out(self, gpu: Any, compiler: None) -> None:
        gpu(80)
        card = FILL.model_copy(update={"accelerate": Acceleration.parse("cuda-graphs,fuse-qkv,attention=flash")})
        for settings, left in (
            ({}, "cuda-graphs,fuse-qkv"),
            ({"offload": "always"}, "fuse-qkv"),
            ({"device": "cpu"}, "fuse-qkv"),
            ({"accelerate": "none"}, "none"),
        ):
            assert str(choose_runtime(card, load_settings(**settings)).acceleration) == left

    @pytest.mark.parametrize("device", ["cuda", "cpu"])
    def test_without_a_c_compiler_nothing_is_compiled(
        self, gpu: Any, monkeypatch: pytest.MonkeyPatch, device: Any
    ) -> None:
        gpu(80)
        monkeypatch.setattr("shutil.which", lambda _name: None)
        with pytest.raises(SettingsInvalid, match=r"compile needs a C compiler, and none of g.* is there"):
            choose_runtime(FILL, load_settings(accelerate="compile", device=device))
        choose_runtime(FILL, load_settings(accelerate="fuse-qkv", device=device))
        monkeypatch.setenv("CC" if device == "cuda" else "CXX", "tcc")
        with pytest.raises(SettingsInvalid, match=r"compile needs the compiler tcc that C(C|XX) names"):
            choose_runtime(FILL, load_settings(accelerate="compile", device=device))

    def test_bfloat16_is_not_imitated(self, gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        gpu(80)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
        with pytest.raises(SettingsInvalid, match="half-vae needs bfloat16, which NVIDIA Test only imitates"):
            choose_runtime(CARDS["stable-diffusion-xl-1.0-inpainting-0.1"], load_settings(accelerate="half-vae"))


class Tensor:
    """Something that lives as long as somebody refers to it."""


class TestErrors:
    def test_when_memory_runs_out_it_is_freed_before_anybody_hears_of_it(
        self, gpu: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gpu(80)
        held: list[weakref.ref[Tensor]] = []
        alive: list[bool] = []
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(any(ref() is not None for ref in held)))

        def paint() -> None:
            latents = Tensor()
            held.append(weakref.ref(latents))
            try:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has")
            except torch.OutOfMemoryError:
                decode()

        def decode() -> None:
            tiles = Tensor()
            held.append(weakref.ref(tiles))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.\nGPU 0 has")

        with pytest.raises(GpuOutOfMemory) as raised, gpu_errors(FILL):
            paint()
        assert len(held) == 2 and alive == [False]
        assert "ran out of GPU memory (CUDA out of memory. Tried to allocate 1.00 GiB.)" in raised.value.message

    @pytest.mark.parametrize(
        "text",
        [
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            "CUDA error: out of memory",
            "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        ],
    )
    def test_other_libraries_run_out_of_memory_too_and_break_nothing(self, no_gpu: None, text: str) -> None:
        forgotten: list[bool] = []
        with pytest.raises(GpuOutOfMemory), gpu_errors(FILL, on_full=lambda: forgotten.append(True)):
            raise RuntimeError(text)
        assert forgotten == [True]

    @pytest.mark.parametrize("how", ["in the compiler", "from it", "while captured", "told of alone"])
    def test_memory_that_ran_out_while_something_is_compiled_is_freed_as_well(
        self, gpu: Any, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        from torch._dynamo.exc import BackendCompilerFailed

        gpu(80)
        held: list[weakref.ref[Tensor]] = []
        alive: list[bool] = []
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(any(ref() is not None for ref in held)))

        def compute() -> None:
            tensor = Tensor()
            held.append(weakref.ref(tensor))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has")

        def compiled() -> None:
            try:
                compute()
            except torch.OutOfMemoryError as error:
                failed = BackendCompilerFailed(compute, error, None)
                if how == "in the compiler":  # as torch does
                    raise failed.with_traceback(error.__traceback__) from None
                if how == "from it":
                    raise failed from error
                if how == "told of alone":
                    told = RuntimeError(str(failed))
                else:
                    told = RuntimeError("CUDA error: operation failed due to a previous error during capture")
                if how == "while captured":
                    raise told from None
            raise told

        forgotten: list[bool] = []
        with (
            pytest.raises(GpuOutOfMemory, match="flux-1-fill-dev ran out of GPU memory"),
            gpu_errors(FILL, on_full=lambda: forgotten.append(True)),
        ):
            compiled()
        assert len(held) == 1 and (alive, forgotten) == ([False], [True])

    def test_errors_that_lead_to_each_other_are_looked_at_once(self, gpu: Any) -> None:
        gpu(80)
        one, other = RuntimeError("shapes differ"), RuntimeError("sizes differ")
        one.__context__, other.__context__ = other, one
        with pytest.raises(RuntimeError) as raised, gpu_errors(FILL):
            raise one
        assert raised.value is one

    def test_running_out_of_memory_without_a_gpu_is_told_as_well(self, no_gpu: None) -> None:
        with pytest.raises(GpuOutOfMemory), gpu_errors(FILL):
            raise torch.OutOfMemoryError

    @pytest.mark.parametrize(("loading", "words"), [(False, "a smaller picture"), (True, "set INPAINT_OFFLOAD=always")])
    def test_the_remedy_is_one_for_what_was_done(self, no_gpu: None, loading: bool, words: str) -> None:
        with pytest.raises(GpuOutOfMemory, match=words), gpu_errors(FILL, loading=loading):
            raise torch.OutOfMemoryError

    @pytest.mark.parametrize(
        "text",
        [
            "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be",
            "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`",
        ],
    )
    def test_an_error_of_cuda_breaks_the_context_where_there_is_cuda(self, gpu: Any, text: str) -> None:
        gpu(80)
        with pytest.raises(GpuContextBroken) as raised, gpu_errors(FILL):
            raise RuntimeError(text)
        assert raised.value.message == f"The GPU context is broken: {text.splitlines()[0]}"

    def test_the_same_words_without_cuda_pass(self, no_gpu: None) -> None:
        with pytest.raises(RuntimeError, match="CUDA error"), gpu_errors(FILL):
            raise RuntimeError("CUDA error: no device")

    @pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("CUDA error"), KeyboardInterrupt()])
    def test_other_errors_pass(self, gpu: Any, error: BaseException) -> None:
        gpu(80)
        with pytest.raises(type(error)) as raised, gpu_errors(FILL):
            raise error
        assert raised.value is error

    def test_without_an_error_nothing_is_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("it was asked"))
        with gpu_errors(FILL):
            pass
