"""The benchmark from nothing: a fleet with both OpenCV models and two diffusers models, a dataset, a run, a report.

The diffusers models have tiny random weights, written here in the layout of the hub: they paint noise, and show that
everything around them works. `make bench-demo` runs it; DATASET=FILE is a manifest of one's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

from tiny.flux2 import write_flux2_klein
from tiny.stable_diffusion import write_sd2

_TINY = {"tiny-stable-diffusion-2": "stable-diffusion-2-inpainting", "tiny-flux-2-klein": "flux-2-klein-4b"}
_MODELS = ["opencv-telea", "opencv-ns", *_TINY]
_CARD = """
[models.{name}]
like = "{like}"
title = "{like} with tiny random weights"
summary = "Paints noise: random weights, for trying things out."
size.native_area = 65536
size.max_area = 65536
parameters.steps.default = 4
"""


def main() -> int:
    """Run it all; the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench-demo"), help="where everything is put")
    parser.add_argument("--dataset", default="furniture-rooms", help="a bundled dataset, or a manifest")
    parser.add_argument("--trials", type=int, default=3)
    given = parser.parse_args()
    began = time.monotonic()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    environment = prepare(folder)
    try:
        inpaint(environment, "up", "--detach", "--no-flower", *(f"--model={name}" for name in _MODELS))
        dataset = given.dataset
        if Path(dataset).is_file():
            inpaint(environment, "bench", "import", dataset)
            dataset = Path(dataset).resolve().parent.name
        inpaint(environment, "prices", "set", "cpu", "--usd-per-hour", "0.10", "--note", "an example")
        run = ["--dataset", dataset, "--models", ",".join(_MODELS), "--trials", str(given.trials)]
        inpaint(environment, "bench", "run", *run)
        report = folder / "report.html"
        inpaint(environment, "bench", "report", "latest", "--format", "html", "--output", str(report))
        inpaint(environment, "bench", "report", "latest")
    except subprocess.CalledProcessError as error:
        return error.returncode
    finally:
        subprocess.run([*_COMMAND, "down"], env=environment, check=False)
    print(f"\n{report}  ({time.monotonic() - began:.0f} s in all)")
    return 0


def prepare(folder: Path) -> dict[str, str]:
    """Tiny weights, their cards, and the environment of a fleet in `folder`."""
    weights, catalogue = folder / "weights", folder / "catalogue.toml"
    with warnings.catch_warnings(action="ignore"):  # what diffusers says of its own use of itself
        write_sd2(weights)
        write_flux2_klein(weights)
    catalogue.write_text("".join(_CARD.format(name=name, like=like) for name, like in _TINY.items()), encoding="utf-8")
    return {
        **os.environ,
        "INPAINT_DATA_DIR": str(folder / "fleet"),
        "INPAINT_WEIGHTS_DIR": str(weights),
        "INPAINT_CATALOGUE": str(catalogue),
        "INPAINT_DEVICE": "cpu",
        # Several workers share this machine's cores.
        "OMP_NUM_THREADS": "1",
    }


_COMMAND = [sys.executable, "-m", "inpaint_fleet.cli"]


def inpaint(environment: Mapping[str, str], *words: str) -> None:
    """One command, shown before it runs."""
    print("$ inpaint", *words, flush=True)
    subprocess.run([*_COMMAND, *words], env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
