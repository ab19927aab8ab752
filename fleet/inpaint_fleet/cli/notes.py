"""Warnings of the libraries as sentences on stderr, for commands that a person runs and reads."""

from __future__ import annotations

import logging
from typing import NoReturn

import structlog
from inpaint_core.log import get_logger
from inpaint_core.settings import unknown_variables
from structlog.typing import EventDict, WrappedLogger

from inpaint_fleet.cli import console

_SENTENCES = {
    "jobs_not_sent_yet": (
        "{these} accepted and stored, but not sent to a worker yet: {reason} The relay sends what waits as soon as "
        "Redis takes it."
    ),
    "prompt_ignored": "{model} works without a prompt and ignores it; it removes things and cannot add any.",
    "negative_prompt_ignored": "{model} ignores the negative prompt: {why}.",
    "negative_prompt_left_out": "{model} knows no negative prompt: its rows go without.",
    "mask_marks_most": (
        "the mask marks {share} of the picture, and what it marks is repainted: is it the other way round?"
    ),
    "mask_marks_little": "the mask marks only {pixels} pixels; is that meant?",
    "mask_stretched": "the mask is {mask} and its picture {source}: resizing stretches it, which moves what it marks.",
    "mask_options_unused": "{options} says how the picture of a mask is read; the mask here is {mask}, and ignores it.",
    "jpeg_has_no_transparency": "JPEG has no transparency: what is transparent in the source will be white.",
}


#: What is said of one picture of a batch, and names its row.
_OF_ONE_PICTURE = ("mask_marks_most", "mask_marks_little", "mask_stretched")
_told: set[str] = set()


def warn_of_unread_settings() -> None:
    """In the log of what runs for long: a misspelt variable leaves a setting at its default, and nobody notices."""
    for name in unknown_variables():
        get_logger("inpaint").warning("setting_unread", variable=name, hint="nothing reads it; perhaps it is misspelt")


def show_warnings_as_notes() -> None:
    """Call once before a client command works. Long-running commands set up logging instead."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, _tell],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )


def _tell(_logger: WrappedLogger, _method: str, event: EventDict) -> NoReturn:
    name = str(event.pop("event"))
    event.pop("level", None)
    place = event.pop("place", None)
    template = _SENTENCES.get(name)
    if template:
        jobs = event.get("jobs")
        sentence = template.format(**event, these="1 job is" if jobs == 1 else f"{jobs} jobs are")
    else:
        facts = ", ".join(f"{key} {value}" for key, value in event.items())
        sentence = name.replace("_", " ") + (f" ({facts})" if facts else "")
    # A batch of thousands may give the same reason thousands of times; and all is checked once more at submit.
    if sentence not in _told or (place is not None and name in _OF_ONE_PICTURE):
        _told.add(sentence)
        console.note(f"{place}: {sentence}" if place is not None and name in _OF_ONE_PICTURE else sentence)
    raise structlog.DropEvent
