"""A folder of pictures in which the area to repaint has been erased: what is transparent is the mask.

The source is the picture on white, as the fleet shows transparent parts to models. The colours that some editors leave
under an erased area are not used: nobody sees them, they may be the very answer, and WebP drops them anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from inpaint_core.edit import Polarity
from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits, open_image
from inpaint_core.masks import alpha_mask, grey
from PIL import Image, ImageChops

from inpaint_benchmark.datasets import options
from inpaint_benchmark.datasets.checking import DrawnMask, Picture, checked_sample, pixel_digest, png
from inpaint_benchmark.datasets.facts import SampleFacts, checked, dataset_facts, kebab
from inpaint_benchmark.datasets.files import by_stem, read_picture
from inpaint_benchmark.datasets.loaded import Entry, LoadedDataset, LoadedSample
from inpaint_benchmark.datasets.places import located
from inpaint_benchmark.datasets.prompts import find_prompts, read_prompts


def read(
    path: Path,
    said: Mapping[str, str],
    limits: Limits,
    *,
    polarity: object = Polarity.TRANSPARENT,
    prompts: object = None,
) -> LoadedDataset:
    """The pictures in the folder `path`; those that are more transparent than opaque are repainted.

    `prompts` names a table or a JSON file of prompts by id, which is the name of the picture without its ending;
    prompts.csv or prompts.json is found by itself. `NoTransparency` for a picture without any.
    """
    if options.polarity(polarity, "alpha", "") is not Polarity.TRANSPARENT:
        raise InvalidRequest(
            "In the kind alpha, what is transparent is repainted; there is no other polarity. For masks in black and "
            "white, take the kind folders.",
            field="polarity",
        )
    if not path.is_dir():
        raise InvalidRequest(f"{path} is not a folder: the kind alpha takes a folder of pictures.")
    found = by_stem(path)
    texts = read_prompts(find_prompts(path, prompts), found)
    entries = []
    for stem, file in found.items():
        place = f"{path.name}/{file.name}"
        with located(place):
            facts = checked(SampleFacts, {"id": stem, **texts.get(stem, {})})
        entries.append(Entry(stem, place, partial(_load, facts, file, limits)))
    return LoadedDataset.of(dataset_facts(said, name=kebab(path)), entries, f"{path.name}/")


def _load(facts: SampleFacts, file: Path, limits: Limits) -> LoadedSample:
    image = open_image(read_picture(file, limits), limits, f"picture {file.name}")
    mask = alpha_mask(image, what=f"picture {file.name}")
    shown = _on_white(image, mask)
    source = Picture(png(shown), file.name, pixel_digest(shown))
    return checked_sample(facts, source, DrawnMask(mask, file.name), polarity=Polarity.WHITE, limits=limits)


def _on_white(image: Image.Image, mask: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    if image.mode.startswith("I;16"):  # cannot be converted; one of its values is the transparent one
        white.paste(grey(image).convert("RGB"), mask=ImageChops.invert(mask))
    else:
        rgba = image.convert("RGBA")
        white.paste(rgba.convert("RGB"), mask=rgba.getchannel("A"))
    if profile := image.info.get("icc_profile"):
        white.info["icc_profile"] = profile
    return white
