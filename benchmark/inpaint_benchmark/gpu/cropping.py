"""What painting a crop around the mask saves, on a photo of twelve megapixels: the largest lossless saving."""

from __future__ import annotations

from typing import Any

import numpy as np
from inpaint_core.edit import EditOptions
from PIL import Image

from inpaint_benchmark.gpu.jobs import Bench, Inputs, Told, png, prompt_of, spread
from inpaint_benchmark.gpu.orders import Order, repeats_of
from inpaint_benchmark.gpu.seconds import Found, peaks, reset_peak
from inpaint_benchmark.queue.scene import photo

#: Shares of the photo that are to be repainted.
SHARES = (0.10, 0.03, 0.01)
_CROP = EditOptions()
_WHOLE = EditOptions.model_validate({"fit": "whole", "detail": "full"})


def measure_cropping(order: Order, bench: Bench, found: Found, told: Told) -> None:
    """The same photo with three masks, each cropped as a worker does it; then whole, as large as the model can.

    The worker must be warm. `found` is given the fields of `Cropping`.
    """
    repeats = repeats_of(order)
    picture = png(photo(order.width, order.height, 0))
    cases: list[dict[str, Any]] = []
    ways = [*((share, False) for share in SHARES), (SHARES[-1], True)]
    for case, (share, whole) in enumerate(ways):
        name = "the whole photo" if whole else f"a crop around a mask of {share:.0%}"
        drawn = mask_of(order.width, order.height, share)
        marked = png(drawn)
        edit = _WHOLE if whole else _CROP
        # Prompts and seeds that no case before it had: pipelines remember what the text encoders made of a prompt.
        numbers = range(1 + case * (repeats + 1), 1 + (case + 1) * (repeats + 1))
        inputs = [Inputs(picture, marked, edit, prompt_of(number), number) for number in numbers]
        told(name)
        bench.run(inputs[0])  # another shape may have to be compiled
        reset_peak()
        done = [bench.run(each) for each in inputs[1:]]
        cases.append(
            {
                "name": name,
                "masked": float(np.asarray(drawn, np.bool_).mean()),
                "windows": done[0].painted,
                "painted_pixels": sum(width * height for width, height in done[0].painted),
                "image_s": spread([one.inference_s for one in done]),
                "beside_s": spread([one.beside_s for one in done]),
                "peak_allocated_gb": peaks().get("peak_allocated_gb"),
                "tflop": None,
            }
        )
        found(cases=cases, unknown={f"cases.{name}": why for name, why in peaks().get("unknown", {}).items()})


def mask_of(width: int, height: int, share: float) -> Image.Image:
    """White in a square in the middle that takes this share of the picture."""
    side = round((width * height * share) ** 0.5)
    image = Image.new("L", (width, height))
    left, top = (width - side) // 2, (height - side) // 2
    image.paste(255, (left, top, left + side, top + side))
    return image
