"""How exactly a job's picture is computed: in full, or with steps that are guessed from those before."""

from __future__ import annotations

from enum import StrEnum


class Tier(StrEnum):
    """What a job may give up for speed. The tier that an attempt ran in is recorded with it."""

    #: Every step in full, as the model's authors do.
    EXACT = "exact"
    #: Some work is left out where the picture hardly changes.
    FAST = "fast"
    #: More is left out: for drafts.
    TURBO = "turbo"
