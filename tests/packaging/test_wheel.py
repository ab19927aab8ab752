from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest
from factories import encode, make_image, make_mask
from PIL import Image

ROOT = Path(__file__).parents[2]
#: What lies in a package beside its modules.
DATA = {".toml", ".sql", ".json", ".mako", ".jpg", ".png", ".html", ".css", ".js", ".svg", ".webp"}
#: Whose pictures those are, and under which licences: it goes where they go.
NOTICES = {"inpaint_benchmark/datasets/furniture_rooms/README.md"}
# One group, so that the wheel is built once.
pytestmark = pytest.mark.xdist_group("wheel")


def run(command: list[str | Path], timeout_s: float = 60, **options: object) -> subprocess.CompletedProcess[str]:
    said = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, **options)  # type: ignore[call-overload]
    assert said.returncode == 0, f"{command} ended with {said.returncode}:\n{said.stdout}\n{said.stderr}"
    return said  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    target = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT]
    run(build, 120)
    [found] = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def installed_name(path: Path) -> str:
    """Where a file of the checkout lies in the wheel."""
    parts = path.relative_to(ROOT).parts
    return "/".join(("inpaint_db", *parts) if parts[0] == "migrations" else parts[1:])


def test_the_wheel_holds_every_file_of_the_packages(contents: set[str]) -> None:
    sources = [
        path
        for folder in [*ROOT.glob("*/inpaint_*"), ROOT / "migrations"]
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix in {".py"} | DATA or path.name == "py.typed")
    ]
    assert len(sources) > 50
    assert sorted({installed_name(path) for path in sources} - contents) == []


@pytest.mark.parametrize(
    "name",
    [
        "inpaint_core/catalogue/opencv-telea.toml",
        "inpaint_core/contract.schema.json",
        "inpaint_core/py.typed",
        "inpaint_db/py.typed",
        "inpaint_db/views/job_report.sql",
        "inpaint_db/migrations/env.py",
        "inpaint_db/migrations/versions/20261122_jobs.py",
        "inpaint_producer/py.typed",
    ],
)
def test_the_wheel_holds_what_is_not_a_module(contents: set[str], name: str) -> None:
    assert name in contents


def test_the_wheel_holds_nothing_else(contents: set[str]) -> None:
    tops = {name.split("/")[0] for name in contents}
    packages = {path.name for path in ROOT.glob("*/inpaint_*") if path.is_dir()}
    [info] = tops - packages
    assert info.startswith("inpaint_fleet-") and info.endswith(".dist-info")
    odd = [
        name
        for name in contents
        if not name.startswith(info)
        and name not in NOTICES
        and ((Path(name).suffix not in {".py"} | DATA and Path(name).name != "py.typed") or "test" in Path(name).parts)
    ]
    assert odd == []
    assert [name for name in contents if "__pycache__" in name or name.endswith((".pyc", ".md"))] == sorted(NOTICES)


def test_the_wheel_tells_its_command_licence_and_extras(wheel: Path, contents: set[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = next(name for name in contents if name.endswith("/METADATA")).rpartition("/")[0]
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        assert "inpaint = inpaint_fleet.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
    assert metadata["License-Expression"] == "Apache-2.0"
    extras = {"worker", "diffusers", "web", "benchmark", "local", "flower", "all"}
    assert extras <= set(metadata.get_all("Provides-Extra", []))
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert not {"torch", "numpy", "opencv-python-headless"} & {line.split(">")[0].split("[")[0] for line in needed}


# --- in a clean environment -------------------------------------------------------------------------------------------


@pytest.fixture
def clean(wheel: Path) -> Iterator[Path]:
    """A virtual environment into which nothing but the wheel and what it asks for was installed; its bin folder."""
    # Not below pytest's own folder: root's Postgres has to reach it.
    folder = Path(tempfile.mkdtemp(prefix="inpaint-wheel-"))
    folder.chmod(0o755)
    try:
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        constraints = [ROOT / "constraints.txt"] if (ROOT / "constraints.txt").is_file() else []
        pinned = [part for file in constraints for part in ("-c", file)]
        run([python, "-m", "pip", "install", "--quiet", *pinned, f"{wheel}[local,worker]"], 600)
        yield python.parent
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_a_job_succeeds_through_the_command_of_a_clean_install(clean: Path, tmp_path: Path) -> None:
    data = Path(tempfile.mkdtemp(prefix="inpaint-wheel-data-"))
    data.chmod(0o711)
    env = {"PATH": f"{clean}:/usr/bin:/bin", "HOME": str(tmp_path), "INPAINT_DATA_DIR": str(data), "LANG": "C.UTF-8"}
    inpaint = clean / "inpaint"
    (tmp_path / "room.jpg").write_bytes(encode(make_image(), "JPEG"))
    (tmp_path / "mask.png").write_bytes(encode(make_mask()))
    packages = json.loads(run([clean / "python", "-m", "pip", "list", "--format=json"], env=env).stdout)
    assert not {"torch", "pytest", "diffusers"} & {package["name"] for package in packages}
    try:
        run([inpaint, "up", "--detach"], 120, env=env, cwd=tmp_path)
        pictures = ["room.jpg", "--mask", "mask.png", "-o", "edited.png"]
        command = [inpaint, "submit", *pictures, "--model", "opencv-telea", "--wait", "--json"]
        said = run(command, 60, env=env, cwd=tmp_path)
        assert '"succeeded"' in said.stdout
        with Image.open(tmp_path / "edited.png") as edited:
            assert edited.size == (96, 64)
    finally:
        subprocess.run([inpaint, "down"], env=env, capture_output=True, timeout=60, cwd=os.sep)
        shutil.rmtree(data, ignore_errors=True)
