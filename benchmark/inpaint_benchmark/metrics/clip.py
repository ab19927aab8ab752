"""The CLIP score: whether a picture shows what a text says."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from inpaint_worker.arrays import Pixels
from PIL import Image

from inpaint_benchmark.metrics.metric import Reason
from inpaint_benchmark.metrics.packages import installed

#: The network of BrushNet's evaluation and of torchmetrics.
REPOSITORY = "openai/clip-vit-large-patch14"
_FILES = ("config.json", "model.safetensors", "tokenizer_config.json")
#: The tokenizer is in one or the other, by the version of transformers that fetched it.
_TOKENIZERS = ("tokenizer.json", "vocab.json")


def clip_missing() -> Reason | None:
    """What is not on this machine; None: nothing."""
    # They are only found, not imported: that takes seconds, and mostly the weights are not there.
    if any(find_spec(name) is None for name in ("torch", "transformers", "huggingface_hub")):
        return Reason.PACKAGE_MISSING
    return None if _folder() is not None else Reason.WEIGHTS_UNAVAILABLE


def clip_score(picture: Pixels, text: str) -> float:
    """100 times the cosine between picture and text, not below 0. The picture is H x W x 3, uint8, best square.

    J. Hessel et al., CLIPScore, EMNLP 2021, times 100 as in torchmetrics (the paper: times 2.5). CLIP ViT-L/14 reads
    the first 77 tokens of the text. Values between 15 and 35 are usual. torchmetrics 1.9 itself does not understand
    what transformers 5 returns.
    """
    torch: Any = installed("torch")
    model, tokenizer = _network(str(_folder()))
    side = model.config.vision_config.image_size
    constants = installed("transformers.image_utils")
    small = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    scaled = (small - np.float32(constants.OPENAI_CLIP_MEAN)) / np.float32(constants.OPENAI_CLIP_STD)
    tokens = tokenizer(text, truncation=True, max_length=77, return_tensors="pt")
    with torch.inference_mode():
        found = model(**tokens, pixel_values=torch.from_numpy(scaled).permute(2, 0, 1)[None])
    # Both have the length 1.
    return max(0.0, 100 * float((found.image_embeds * found.text_embeds).sum()))


def _folder() -> Path | None:
    """The folder of the weights in the cache; None if a file is not there."""
    find = installed("huggingface_hub").try_to_load_from_cache
    files, tokenizers = ([find(REPOSITORY, name) for name in names] for names in (_FILES, _TOKENIZERS))
    is_there = all(isinstance(file, str) for file in files) and any(isinstance(file, str) for file in tokenizers)
    return Path(files[0]).parent if is_there else None


@cache
def _network(folder: str) -> tuple[Any, Any]:
    """Model and tokenizer. A folder is given, so that no name is looked up on the internet."""
    transformers: Any = installed("transformers")
    model = transformers.CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return model.float().eval(), transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
