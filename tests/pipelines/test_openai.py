"""OpenAI's pipeline through the official client, against a server on loopback that speaks the API."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from factories import make_image
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import (
    AccessDenied,
    AnswerUnusable,
    ContentRefused,
    ImageTooLarge,
    InpaintError,
    InvalidRequest,
    ModelRetired,
    NotConfigured,
    OperatorError,
    RequestError,
    RetryableError,
    ServiceUnavailable,
    SettingsInvalid,
)
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import Edit, build_pipeline
from inpaint_worker.pipelines.openai import OpenAiPipeline
from openai_server import KEY, PAINT, Answer, OpenAiServer, image_answer, refusal, text_answer, wait_for_calls
from outages import closed_port
from PIL import Image

Build = Callable[..., OpenAiPipeline]
SIDE = 1024
#: The client then waits no longer before it asks again.
AT_ONCE = {"retry-after-ms": "1"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on the way to loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    """The API."""
    server = OpenAiServer()
    yield server
    server.close()


def make_card(**fields: Any) -> ModelCard:
    """DALL-E 2 as a deployment serves it."""
    plain = load_catalogue().card("dall-e-2").model_dump()
    options = plain["options"] | fields.pop("options", {})
    return ModelCard.model_validate(plain | {"serve_by": "gpt-image-2", "options": options} | fields)


@pytest.fixture
def build(server: OpenAiServer) -> Iterator[Build]:
    """Build, load and warm a pipeline of the server; `card` has changes of the card, the rest is of the settings."""
    built: list[OpenAiPipeline] = []

    def make(card: dict[str, Any] | None = None, **settings: Any) -> OpenAiPipeline:
        values = {"openai_api_key": KEY, "openai_base_url": server.url, "openai_timeout_s": 30} | settings
        pipeline = build_pipeline(make_card(**(card or {})), load_settings(**values))
        assert isinstance(pipeline, OpenAiPipeline)
        built.append(pipeline)
        pipeline.load()
        pipeline.warm()
        return pipeline

    yield make
    for pipeline in built:
        pipeline.close()


def make_edit(prompt: str = "a red chair", side: int = SIDE) -> Edit:
    """An edit of the quarter in the middle."""
    region = np.zeros((side, side), np.bool_)
    region[side // 4 : side // 2, side // 4 : side // 2] = True
    return Edit(np.asarray(make_image(side, side)), region, seed=1, prompt=prompt)


def steps_of(pipeline: OpenAiPipeline, edit: Edit) -> list[tuple[int, int]]:
    """What the step callback is told."""
    told: list[tuple[int, int]] = []
    pipeline.run(edit, lambda done, total: told.append((done, total)))
    return told


def failure(pipeline: OpenAiPipeline, kind: type[InpaintError], caplog: pytest.LogCaptureFixture) -> InpaintError:
    """The error of a run, after a look at everything that is said of it for the key."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(InpaintError) as caught:
        pipeline.run(make_edit(), lambda _done, _total: None)
    error = caught.value
    assert type(error) is kind, error
    said = f"{error.message} {error!r} {error.facts} {caught.getrepr(style='short', chain=True)} {caplog.text}"
    assert KEY not in said
    assert not re.search(r"sk-proj-[\w*]", said)
    assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)
    return error


# --- what goes over the wire ------------------------------------------------------------------------------------------


def test_picture_mask_and_prompt_go_out_and_the_painted_picture_comes_back(build: Build, server: OpenAiServer) -> None:
    edit = make_edit("ein roter Stuhl, bitte ☕")
    painted = build().run(edit, lambda _done, _total: None)
    assert painted.shape == (SIDE, SIDE, 3) and painted.dtype == np.uint8
    assert np.array_equal(painted[0, 0], PAINT)
    [call] = server.calls
    assert call.fields == {
        "model": "gpt-image-2", "prompt": "ein roter Stuhl, bitte ☕", "size": "1024x1024", "n": "1"
    }  # fmt: skip
    assert np.array_equal(np.asarray(call.picture("image")), edit.image)
    assert call.picture("image").mode == "RGB"


def test_the_mask_is_transparent_where_it_is_repainted_and_opaque_elsewhere(build: Build, server: OpenAiServer) -> None:
    edit = make_edit()
    build().run(edit, lambda _done, _total: None)
    mask = server.calls[0].picture("mask")
    assert (mask.format, mask.mode, mask.size) == ("PNG", "RGBA", (SIDE, SIDE))
    assert np.array_equal(np.asarray(mask)[..., 3], np.where(edit.region, 0, 255))


def test_one_call_is_one_step(build: Build) -> None:
    assert steps_of(build(), make_edit()) == [(0, 1), (1, 1)]


def test_loading_and_warming_call_nothing(build: Build, server: OpenAiServer) -> None:
    pipeline = build()
    assert server.calls == []
    assert pipeline.described() == {"api_model": "gpt-image-2", "address": server.url.split("/")[2]}


