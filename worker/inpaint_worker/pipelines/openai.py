"""OpenAI's images.edit by the official client: a picture, a mask and a prompt go out, a picture comes back."""

from __future__ import annotations

import base64
import binascii

import numpy as np
import openai
from inpaint_core.card import ModelCard
from inpaint_core.edit import Detail
from inpaint_core.errors import AnswerUnusable, ImageError, ImageTooLarge, NotConfigured, SettingsInvalid
from inpaint_core.images import Limits, open_image
from inpaint_core.log import get_logger
from inpaint_core.settings import Settings, address

from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.geometry.encode import encode_png, on_white
from inpaint_worker.pipelines.base import Edit, StepCallback
from inpaint_worker.pipelines.openai_errors import in_words

#: By the client, after 429, 5xx, and calls without an answer; it doubles its pauses and heeds Retry-After.
_RETRIES = 2
#: The longest Retry-After that the client waits out; it gives up on a longer one.
_LONGEST_PAUSE_S = 120
_CONNECT_S = 10
#: What the API's reference allows for a mask. For the picture the card says it (`max_mb`), since models differ.
_MASK_MB = 4.0
log = get_logger("inpaint.worker")


class OpenAiPipeline:
    """One call of the API an edit, and one step. It cannot be interrupted, but between two tries it can.

    What a card's options say: `model`, unless `serve_by` names another; `sizes` that it takes, as WIDTHxHEIGHT with
    spaces between them (none: every shape of the size rule); `max_mb` of the picture, 10^6 bytes; and `quality`, which
    is left to the API when absent. It decides the price, and so is the deployment's to choose and not the job's.
    """

    def __init__(self, card: ModelCard, settings: Settings) -> None:
        self.card = card
        self.model = card.api_model or card.name
        self._settings = settings
        self._client: openai.OpenAI | None = None
        self._on_step: StepCallback | None = None

    def load(self) -> None:
        """Look at what can be looked at without a call, since calls cost money: a key, times, and sizes."""
        settings, key = self._settings, self._settings.openai_api_key
        if key is None:
            raise NotConfigured(
                f"{self.card.name} is reached by OpenAI's API, and there is no key for it. Set INPAINT_OPENAI_API_KEY "
                "for this worker.",
                service="OpenAI",
                missing=["INPAINT_OPENAI_API_KEY"],
            )
        if settings.openai_timeout_s + _LONGEST_PAUSE_S > settings.step_timeout_s:
            raise SettingsInvalid(
                f"INPAINT_OPENAI_TIMEOUT_S is {settings.openai_timeout_s:g} and INPAINT_STEP_TIMEOUT_S "
                f"{settings.step_timeout_s:g}: the worker would be ended while it waits for OpenAI. A try may take the "
                f"former and a pause of {_LONGEST_PAUSE_S} s before it; make the latter longer than both together."
            )
        _check_sizes(self.card)
        _picture_mb(self.card)
        self._client = openai.OpenAI(
            api_key=key.get_secret_value(),
            base_url=settings.openai_base_url,
            timeout=openai.Timeout(settings.openai_timeout_s, connect=min(_CONNECT_S, settings.openai_timeout_s)),
            max_retries=_RETRIES,
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [self._before_try]}),
        )

    def described(self) -> dict[str, object]:
        """Which model of the API it is, and where that is."""
        found: dict[str, object] = {"api_model": self.model, "address": address(self._settings.openai_base_url)}
        if "quality" in self.card.options:
            found["quality"] = self.card.options["quality"]
        return found

    def warm(self) -> None:
        """Nothing: there is nothing to warm here, and a call would have to be paid for."""

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """See `Pipeline`. The API takes no seed, and the mask is no more than a hint to it."""
        height, width = edit.image.shape[:2]
        image = encode_png(edit.image)
        mask = encode_png(np.zeros_like(edit.image), _alpha(edit.region))
        _check_bytes(image, _picture_mb(self.card), "picture")
        _check_bytes(mask, _MASK_MB, "mask")
        self._on_step = on_step
        try:
            encoded = self._ask(image, mask, edit.prompt, f"{width}x{height}")
        finally:
            self._on_step = None
        # Before it is decoded: a picture that cannot be used has been billed as well, and steps are what costs count.
        on_step(1, 1)
        return self._decoded(encoded, width, height)

    def _ask(self, image: bytes, mask: bytes, prompt: str, size: str) -> str:
        """What the API painted, in base64."""
        assert self._client is not None, "load() comes first"  # noqa: S101
        try:
            # No response_format: newer models refuse it, and answer in base64 without being asked.
            answer = self._client.images.edit(
                model=self.model,
                image=("image.png", image, "image/png"),
                mask=("mask.png", mask, "image/png"),
                prompt=prompt,
                n=1,
                size=size,
                quality=self.card.options.get("quality", openai.omit),  # type: ignore[arg-type]  # the API knows them
            )
        except _Stopped as stopped:
            raise stopped.reason from None
        except (openai.OpenAIError, ValueError) as error:  # the latter is JSON that is none
            # Without its chain: a request holds the key in its headers.
            raise in_words(error, self.model, self._settings) from None
        data = getattr(answer, "data", None)  # a gateway's page instead of JSON arrives as a str
        log.info("openai_answered", api_model=self.model, request_id=getattr(answer, "_request_id", None))
        encoded = getattr(data[0], "b64_json", None) if isinstance(data, list) and data else None
        if not isinstance(encoded, str) or not encoded:
            raise _unusable("holds no image")
        return encoded

    def _before_try(self, _request: object) -> None:
        """Tells the watchdog that something goes on, and stops between two tries if the job should stop."""
        try:
            if self._on_step is not None:
                self._on_step(0, 1)
        except Exception as error:
            raise _Stopped(error) from error

    def _decoded(self, encoded: str, width: int, height: int) -> Pixels:
        settings = self._settings
        limits = Limits(settings.max_image_bytes, settings.max_image_pixels, settings.max_image_side)
        if len(encoded) > limits.max_bytes * 4 // 3 + 4:
            raise _unusable(f"is longer than INPAINT_MAX_IMAGE_BYTES allows ({len(encoded):,} characters)")
        try:
            image = open_image(base64.b64decode(encoded, validate=True), limits, "answer of OpenAI")
        except binascii.Error:
            raise _unusable("is not base64") from None
        except ImageError as error:
            raise _unusable(f"is no picture: {error.message}") from None
        if image.size != (width, height):
            raise _unusable(f"is {image.width}x{image.height} pixels, and {width}x{height} were asked for")
        if image.has_transparency_data:
            pixels = np.asarray(image.convert("RGBA"), np.uint8)
            return on_white(pixels[..., :3], pixels[..., 3])
        return np.asarray(image.convert("RGB"), np.uint8)


