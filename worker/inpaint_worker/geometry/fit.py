"""What the model is shown of a picture: windows around the edit region, each in one of the model's shapes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from inpaint_core.edit import Box, Detail, EditOptions, Fit
from inpaint_core.size import SizeRule

from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.geometry.region import EditRegion, cut

#: Context around an edit where a request names none: this share of its longer side, and at least so many pixels.
_CONTEXT_SHARE, _CONTEXT_LEAST = 0.25, 32
#: Context where a request wants none: without any, there would be nothing to continue.
_CONTEXT_MINIMUM = 4
#: A small edit is shown enlarged, until it takes this share of the window's side; never by more than `_MOST_ZOOM`.
_SHARE_OF_SIDE, _MOST_ZOOM = 0.25, 2.0
#: Regions share a window if none of them is painted in less than this share of the detail it would have alone.
_DETAIL_KEPT = 0.7
#: Windows of one job: each costs the time of a whole picture.
_MOST_WINDOWS = 8
#: Regions that are told apart before they are put together.
_MOST_REGIONS = 24
#: A picture may be stretched by this much instead of being padded. It is undone when it is put back.
_STRETCH = 0.02


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the source, and the size it is painted in."""

    #: What the model sees, pixels of the source.
    box: Box
    #: What it is shown, pixels: width and height of the shape.
    size: tuple[int, int]
    #: The part of the shape, from its upper left corner, that holds the picture. The rest repeats its edge.
    content: tuple[int, int]
    #: Where what it paints is taken from, pixels of the source.
    target: Box

    @property
    def scale(self) -> float:
        """Pixels that are painted for one of the source, along the side where it is fewer."""
        return min(self.content[0] / self.box.width, self.content[1] / self.box.height)

    def described(self) -> dict[str, list[int]]:
        """As the database keeps it."""
        return {"box": list(self.box), "size": list(self.size), "content": list(self.content)}


def plan_windows(region: EditRegion, rule: SizeRule, edit: EditOptions) -> tuple[Window, ...]:
    """The windows in which an edit is painted, one after the other.

    `whole`: one, of the whole picture. `crop`: one for all regions as long as they keep most of their detail in it,
    else one for each, or for those that lie together.
    """
    height, width = region.marked.shape
    picture = Box(0, 0, width, height)
    if edit.fit is Fit.WHOLE:
        return (_window(picture, region.box, picture, rule, edit.detail),)
    boxes = _put_together(_regions(region), lambda box: _needed(box, picture, edit), rule)
    boxes = _left_over(boxes, region)
    return tuple(_window(_needed(box, picture, edit), box, picture, rule, edit.detail) for box in boxes)


def _left_over(boxes: list[Box], region: EditRegion) -> list[Box]:
    """The boxes that have something left to paint when those before them have been painted. Boxes may overlap."""
    if len(boxes) == 1:
        return boxes
    pending, found = region.marked.copy(), []
    for box in boxes:
        if pending[cut(box)].any():
            found.append(box)
            pending[cut(box)] = False
    return found


def _needed(box: Box, picture: Box, edit: EditOptions) -> Box:
    """The box with the context that its edit needs."""
    margin = max(_CONTEXT_LEAST, math.ceil(_CONTEXT_SHARE * max(box.width, box.height)))
    if edit.padding is not None:
        margin = max(_CONTEXT_MINIMUM, edit.padding)
    return Box(box.left - margin, box.top - margin, box.right + margin, box.bottom + margin) & picture


def _window(needed: Box, target: Box, picture: Box, rule: SizeRule, detail: Detail) -> Window:
    if rule.native_area is None:
        size = (needed.width, needed.height)
        return Window(needed, size, size, target)
    found = [_in_shape(shape, needed, target, picture) for shape in shapes(rule, detail)]
    return min(found, key=lambda window: _drawbacks(window, needed, rule.native_area or 0))


def _drawbacks(window: Window, needed: Box, native_area: int) -> tuple[float, bool, float, float]:
    """What speaks against a window, the worst first: lost detail, cost, padding, an aspect unlike the edit's."""
    lost = 1 - min(1.0, window.scale)
    area = window.size[0] * window.size[1]
    empty = 1 - window.content[0] * window.content[1] / area
    unlike = abs(math.log(window.size[0] * needed.height / (window.size[1] * needed.width)))
    return round(lost, 2), area > native_area, round(empty, 2), unlike


