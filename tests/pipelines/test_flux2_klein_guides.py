from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from contract import SIDE, paint, small_card
from guided import ReferenceContract
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.flux2_klein import Flux2Klein, build, large_enough
from tiny.flux2 import write_flux2_klein

NAME = "flux-2-klein-4b"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("klein")
    write_flux2_klein(root)
    return root


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Flux2Klein:
    pipeline = build(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


class TestReference(ReferenceContract):
    quick: ClassVar = {"prompt_tokens": 64}

    def test_it_counts_when_only_some_steps_are_taken(self, pipeline: Flux2Klein) -> None:
        edit = self.edit(pipeline, parameters={"strength": 0.5})
        assert not np.array_equal(paint(pipeline, edit), paint(pipeline, self.guided(pipeline, edit)))


def test_edits_without_an_image_are_the_same_before_and_after(pipeline: Flux2Klein) -> None:
    contract = TestReference()
    edit = contract.edit(pipeline)
    before = paint(pipeline, edit)
    paint(pipeline, contract.guided(pipeline, edit))
    assert np.array_equal(paint(pipeline, edit), before)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 48), (64, 48)), ((1, 1), (16, 16)), ((3, 300), (16, 300)), ((10, 100_000), (16, 65536))],
)
def test_a_reference_is_never_so_narrow_that_nothing_is_left_of_it(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    width, height = size
    image = large_enough(np.zeros((height, width, 3), np.uint8))
    assert image.size == expected and image.width * image.height <= 1024 * 1024