class _Stopped(openai.OpenAIError):
    """Carries what a step callback raised through the client, which would take anything else for a lost connection."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


def _alpha(region: Region) -> Pixels:
    """The API's polarity: transparent is repainted."""
    return np.where(region, np.uint8(0), np.uint8(255))


def _check_bytes(data: bytes, limit_mb: float, what: str) -> None:
    if len(data) >= limit_mb * 1e6:
        raise ImageTooLarge(
            f"The {what} to send to OpenAI has {len(data):,} bytes as a PNG; it takes less than {limit_mb:g} MB. "
            "Whoever runs the fleet may lower size.max_area of its card, or raise options.max_mb if the API allows it.",
            size_bytes=len(data),
            limit=int(limit_mb * 1e6),
        )


def _check_sizes(card: ModelCard) -> None:
    """Better when the worker starts than for each job."""
    if card.size.native_area is None:
        raise SettingsInvalid(f"The card of {card.name} has no size.native_area; the API takes a few sizes only.")
    allowed = card.options.get("sizes", "").split()
    wanted = {f"{width}x{height}" for detail in Detail for width, height in shapes(card.size, detail)}
    if allowed and (others := sorted(wanted - set(allowed))):
        raise SettingsInvalid(
            f"The size rule of {card.name} leads to {', '.join(others[:4])}, which its options.sizes do not name "
            f"({', '.join(allowed)}). Mend one of the two in its card."
        )


def _picture_mb(card: ModelCard) -> float:
    try:
        return float(card.options.get("max_mb", _MASK_MB))
    except ValueError:
        raise SettingsInvalid(
            f"options.max_mb of {card.name} must be a number of megabytes, found {card.options['max_mb']!r}."
        ) from None


def _unusable(problem: str) -> AnswerUnusable:
    return AnswerUnusable(f"OpenAI's answer {problem}. The edit is tried again.", service="OpenAI")


def build(card: ModelCard, settings: Settings) -> OpenAiPipeline:
    """The pipeline of a card that is reached by OpenAI's API."""
    return OpenAiPipeline(card, settings)
