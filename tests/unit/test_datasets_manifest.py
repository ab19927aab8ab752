"""Datasets in the fleet's own form: manifests in JSON and JSON Lines, and every way in which one is refused."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import encode, make_image, make_mask, sideways
from inpaint_benchmark.datasets import LoadedDataset, describe, read_dataset
from inpaint_core.errors import (
    ColouredMask,
    EmptyMask,
    FullMask,
    ImageError,
    ImageTooLarge,
    InputNotFound,
    InvalidRequest,
    MaskSizeMismatch,
    ObjectChanged,
    RequestError,
    UnreadableImage,
)
from inpaint_core.images import Limits
from PIL import Image, ImageChops

ROOT = Path(__file__).parents[2]
FURNITURE_TEN = ROOT.parent / "shared" / "furniture-ten" / "samples.json"
MASK = make_mask()


def sample(**fields: Any) -> dict[str, Any]:
    """A valid sample, with some fields replaced; None takes one away."""
    fields = {"id": "lamp", "source": "source/lamp.png", "mask": "mask/lamp.png", "prompt": "a brass lamp", **fields}
    return {name: value for name, value in fields.items() if value is not None}


def write(folder: Path, *samples: dict[str, Any], **fields: Any) -> Path:
    """A manifest with two pictures beside it."""
    for name, image in (("source/lamp.png", make_image()), ("mask/lamp.png", MASK)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(encode(image))
    path = folder / "manifest.json"
    path.write_text(json.dumps({"name": "lamps", **fields, "samples": list(samples) or [sample()]}))
    return path


def pixels(data: bytes) -> Image.Image:
    """The picture, as it is stored."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_a_manifest_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    full = sample(
        negative_prompt="blur",
        truth="truth.png",
        reference="reference.jpg",
        object_mask="object.png",
        effect_mask="effect.png",
        licence="CC0-1.0",
        source_url="https://example.com/lamp",
        tags={"room": "study"},
    )
    path = write(tmp_path, full, version="1.0", description="Lamps.", licence="CC-BY-4.0")
    (tmp_path / "truth.png").write_bytes(encode(make_image(seed=1)))
    (tmp_path / "reference.jpg").write_bytes(encode(make_image(20, 30), "JPEG"))
    (tmp_path / "object.png").write_bytes(encode(make_mask(box=(30, 20, 40, 30))))
    (tmp_path / "effect.png").write_bytes(encode(Image.new("L", (96, 64))))
    dataset = read_dataset(path)
    assert (dataset.name, dataset.version, dataset.description, dataset.licence) == (
        "lamps", "1.0", "Lamps.", "CC-BY-4.0",
    )  # fmt: skip
    (loaded,) = dataset.samples
    assert (loaded.id, loaded.prompt, loaded.negative_prompt) == ("lamp", "a brass lamp", "blur")
    assert (loaded.licence, loaded.source_url, loaded.tags) == (
        "CC0-1.0", "https://example.com/lamp", {"room": "study"},
    )  # fmt: skip
    assert loaded.source == (tmp_path / "source/lamp.png").read_bytes()
    assert loaded.truth == (tmp_path / "truth.png").read_bytes()
    assert loaded.reference == (tmp_path / "reference.jpg").read_bytes()
    assert loaded.object_mask and pixels(loaded.object_mask).getbbox() == (30, 20, 41, 31)
    assert loaded.effect_mask and pixels(loaded.effect_mask).getbbox() is None
    assert (loaded.width, loaded.height, loaded.coverage) == (96, 64, 0.25)


def test_json_lines_hold_the_dataset_in_the_first_line_or_nowhere(tmp_path: Path) -> None:
    write(tmp_path)
    lines = [{"name": "lamps-2", "version": "3"}, sample(), {}, sample(id="other")]
    text = "".join((json.dumps(line) if line else "") + "\r\n" for line in lines)
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    dataset = read_dataset(tmp_path / "a.json")
    assert (dataset.name, dataset.version, dataset.ids) == ("lamps-2", "3", ("lamp", "other"))
    (tmp_path / "desk lamps.jsonl").write_text(json.dumps(sample()))
    assert (read_dataset(tmp_path / "desk lamps.jsonl").name, len(read_dataset(tmp_path / "a.json").samples)) == (
        "desk-lamps", 2,
    )  # fmt: skip


def test_a_folder_with_a_manifest_needs_no_kind_and_the_caller_may_rename_it(tmp_path: Path) -> None:
    write(tmp_path)
    dataset = read_dataset(tmp_path, name="my-lamps", version="2", licence="mine", description="d")
    assert (dataset.name, dataset.version, dataset.licence, dataset.description) == ("my-lamps", "2", "mine", "d")


