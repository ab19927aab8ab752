"""Which models run here, as the doctor tells it: on machines of all kinds, by what torch and the disk say of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.settings import load_settings
from inpaint_fleet import doctor_models
from inpaint_fleet.doctor import Level, installed
from inpaint_worker.pipelines import FAMILIES
from inpaint_worker.pipelines.gpu_room import Gpu

pytest.importorskip("huggingface_hub", reason="comes with the extra 'diffusers'")
CARDS = load_catalogue()
SD2, FILL, NF4 = "stable-diffusion-2-inpainting", "flux-1-fill-dev", "flux-1-fill-dev-nf4"
TURBO = "flux-1-dev-controlnet-inpainting-beta-turbo"
MODULES = [
    "numpy",
    "cv2",
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "safetensors",
    "bitsandbytes",
    "peft",
    "openai",
]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every package, a large GPU, no weights and no token, unless a test says otherwise."""
    monkeypatch.setattr(doctor_models, "installed", lambda name: name in MODULES)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"), raising=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"), raising=True)
    with_gpu(monkeypatch, 85)


def with_gpu(monkeypatch: pytest.MonkeyPatch, gigabytes: float | None) -> None:
    gpu = None if gigabytes is None else Gpu("NVIDIA Test", int(gigabytes * 1e9), int(gigabytes * 1e9))
    monkeypatch.setattr(doctor_models, "find_gpu", lambda: gpu)


def told(name: str, **settings: object) -> tuple[Level, str]:
    """What the doctor says of one model."""
    (found,) = (f for f in doctor_models.models(load_settings(**settings)) if f.check == f"model {name}")
    return found.level, found.found


def give_weights(root: Path, *names: str) -> Path:
    """A folder that has what the models need."""
    for name in names:
        for weights in CARDS[name].weights.values():
            for part in weights.folders or (".",):
                (root / weights.repo / part).mkdir(parents=True, exist_ok=True)
                (root / weights.repo / part / (weights.file or "model.safetensors")).touch()
    return root


def test_every_model_has_a_line_and_none_is_a_failure() -> None:
    found = list(doctor_models.models(load_settings()))
    assert [f.check for f in found] == [f"model {name}" for name in CARDS]
    assert {f.level for f in found} <= {Level.OK, Level.INFO}


def test_what_runs_says_on_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_weights(tmp_path, SD2, FILL, TURBO)
    assert told("opencv-telea") == (Level.OK, "runs")
    assert told(SD2, weights_dir=tmp_path) == (Level.OK, "runs on NVIDIA Test")
    assert told(TURBO, weights_dir=tmp_path) == (Level.OK, "runs on NVIDIA Test")
    with_gpu(monkeypatch, 25.3)
    level, words = told(FILL, weights_dir=tmp_path)
    assert level is Level.OK and "only the part on it that works" in words


@pytest.mark.parametrize(
    ("name", "gone", "words"),
    [
        ("opencv-telea", "cv2", 'needs the extra worker: pip install "inpaint-fleet[worker]" (not there: cv2)'),
        (SD2, "diffusers", 'needs the extra diffusers: pip install "inpaint-fleet[diffusers]" (not there: diffusers)'),
        (NF4, "bitsandbytes", "(not there: bitsandbytes)"),
        (TURBO, "peft", "(not there: peft)"),
    ],
)
def test_an_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch, name: str, gone: str, words: str) -> None:
    monkeypatch.setattr(doctor_models, "installed", lambda module: module != gone)
    level, found = told(name)
    assert level is Level.INFO and words in found


@pytest.mark.parametrize(
    ("gigabytes", "settings", "words"),
    [
        (None, {}, "needs a GPU with 38 GB; none is found here"),
        (16.9, {}, "needs a GPU with 25 GB; NVIDIA Test has 16.9 GB"),
        (25.3, {"offload": "never"}, "needs a GPU with 38 GB; NVIDIA Test has 25.3 GB"),
    ],
)
def test_a_gpu_that_is_missing_or_too_small(
    monkeypatch: pytest.MonkeyPatch, gigabytes: float | None, settings: dict[str, object], words: str
) -> None:
    with_gpu(monkeypatch, gigabytes)
    assert told(FILL, **settings) == (Level.INFO, words)


def test_a_cpu_runs_all_but_four_bits_if_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, None)
    give_weights(tmp_path, SD2, NF4)
    assert told(SD2, weights_dir=tmp_path, device="cpu")[1].startswith("runs on the CPU, many times slower")
    assert told(NF4, weights_dir=tmp_path, device="cpu")[0] is Level.INFO


def test_missing_weights_are_told_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    assert told(SD2) == (Level.INFO, f"weights missing (2.6 GB): run `inpaint models pull {SD2}`")
    command = f"run `inpaint models pull {SD2} --to {tmp_path}`"
    assert told(SD2, weights_dir=tmp_path) == (Level.INFO, f"weights missing (2.6 GB): {command}")


def test_gated_weights_want_a_token_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = "https://huggingface.co/black-forest-labs/FLUX.1-Fill-dev"
    pull = f"`inpaint models pull {FILL}`"
    gated = f"gated, and no HF_TOKEN: accept its licence on {page}, set HF_TOKEN, and run {pull}"
    assert told(FILL) == (Level.INFO, gated)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert told(FILL) == (Level.INFO, f"weights missing (34 GB): run {pull}")
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "token").touch()
    assert told(FILL)[1].startswith("weights missing")
    assert told(FILL, weights_dir=give_weights(tmp_path, FILL))[0] is Level.OK


def test_a_retired_model_is_retired_until_it_is_served_by_another(tmp_path: Path) -> None:
    level, words = told("dall-e-2")
    assert level is Level.INFO and words.startswith("retired; ")
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text('[models.dall-e-2]\nserve_by = "gpt-image-2"\n')
    assert told("dall-e-2", catalogue=catalogue) == (Level.INFO, "needs a key: set INPAINT_OPENAI_API_KEY")
    served = told("dall-e-2", catalogue=catalogue, openai_api_key="sk-secret")
    assert served == (Level.OK, "runs, by OpenAI's gpt-image-2")


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_the_extra_is_the_one_that_its_worker_would_ask_for(card: ModelCard) -> None:
    assert doctor_models._EXTRAS[card.device][0] == FAMILIES[card.family][1]


def test_packages_are_looked_for_and_not_loaded() -> None:
    assert installed("json") and not installed("no_such_module")


def test_the_doctor_loads_no_torch_where_there_is_no_driver_and_asks_no_network() -> None:
    if any(Path(driver).exists() for driver in doctor_models._DRIVERS):
        pytest.skip("this machine has a GPU's driver")
    program = (
        "import json, socket, sys\n"
        "socket.socket.connect = None\n"
        "from inpaint_core.settings import load_settings\n"
        "from inpaint_fleet.doctor_models import models\n"
        "print(json.dumps([len(list(models(load_settings()))), sorted(sys.modules)]))"
    )
    said = subprocess.run([sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, timeout=60)
    count, modules = json.loads(said.stdout)
    assert count == len(CARDS)
    assert {name.split(".")[0] for name in modules} & {"torch", "diffusers", "transformers", "cv2"} == set()
