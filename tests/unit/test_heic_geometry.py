"""A HEIC, as phones take them, through the geometry."""

from __future__ import annotations

import io

import numpy as np
import pytest
from factories import LIMITS
from heic import HEIC
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import open_canvas
from PIL import Image

pi_heif = pytest.importorskip("pi_heif", reason="comes with the extra 'heic'")


def test_a_heic_is_upright_and_kept_outside_of_the_region() -> None:
    decoded = np.asarray(pi_heif.read_heif(HEIC).to_pillow().convert("RGB"))
    height, width = decoded.shape[:2]
    shapes = MaskShapes(boxes=((0, 0, width // 2, height // 2),))
    canvas = open_canvas(HEIC, shapes, EditOptions(), SizeRule(), LIMITS)
    assert np.array_equal(canvas.source.pixels, decoded)
    image, _ = canvas.show(0)
    canvas.take(0, 255 - image)
    result = canvas.result()
    assert (result.exact, result.outside_changed_pixels) == (True, 0)
    with Image.open(io.BytesIO(result.encoded.data)) as output:
        found = np.asarray(output)
    outside = ~canvas.region.marked
    assert np.array_equal(found[outside], decoded[outside]) and not np.array_equal(found, decoded)
