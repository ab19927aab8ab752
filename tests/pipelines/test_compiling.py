"""How often something is compiled: once for each shape, and not again by the next process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from accelerated import SD2, WRITERS, load_small
from contract import PipelineContract, make_pixels, make_region, paint, small_card
from inpaint_core.edit import Box, Detail, EditOptions
from inpaint_core.errors import SettingsInvalid
from inpaint_core.settings import load_settings
from inpaint_db.claims import Claimed
from inpaint_worker.attempt import Attempt
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.geometry.fit import plan_windows
from inpaint_worker.geometry.region import cut
from inpaint_worker.geometry.region import make_region as edit_region
from inpaint_worker.pipelines import Edit, build_pipeline
from inpaint_worker.pipelines import acceleration_compiling as compiling
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.resident import Resident

#: Nothing here takes as long.
LONG_S = 240

pytestmark = [
    # Torch's compiler, on being imported; diffusers, of its own use of itself.
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a .functools.lru_cache:UserWarning"),
]


@pytest.fixture(autouse=True)
def _quick_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Graphs are made, and run as they are."""
    monkeypatch.setattr(compiling, "_BACKEND", "eager")
    # Thousands of records for each graph, which pytest would keep.
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch.compiler.reset()


def graphs() -> int:
    """How many were made so far."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def in_shape(pipeline: DiffusersPipeline, width: int, height: int, **changes: Any) -> None:
    paint(pipeline, edit_in_shape(pipeline, width, height, **changes))


def edit_in_shape(pipeline: DiffusersPipeline, width: int, height: int, **changes: Any) -> Edit:
    steps = {key: value for key, value in {"steps": 2, "prompt_tokens": 64}.items() if key in pipeline.card.parameters}
    return replace(
        PipelineContract().edit(pipeline),
        image=make_pixels(width, height),
        region=make_region(width, height),
        parameters=pipeline.card.resolve(steps),
        **changes,
    )


def shapes_of_a_stream(jobs: int) -> list[tuple[int, int]]:
    """What the model is shown for so many edits of any size in photos of any size."""
    rule, dice = small_card(SD2).size, np.random.default_rng(7)
    found = []
    for _ in range(jobs):
        width, height = (int(side) for side in dice.integers(150, 1200, 2))
        mask = np.zeros((height, width), np.uint8)
        left, top = int(dice.integers(0, width - 40)), int(dice.integers(0, height - 40))
        right, bottom = int(dice.integers(left + 20, width)), int(dice.integers(top + 20, height))
        mask[cut(Box(left, top, right, bottom))] = 255
        options = EditOptions()
        found += [window.size for window in plan_windows(edit_region(mask, options), rule, options)]
    return found


def test_a_stream_of_jobs_compiles_once_for_each_shape_of_tokens(tmp_path: Path) -> None:
    WRITERS[SD2](tmp_path)
    pipeline = load_small(SD2, tmp_path, "compile")
    stream = shapes_of_a_stream(60)
    distinct = dict.fromkeys(stream)
    assert 8 < len(distinct) < len(stream) / 2
    for shape in distinct:
        in_shape(pipeline, *shape)
    made = graphs()
    # A wide shape and the tall one beside it have as many tokens; the blocks of this U-Net see them at one depth.
    assert 1 < made <= len({width * height for width, height in distinct})
    for shape in distinct:
        in_shape(pipeline, *shape, prompt="something else")
    assert graphs() == made
    assert not torch._dynamo.utils.counters["graph_break"]


def an_attempt() -> Attempt:
    return Attempt(
        Claimed(
            job_id=uuid4(), number=1, model=SD2, source_uri="s3://bucket/a", source_sha256=None,
            mask_uri="s3://bucket/b", mask_sha256=None, prompt="", negative_prompt="", seed=1, parameters={},
            deadline=None, queue_wait_s=0.0, failures=0, max_attempts=3,
        )
    )  # fmt: skip


def test_a_worker_compiles_for_as_many_shapes_whichever_of_its_threads_has_the_job(tmp_path: Path) -> None:
    WRITERS[SD2](tmp_path)
    # More than torch's own limit, each with another count of tokens.
    stream = [(64, 64 * count) for count in range(1, 12)]
    made = {}
    for who in ("one thread", "a worker"):
        torch.compiler.reset()
        torch._dynamo.utils.counters.clear()
        settings = load_settings(device="cpu", weights_dir=tmp_path, accelerate="compile")
        pipeline = build_pipeline(small_card(SD2), settings)
        assert isinstance(pipeline, DiffusersPipeline)
        resident = Resident(pipeline)
        if who == "one thread":
            pipeline.load()
            pipeline.warm()
        else:
            resident.load()
        for shape in stream:
            edit = edit_in_shape(pipeline, *shape)
            if who == "one thread":
                paint(pipeline, edit)
                continue
            with ThreadPoolExecutor(1) as pool:  # as the threads of Celery's pool: none has loaded the model
                pool.submit(resident.run, an_attempt(), edit).result(LONG_S)
        made[who] = graphs()
    assert made["a worker"] == made["one thread"] >= len(stream)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("qwen-image-inpainting", marks=pytest.mark.thorough),
        pytest.param("z-image-turbo-inpainting", marks=pytest.mark.thorough),
        "flux-2-klein-4b",
    ],
)
def test_where_token_counts_vary_the_first_job_compiles_for_all(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    pipeline = load_small(name, tmp_path, "compile")
    pipeline.warm()
    made = graphs()
    assert made
    for shape in ((128, 128), (256, 64), (64, 256), (192, 80)):
        in_shape(pipeline, *shape, prompt="a red cup " * (shape[0] // 50))
    assert graphs() == made


def test_beyond_the_most_graphs_pictures_are_painted_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_MOST_GRAPHS", 2)
    WRITERS[SD2](tmp_path)
    pipeline = load_small(SD2, tmp_path, "compile")
    for shape in ((128, 128), (128, 64), (256, 64), (64, 64)):
        in_shape(pipeline, *shape)
    assert graphs() == 2


def test_all_shapes_are_painted_before_the_first_job_if_wished(tmp_path: Path) -> None:
    WRITERS[SD2](tmp_path)
    seen = {}
    for wish in ("favourite", "all"):
        pipeline = load_small(SD2, tmp_path, warm_shapes=wish)
        pipeline.run, sizes = _noted(pipeline)
        pipeline.warm()
        seen[wish] = sizes
    assert seen["favourite"] == [(128, 128)] == seen["all"][:1]
    assert sorted(seen["all"]) == sorted(shapes(small_card(SD2).size, Detail.FULL))


def _noted(pipeline: DiffusersPipeline) -> tuple[Any, list[tuple[int, int]]]:
    sizes: list[tuple[int, int]] = []
    return lambda edit, _on_step: sizes.append(edit.image.shape[1::-1]), sizes


# --- what was compiled is kept ----------------------------------------------------------------------------------------

_PROCESS = """
import sys, torch
from pathlib import Path
from inpaint_worker.pipelines.acceleration_compiling import compile_network, keep_compiled

