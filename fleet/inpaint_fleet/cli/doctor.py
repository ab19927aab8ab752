"""`inpaint doctor`: whether everything is there and right."""

from __future__ import annotations

import typer

from inpaint_fleet.cli import console, options


def doctor(as_json: options.Json = False) -> None:
    """Check Python, settings, disk, Redis, Postgres, S3, relay and workers, and say what to do.

    It also tells which models would run on this machine, and what the others need.

    Exit code 1 if a check failed; warnings, and models that do not run here, end with 0.
    """
    from inpaint_fleet.doctor import Level, examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            console.say(f"{finding.level.value:<4}  {finding.check:<20}  {console.clean(finding.found)}")
    count = {level: sum(finding.level is level for finding in findings) for level in Level}
    if as_json:
        console.document({"ok": not count[Level.FAIL], "findings": findings})
    else:
        console.tell(f"{count[Level.OK]} ok, {count[Level.WARN]} to look at, {count[Level.FAIL]} to mend")
    if count[Level.FAIL]:
        raise typer.Exit(1)