def _inverted(mask: Image.Image) -> Image.Image:
    return ImageChops.invert(mask)


def _erased(mask: Image.Image) -> Image.Image:
    return Image.merge("LA", (Image.new("L", mask.size, 90), ImageChops.invert(mask)))


@pytest.mark.parametrize(
    ("polarity", "draw"), [("white", Image.Image.copy), ("black", _inverted), ("transparent", _erased)]
)
def test_masks_of_every_polarity_become_white_on_black_in_eight_bits_of_grey(
    tmp_path: Path, polarity: str, draw: Callable[[Image.Image], Image.Image]
) -> None:
    path = write(tmp_path, sample(object_mask="mask/lamp.png"), polarity=polarity)
    (tmp_path / "mask/lamp.png").write_bytes(encode(draw(MASK)))
    loaded = read_dataset(path).samples[0]
    mask = pixels(loaded.mask)
    assert (mask.format, mask.mode, mask.tobytes()) == ("PNG", "L", MASK.tobytes())
    assert loaded.object_mask == loaded.mask


def test_soft_edges_of_a_mask_are_made_hard_and_deep_masks_shallow(tmp_path: Path) -> None:
    path = write(tmp_path)
    soft = MASK.resize((96, 64)).convert("I;16").point(lambda value: value * 257)
    (tmp_path / "mask/lamp.png").write_bytes(encode(soft))
    assert set(pixels(read_dataset(path).samples[0].mask).tobytes()) == {0, 255}


def test_a_mask_fits_the_source_as_displayed(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "source/lamp.png").write_bytes(sideways(make_image()))
    loaded = read_dataset(path).samples[0]
    assert (loaded.width, loaded.height) == (96, 64)
    assert pixels(loaded.source).size == (64, 96)  # the file stays as it is


def test_hashes_are_compared_when_a_sample_is_loaded(tmp_path: Path) -> None:
    right = {"source": hashlib.sha256(encode(make_image())).hexdigest()}
    path = write(tmp_path, sample(sha256=right), sample(id="b", sha256={"mask": "0" * 64}))
    dataset = read_dataset(path)
    assert dataset.samples[0].id == "lamp"
    with pytest.raises(ObjectChanged, match=r"^manifest.json sample 2 \('b'\): The mask mask/lamp.png is not .*0{64}"):
        _ = dataset.samples[1]


#: What a sample is made into, and how it is refused when the list is read.
REFUSED_IN_THE_LIST: dict[str, tuple[dict[str, Any], type[RequestError], str]] = {
    "no such file": ({"mask": "mask/lamb.png"}, InputNotFound, r"mask: there is no file 'mask/lamb.png' in "),
    "windows": ({"mask": "mask\\lamp.png"}, InputNotFound, "Write / between folders"),
    "absolute": ({"source": "/etc/passwd"}, InvalidRequest, "source: '/etc/passwd' is absolute"),
    "drive": ({"source": "C:\\lamp.png"}, InvalidRequest, "is absolute; paths are relative to"),
    "up": ({"source": "mask/../../lamp.png"}, InvalidRequest, r"leads out of .*\(\.\.\)"),
    "folder": ({"source": "mask"}, InputNotFound, "there is no file 'mask'"),
    "nul": ({"source": "a\0b"}, InvalidRequest, "is not the name of a file"),
    "surrogate": ({"source": "\ud800"}, InvalidRequest, "source: must be a valid string"),
    "long name": ({"source": "a" * 900}, InputNotFound, "there is no file"),
    "unknown field": ({"promt": "x"}, InvalidRequest, "There is no field 'promt': did you mean prompt?"),
    "strange field": ({"zzz": 1}, InvalidRequest, "There is no field 'zzz': there are id, prompt, negative_prompt,"),
    "unknown hash": ({"sha256": {"msk": "0"}}, InvalidRequest, "There is no field 'msk': did you mean mask?"),
    "short hash": ({"sha256": {"mask": "abc"}}, InvalidRequest, r"sha256.mask: must match pattern .*found 'abc'"),
    "hash of nothing": ({"sha256": {"truth": "0" * 64}}, InvalidRequest, "Sha256.truth is given, and the sample has"),
    "no mask": ({"mask": None}, InvalidRequest, "mask is missing"),
    "no id": ({"id": None}, InvalidRequest, "sample 1: id is missing"),
    "id": ({"id": "a/b"}, InvalidRequest, "id: must be printable, without slashes"),
    "number": ({"prompt": 5}, InvalidRequest, r"prompt: must be a valid string \(found 5\)"),
    "long prompt": ({"prompt": "x" * 4001}, InvalidRequest, "prompt: must have at most 4000 characters"),
    "nul in a prompt": ({"prompt": "a\0"}, InvalidRequest, "prompt: must not contain NUL"),
    "lone surrogate": ({"prompt": "\ud800"}, InvalidRequest, "prompt: must be a valid string, unable to parse"),
    "nul in a tag": ({"tags": {"a": "\0"}}, InvalidRequest, "tags: must not contain NUL"),
    "tags": ({"tags": ["a"]}, InvalidRequest, "tags: must be a valid dictionary"),
    "url": ({"source_url": "ftp://x"}, InvalidRequest, "source_url: must match pattern"),
}


