"""`inpaint models`: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import console, edit_wording, options

if TYPE_CHECKING:
    from inpaint_core.catalogue import Catalogue

app = typer.Typer(help="The models that jobs can be sent to.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: options.Json = False) -> None:
    """List the models that jobs can be sent to."""
    if context.invoked_subcommand is not None:
        return
    cards = _catalogue().values()
    if as_json:
        console.document([card.model_dump(mode="json") for card in cards])
        return
    rows = [
        (card.name, card.device, card.prompt.value, card.status, ", ".join(card.parameters), card.summary)
        for card in cards
    ]
    console.table(("model", "device", "prompt", "status", "parameters", "summary"), rows)


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
        ("substitute", card.substitute), ("queue", queue_name(card.name)), ("device", card.device),
        ("prompt", card.prompt.value), ("sizes", edit_wording.size_rule(card.size)),
        ("deterministic", "yes" if card.deterministic else "no"), ("architecture", card.architecture),
        ("source", card.source), ("licence", card.licence),
        ("released", card.released.isoformat()),
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
