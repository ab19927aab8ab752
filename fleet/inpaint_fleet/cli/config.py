"""`inpaint config`: what is set, and where from."""

from __future__ import annotations

import typer

from inpaint_fleet.cli import console, options

app = typer.Typer(no_args_is_help=True, help="What is set, and where each value comes from.")


@app.command("show")
def show(as_json: options.Json = False) -> None:
    """Show all settings with their values, and where each comes from. Secrets are hidden."""
    from inpaint_core.settings import PREFIX, Settings, load_settings, shown, unknown_variables

    from inpaint_fleet.origins import origins

    settings = load_settings()
    values, sources = shown(settings), origins(settings)
    if as_json:
        console.document(
            [
                {
                    "name": name,
                    "variable": PREFIX + name.upper(),
                    "value": value,
                    "from": sources[name],
                    "about": Settings.model_fields[name].description,
                }
                for name, value in values.items()
            ]
        )
    else:
        rows = [(PREFIX + name.upper(), value, sources[name]) for name, value in values.items()]
        console.table(("variable", "value", "from"), rows)
    for name in unknown_variables():
        console.note(f"{name} is set, and nothing reads it; perhaps it is misspelt")


@app.command("path")
def path() -> None:
    """Print the configuration file that is read: INPAINT_CONFIG, or the user's own. It need not exist."""
    from inpaint_core.settings import config_file

    file = config_file()
    console.say(str(file))
    if not file.is_file():
        console.tell("there is no such file; all settings come from variables, the local stack, or defaults")