class BasicTransformerBlock(torch.nn.Module):
    def forward(self, tokens):
        return torch.nn.functional.gelu(tokens) * 2 + tokens

keep_compiled(Path(sys.argv[1]))
net = torch.nn.Sequential(BasicTransformerBlock(), BasicTransformerBlock())
compile_network(net, "compile", varying=False)
with torch.inference_mode():
    net(torch.ones(2, 8))
found = torch._dynamo.utils.counters
print("misses", found["inductor"]["fxgraph_cache_miss"], "hits", found["inductor"]["fxgraph_cache_hit"])
"""


@pytest.mark.timeout(600)
def test_a_second_process_finds_what_the_first_has_compiled(tmp_path: Path) -> None:
    folder = tmp_path / "compiled"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TORCHINDUCTOR", "TRITON"))
    }
    told = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _PROCESS, str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=500,
        ).stdout.split()
        for _ in range(2)
    ]
    assert told == [["misses", "1", "hits", "0"], ["misses", "0", "hits", "1"]]
    assert any((folder / "inductor").rglob("*.so"))


def test_a_folder_for_it_is_made_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        monkeypatch.setenv(name, "elsewhere")
    compiling.keep_compiled(None)
    assert os.environ["TRITON_CACHE_DIR"] == "elsewhere"
    compiling.keep_compiled(tmp_path / "made" / "compiled")
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "made" / "compiled" / "inductor")
    assert (tmp_path / "made" / "compiled").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load_settings(device="cpu", accelerate="compile", compile_cache=tmp_path / "file" / "in-it")
    with pytest.raises(SettingsInvalid, match=r"INPAINT_COMPILE_CACHE is .*in-it, and nothing can be written there \("):
        build_pipeline(small_card(SD2), settings).load()  # there are no weights either


def test_a_folder_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(SettingsInvalid, match=f"chmod o-w {tmp_path}"):
        compiling.keep_compiled(tmp_path)
