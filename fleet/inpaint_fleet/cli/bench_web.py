"""`inpaint bench web`: many raters at once."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def web(
    raters: Annotated[int, typer.Option(min=2, max=500, help="So many at once.")] = 50,
    ratings: Annotated[int, typer.Option(min=4, max=10_000, help="So many of each.")] = 100,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if an aim is missed.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Let many raters save at once: is anything lost or doubled, and how long does a save take?

    Takes about three minutes, on servers of its own that are started in a temporary folder and removed afterwards.
    """
    import tempfile

    from inpaint_benchmark.web.report import measure_web
    from inpaint_core.errors import StackError
    from inpaint_core.settings import PREFIX, as_environment
    from inpaint_db.migrate import upgrade

    from inpaint_fleet.cli import console
    from inpaint_fleet.local.child import ChildSpec
    from inpaint_fleet.local.ports import answers
    from inpaint_fleet.local.servers import LocalServers

    with tempfile.TemporaryDirectory(prefix="inpaint-bench-") as folder:
        servers = LocalServers(Path(folder))
        with servers as settings:
            upgrade(settings)
            port = servers.private.web_port
            others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
            environment = {**others, **as_environment(settings), PREFIX + "WEB_PORT": str(port)}
            command = (sys.executable, "-m", "inpaint_fleet.cli", "web")
            (child,) = servers.supervisor.add(ChildSpec("web", command, environment))
            deadline = time.monotonic() + 60
            while not answers(port):
                if child.exit_status is not None or time.monotonic() > deadline:
                    raise StackError("The web server did not start. It said:\n" + "\n".join(child.said))
                time.sleep(0.1)
            say = console.tell if json_ else console.say
            found = measure_web(settings, f"http://127.0.0.1:{port}", say, raters=raters, ratings=ratings)
    if json_:
        console.document(found)
    if check and found["missed"]:
        raise typer.Exit(1)