@pytest.mark.parametrize("case", REFUSED_IN_THE_LIST)
def test_a_sample_that_cannot_be_is_refused_with_its_number_and_its_id(tmp_path: Path, case: str) -> None:
    fields, kind, message = REFUSED_IN_THE_LIST[case]
    with pytest.raises(kind, match=message) as refused:
        read_dataset(write(tmp_path, sample(**fields)))
    assert str(refused.value).startswith("manifest.json sample 1")
    if fields.get("id", "lamp") == "lamp":
        assert "('lamp')" in str(refused.value)


def test_a_link_that_leads_out_of_the_folder_is_refused_and_one_within_is_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret.png").write_bytes(encode(make_image()))
    path = write(home, sample(source="link.png"))
    (home / "link.png").symlink_to(home / "source/lamp.png")
    assert read_dataset(path).samples[0].id == "lamp"
    (home / "link.png").unlink()
    (home / "link.png").symlink_to("../secret.png")
    with pytest.raises(InvalidRequest, match=r"\('lamp'\): source: 'link.png' is a link that leads out of home/"):
        read_dataset(path)
    (home / "link.png").unlink()
    (home / "link.png").symlink_to("link.png")
    with pytest.raises(InputNotFound, match=r"'lamp'.*there is no file 'link.png'"):
        read_dataset(path)


#: A file of the dataset, what is written there, and how its sample is refused.
REFUSED_WHEN_LOADED: dict[str, tuple[str, bytes, type[RequestError], str]] = {
    "empty mask": ("mask/lamp.png", encode(Image.new("L", (96, 64))), EmptyMask, "mask mask/lamp.png marks nothing"),
    "full mask": ("mask/lamp.png", encode(Image.new("L", (96, 64), 255)), FullMask, "mask/lamp.png marks the whole"),
    "other size": (
        "mask/lamp.png", encode(make_mask(48, 32)), MaskSizeMismatch,
        "mask mask/lamp.png is 48x32 pixels and the source source/lamp.png 96x64.*export it at the size",
    ),
    "turned": ("mask/lamp.png", encode(make_mask(64, 96)), MaskSizeMismatch, "64x96 .*: turn it"),
    "photo": ("mask/lamp.png", encode(make_image()), ColouredMask, "mask mask/lamp.png has colours"),
    "text": ("source/lamp.png", b"no picture", UnreadableImage, "source source/lamp.png is not an image"),
    "nothing": ("source/lamp.png", b"", UnreadableImage, "source source/lamp.png is empty"),
    "cut off": ("source/lamp.png", encode(make_image())[:400], UnreadableImage, "source/lamp.png begins as a PNG"),
    "cut off mask": ("mask/lamp.png", encode(MASK)[:60], UnreadableImage, "mask mask/lamp.png"),
    "truth of another size": ("t.png", encode(make_image(48, 32)), ImageError, "truth t.png is 48x32 .* 96x64"),
    "broken truth": ("t.png", b"GIF89a", UnreadableImage, "truth t.png is a GIF"),
    "broken reference": ("r.png", b"%PDF", UnreadableImage, "reference r.png is a PDF"),
    "object mask of another size": ("o.png", encode(make_mask(48, 32)), MaskSizeMismatch, "object mask o.png is 48x32"),
    "effect mask in colour": ("e.png", encode(make_image()), ColouredMask, "effect mask e.png has colours"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_WHEN_LOADED)
def test_a_picture_that_cannot_be_used_is_refused_with_its_name_and_its_sample(tmp_path: Path, case: str) -> None:
    name, data, kind, message = REFUSED_WHEN_LOADED[case]
    others = {"t.png": "truth", "r.png": "reference", "o.png": "object_mask", "e.png": "effect_mask"}
    path = write(tmp_path, sample(**({others[name]: name} if name in others else {})))
    (tmp_path / name).write_bytes(data)
    dataset = read_dataset(path)  # the list is right
    with pytest.raises(kind, match=message) as refused:
        _ = dataset.samples[0]
    assert str(refused.value).startswith("manifest.json sample 1 ('lamp'): The ")
    assert refused.value.sample == "lamp"
    (described,) = describe(dataset)
    assert described.problem == str(refused.value) and described.line.startswith("lamp  cannot be used: manifest.json")


def test_limits_hold_before_a_file_is_read(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path), limits=Limits(max_bytes=100, max_pixels=10**6, max_side=1000))
    with pytest.raises(ImageTooLarge, match=r"'lamp'\): lamp.png has [0-9,]+ bytes; at most 100"):
        _ = dataset.samples[0]
    dataset = read_dataset(write(tmp_path), limits=Limits(max_bytes=10**6, max_pixels=100, max_side=1000))
    with pytest.raises(ImageTooLarge, match=r"source source/lamp.png is 96x64"):
        _ = dataset.samples[0]