def _in_shape(shape: tuple[int, int], needed: Box, target: Box, picture: Box) -> Window:
    """The window of one shape: as much context as it has room for, shifted inside the picture."""
    width, height = shape
    # Pixels of the source for one of the shape: enough for what is needed, not more than 1 for its own sake.
    least = max(needed.width / width, needed.height / height)
    share = max(target.width / width, target.height / height)
    per_pixel = max(least, min(1.0, max(1 / _MOST_ZOOM, share / _SHARE_OF_SIDE)))
    left, right = _side(needed.left, needed.right, round(width * per_pixel), picture.right)
    top, bottom = _side(needed.top, needed.bottom, round(height * per_pixel), picture.bottom)
    box = Box(left, top, right, bottom)
    return Window(box, shape, _content(box, shape), target)


def _side(start: int, end: int, length: int, limit: int) -> tuple[int, int]:
    """A stretch of about `length` around `start` to `end`, shifted to lie between 0 and `limit`."""
    length = min(max(length, end - start), limit)
    first = (start + end - length) // 2
    first = max(0, min(first, limit - length))
    return first, first + length


def _content(box: Box, shape: tuple[int, int]) -> tuple[int, int]:
    scale = min(shape[0] / box.width, shape[1] / box.height)
    sides = (max(1, min(shape[0], round(box.width * scale))), max(1, min(shape[1], round(box.height * scale))))
    stretched = all(side >= whole * (1 - _STRETCH) for side, whole in zip(sides, shape, strict=True))
    return shape if stretched else sides


def _regions(region: EditRegion) -> list[Box]:
    """Boxes of the parts of the region that hang together, told apart only as finely as it is worth."""
    marked = region.marked[cut(region.box)]
    cell = max(1, min(marked.shape) // 256)
    while True:
        coarse = _coarse(marked, cell)
        count, _, stats, _ = cv2.connectedComponentsWithStats(coarse, connectivity=8)
        if count - 1 <= _MOST_REGIONS:
            break
        cell *= 2
    inner = Box(0, 0, marked.shape[1], marked.shape[0])
    boxes = [
        Box(*(int(v) * cell for v in (left, top, left + width, top + height))) & inner
        for left, top, width, height, _ in stats[1:]
    ]
    return [box.moved(region.box.left, region.box.top) for box in boxes]


def _coarse(marked: Region, cell: int) -> Pixels:
    """One pixel for each cell: whether anything in it is marked."""
    if cell == 1:
        return marked.view(np.uint8)
    rows, columns = -marked.shape[0] % cell, -marked.shape[1] % cell
    padded = np.pad(marked, ((0, rows), (0, columns)))
    height, width = padded.shape
    return np.asarray(padded.reshape(height // cell, cell, width // cell, cell).any(axis=(1, 3)), np.uint8)


def _put_together(boxes: list[Box], needed: Callable[[Box], Box], rule: SizeRule) -> list[Box]:
    """Merge boxes that do well in one window, the best pair first, until none is left or too many are no longer."""
    boxes = list(boxes)
    while len(boxes) > 1:
        loss, one, other = min(
            (_loss(a, b, needed, rule), i, j) for (i, a), (j, b) in itertools.combinations(enumerate(boxes), 2)
        )
        if loss > 1 and len(boxes) <= _MOST_WINDOWS:
            break
        merged = boxes[one] | boxes[other]
        boxes = [box for i, box in enumerate(boxes) if i not in (one, other)]
        boxes.append(merged)
    return sorted(boxes, key=lambda box: (box.top, box.left))


def _loss(a: Box, b: Box, needed: Callable[[Box], Box], rule: SizeRule) -> float:
    """How much is lost if two edits share a window; up to 1 it is worth it."""
    together, apart = needed(a | b), (needed(a), needed(b))
    if rule.native_area is None:
        # Nothing is scaled: what counts is the area that is worked on.
        return together.area / sum(box.area for box in apart)
    detail = min(_detail(box, rule) for box in apart)
    return _DETAIL_KEPT * detail / _detail(together, rule)


def _detail(box: Box, rule: SizeRule) -> float:
    """Pixels painted for one of the source, at most 1, by the native area."""
    area = max(box.area, max(box.width, box.height) ** 2 / rule.max_aspect)
    return min(1.0, math.sqrt((rule.native_area or area) / area))
