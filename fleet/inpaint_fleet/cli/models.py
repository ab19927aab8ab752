"""`inpaint models`: the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import card_wording, console, edit_wording, options

if TYPE_CHECKING:
    from inpaint_core.catalogue import Catalogue

app = typer.Typer(help="The models that jobs can be sent to.")


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: options.Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="A table in Markdown, for documents.")] = False,
) -> None:
    """List the models that jobs can be sent to."""
    if context.invoked_subcommand is not None:
        return
    cards = _catalogue().values()
    if as_markdown:
        console.say(card_wording.markdown(cards).rstrip())
        return
    if as_json:
        console.document([card.model_dump(mode="json") for card in cards])
        return
    rows = [
        (
            card.name, card.status, card.device, card_wording.memory(card), card_wording.billions(card),
            card_wording.area(card.size), card.prompt.value, card_wording.guides(card), card.licence, card.summary,
        )
        for card in cards
    ]  # fmt: skip
    columns = (
        "model", "status", "device", "GPU memory", "parameters", "paints at", "prompt", "guides", "licence", "summary",
    )  # fmt: skip
    console.table(columns, rows)


def _catalogue() -> Catalogue:
    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.settings import load_settings

    return load_catalogue(load_settings().catalogue)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.", autocompletion=options.complete_model)],
    as_json: options.Json = False,
) -> None:
    """Show one model's card: what it is, where it comes from, and its parameters with their ranges."""
    from inpaint_core.queues import queue_name

    card = _catalogue().card(name)
    if as_json:
        console.document(card.model_dump(mode="json"))
        return
    facts = (
        ("name", card.name), ("title", card.title), ("summary", card.summary), ("status", card.status),
        ("substitute", card.substitute), ("served by", card.serve_by), ("queue", queue_name(card.name)),
        ("device", card.device), ("GPU memory", card_wording.memory(card) or None),
        ("GPU memory, offloaded", f"{card.offload_memory_gb:g} GB" if card.offload_memory_gb else None),
        ("number format", card_wording.number_format(card)),
        ("accelerated by", str(card.accelerate) if card.accelerations else None),
        ("can be by", ", ".join(card.accelerations) or None),
        ("prompt", card.prompt.value), ("negative prompt", "yes" if card.negative_prompt else "no"),
        ("reference image", card_wording.reference(card)), ("control image", card_wording.control(card)),
        ("tiers", card_wording.tiers(card)),
        ("sizes", edit_wording.size_rule(card.size)),
        ("progress", "step by step" if card.progress else "none"),
        ("deterministic", "yes" if card.deterministic else "no"), ("family", card.family),
        ("architecture", card.architecture),
        ("parameters", card_wording.billions(card) or None), ("in the review", card.review_name),
        ("source", card.source), ("licence", card.licence), ("released", card.released.isoformat()),
        *((f"weights: {role}", card_wording.weights(weights)) for role, weights in card.weights.items()),
    )  # fmt: skip
    console.pairs([(label, value) for label, value in facts if value is not None])
    if not card.parameters:
        return
    console.say()
    rows = [
        (key, rule.type, rule.default, rule.minimum, rule.maximum, ", ".join(rule.choices), rule.unit, rule.help)
        for key, rule in card.parameters.items()
    ]
    console.table(("parameter", "type", "default", "minimum", "maximum", "choices", "unit", "help"), rows)


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.", autocompletion=options.complete_model)],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FOLDER", help="Into this folder, for machines without a network, not the cache."),
    ] = None,
    guides: Annotated[
        bool, typer.Option("--guides/--no-guides", help="Also what only reference and control images need.")
    ] = True,
) -> None:
    """Fetch the weights that a worker of a model needs, with progress.

    Without --to they go into the Hugging Face cache of this machine. With it, copy the folder to where workers run and
    set INPAINT_WEIGHTS_DIR to it there. Gated weights need HF_TOKEN. Run again, it fetches what is missing.
    """
    from inpaint_core.errors import InvalidRequest, MissingExtra

    card = _catalogue().card(name)
    if not card.weights:
        raise InvalidRequest(f"{name} has no weights to fetch.")
    try:
        from inpaint_worker.pipelines.weights import fetch

        for role, weights in card.weights.items():
            if weights.needed_for is not None and not guides:
                continue
            size = f", {weights.size_gb:g} GB" if weights.size_gb else ""
            console.tell(f"{role}: {weights.repo} at {weights.revision}{size}")
            located = fetch(card, weights, to)
            console.say(f"{role}\t{weights.repo}\t{located.revision}\t{located.folder}")
    except ImportError as error:
        raise MissingExtra(
            f"Fetching needs the package {error.name}. Install it with: pip install 'inpaint-fleet[diffusers]'"
        ) from None
