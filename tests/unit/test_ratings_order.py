from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from factories import make_image
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_core.damage import damage
from inpaint_db.rating_plans import PlannedItem, Subject, draw_order
from inpaint_db.ratings import CRITERIA
from inpaint_db.rubrics import read_rubric
from PIL import Image, ImageChops, ImageStat


def subjects(samples: int, models: int = 3, trials: int = 2) -> list[Subject]:
    run = uuid4()
    found: list[Subject] = []
    for _ in range(samples):
        sample = uuid4()
        for model in range(models):
            ids = tuple(uuid4() for _ in range(trials))
            found += [Subject("output", f"m{model}", run, sample, (key,), uuid4()) for key in ids]
            found.append(Subject("trials", f"m{model}", run, sample, ids, None))
    return found


def of_purpose(items: list[PlannedItem], purpose: str) -> list[PlannedItem]:
    return [item for item in items if item.purpose == purpose]


def test_equal_seeds_draw_the_same_order_and_others_another() -> None:
    given_ = subjects(4)
    assert draw_order(given_, 7, 0.2) == draw_order(given_, 7, 0.2)
    assert draw_order(given_, 7, 0.2) != draw_order(given_, 8, 0.2)


def test_every_subject_is_shown_once_and_pictures_come_before_sets() -> None:
    given_ = subjects(3)
    items = draw_order(given_, 1, 0.1)
    assert sorted(of_purpose(items, "real"), key=repr) == sorted(map(PlannedItem, given_), key=repr)
    kinds = [item.subject.kind for item in items]
    assert kinds == sorted(kinds)


def test_checks_are_the_share_that_was_asked_for_in_equal_parts() -> None:
    items = draw_order(subjects(10), 1, 0.25)  # 60 pictures
    pictures = [item for item in items if item.subject.kind == "output"]
    assert [len(of_purpose(pictures, p)) for p in ("real", "untouched", "damaged", "repeat")] == [60, 5, 5, 5]
    assert all((item.damage_seed is None) == (item.purpose != "damaged") for item in items)


def test_of_sets_of_trials_a_share_is_shown_again() -> None:
    items = draw_order(subjects(10), 1, 0.25)  # 30 sets
    sets = [item for item in items if item.subject.kind == "trials"]
    assert [len(of_purpose(sets, p)) for p in ("real", "untouched", "damaged", "repeat")] == [30, 0, 0, 8]


def test_a_session_with_one_check_has_each_kind_with_the_same_chance() -> None:
    given_ = [Subject("output", "m", None, None, (), UUID(int=number)) for number in range(10)]
    found = [item.purpose for seed in range(600) for item in draw_order(given_, seed, 0.1) if item.purpose != "real"]
    assert len(found) == 600
    # Four standard deviations around a third.
    assert all(154 < found.count(kind) < 246 for kind in ("untouched", "damaged", "repeat"))


def test_no_share_is_no_checks() -> None:
    assert len(draw_order(subjects(2), 1, 0)) == len(subjects(2))


@settings(deadline=None, max_examples=60)
@given(samples=st.integers(1, 6), models=st.integers(1, 3), share=st.floats(0, 1), seed=st.integers(0, 2**63 - 1))
def test_a_repeat_comes_after_what_it_repeats_and_never_next_to_it(
    samples: int, models: int, share: float, seed: int
) -> None:
    items = draw_order(subjects(samples, models), seed, share)
    places = {item.subject: place for place, item in enumerate(items) if item.purpose == "real"}
    for place, item in enumerate(items):
        if item.purpose == "repeat":
            assert item.repeat_of == item.subject
            assert place > places[item.subject] + 1


def test_a_limit_takes_whole_samples() -> None:
    items = draw_order(subjects(10), 3, 0, limit=14)  # 6 pictures a sample
    real = [item.subject for item in items if item.subject.kind == "output"]
    assert len(real) == 12 and len({subject.sample_id for subject in real}) == 2


def test_a_limit_below_one_sample_still_takes_one() -> None:
    assert len({item.subject.sample_id for item in draw_order(subjects(3), 3, 0, limit=1)}) == 1


def test_one_picture_has_no_repeat() -> None:
    only = [Subject("output", "m", None, None, (), UUID(int=1))]
    assert [item.purpose for item in draw_order(only, 1, 1.0)].count("repeat") == 0


def test_the_rubric_has_five_criteria_and_five_anchors_each() -> None:
    name, criteria = read_rubric()
    assert name == "review" and tuple(c.name for c in criteria) == CRITERIA
    assert all(len(set(c.anchors)) == 5 and c.question.endswith((".", "?")) for c in criteria)
    assert [c.name for c in criteria if c.target == "trials"] == ["reproducibility"]


@pytest.mark.parametrize("size", [(96, 64), (3, 2), (640, 17)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_damage_is_seen_everywhere_and_repeats(size: tuple[int, int], mode: str) -> None:
    picture = make_image(*size, mode)
    spoilt = damage(picture, 5)
    assert spoilt.size == picture.size and spoilt.mode == "RGB"
    assert spoilt.tobytes() == damage(picture, 5).tobytes()
    if min(size) > 16:
        difference = ImageChops.difference(spoilt, picture.convert("RGB")).convert("L")
        half = size[1] // 2
        for box in ((0, 0, size[0], half), (0, half, size[0], size[1])):
            assert (difference.crop(box).getextrema()[1] or 0) > 60


@pytest.mark.parametrize("level", [0, 1, 64, 127, 128, 200, 254, 255])
def test_damage_is_seen_on_a_picture_of_one_colour(level: int) -> None:
    picture = Image.new("RGB", (96, 64), (level, level, level))
    difference = ImageChops.difference(damage(picture, 5), picture)
    assert min(ImageStat.Stat(difference).mean) > 40
    assert all(high >= 127 for _, high in difference.getextrema())  # type: ignore[misc]
