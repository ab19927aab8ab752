"""Every diffusers model of the catalogue through the real queue: tiny weights in the layout of the hub, on a CPU."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="comes with the extra 'diffusers'")

from factories import make_image, make_mask
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import CannotDo
from inpaint_core.settings import Settings, as_environment
from inpaint_core.status import JobStatus
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from processes import WorkerProcess
from sqlalchemy import text
from tiny import flux, stable_diffusion
from tiny.flux import write_flux_controlnet, write_flux_fill, write_flux_fill_nf4, write_turbo_lora
from tiny.flux2 import write_flux2_klein
from tiny.kandinsky import write_kandinsky
from tiny.qwen_image import write_qwen_image
from tiny.sd3 import write_sd3
from tiny.stable_diffusion import write_sd2, write_sdxl
from tiny.z_image import write_z_image

MODELS = [card.name for card in load_catalogue().values() if card.device == "cuda"]
#: Of more than one window of the tiny cards, and of odd sizes.
SIZES = ((97, 211), (1023, 771))
LONG_S = 120
_STEPS, _MANY_STEPS = 3, 900


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of all of them, as OWNER/REPO."""
    root = tmp_path_factory.mktemp("weights")
    with warnings.catch_warnings(action="ignore"):  # what diffusers says of its own use of itself
        for write in (write_flux_fill_nf4, write_flux_fill, write_flux_controlnet, write_turbo_lora, write_kandinsky,
                      write_sd2, write_sd3, write_sdxl, write_flux2_klein, write_z_image,
                      write_qwen_image, flux.write_redux, flux.write_union, flux.write_ip_adapter,
                      stable_diffusion.write_ip_adapter, stable_diffusion.write_controlnet_union):  # fmt: skip
            write(root)
    return root


@pytest.fixture
def tiny_settings(settings: Settings, weights: Path, tmp_path: Path) -> Settings:
    """This test's stack, with cards that paint small pictures in a few steps."""
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text("\n".join(_small(name) for name in MODELS), encoding="utf-8")
    return settings.model_copy(update={"catalogue": catalogue, "weights_dir": weights, "device": "cpu"})


def _small(name: str) -> str:
    card = load_catalogue()[name]
    lines = [f"[models.{name!r}]", "size.native_area = 65536", "size.max_area = 65536"]
    lines += [f"parameters.steps.default = {_STEPS}", f"parameters.steps.maximum = {_MANY_STEPS}"]
    if "prior_steps" in card.parameters:
        lines.append("parameters.prior_steps.default = 2")
    if "prompt_tokens" in card.parameters:
        lines.append("parameters.prompt_tokens.default = 32")
    return "\n".join(lines)


class _Worker(WorkerProcess):
    """`inpaint worker MODEL`, with 4-bit weights where the card has them."""

    def _start(self, env: dict[str, str]) -> subprocess.Popen[bytes]:
        quantised = load_catalogue()[self.model].quantisation is not None
        program = [str(Path(__file__).parents[1] / "quantised_worker.py")] if quantised else ["-m", "inpaint_fleet.cli"]
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, *program, "worker", self.model],
                env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip


@pytest.fixture
def start(tiny_settings: Settings, tmp_path: Path) -> Iterator[Callable[[str], _Worker]]:
    """Start a worker and wait until it has loaded and warmed its model."""
    started: list[_Worker] = []
    env = {**os.environ, **as_environment(tiny_settings), "OMP_NUM_THREADS": "1"}

    def one(model: str) -> _Worker:
        worker = _Worker(model, env, tiny_settings, tmp_path / f"{model}.log")
        started.append(worker)
        worker.wait_ready(LONG_S)
        return worker

    yield one
    for worker in started:
        worker.kill()


