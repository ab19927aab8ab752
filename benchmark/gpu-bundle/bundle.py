"""Put everything into a folder that `inpaint bench gpu` needs on a machine without internet: wheels, and run.sh.

Such a machine has a Python with torch for its GPU, transformers, accelerate, peft, safetensors, numpy, OpenCV and
Pillow, as images for GPUs have them. `make gpu-bundle` runs this.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: Wheels that run with a glibc of 2.28 (2018), and so with newer ones.
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
#: Those for which every wheel of the lists is there, in the versions of constraints.txt; and of the list of servers.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PYTHONS_WITH_SERVERS = ("3.11", "3.12")
_PICTURES = "inpaint_benchmark/datasets/furniture_rooms/"
_LIBRARY = re.compile(r"bitsandbytes/libbitsandbytes_(\w+)\.so")


def main() -> int:
    """Build it anew; prints the sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "gpu-bundle")
    parser.add_argument("--python", type=python_version, default="3.12", help="version of the machine's Python")
    parser.add_argument(
        "--cuda", type=cuda_version, default="130", help="CUDA of the machine's torch, as 130 for 13.0; none: no 4 bits"
    )
    parser.add_argument("--servers", action="store_true", help="also what --what throughput needs: 60 MB more")
    parser.add_argument("--newer", action="store_true", help="also transformers, for machines whose own is too old")
    given = parser.parse_args()
    if given.servers and given.python not in PYTHONS_WITH_SERVERS:
        there = ", ".join(PYTHONS_WITH_SERVERS)
        parser.error(f"there are no wheels of servers for Python {given.python}; leave out --servers, or name {there}")
    with replaced(given.out) as out:
        build(out, given)
    tell_sizes(given.out)
    return 0


def python_version(text: str) -> str:
    """A version of Python that this project and its wheels have."""
    if text not in PYTHONS:
        raise argparse.ArgumentTypeError(f"there are no wheels for Python {text!r}; it may be {', '.join(PYTHONS)}")
    return text


def cuda_version(text: str) -> str:
    """A version of CUDA without its point, or none."""
    found = re.fullmatch(r"(\d{2})\.?(\d)", text)
    if text != "none" and found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no version of CUDA; write 128 for 12.8, or none")
    return text if found is None else found[1] + found[2]


@contextlib.contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """A folder to build in, which takes the place of `out` if all goes well; else what was there stays."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        new.mkdir()
        yield new
        if out.exists():
            out.rename(old)
        new.rename(out)


def build(out: Path, given: argparse.Namespace) -> None:
    """All of it, into an empty folder."""
    (out / "wheels").mkdir()
    build_own(out / "wheels")
    download(HERE / "packages.txt", out / "wheels", given.python)
    if given.cuda != "none":
        add_bitsandbytes(out / "wheels", given.python, given.cuda)
    for wanted, name in ((given.servers, "servers"), (given.newer, "newer")):
        if wanted:
            (out / name).mkdir()
            download(HERE / f"{name}.txt", out / name, given.python)
    (out / "pip").mkdir()
    download_one("pip", out / "pip", given.python)
    shutil.copy(HERE / "run.sh", out)
    (out / "python-version").write_text(given.python + "\n", encoding="utf-8")


def build_own(folder: Path) -> None:
    """The wheel of this project, without the pictures of the dataset that it brings along."""
    with tempfile.TemporaryDirectory() as temporary:
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", temporary, str(ROOT))
        (wheel,) = Path(temporary).glob("*.whl")
        repack(wheel, folder / wheel.name, lambda name: name.startswith(_PICTURES) and not name.endswith(".py"))


def download(names: Path, folder: Path, python: str) -> None:
    """The wheels of a list, in the versions of constraints.txt."""
    pip("download", *_target(python), "--requirement", str(names), "--dest", str(folder))


def download_one(name: str, folder: Path, python: str) -> None:
    """One wheel."""
    pip("download", *_target(python), name, "--dest", str(folder))


def add_bitsandbytes(folder: Path, python: str, cuda: str) -> None:
    """Its wheel with the library for one CUDA: those for all have hundreds of MB."""
    with tempfile.TemporaryDirectory() as temporary:
        download_one("bitsandbytes", Path(temporary), python)
        (wheel,) = Path(temporary).glob("*.whl")
        with zipfile.ZipFile(wheel) as whole:
            libraries = {match[1] for name in whole.namelist() if (match := _LIBRARY.fullmatch(name))}
        if f"cuda{cuda}" not in libraries:
            there = ", ".join(sorted(name.removeprefix("cuda") for name in libraries if name.startswith("cuda")))
            raise SystemExit(f"{wheel.name} has no library for CUDA {cuda}; it has: {there}.")
        kept = {"cpu", f"cuda{cuda}"}
        repack(
            wheel, folder / wheel.name, lambda name: (m := _LIBRARY.fullmatch(name)) is not None and m[1] not in kept
        )


def repack(wheel: Path, to: Path, unwanted: Callable[[str], bool]) -> None:
    """Copy a wheel without some of its files; its RECORD is written anew."""
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as small:
        (record,) = (name for name in whole.namelist() if name.endswith(".dist-info/RECORD"))
        lines = []
        for entry in whole.infolist():
            if entry.filename == record or unwanted(entry.filename):
                continue
            data = whole.read(entry)
            small.writestr(entry, data, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{entry.filename},sha256={digest},{len(data)}")
        small.writestr(record, "\n".join([*lines, f"{record},,"]) + "\n")


def pip(*words: str) -> None:
    """Run pip; its own words are shown if it fails."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pip {words[0]} failed:\n{done.stdout}")


def _target(python: str) -> list[str]:
    short = "cp" + python.replace(".", "")
    words = ["--no-deps", "--only-binary", ":all:", "--constraint", str(ROOT / "constraints.txt")]
    words += ["--python-version", python, "--implementation", "cp"]
    words += [word for abi in (short, "abi3", "none") for word in ("--abi", abi)]
    return words + [
        word for platform in (*_PLATFORMS, "manylinux2014_x86_64", "any") for word in ("--platform", platform)
    ]


def tell_sizes(out: Path) -> None:
    """What was made, in MB."""
    for part in sorted(path for path in out.iterdir() if path.is_dir()):
        files = list(part.iterdir())
        print(f"{part}: {len(files)} wheels, {sum(file.stat().st_size for file in files) / 1e6:.1f} MB")
    whole = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{out}: {whole / 1e6:.1f} MB. On the other machine: sh {out.name}/run.sh --help")


if __name__ == "__main__":
    sys.exit(main())
