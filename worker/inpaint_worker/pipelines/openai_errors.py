"""What the OpenAI client raises, in the fleet's words: whose turn it is, and never the key."""

from __future__ import annotations

import re

import openai
from inpaint_core.errors import (
    AccessDenied,
    AnswerUnusable,
    ContentRefused,
    InpaintError,
    InvalidRequest,
    ModelRetired,
    OperatorError,
    ServiceUnavailable,
)
from inpaint_core.settings import Settings, address

_POLICY = frozenset({"content_policy_violation", "moderation_blocked", "content_filter"})
_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
#: Timeout, conflict, too many requests; and every 5xx.
_LATER = frozenset({408, 409, 429})
#: Where nothing was sent yet, nothing was paid for either.
_NOT_SENT = frozenset({"ConnectTimeout", "ConnectError", "PoolTimeout"})
_MOST_CHARACTERS = 300
#: What the API itself shows of a wrong key is still part of one.
_KEY = re.compile(r"\b(sk|sess)-[\w*.-]+")


def in_words(error: Exception, model: str, settings: Settings) -> InpaintError:
    """The fleet's error for one of the client's."""
    if isinstance(error, openai.APIStatusError):
        return _refused(error, model, settings)
    if isinstance(error, openai.APIConnectionError):
        return _unreached(error, settings)
    return AnswerUnusable(
        f"OpenAI's answer cannot be read ({type(error).__name__}). The edit is tried again.", service="OpenAI"
    )


def _refused(error: openai.APIStatusError, model: str, settings: Settings) -> InpaintError:
    status, code, said = error.status_code, error.code, _said(error, settings)
    if code in _POLICY:
        return ContentRefused(
            f"OpenAI's content policy forbids this edit ({code}).{said} Change the prompt, the picture or the mask; "
            "the same edit would be refused again."
        )
    if code in _NO_CREDIT:
        return OperatorError(
            f"OpenAI's account has no credit left ({code}).{said} Add some; jobs wait for it.", service="OpenAI"
        )
    if code == "model_not_found":
        return ModelRetired(
            f"OpenAI has no model {model}, or the fleet's key may not use it.{said} Whoever runs the fleet may name "
            "another one as serve_by in the file of INPAINT_CATALOGUE.",
            model=model,
        )
    if status == 401:
        # Without what it said: that holds the beginning and the end of the key.
        return AccessDenied(
            "OpenAI refused the key (401). Check INPAINT_OPENAI_API_KEY: it may be mistyped, withdrawn, or of another "
            "provider than INPAINT_OPENAI_BASE_URL.",
            service="OpenAI",
        )
    if status == 403:
        return AccessDenied(f"OpenAI does not allow the fleet's key to do this (403).{said}", service="OpenAI")
    if status in _LATER or status >= 500:
        return _away(f"answered {status} each time.{said}", settings)
    if status == 404 or status < 400:
        return OperatorError(
            f"There is no images.edit at {settings.openai_base_url} ({status}).{said} Check INPAINT_OPENAI_BASE_URL.",
            service="OpenAI",
        )
    return InvalidRequest(f"OpenAI refused the edit ({status}{', ' + code if code else ''}).{said}")


def _unreached(error: openai.APIConnectionError, settings: Settings) -> InpaintError:
    cause = type(error.__cause__).__name__
    if cause in _NOT_SENT:
        return _away(f"cannot be reached ({cause}).", settings)
    # This counts as a failed attempt, as an outage would not: OpenAI may have made the picture, and charge for it.
    if isinstance(error, openai.APITimeoutError):
        return AnswerUnusable(
            f"OpenAI gave no answer within {settings.openai_timeout_s:g} s (INPAINT_OPENAI_TIMEOUT_S), several times. "
            "The edit is tried again.",
            service="OpenAI",
        )
    return AnswerUnusable(
        f"The connection to OpenAI broke before it had answered ({cause}). The edit is tried again.", service="OpenAI"
    )


def _away(problem: str, settings: Settings) -> ServiceUnavailable:
    where = address(settings.openai_base_url)
    return ServiceUnavailable(f"OpenAI at {where} {problem} The job waits.", service="OpenAI", address=where)


def _said(error: openai.APIStatusError, settings: Settings) -> str:
    """The API's own sentence and the number under which it knows the request, with a space before them."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    text = " ".join(message.split()) if isinstance(message, str) else ""
    if settings.openai_api_key is not None:
        text = text.replace(settings.openai_api_key.get_secret_value(), "***")
    text = _KEY.sub("***", text)[:_MOST_CHARACTERS]
    request = f"request {error.request_id}" if re.fullmatch(r"[\w-]{1,100}", error.request_id or "") else ""
    words = "; ".join(part for part in (text and f'It says "{text}"', request) if part)
    return f" {words}." if words else ""