#: A manifest as text, and how it is refused.
REFUSED_FILES: dict[str, tuple[str, str]] = {
    "broken": (
        '{"name": "a",\n "samples": [\n {"id": "a" "b"}]}',
        "m.json line 3 column 13 is not JSON: Expecting ','",
    ),
    "empty": ("", "m.json line 1 column 1 is not JSON"),
    "broken line": ('{"name": "a"}\n{"id": "a"}\n{"id": \n', "m.json line 3 column 8 is not JSON"),
    "something behind it": ('{"name": "a",\n "samples": []}\n}', "m.json line 3 column 1 is not JSON: Extra data"),
    "list": ("[]", "m.json is not a manifest: that is an object with a list"),
    "no samples": ('{"name": "a"}', "m.json is not a manifest"),
    "none": ('{"name": "a", "samples": []}', "m.json holds no samples"),
    "no object": ('{"samples": [5]}', "m.json sample 1: it must be an object, found 5"),
    "line without object": ('{"name": "a"}\n[1]\n', r"m.json line 2: it must be an object, found \[1\]"),
    "mapping file": ('{"0": {"image": "x"}}', "looks like a mapping file: say its kind, brushbench or pie-bench"),
    "unknown field": (
        '{"versoin": "1", "samples": [{}]}',
        "m.json: There is no field 'versoin': did you mean version?",
    ),
    "name": ('{"name": "My Lamps", "samples": [{}]}', "m.json: name: must be in kebab-case, .*found 'My Lamps'"),
    "version": ('{"version": 1.0, "samples": [{}]}', r"m.json: version: must be a valid string \(found 1.0\)"),
    "polarity": ('{"polarity": "grey", "samples": [{}]}', "polarity: must be 'white', 'black' or 'transparent'"),
    "key twice": (
        '{"name": "a", "name": "b", "samples": []}',
        "m.json cannot be used: it has 'name' twice in one object",
    ),
    "NaN": ('{"samples": NaN}', "m.json cannot be used: NaN is not a number of JSON"),
    "deep": ("[" * 100_000, "m.json cannot be used: its values are nested too deeply"),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_a_manifest_that_cannot_be_read_is_refused_with_where_it_is_wrong(tmp_path: Path, case: str) -> None:
    text, message = REFUSED_FILES[case]
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(InvalidRequest, match=message):
        read_dataset(tmp_path / "m.json")


def test_a_file_that_is_no_text_or_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b'{"name": "\xff"}')
    with pytest.raises(InvalidRequest, match=r"m.json is not UTF-8 text \(byte 10\)"):
        read_dataset(tmp_path / "m.json")
    with pytest.raises(InputNotFound, match=r"There is no file or folder .*none.json"):
        read_dataset(tmp_path / "none.json")
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(InvalidRequest, match=r"manifest.json is not a file but a folder"):
        read_dataset(tmp_path, "manifest")


def test_two_samples_with_one_id_are_refused_with_both_places(tmp_path: Path) -> None:
    path = write(tmp_path, sample(), sample(id="b"), sample())
    with pytest.raises(
        InvalidRequest, match=r"sample 3 \('lamp'\): the id 'lamp' is also that of manifest.json sample 1"
    ):
        read_dataset(path)


@pytest.mark.skipif(not FURNITURE_TEN.is_file(), reason="the ten samples of the review are not beside this checkout")
def test_the_ten_samples_of_the_review_are_read_as_they_are() -> None:
    dataset: LoadedDataset = read_dataset(FURNITURE_TEN)
    assert (dataset.name, len(dataset.samples)) == ("furniture-ten", 10)
    described = describe(dataset)
    assert not any(each.problem or each.warnings for each in described)
    assert all(0.02 < (each.coverage or 0) < 0.5 for each in described)
    assert dataset.samples[9].id == "chair_in_sunlight" and dataset.samples[9].negative_prompt.startswith("Blurred")
