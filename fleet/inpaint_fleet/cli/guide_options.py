"""Pictures that guide an edit, how many outputs it has, and its tier: options of both submits.

What is not given stays None, so that a row of a batch or the request's defaults decide. The request checks the values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

_PANEL = "Guides, outputs and tier"


def _types(incomplete: str) -> Iterable[str]:
    from inpaint_core.guides import ControlType

    return [kind for kind in ControlType if kind.startswith(incomplete)]


def complete_tier(incomplete: str) -> Iterable[str]:
    """Completion for the shell."""
    from inpaint_core.tiers import Tier

    return [tier for tier in Tier if tier.startswith(incomplete)]


def _option(name: str, metavar: str, help_: str, complete: Any = None) -> Any:
    return typer.Option(name, metavar=metavar, help=help_, rich_help_panel=_PANEL, autocompletion=complete)


ReferenceImage = Annotated[
    str | None,
    _option(
        "--reference-image",
        "IMAGE",
        "A picture of what belongs in the masked area: a file or s3://. For models that take one (`inpaint models`).",
    ),
]
ReferenceStrength = Annotated[
    float | None, _option("--reference-strength", "0-1", "How closely to follow it. Default: the model's.")
]
ControlImage = Annotated[
    str | None,
    _option(
        "--control-image", "IMAGE", "Lines, depths or joints to follow, drawn over all of SOURCE: a file or s3://."
    ),
]
ControlType = Annotated[
    str | None,
    _option("--control-type", "TYPE", "What it shows: canny, soft-edge, sketch, lines, depth or pose.", _types),
]
ControlStrength = Annotated[
    float | None, _option("--control-strength", "0-2", "How closely to follow it. Default: the model's.")
]
Outputs = Annotated[
    int | None, _option("--outputs", "1-8", "Variants of the edit: seed, seed + 1, and so on. Default: 1.")
]

Tier = Annotated[
    str | None,
    _option(
        "--tier",
        "exact|fast|turbo",
        "What may be left out for speed, of the model's tiers. Default: the worker's setting, which is exact.",
        complete_tier,
    ),
]


def given(**values: object) -> dict[str, Any]:
    """The options that were given, as the request names them."""
    return {name: value for name, value in values.items() if value is not None}
