"""The pictures and plots of a report as files, for Markdown and for other documents."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from inpaint_benchmark.report.album import Album
from inpaint_benchmark.report.album.sheets import grid, sheet
from inpaint_benchmark.report.figures import Figure
from inpaint_benchmark.report.plots.canvas import as_file

Titled = tuple[str, str]


@dataclass(slots=True)
class PictureFiles:
    """What was written: titles and paths, as a document beside them names them."""

    samples: list[Titled] = field(default_factory=list)
    plots: list[Titled] = field(default_factory=list)
    results: list[Titled] = field(default_factory=list)
    deviations: list[Titled] = field(default_factory=list)


def write_pictures(folder: Path, document: Path | None, album: Album, plots: list[Figure]) -> PictureFiles:
    """Write all of them into a folder. `document`: the file that will name them; None: it is somewhere else."""
    folder.mkdir(parents=True, exist_ok=True)
    found = PictureFiles()

    def path_of(name: str) -> str:
        path = folder / name
        return _relative(path, document)

    if album.samples:
        grid([(panel, f"{sample.name}: {sample.prompt}") for sample, panel in album.samples]).save(
            folder / "samples.jpg", quality=88
        )
        found.samples.append(("Samples, with masks in red", path_of("samples.jpg")))
    for plot in plots:
        (folder / f"{plot.name}.svg").write_text(as_file(plot.drawing), encoding="utf-8")
        found.plots.append((plot.title, path_of(f"{plot.name}.svg")))
    for model, pictures in album.models.items():
        if not pictures.results:
            continue
        rows = [
            [(p, f"{strip.sample}: {p.title}" if number == 0 else p.title) for number, p in enumerate(strip.panels)]
            for strip in pictures.results
        ]
        sheet(rows).save(folder / f"results-{model}.jpg", quality=88)
        found.results.append((f"Results of {model}", path_of(f"results-{model}.jpg")))
        grid([(panel, panel.title) for panel in pictures.deviations]).save(folder / f"deviations-{model}.png")
        title = f"Where trials of {model} differ: standard deviation, 0 (black) to 64 levels and more (yellow)"
        found.deviations.append((title, path_of(f"deviations-{model}.png")))
    return found


def _relative(path: Path, document: Path | None) -> str:
    if document is None:
        return path.as_posix()
    return Path(os.path.relpath(path.absolute(), document.absolute().parent)).as_posix()
