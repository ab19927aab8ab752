from __future__ import annotations

import os
from pathlib import Path

import pytest
from inpaint_worker import memory
from inpaint_worker.page_cache import cached_share
from inpaint_worker.pipelines import weights
from inpaint_worker.pipelines.weights import read_ahead


@pytest.fixture
def on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the system had not just written the files, which keeps them in memory."""
    monkeypatch.setattr(weights, "cached_share", lambda _paths: 0.0)


@pytest.mark.usefixtures("on_the_disk")
@pytest.mark.parametrize(
    ("variant", "folders", "total"),
    [(None, (), 15), (None, ("vae",), 2 + 8), ("fp16", (), 8), (None, ("vae", "absent"), 2 + 8)],
)
def test_what_a_card_names_is_read_once(
    tmp_path: Path, variant: str | None, folders: tuple[str, ...], total: int
) -> None:
    for name, size in (
        ("whole.safetensors", 1),
        ("vae/model.safetensors", 2),
        ("transformer/model.safetensors", 4),
        ("vae/model.fp16.safetensors", 8),
        ("vae/model.bin", 16),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    read: list[int] = []
    read_ahead(tmp_path, variant, read.append, folders)
    assert sum(read) == total


@pytest.mark.usefixtures("on_the_disk")
@pytest.mark.parametrize(("available", "total"), [(15, 15), (14, 0), (None, 15)])
def test_what_memory_does_not_hold_is_not_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: int | None, total: int
) -> None:
    (tmp_path / "one.safetensors").write_bytes(bytes(7))
    (tmp_path / "two.safetensors").write_bytes(bytes(8))
    monkeypatch.setattr(memory, "available_bytes", lambda: available)
    read: list[int] = []
    read_ahead(tmp_path, None, read.append)
    assert sum(read) == total


def test_files_that_are_in_memory_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("held", 4), ("partly", 2), ("untold", 1)):
        (tmp_path / f"{name}.safetensors").write_bytes(bytes(size))
    shares = {"held": 1.0, "partly": 0.99, "untold": None}
    monkeypatch.setattr(weights, "cached_share", lambda paths: shares[paths[0].stem])
    read: list[int] = []
    read_ahead(tmp_path, None, read.append)
    assert sorted(read) == [1, 2]


def test_what_was_just_written_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(100_000))
    read: list[int] = []
    read_ahead(tmp_path, None, read.append)
    assert read == []


def test_what_the_kernel_says_of_files_that_are_not_ones_own_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(100_000))
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "model.safetensors").stat().st_uid + 1)
    assert cached_share([tmp_path / "model.safetensors"]) == 1  # it may be written, though
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert cached_share([tmp_path / "model.safetensors"]) is None


def test_this_machine_tells_how_much_memory_is_left() -> None:
    found = memory.available_bytes()
    assert found is not None and found > 1 << 20
