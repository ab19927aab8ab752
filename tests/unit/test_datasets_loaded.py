"""What every dataset can do, whatever it was read from: counting, loading one by one, hashing, describing."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from factories import encode, make_image, make_mask
from inpaint_benchmark.datasets import (
    KINDS,
    ContentHash,
    LoadedDataset,
    Role,
    bundled,
    bundled_names,
    describe,
    describing,
    options_of,
    read_dataset,
)
from inpaint_core.errors import InvalidRequest, UnreadableImage
from PIL import ImageChops


def write(folder: Path, count: int = 3, **fields: Any) -> Path:
    """A manifest of `count` different samples."""
    folder.mkdir(exist_ok=True)
    samples = []
    for i in range(count):
        (folder / f"s{i}.png").write_bytes(encode(make_image(seed=i)))
        (folder / f"m{i}.png").write_bytes(encode(make_mask()))
        samples.append({"id": f"n{i}", "source": f"s{i}.png", "mask": f"m{i}.png", "prompt": f"lamp {i}"})
    path = folder / "manifest.json"
    path.write_text(json.dumps({"name": "lamps", "samples": samples, **fields}))
    return path


def changed(path: Path, **fields: Any) -> LoadedDataset:
    """The dataset after its first sample was changed in its manifest."""
    content = json.loads(path.read_text())
    content["samples"][0] |= fields
    (path.parent / "changed.json").write_text(json.dumps(content))
    return read_dataset(path.parent / "changed.json")


def test_samples_are_counted_before_any_is_read_and_read_one_at_a_time(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path))
    (tmp_path / "s1.png").write_bytes(b"?")
    assert (len(dataset.samples), dataset.ids) == (3, ("n0", "n1", "n2"))
    samples = iter(dataset.samples)
    assert next(samples).id == "n0"
    with pytest.raises(UnreadableImage):
        next(samples)
    assert next(samples).id == "n2"
    assert [sample.id for sample in dataset.samples[2:]] == ["n2"]
    assert dataset.samples[-1].images.keys() == {Role.SOURCE, Role.MASK}


def test_samples_can_be_left_out(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path))
    assert dataset.without({"n1"}).ids == ("n0", "n2")
    with pytest.raises(InvalidRequest, match="lamps has no samples n7, which were to be left out"):
        dataset.without({"n1", "n7"})
    with pytest.raises(InvalidRequest, match="Nothing would be left of lamps"):
        dataset.without(dataset.ids)


# --- hashes -----------------------------------------------------------------------------------------------------------


def test_equal_content_has_an_equal_hash_whatever_it_is_called_and_however_it_is_written(tmp_path: Path) -> None:
    first = read_dataset(write(tmp_path / "a"))
    other = write(tmp_path / "b", polarity="black", version="9", licence="x")
    content = json.loads(other.read_text())
    lines = [{"name": "other", "polarity": "black"}, *reversed(content["samples"])]
    for i in range(3):
        mask = ImageChops.invert(make_mask()).convert("RGB")
        (tmp_path / f"b/m{i}.png").write_bytes(encode(mask, "BMP"))
    other.write_text("\n".join(json.dumps(line) for line in lines))
    assert read_dataset(other).content_sha256() == first.content_sha256()
    content_hash = ContentHash()
    for sample in first.samples:
        content_hash.add(sample)
    assert content_hash.hexdigest() == first.content_sha256()
    assert len(first.content_sha256()) == 64


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "other"}, {"prompt": "x"}, {"negative_prompt": "x"}, {"source": "s1.png"}, {"mask": "other.png"},
        {"truth": "s0.png"}, {"reference": "s0.png"}, {"object_mask": "m0.png"}, {"effect_mask": "m0.png"},
    ],
)  # fmt: skip
def test_other_content_has_another_hash(tmp_path: Path, fields: dict[str, str]) -> None:
    path = write(tmp_path)
    (tmp_path / "other.png").write_bytes(encode(make_mask(box=(0, 0, 9, 9))))
    assert changed(path, **fields).content_sha256() != read_dataset(path).content_sha256()
    assert changed(path, tags={"a": "b"}, licence="x").content_sha256() == read_dataset(path).content_sha256()


# --- descriptions -----------------------------------------------------------------------------------------------------


def test_a_description_has_sizes_and_coverage_and_what_is_suspicious(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "m1.png").write_bytes(encode(ImageChops.invert(make_mask())))
    (tmp_path / "s2.png").write_bytes(b"?")
    dataset = changed(path, prompt="")
    assert [each.suspicious for each in describing(dataset)] == [False, True, False]
    plain, inverted, broken = describe(dataset)
    assert (plain.width, plain.height, plain.coverage) == (96, 64, 0.25)
    assert plain.line == "n0  96x64  25.0 %  there is no prompt"
    assert inverted.line == "n1  96x64  75.0 %  the mask marks 75% of the picture: is it inverted?"
    assert broken.problem and broken.coverage is None
    assert broken.line.startswith("n2  cannot be used: changed.json sample 3 ('n2'): The source s2.png is not an image")


# --- kinds ------------------------------------------------------------------------------------------------------------


def test_only_a_manifest_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    with pytest.raises(InvalidRequest, match=r"is a folder without a manifest.json: say the kind .*manifest, folders,"):
        read_dataset(tmp_path)
    with pytest.raises(InvalidRequest, match=r"There is no kind of dataset 'editbnch': did you mean editbench\?"):
        read_dataset(tmp_path, "editbnch")
    with pytest.raises(InvalidRequest, match="manifest has no options, found 'polarity'"):
        read_dataset(write(tmp_path), polarity="black")


def test_a_name_that_the_caller_gives_is_checked_like_any_other(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(InvalidRequest, match=r"name: must be in kebab-case.*found 'My Lamps'"):
        read_dataset(path, name="My Lamps")
    (tmp_path / "sources").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "sources/a.png").write_bytes(encode(make_image()))
    (tmp_path / "masks/a.png").write_bytes(encode(make_mask()))
    with pytest.raises(InvalidRequest, match=r"The dataset: version: must have at least 1 character"):
        read_dataset(tmp_path, "folders", polarity="white", version="")


def test_every_kind_tells_its_options() -> None:
    assert tuple(KINDS) == ("manifest", "folders", "editbench", "brushbench", "pie-bench", "inpaintcoco", "alpha")
    assert options_of("manifest") == ()
    assert options_of("editbench") == ("polarity", "prompt", "images", "masks")
    assert all("polarity" in options_of(kind) for kind in KINDS if kind != "manifest")


# --- what the package brings along ------------------------------------------------------------------------------------


def test_a_bundled_dataset_is_opened_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "two_lamps", 2, name="two-lamps")
    # By its path: the package gives the name to the function.
    monkeypatch.setattr(importlib.import_module("inpaint_benchmark.datasets.bundled"), "_root", lambda: tmp_path)
    assert bundled_names() == ("two-lamps",)
    assert (bundled("two-lamps").name, len(bundled("two-lamps").samples)) == ("two-lamps", 2)
    with pytest.raises(InvalidRequest, match=r"There is no bundled dataset 'two-lmps': did you mean two-lamps\?"):
        bundled("two-lmps")


def test_what_the_package_brings_along_can_be_used_as_it_is() -> None:
    for name in bundled_names():
        dataset = bundled(name)
        assert dataset.name == name and dataset.version and dataset.licence
        assert not [each.line for each in describe(dataset) if each.problem or each.warnings]
