"""The wheels for measuring on a GPU without internet: complete, and small."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmark" / "gpu-bundle"
#: What an image for GPUs has: docs/performance.md.
MACHINE = ("torch", "transformers", "accelerate", "peft", "safetensors", "numpy", "opencv-python-headless", "pillow")
#: Comes with the bundle in another way: with the library for one CUDA alone.
REPACKED = "bitsandbytes"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(list_: str) -> set[str]:
    lines = (FOLDER / list_).read_text().splitlines()
    return {canonical(line) for line in lines if line and not line.startswith("#")}


def closure(wanted: Iterable[str]) -> set[str]:
    """The packages with all that they depend on."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in wanted]
    while waiting:
        requirement = waiting.pop()
        name = canonical(requirement.name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # an extra that nobody asked for
            continue
        more = [Requirement(line) for line in lines]
        extras = requirement.extras or {""}
        chosen = [r for r in more if not r.marker or any(r.marker.evaluate({"extra": extra}) for extra in extras)]
        new = name not in found
        found.add(name)
        waiting += [r for r in chosen if canonical(r.name) not in found] if new or requirement.extras else []
    return found


def test_the_bundle_has_everything_that_the_machine_has_not() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["heic"], *extras["worker"], *extras["diffusers"]]
    ours = closure(line for line in lines if not line.startswith("inpaint-fleet"))
    assert {"celery", "diffusers", "psycopg-binary"} <= ours
    missing = ours - closure(MACHINE) - {REPACKED} - names("packages.txt")
    assert not missing, f"add {sorted(missing)} to benchmark/gpu-bundle/packages.txt"


@pytest.mark.parametrize("list_", ["packages.txt", "servers.txt", "newer.txt"])
def test_every_wheel_has_its_version_from_the_constraints(list_: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonical(line.partition("==")[0]) for line in lines if "==" in line}
    assert names(list_) <= pinned


@pytest.fixture
def bundle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_bundle", FOLDER / "bundle.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_repacked_wheel_lacks_what_is_unwanted_and_its_record_is_right(bundle: ModuleType, tmp_path: Path) -> None:
    record = "a-1.dist-info/RECORD"
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        for name, text in (("a/__init__.py", "x = 1\n"), ("a/large.so", "x" * 1000), (record, "of before,,\n")):
            wheel.writestr(name, text)
    bundle.repack(tmp_path / "a.whl", tmp_path / "b.whl", lambda name: name.endswith(".so"))
    with zipfile.ZipFile(tmp_path / "b.whl") as wheel:
        assert wheel.namelist() == ["a/__init__.py", record]
        digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).rstrip(b"=").decode()
        assert wheel.read(record).decode() == f"a/__init__.py,sha256={digest},6\n{record},,\n"


def test_the_time_limit_counts_from_before_the_environment_is_made(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "run.sh", tmp_path)
    (tmp_path / "python-version").write_text("3.12\n")
    program = tmp_path / "venv" / "bin" / "inpaint"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    (tmp_path / "venv" / ".installed").touch()
    before = int(time.time())
    command = ["sh", str(tmp_path / "run.sh"), "--models", "all"]
    environment = {"PATH": os.environ["PATH"]}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
    assert said[:3] == ["bench", "gpu", "--begun-at"]
    assert before <= int(said[3]) <= time.time()
    assert said[4:] == ["--models", "all"]


def test_a_build_that_fails_leaves_the_bundle_of_before(bundle: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "dist" / "gpu-bundle"
    with bundle.replaced(out) as new:
        (new / "run.sh").write_text("first")

    def fail() -> None:
        with bundle.replaced(out) as new:
            (new / "run.sh").write_text("half")
            raise SystemExit("no library for CUDA 999")

    with pytest.raises(SystemExit, match="999"):
        fail()
    assert (out / "run.sh").read_text() == "first"
    with bundle.replaced(out) as new:
        (new / "other").write_text("second")
    assert [path.name for path in out.iterdir()] == ["other"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_versions_are_checked_before_anything_is_built(
    bundle: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    built: list[tuple[str, str]] = []
    monkeypatch.setattr(bundle, "build", lambda _out, given: built.append((given.python, given.cuda)))

    def call(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["bundle.py", "--out", str(tmp_path / "bundle"), *words])
        bundle.main()

    call("--cuda", "12.8", "--python", "3.11")
    call("--cuda", "none")
    assert built == [("3.11", "128"), ("3.12", "none")]
    for words, sentence in (
        (("--cuda", "cu128"), "write 128 for 12.8"),
        (("--python", "3.13", "--servers"), "there are no wheels of servers for Python 3.13; leave out --servers"),
        (("--python", "3.9"), "there are no wheels for Python '3.9'; it may be 3.11, 3.12"),
    ):
        with pytest.raises(SystemExit) as ended:
            call(*words)
        assert ended.value.code == 2
        assert sentence in capsys.readouterr().err
    assert len(built) == 2