def test_noise_of_the_largest_size_fits_into_what_the_api_takes(build: Build, server: OpenAiServer) -> None:
    random = np.random.default_rng(7)
    noise = random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    build().run(Edit(noise, random.random((SIDE, SIDE)) < 0.5, seed=1, prompt="x"), lambda _done, _total: None)
    assert all(len(data) < 4_000_000 for data in server.calls[0].files.values())


def test_a_deployment_may_choose_a_quality_and_the_record_names_it(build: Build, server: OpenAiServer) -> None:
    pipeline = build({"options": {"quality": "low"}})
    pipeline.run(make_edit(), lambda _done, _total: None)
    assert server.calls[0].fields["quality"] == pipeline.described()["quality"] == "low"


def test_a_picture_over_the_limit_of_the_model_is_refused_before_it_is_sent(
    build: Build, server: OpenAiServer, caplog: pytest.LogCaptureFixture
) -> None:
    error = failure(build({"options": {"max_mb": "0.01"}}), ImageTooLarge, caplog)
    assert re.search(r"picture to send to OpenAI has [\d,]+ bytes as a PNG; it takes less than 0.01 MB", error.message)
    assert server.calls == []


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_any_format_that_the_fleet_reads_is_taken_back(build: Build, server: OpenAiServer, kind: str) -> None:
    server.answers.append(image_answer(Image.new("RGB", (SIDE, SIDE), (0, 200, 0)), kind))
    painted = build(image_formats="tiff").run(make_edit(), lambda _done, _total: None)
    assert np.abs(painted[5, 5].astype(int) - (0, 200, 0)).max() <= 3


def test_what_comes_back_transparent_lies_on_white(build: Build, server: OpenAiServer) -> None:
    server.answers.append(image_answer(Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))))
    assert (build().run(make_edit(), lambda _done, _total: None) == 255).all()


# --- what is tried again, and what is not -----------------------------------------------------------------------------


