"""When a negative prompt does nothing."""

from __future__ import annotations

import pytest
from inpaint_core.catalogue import load_catalogue
from inpaint_core.images import ImageFacts
from inpaint_core.job import JobRequest
from inpaint_producer import doubts
from structlog.testing import capture_logs


@pytest.mark.parametrize(
    ("model", "parameters", "why"),
    [
        ("z-image-turbo-inpainting", {}, "guidance is 0, and only above 0 does it count"),
        ("z-image-turbo-inpainting", {"guidance": 0.5}, None),
        ("stable-diffusion-2-inpainting", {"guidance": 1}, "guidance is 1, and only above 1 does it count"),
        ("stable-diffusion-2-inpainting", {}, None),
        ("flux-1-dev-controlnet-inpainting-beta", {}, "true_guidance is 1, and only above 1 does it count"),
    ],
)
def test_a_negative_prompt_that_does_nothing_is_told(model: str, parameters: dict[str, float], why: str | None) -> None:
    request = JobRequest(
        model=model,
        source="s3://bucket/a.png",
        mask="s3://bucket/b.png",
        prompt="a cup",
        negative_prompt="fog",
        parameters={**parameters},
    )
    facts = ImageFacts("0" * 64, "PNG", "RGB", 100, 100, 1000)
    with capture_logs() as logs:
        doubts.warn(load_catalogue().card(model), request, facts, facts, 3000)
    assert [each["why"] for each in logs if each["event"] == "negative_prompt_ignored"] == ([why] if why else [])
