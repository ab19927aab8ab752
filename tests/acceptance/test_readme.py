"""The README's commands, as written, in a fresh copy of the repository with nothing installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import make_image, make_mask
from PIL import Image

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# One group: each test goes on where the one before it ended.
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600), pytest.mark.xdist_group("readme")]


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(block: str) -> list[str]:
    """The commands of a shell block, without their comments."""
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


class Copy:
    """A copy of what git would clone, and the environment of somebody who has just arrived."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("INPAINT_", "VIRTUAL"))}
        self.env |= {"INPAINT_DATA_DIR": str(folder.parent / "data"), "XDG_CONFIG_HOME": str(folder.parent / "config")}
        listed = self._git("ls-files", "--cached", "--others", "--exclude-standard").split("\0")
        for name in filter(None, listed):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    def run(self, command: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """The command in a shell, as a person types it."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s,
        )  # fmt: skip

    def _git(self, *arguments: str) -> str:
        return subprocess.run(["git", "-C", ROOT, *arguments, "-z"], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The fresh copy; what it started is stopped at the end."""
    folder = tmp_path_factory.mktemp("fresh") / "inpaint-fleet"
    folder.mkdir()
    copy = Copy(folder)
    yield copy
    copy.run("test -x .venv/bin/inpaint && .venv/bin/inpaint down")


@pytest.fixture(scope="module")
def demo(copy: Copy) -> str:
    """What `make demo` printed, on both streams together."""
    assert commands(blocks("sh")[0])[0] == "make demo"
    done = copy.run("make demo 2>&1")
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_the_test_command_is_what_ci_runs() -> None:
    assert commands(blocks("sh")[0])[1] == "make test"
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in ci if line.startswith("make")] == ["make test"]


def test_make_demo_ends_with_the_picture_the_job_the_sql_and_what_to_try(copy: Copy, demo: str) -> None:
    path = re.search(r"(\S+before-mask-after\.png)", demo)
    assert path, demo[-3000:]
    with Image.open(copy.folder / path[1]) as picture:
        assert picture.width > 3 * 500
    assert "succeeded" in demo
    assert "inference" in demo
    assert "$" in demo
    assert "job_report" in demo
    assert "inpaint down" in demo
    assert "Traceback" not in demo


def test_make_demo_needs_no_torch(copy: Copy, demo: str) -> None:
    assert demo
    assert copy.run(".venv/bin/python -c 'import torch'").returncode != 0


def test_the_sql_of_the_demo_runs_as_printed(copy: Copy, demo: str) -> None:
    command = re.search(r"^\s*(?:\$ )?(\S*inpaint db query .+)$", demo, re.MULTILINE)
    assert command, demo[-3000:]
    done = copy.run(command[1])
    assert done.returncode == 0, done.stderr
    assert "opencv-telea" in done.stdout


def test_the_commands_that_follow_work_as_written(copy: Copy, demo: str) -> None:
    assert demo
    activate, submit, status, down = commands(blocks("sh")[1])
    assert "down" in down
    done = copy.run(f"{activate} && {submit}")
    assert done.returncode == 0, done.stderr
    with Image.open(copy.folder / "out" / "edited.png") as edited:
        assert edited.size == (1024, 768)
    done = copy.run(f"{activate} && {status}")
    assert done.returncode == 0, done.stderr
    assert "opencv-telea" in done.stdout


def test_the_python_example_works(copy: Copy, demo: str) -> None:
    assert demo
    make_image(320, 240).save(copy.folder / "photo.jpg")
    make_mask(320, 240, (100, 100, 120, 120)).save(copy.folder / "mask.png")
    (copy.folder / "example.py").write_text(blocks("python")[0], encoding="utf-8")
    done = copy.run(".venv/bin/python example.py")
    assert done.stdout.strip() == "succeeded", done.stderr


def test_the_comparison_works_as_written(copy: Copy, demo: str) -> None:
    assert demo
    activate, *_ = commands(blocks("sh")[1])
    up, run, report = commands(blocks("sh")[2])
    for command in (up, run, report):
        done = copy.run(f"{activate} && {command}")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    page = copy.folder / done.stdout.split()[-1]
    assert page.suffix == ".html" and "furniture-rooms" in page.read_text(encoding="utf-8")


def test_down_leaves_nothing_running(copy: Copy, demo: str) -> None:
    assert demo
    activate, *_, down = commands(blocks("sh")[1])
    done = copy.run(f"{activate} && {down}")
    assert done.returncode == 0, done.stderr
    left = subprocess.run(["pgrep", "-af", str(copy.folder.parent)], check=False, capture_output=True, text=True).stdout
    assert left == ""


def test_every_link_and_picture_of_the_readme_exists() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    missing = [name for name in targets if not name.startswith("http") and not (ROOT / name).exists()]
    assert missing == []
