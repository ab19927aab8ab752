"""Datasets of inpainting benchmarks, of many kinds, in one form. No database and no object store: reading and checking.

`read_dataset` reads a manifest of our own, folders of pictures, EditBench, BrushBench, PIE-Bench, InpaintCOCO and
erased pictures; `bundled` what the package brings along. `describe` says what is in one. Bad input is a `RequestError`
that names the file, the line or key in it, what was found, and what to do.
"""

from inpaint_benchmark.datasets.bundled import bundled, bundled_names
from inpaint_benchmark.datasets.description import SUSPICIOUS_COVERAGE, Description, describe, describing
from inpaint_benchmark.datasets.loaded import ContentHash, LoadedDataset, LoadedSample, Role
from inpaint_benchmark.datasets.reading import KINDS, options_of, read_dataset

__all__ = [
    "KINDS",
    "SUSPICIOUS_COVERAGE",
    "ContentHash",
    "Description",
    "LoadedDataset",
    "LoadedSample",
    "Role",
    "bundled",
    "bundled_names",
    "describe",
    "describing",
    "options_of",
    "read_dataset",
]
