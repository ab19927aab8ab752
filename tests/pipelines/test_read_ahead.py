from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_worker import memory
from inpaint_worker.pipelines.weights import read_ahead


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


def test_this_machine_tells_how_much_memory_is_left() -> None:
    found = memory.available_bytes()
    assert found is not None and found > 1 << 20
