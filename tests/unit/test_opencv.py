"""The OpenCV pipelines, by the contract that every pipeline keeps."""

from __future__ import annotations

import numpy as np
import pytest
from factories import make_image, make_mask
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import OperatorError, ParameterInvalid
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import Edit, Pipeline, build_pipeline

MODELS = [name for name, card in load_catalogue().items() if card.family == "opencv"]


@pytest.fixture(params=MODELS)
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """A loaded and warmed pipeline."""
    built = build_pipeline(load_catalogue().card(request.param), load_settings())
    built.load()
    built.warm()
    return built


def make_edit(pipeline: Pipeline, **parameters: float) -> Edit:
    """An edit of a small picture."""
    resolved = pipeline.card.resolve(dict(parameters))
    return Edit(np.asarray(make_image()), np.asarray(make_mask()) > 0, seed=1, parameters=resolved)


def test_repaints_the_masked_area_from_its_surroundings(pipeline: Pipeline) -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    image[15:25, 15:25] = (255, 0, 0)
    region = np.zeros((40, 40), np.bool_)
    region[14:26, 14:26] = True
    painted = pipeline.run(Edit(image, region, 1, parameters=pipeline.card.resolve({})), lambda _d, _t: None)
    assert painted.shape == image.shape
    assert painted.dtype == np.uint8
    assert np.abs(painted.astype(int) - 90).max() <= 2


def test_reports_its_steps_up_to_the_total(pipeline: Pipeline) -> None:
    steps: list[tuple[int, int]] = []
    pipeline.run(make_edit(pipeline), lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1]


def test_lets_a_wish_to_stop_pass_and_goes_on_unharmed(pipeline: Pipeline) -> None:
    clean = pipeline.run(make_edit(pipeline), lambda _d, _t: None)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.run(make_edit(pipeline), stop)
    assert np.array_equal(pipeline.run(make_edit(pipeline), lambda _d, _t: None), clean)


def test_the_radius_reaches_opencv(pipeline: Pipeline) -> None:
    near = pipeline.run(make_edit(pipeline, radius=1), lambda _d, _t: None)
    far = pipeline.run(make_edit(pipeline, radius=20), lambda _d, _t: None)
    assert not np.array_equal(near, far)


def test_the_two_methods_differ() -> None:
    telea, ns = (build_pipeline(load_catalogue().card(name), load_settings()) for name in ("opencv-telea", "opencv-ns"))
    assert not np.array_equal(
        telea.run(make_edit(telea), lambda _d, _t: None), ns.run(make_edit(ns), lambda _d, _t: None)
    )


def test_a_family_that_the_worker_does_not_have_is_named() -> None:
    card = load_catalogue().card("opencv-telea").model_copy(update={"family": "unheard-of"})
    with pytest.raises(OperatorError, match="unheard-of"):
        build_pipeline(card, load_settings())


def test_what_would_take_opencv_many_minutes_is_refused_before_it_begins(pipeline: Pipeline) -> None:
    image = np.zeros((3000, 4000, 3), np.uint8)
    region = np.zeros((3000, 4000), np.bool_)
    region[:, :3000] = True
    edit = Edit(image, region, 1, parameters=pipeline.card.resolve({"radius": 32}))
    with pytest.raises(ParameterInvalid, match=r"9,000,000 masked pixels.*at most 16\.7"):
        pipeline.run(edit, lambda _d, _t: None)
