"""What a mask means, how a picture is fitted to its model, how the result is stored: options of both submits.

What is not given stays None, so that a row of a batch or the request's defaults decide. The request checks the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from enum import StrEnum

_PANEL = "Mask, fit and output"
#: Of `--box` and `--polygon`, as they are typed.
_BOX_LIKE, _POLYGON_LIKE = "120,80,320,240", "10,10 90,10 50,80"


def _choices(name: str) -> Callable[[str], Iterable[str]]:
    """Completion for the shell; the words are the vocabulary's, which is loaded only when they are asked for."""

    def complete(incomplete: str) -> Iterable[str]:
        from inpaint_core import edit

        kind: type[StrEnum] = getattr(edit, name)
        return [value for value in kind if value.startswith(incomplete)]

    return complete


def _option(name: str, metavar: str | None, help_: str, choices: str | None = None) -> Any:
    complete = _choices(choices) if choices else None
    return typer.Option(name, metavar=metavar, help=help_, rich_help_panel=_PANEL, autocompletion=complete)


Boxes = Annotated[
    list[str],
    _option("--box", "L,T,R,B", f"Repaint a rectangle instead of a mask, in pixels: {_BOX_LIKE}. Repeatable."),
]
Polygons = Annotated[
    list[str],
    _option("--polygon", '"X,Y X,Y X,Y"', f'Repaint a polygon instead of a mask: "{_POLYGON_LIKE}". Repeatable.'),
]
Polarity = Annotated[
    str | None,
    _option(
        "--polarity",
        "white|black|transparent",
        "Which pixels of the mask are repainted. Default: white.",
        "Polarity",
    ),
]
Threshold = Annotated[
    int | None, _option("--threshold", "1-255", "Mask values from here on count as marked. Default: 128.")
]
ResizeMask = Annotated[
    bool, _option("--resize-mask", None, "Resize a mask of another size than its picture instead of refusing it.")
]
FillHoles = Annotated[bool, _option("--fill-holes", None, "Repaint what the mask encloses, too.")]
Grow = Annotated[float | None, _option("--grow", "PIXELS", "Extend the marked area by so much.")]
Feather = Annotated[
    float | None, _option("--feather", "PIXELS", "Fade the new content in over so much, inwards from the border.")
]
Fit = Annotated[
    str | None,
    _option("--fit", "crop|whole", "Show the model the surroundings of the edit (default), or all of it.", "Fit"),
]
Padding = Annotated[
    int | None, _option("--padding", "PIXELS", "Context around the edit that the model sees. Default: by its size.")
]
Detail = Annotated[
    str | None,
    _option(
        "--detail",
        "native|full",
        "Paint at the size the model was trained at (default), or up to the largest it takes.",
        "Detail",
    ),
]
Format = Annotated[
    str | None,
    _option(
        "--format",
        "png|jpeg|webp|avif",
        "What the result is stored as. Only png (default) keeps every pixel.",
        "OutputFormat",
    ),
]
Quality = Annotated[int | None, _option("--quality", "1-100", "Of jpeg (default 95), webp (92) and avif (85).")]
KeepRaw = Annotated[
    bool, _option("--keep-raw", None, "Also store what the model returned: `inpaint jobs download --kind raw`.")
]


def given(**values: object) -> dict[str, Any]:
    """The options that were given, as the request names them."""
    return {name: value for name, value in values.items() if value is not None and value is not False}


def mask_of(mask: str | None, boxes: list[str], polygons: list[str]) -> str | dict[str, Any]:
    """The one mask that was given: a picture, "alpha", or shapes. `InvalidRequest` if there is none, or two."""
    from inpaint_core.errors import InvalidRequest

    from inpaint_fleet.batch import fields

    shapes = boxes or polygons
    if mask and shapes:
        raise InvalidRequest(
            "There are two masks: --mask, and --box or --polygon. Give one of them; boxes and polygons go together.",
            field="mask",
        )
    if mask:
        return mask
    if not shapes:
        raise InvalidRequest(
            "Nothing says what to repaint. Give --mask IMAGE, --mask alpha (the transparent pixels of SOURCE), "
            f'--box {_BOX_LIKE} or --polygon "{_POLYGON_LIKE}".',
            field="mask",
        )
    return {"boxes": [fields.box(text) for text in boxes], "polygons": [fields.polygon(text) for text in polygons]}
