from __future__ import annotations

from pathlib import Path

import pytest
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
