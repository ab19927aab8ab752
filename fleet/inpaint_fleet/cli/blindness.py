"""Whether a text that raters see tells which models they judge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from inpaint_core.errors import InvalidRequest

if TYPE_CHECKING:
    from inpaint_core.settings import Settings

#: Words of models' names that are words of any talk of pictures, too.
_ORDINARY = {"base", "beta", "decoder", "fill", "image", "inpaint", "inpainting", "plus", "stable", "turbo"}
_LEAST_LETTERS = 4


def refuse_telling(text: str, settings: Settings, models: Iterable[str] = ()) -> None:
    """`InvalidRequest` (`field` "name") if `text` holds the name of a model, or a word of one that tells it.

    Models are those of the deployment's catalogue, of the publications that the package holds, and `models`.
    """
    from inpaint_benchmark.published.publication import published_names, read_publication
    from inpaint_core.catalogue import load_catalogue

    published = [model for source in published_names() for model in read_publication(source).models]
    names = {*load_catalogue(settings.catalogue), *models}
    names |= {name for model in published for name in (model.model, model.facts.model)}
    said = _bare(text)
    for name in sorted(names, key=len, reverse=True):
        words = set(re.findall(rf"[a-z]{{{_LEAST_LETTERS},}}", name.casefold())) - _ORDINARY
        for part in (_bare(name), *sorted(words)):
            if len(part) >= _LEAST_LETTERS and part in said:
                raise InvalidRequest(
                    f"Raters see the session's name, and {text!r} tells of {name}: they would not be blind. "
                    "Choose another --name, or leave it out.",
                    field="name",
                )


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())