@pytest.mark.parametrize("model", MODELS)
def test_a_model_serves_its_queue(
    model: str, start: Callable[[str], _Worker], tiny_settings: Settings, database: Database
) -> None:
    worker = start(model)
    with InpaintClient(tiny_settings) as client:
        sources = [make_image(*size) for size in SIZES]
        jobs = [
            client.submit(source, make_mask(*source.size), model=model, prompt="a red chair", seed=7).id
            for source in [*sources, sources[0]]
        ]
        other = client.submit(sources[0], make_mask(*SIZES[0]), model=model, prompt="a red chair", seed=8).id
        views = client.wait_many([*jobs, other], timeout_s=LONG_S)
        assert {view.status for view in views} == {JobStatus.SUCCEEDED}, (
            [view.error_message for view in views], worker.tail(),
        )  # fmt: skip
        for source, view in zip(sources, views, strict=False):
            result, marked = np.asarray(client.result(view.id)), np.asarray(make_mask(*source.size)) > 0
            assert np.array_equal(result[~marked], np.asarray(source)[~marked])
            assert not np.array_equal(result[marked], np.asarray(source)[marked])
            assert (view.exact, view.outside_changed_pixels) == (True, 0)
            assert view.steps_done == view.steps_total
        again, third = views[2], views[3]
        assert again.output_sha256 == views[0].output_sha256 != third.output_sha256
        _check_cancel(client, model, str(views[0].output_sha256))
        _check_guides(client, model, str(views[0].output_sha256))
    _check_record(database, model)


def _check_cancel(client: InpaintClient, model: str, clean: str) -> None:
    """A job ends between two of its many steps, and the next is as if nothing had been."""
    source = make_image(*SIZES[0])
    mask = make_mask(*SIZES[0])
    slow = client.submit(source, mask, model=model, prompt="a red chair", seed=7, parameters={"steps": _MANY_STEPS}).id
    for view in client.stream(slow, timeout_s=LONG_S):
        if view.steps_done:
            client.cancel(slow)
        assert not view.status.is_final or view.status is JobStatus.CANCELED
    assert view.steps_done is not None and 0 < view.steps_done < _MANY_STEPS
    after = client.submit(source, mask, model=model, prompt="a red chair", seed=7).id
    assert client.wait(after, timeout_s=LONG_S).output_sha256 == clean


def _check_guides(client: InpaintClient, model: str, plain: str) -> None:
    """Reference and control images reach the model, as far as its card says, and change nothing of later jobs."""
    card, source = load_catalogue()[model], make_image(*SIZES[0])
    guides: list[dict[str, Any]] = []
    if card.reference is not None:
        guides += [{"reference_image": make_image(80, 50, seed=seed)} for seed in (1, 2)]
    if card.control is not None:
        lines = [make_image(*source.size, seed=seed) for seed in (3, 4)]
        guides += [{"control_image": image, "control_type": card.control.types[0]} for image in lines]
    asked = {"model": model, "prompt": "a red chair", "seed": 7}
    jobs = [client.submit(source, make_mask(*source.size), **{**asked, **given}).id for given in [*guides, asked]]
    views = client.wait_many(jobs, timeout_s=LONG_S)
    assert [view.status for view in views] == [JobStatus.SUCCEEDED] * len(jobs), [v.error_message for v in views]
    *guided, after = [str(view.output_sha256) for view in views]
    assert len({*guided, plain}) == len(guides) + 1
    assert after == plain
    for refused in _refused(card, make_image(*source.size)):
        with pytest.raises(CannotDo):
            client.submit(source, make_mask(*source.size), **asked, **refused)


def _refused(card: ModelCard, image: Any) -> Iterator[dict[str, Any]]:
    if card.reference is None:
        yield {"reference_image": image}
    if card.control is None:
        yield {"control_image": image, "control_type": "canny"}
    if not card.negative_prompt:
        yield {"negative_prompt": "a blue chair"}


def _check_record(database: Database, model: str) -> None:
    """What it ran on, with which weights."""
    with database.read() as connection:
        rows = connection.execute(
            text("""SELECT DISTINCT e.runtime, e.device_kind, e.packages FROM attempt a
                      JOIN environment e ON e.id = a.environment_id""")
        ).all()
    (row,) = rows
    card = load_catalogue()[model]
    runtime: dict[str, Any] = row.runtime
    assert set(runtime["weights"]) == set(card.weights)
    assert {part["repo"] for part in runtime["weights"].values()} == {part.repo for part in card.weights.values()}
    assert (runtime["device"], runtime["quantisation"]) == ("cpu", card.quantisation)
    assert {"torch", "diffusers", "transformers"} <= set(row.packages)