def test_after_a_429_the_client_asks_again(build: Build, server: OpenAiServer) -> None:
    server.answers.append(refusal(429, "rate_limit_exceeded", **AT_ONCE))
    assert steps_of(build(), make_edit()) == [(0, 1), (0, 1), (1, 1)]
    assert len(server.calls) == 2
    assert len({call.files["image"] for call in server.calls}) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_after_three_times_the_job_waits(
    build: Build, server: OpenAiServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers += [refusal(status, None, "overloaded", **AT_ONCE)] * 5
    error = failure(build(), ServiceUnavailable, caplog)
    assert len(server.calls) == 3
    assert (error.service, error.address) == ("OpenAI", server.url.split("/")[2])
    assert f'answered {status} each time. It says "overloaded"; request req_7. The job waits.' in error.message


def test_a_job_that_should_stop_does_so_between_two_tries(build: Build, server: OpenAiServer) -> None:
    class Canceled(Exception):
        pass

    def on_step(_done: int, _total: int) -> None:
        if server.calls:
            raise Canceled

    server.answers.append(refusal(500, None, **AT_ONCE))
    pipeline = build()
    with pytest.raises(Canceled):
        pipeline.run(make_edit(), on_step)
    assert len(server.calls) == 1
    assert steps_of(pipeline, make_edit()) == [(0, 1), (1, 1)]  # ready for the next


def test_no_answer_in_time_counts_as_a_failure_since_it_may_have_been_billed(
    build: Build, server: OpenAiServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers += [Answer(200, {}, after_s=60)] * 3
    error = failure(build(openai_timeout_s=0.3), AnswerUnusable, caplog)
    wait_for_calls(server, 3)
    assert "gave no answer within 0.3 s (INPAINT_OPENAI_TIMEOUT_S)" in error.message
    assert isinstance(error, RetryableError) and not isinstance(error, ServiceUnavailable)


def test_nobody_there_is_an_outage(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = build(openai_base_url=f"http://127.0.0.1:{closed_port()}/v1")
    assert "cannot be reached (ConnectError)" in failure(pipeline, ServiceUnavailable, caplog).message


@pytest.mark.parametrize("code", ["content_policy_violation", "moderation_blocked"])
def test_what_the_policy_forbids_fails_the_job_with_a_code_of_its_own(
    build: Build, server: OpenAiServer, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers.append(refusal(400, code, "Your request was rejected by our safety system."))
    error = failure(build(), ContentRefused, caplog)
    assert len(server.calls) == 1
    assert error.code == "content_refused" and isinstance(error, RequestError)
    assert f'forbids this edit ({code}). It says "Your request was rejected by our safety system."' in error.message


def test_a_model_that_the_api_does_not_have_is_named(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    error = failure(build({"serve_by": "gpt-image-1"}), ModelRetired, caplog)
    assert "OpenAI has no model gpt-image-1" in error.message and "serve_by" in error.message


def test_other_refusals_are_passed_on_in_the_apis_words(
    build: Build, server: OpenAiServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers.append(refusal(400, "string_above_max_length", f"Too long,\n  {KEY} and all " + "x" * 1000))
    error = failure(build(), InvalidRequest, caplog)
    assert error.message.startswith('OpenAI refused the edit (400, string_above_max_length). It says "Too long, ***')
    assert len(error.message) < 500


# --- what the operator has to mend ------------------------------------------------------------------------------------


def test_a_wrong_key_is_told_without_any_part_of_it(
    build: Build, server: OpenAiServer, caplog: pytest.LogCaptureFixture
) -> None:
    error = failure(build(openai_api_key=KEY[:-1] + "X"), AccessDenied, caplog)
    assert "OpenAI refused the key (401). Check INPAINT_OPENAI_API_KEY" in error.message
    assert "cret" not in error.message
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refusal(429, "insufficient_quota", "You exceeded your quota.", **AT_ONCE), "no credit left"),
        (refusal(400, "billing_hard_limit_reached", "Billing hard limit"), "no credit left"),
        (Answer(404, b"<html>nginx</html>", {"content-type": "text/html"}), "Check INPAINT_OPENAI_BASE_URL"),
    ],
)
def test_an_empty_account_and_a_wrong_address_let_jobs_wait(
    build: Build, server: OpenAiServer, answer: Answer, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers += [answer] * 3
    assert told in failure(build(), OperatorError, caplog).message


def test_a_key_that_may_not_do_this_is_told_why(
    build: Build, server: OpenAiServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers.append(refusal(403, None, "Your organization must be verified."))
    assert 'It says "Your organization must be verified."' in failure(build(), AccessDenied, caplog).message


def test_without_a_key_the_worker_does_not_start(build: Build) -> None:
    with pytest.raises(NotConfigured, match="Set INPAINT_OPENAI_API_KEY"):
        build(openai_api_key=None)


def test_a_wait_that_the_watchdog_would_end_is_refused_at_the_start(build: Build) -> None:
    with pytest.raises(SettingsInvalid, match="INPAINT_OPENAI_TIMEOUT_S is 100 and INPAINT_STEP_TIMEOUT_S 200"):
        build(openai_timeout_s=100, step_timeout_s=200)


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ({"options": {"sizes": "512x512"}}, "leads to 1024x1024, which its options.sizes do not name"),
        ({"options": {"max_mb": "four"}}, "must be a number of megabytes, found 'four'"),
        ({"size": {}}, "has no size.native_area"),
    ],
)
def test_a_card_that_the_api_cannot_follow_is_refused_at_the_start(
    build: Build, card: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsInvalid, match=re.escape(told)):
        build(card)


def test_a_card_may_leave_the_sizes_to_its_size_rule(build: Build, server: OpenAiServer) -> None:
    size = {"multiple_of": 16, "native_area": SIDE * SIDE, "max_aspect": 3}
    edit = make_edit(side=768)
    build({"options": {"sizes": ""}, "size": size}).run(edit, lambda _done, _total: None)
    assert server.calls[0].fields["size"] == "768x768"


# --- answers that cannot be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(200, {"created": 1}), "holds no image"),
        (Answer(200, {"created": 1, "data": []}), "holds no image"),
        (Answer(200, {"created": 1, "data": "what"}), "holds no image"),
        (Answer(200, {"created": 1, "data": ["what"]}), "holds no image"),
        (Answer(200, {"created": 1, "data": [{"url": "http://127.0.0.1/a.png"}]}), "holds no image"),
        (Answer(200, {"created": 1, "data": [{"b64_json": 7}]}), "holds no image"),
        (Answer(200, [1, 2]), "holds no image"),
        (Answer(200, b"{broken"), "cannot be read"),
        (Answer(200, b"<html>busy</html>", {"content-type": "text/html"}), "holds no image"),
        (text_answer("not base64!"), "is not base64"),
        (text_answer(base64.b64encode(b"plain words").decode()), "is no picture"),
        (text_answer("A" * 20_000_000), "is longer than INPAINT_MAX_IMAGE_BYTES allows"),
        (image_answer(Image.new("RGB", (512, 512))), "is 512x512 pixels, and 1024x1024 were asked for"),
        (image_answer(Image.new("L", (5000, 5000))), "is no picture"),
    ],
)
def test_an_answer_that_is_not_the_picture_is_tried_again_later(
    build: Build, server: OpenAiServer, answer: Answer, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers.append(answer)
    pipeline = build(max_image_bytes=8 << 20, max_image_pixels=4_000_000)
    assert told in failure(pipeline, AnswerUnusable, caplog).message
    assert len(server.calls) == 1


def test_a_picture_that_cannot_be_used_has_been_paid_for_and_so_counts_as_a_step(
    build: Build, server: OpenAiServer
) -> None:
    told: list[tuple[int, int]] = []
    server.answers.append(image_answer(Image.new("RGB", (512, 512))))
    with pytest.raises(AnswerUnusable):
        build().run(make_edit(), lambda done, total: told.append((done, total)))
    assert told == [(0, 1), (1, 1)]
