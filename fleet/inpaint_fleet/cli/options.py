"""Options that several commands share, each with one spelling and one help text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer


def complete_model(incomplete: str) -> Iterator[tuple[str, str]]:
    """Model names for the shell."""
    from inpaint_core.catalogue import load_catalogue

    return ((name, card.title) for name, card in load_catalogue().items() if name.startswith(incomplete))


Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="Which model repaints. `inpaint models` lists them.", autocompletion=complete_model
    ),
]
ModelFilter = Annotated[
    str | None, typer.Option("--model", "-m", help="Only jobs of this model.", autocompletion=complete_model)
]
Campaign = Annotated[
    str | None, typer.Option(help="A label for jobs that belong together; queues are shared fairly by it.")
]
CampaignFilter = Annotated[str | None, typer.Option("--campaign", help="Only jobs of this campaign.")]
Prompt = Annotated[str, typer.Option(help="What belongs in the masked area. Models that need none ignore it.")]
NegativePrompt = Annotated[str, typer.Option(help="What must not appear.")]
Seed = Annotated[int | None, typer.Option(help="Repeats a result exactly. Chosen at random if absent.")]
Parameters = Annotated[
    list[str],
    typer.Option(
        "--parameter", "-p", metavar="NAME=VALUE",
        help="A parameter of the model, e.g. -p radius=7. `inpaint models show NAME` lists them. Repeatable.",
    ),
]  # fmt: skip
Tags = Annotated[
    list[str], typer.Option("--tag", metavar="KEY=VALUE", help="A label of your own, stored with the job. Repeatable.")
]
Deadline = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="The job expires if it has not ended by then: 30m, 2h, or an ISO 8601 time."),
]
Timeout = Annotated[
    float | None,
    typer.Option(min=0, metavar="SECONDS", help="Stop waiting after this long (exit code 124); the jobs go on."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the local stack. Default: INPAINT_DATA_DIR, or your user's data folder."),
]
