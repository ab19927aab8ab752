"""Peak memory of a job, on a CPU by the kernel's count and on a GPU by torch's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from inpaint_worker import memory


class Cuda:
    """The few functions of torch.cuda that count."""

    def __init__(self, available: bool = True, initialised: bool = True) -> None:
        self.resets = 0
        self.is_available = lambda: available
        self.is_initialized = lambda: initialised

    def reset_peak_memory_stats(self) -> None:
        """Begin anew."""
        self.resets += 1

    def max_memory_allocated(self) -> int:
        """Five billion bytes."""
        return 5_000_000_000


def install(monkeypatch: pytest.MonkeyPatch, cuda: Cuda) -> Cuda:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return cuda


def test_on_a_gpu_it_is_what_torch_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = install(monkeypatch, Cuda())
    assert memory.reset_peak() and cuda.resets == 1
    assert (memory.kind(), memory.peak_bytes()) == ("cuda_allocated", 5_000_000_000)


@pytest.mark.parametrize("cuda", [Cuda(available=False), Cuda(initialised=False)], ids=["none", "unused"])
def test_a_gpu_that_is_not_there_or_not_used_does_not_count(monkeypatch: pytest.MonkeyPatch, cuda: Cuda) -> None:
    install(monkeypatch, cuda)
    memory.reset_peak()
    assert memory.kind() == "process_rss" and cuda.resets == 0
    assert memory.peak_bytes() != 5_000_000_000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="this kernel does not count")
def test_on_a_cpu_it_is_the_most_since_it_was_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Cuda(available=False))
    if not memory.reset_peak():
        pytest.skip("this kernel does not let a process reset its count")
    before = memory.peak_bytes() or 0
    block = bytearray(b"x" * 64_000_000)
    del block
    after = memory.peak_bytes() or 0
    assert after - before > 32_000_000
    assert memory.reset_peak()
    assert (memory.peak_bytes() or 0) < after


def test_where_the_kernel_does_not_count_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, Cuda(available=False))
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "none" / "clear_refs")
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    assert not memory.reset_peak() and memory.peak_bytes() is None
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t 10 kB\n")
    assert memory.peak_bytes() is None
    (tmp_path / "status").write_text("VmHWM:\t  2048 kB\n")
    assert memory.peak_bytes() == 2048 * 1024


def test_counting_loads_no_torch() -> None:
    program = (
        "import sys; from inpaint_worker import memory; "
        "memory.reset_peak(), memory.peak_bytes(), memory.kind(); print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert said.stdout == "False\n"
