"""`inpaint models pull`, and what a worker finds afterwards, from a hub on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, TOKEN, HubServer
from inpaint_core.catalogue import load_catalogue

pytest.importorskip("huggingface_hub", reason="comes with the extra 'diffusers'")
CARD = load_catalogue()["stable-diffusion-2-inpainting"]
WEIGHTS = CARD.weights["base"]
#: The hub's client keeps 10 MB at a time.
KEPT = 10 << 20
#: What a card of SD2 needs of such a repository. The cache keeps equal files once, so all differ.
NEEDED = {
    "model_index.json": b"{}",
    "scheduler/scheduler_config.json": b"[1]",
    "text_encoder/model.fp16.safetensors": b"text" * 3_000_000,
    "tokenizer/vocab.json": b"[2]",
    "tokenizer/merges.txt": b"a b",
    "unet/config.json": b"[3]",
    "unet/diffusion_pytorch_model.fp16.safetensors": b"unet",
    # This part has no variant.
    "vae/diffusion_pytorch_model.safetensors": b"vae",
}
BESIDES = {
    "README.md": b"#",
    "512-inpainting-ema.ckpt": b"pickle",
    "512-inpainting-ema.safetensors": b"whole",
    "unet/diffusion_pytorch_model.safetensors": b"unet twice",
    "unet/diffusion_pytorch_model.bin": b"pickle",
    "unet/diffusion_pytorch_model.fp16.bin": b"pickle",
    "vae/model.pt": b"pickle",
    "safety_checker/model.fp16.safetensors": b"unused",
    "text_encoder/run_me.py": b"print()",
}
LOCATE = """
import json, sys
from inpaint_core.catalogue import load_catalogue
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.weights import locate, on_disk
settings, card = load_settings(), load_catalogue()["stable-diffusion-2-inpainting"]
there = on_disk(card, "base", settings)
found = locate(card, "base", settings)
print(json.dumps([there, str(found.folder), found.revision]))
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A hub that has the weights of SD2."""
    with HubServer({WEIGHTS.repo: {**NEEDED, **BESIDES}}) as server:
        yield server


def run(hub: HubServer, home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command; what it says holds no token."""
    result = subprocess.run(
        [sys.executable, *arguments], env=hub.environment(home, **env), capture_output=True, text=True, timeout=90
    )
    assert TOKEN not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    return result


def pull(hub: HubServer, home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`inpaint models pull` of SD2."""
    return run(hub, home, "-m", "inpaint_fleet.cli", "models", "pull", CARD.name, *arguments, **env)


def files_of(folder: Path) -> dict[str, bytes]:
    """What was fetched into a folder."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_into_a_folder_comes_what_the_model_needs_and_nothing_that_could_run_code(
    hub: HubServer, tmp_path: Path
) -> None:
    result = pull(hub, tmp_path / "home", "--to", str(tmp_path / "weights"), HF_TOKEN=TOKEN)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "weights" / WEIGHTS.repo
    assert result.stdout == f"base\t{WEIGHTS.repo}\t{COMMIT}\t{folder}\n"
    assert files_of(folder) == {**NEEDED, ".revision": f"{COMMIT}\n".encode()}
    assert hub.files_asked == set(NEEDED)
    assert TOKEN in hub.tokens
    located = run(hub, tmp_path / "other", "-c", LOCATE, INPAINT_WEIGHTS_DIR=str(tmp_path / "weights"))
    assert json.loads(located.stdout) == [True, str(folder), COMMIT]


def test_what_is_in_the_cache_is_found_without_a_network_and_not_fetched_twice(hub: HubServer, tmp_path: Path) -> None:
    assert pull(hub, tmp_path).returncode == 0
    assert hub.files_asked == set(NEEDED)
    hub.asked.clear()
    assert pull(hub, tmp_path).returncode == 0
    assert hub.files_asked == set()
    hub.asked.clear()
    there, folder, revision = json.loads(run(hub, tmp_path, "-c", LOCATE, HF_HUB_OFFLINE="1").stdout)
    assert there and revision == COMMIT and files_of(Path(folder)) == NEEDED
    assert hub.asked == []


def test_a_connection_that_breaks_is_gone_on_with_where_it_was(hub: HubServer, tmp_path: Path) -> None:
    hub.cut_after, hub.cuts = KEPT + 1000, 1
    result = pull(hub, tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"RANGE {KEPT} text_encoder/model.fp16.safetensors" in hub.asked
    assert files_of(Path(result.stdout.split()[-1])) == NEEDED


def test_a_pull_that_failed_is_run_again_and_fetches_only_what_is_missing(hub: HubServer, tmp_path: Path) -> None:
    hub.cut_after, hub.cuts = KEPT + 1000, 1000
    to = ("--to", str(tmp_path / "weights"))
    failed = pull(hub, tmp_path / "home", *to)
    assert failed.returncode == 7 and "RemoteProtocolError" in failed.stderr.splitlines()[-1]
    folder = tmp_path / "weights" / WEIGHTS.repo
    assert not (folder / ".revision").exists()
    hub.cuts = 0
    hub.asked.clear()
    assert pull(hub, tmp_path / "home", *to).returncode == 0
    assert "text_encoder/model.fp16.safetensors" in hub.files_asked and "unet/config.json" not in hub.files_asked
    assert files_of(folder) == {**NEEDED, ".revision": f"{COMMIT}\n".encode()}


@pytest.mark.parametrize("to", [(), ("--to", "weights")], ids=["cache", "folder"])
class TestRefusals:
    def refused(self, hub: HubServer, home: Path, to: tuple[str, ...], **env: str) -> str:
        arguments = [str(home / word) if word == "weights" else word for word in to]
        result = pull(hub, home, *arguments, **env)
        assert result.returncode == 7, result.stderr
        sentence = result.stderr.splitlines()[-1]
        assert sentence.startswith("error: ")
        return sentence

    def test_gated_weights_need_a_licence_and_a_token(
        self, hub: HubServer, tmp_path: Path, to: tuple[str, ...]
    ) -> None:
        hub.gated.add(WEIGHTS.repo)
        sentence = self.refused(hub, tmp_path, to)
        assert f"accepted on {WEIGHTS.page} with your account. Then set HF_TOKEN" in sentence
        assert pull(hub, tmp_path, HF_TOKEN=TOKEN).returncode == 0

    def test_a_repository_that_is_not_shown(self, hub: HubServer, tmp_path: Path, to: tuple[str, ...]) -> None:
        hub.repos.clear()
        assert "which the hub does not show" in self.refused(hub, tmp_path, to, HF_TOKEN=TOKEN)

    def test_a_revision_that_is_not_there(self, hub: HubServer, tmp_path: Path, to: tuple[str, ...]) -> None:
        catalogue = tmp_path / "catalogue.toml"
        catalogue.write_text(f'[models.{CARD.name}.weights.base]\nrevision = "v9"\n')
        sentence = self.refused(hub, tmp_path, to, INPAINT_CATALOGUE=str(catalogue))
        assert f"{WEIGHTS.repo} has no revision 'v9'" in sentence

    @pytest.mark.parametrize(
        "env", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:1"}], ids=["told", "not"]
    )
    def test_no_network(self, hub: HubServer, tmp_path: Path, to: tuple[str, ...], env: dict[str, str]) -> None:
        assert "neither in the cache nor to be had from the hub now" in self.refused(hub, tmp_path, to, **env)
        assert hub.asked == []
