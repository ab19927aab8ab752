"""Pictures of a report: cut so that the edit can be seen, marked, and small enough all together."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_benchmark.report.album.album import make_side
from inpaint_benchmark.report.album.framing import close_up, marked, shown
from inpaint_benchmark.report.album.panels import missing, panel
from inpaint_benchmark.report.album.sheets import grid, sheet
from inpaint_core.edit import Box
from PIL import Image


def mask(box: tuple[int, int, int, int], width: int = 400, height: int = 200) -> np.ndarray:
    found = np.zeros((height, width), bool)
    left, top, right, bottom = box
    found[top:bottom, left:right] = True
    return found


@pytest.mark.parametrize("box", [(10, 10, 30, 30), (380, 180, 400, 200), (100, 50, 200, 100), (0, 199, 400, 200)])
def test_a_close_up_holds_the_mask_in_the_proportions_of_the_picture(box: tuple[int, int, int, int]) -> None:
    part = close_up(mask(box))
    assert part.left <= box[0] and part.top <= box[1] and part.right >= box[2] and part.bottom >= box[3]
    assert part.left >= 0 and part.right <= 400 and part.top >= 0 and part.bottom <= 200
    assert part.width / part.height == pytest.approx(2, abs=0.05)


def test_a_large_mask_has_no_close_up() -> None:
    assert close_up(mask((50, 20, 350, 180))) == Box(0, 0, 400, 200)


def test_a_small_mask_has_one_that_shows_where_it_is() -> None:
    assert close_up(mask((10, 10, 14, 14))).width == 120


def test_what_is_masked_is_tinted_and_the_rest_is_not() -> None:
    picture = np.full((200, 400, 3), 200, np.uint8)
    drawn = np.asarray(marked(picture, mask((100, 50, 300, 150)), Box(0, 0, 400, 200), 400))
    assert tuple(drawn[100, 200]) != (200, 200, 200)
    assert (drawn[:30] == 200).all()


def test_pictures_are_shrunk_and_never_enlarged() -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    assert shown(picture, Box(0, 0, 400, 200), 100).size == (100, 50)
    assert shown(picture, Box(0, 0, 40, 20), 100).size == (40, 20)


def test_four_models_on_ten_samples_with_three_trials_stay_below_fifteen_megabytes() -> None:
    count = 10 * (1 + 4 * 7)
    side = make_side(count)
    noise = Image.effect_noise((side, side), 40).convert("RGB").resize((side // 4, side // 4)).resize((side, side))
    data = panel("", "", noise).data
    assert data is not None
    assert side >= 320
    assert count * len(data) * 4 / 3 < 15e6


def test_a_sheet_has_all_rows_even_if_one_is_shorter_or_has_a_hole() -> None:
    picture = panel("trial 1", "", Image.new("RGB", (40, 20), "red"))
    hole = missing("trial 2", "failed: gpu_out_of_memory", (40, 20))
    drawn = sheet([[(picture, "one"), (hole, "two")], [(picture, "a title that is long enough for several lines")]])
    assert drawn.width == 2 * 310 + 10
    assert drawn.height > 2 * 150
    assert grid([(picture, "x")] * 5).width == 4 * 310 + 10
