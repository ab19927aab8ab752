"""How a command ends: every exception becomes a sentence on stderr and an exit code. docs/cli.md lists the codes."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from inpaint_fleet.cli import console

TIMED_OUT = 124
INTERRUPTED = 130
#: What a shell reports of a program that wrote into a pipe nobody reads any more.
BROKEN_PIPE = 141

# Typer brings its own copy of Click since 0.24, so the class is reached through what both have.
_USAGE_ERROR: type[Any] = typer.BadParameter.__mro__[1]
_COMMAND_ERROR: type[Any] = typer.BadParameter.__mro__[2]


class TimedOut(Exception):
    """Waiting took longer than `--timeout`. Nothing is wrong with the job."""


class RootCommand(TyperGroup):
    """The `inpaint` command itself: runs what the arguments name, and turns every end into an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Parse, run, and end the process with the exit code; without `standalone_mode`, return it."""
        words = list(sys.argv[1:] if args is None else args)
        # What libraries log of their retries would come before the one sentence that says it, unless logging is set up.
        logging.getLogger().addHandler(logging.NullHandler())
        debug = _take_debug(words)

        def run() -> Any:
            return super(RootCommand, self).main(
                words, prog_name or "inpaint", complete_var, False, windows_expand_args, **extra
            )

        code = exit_code_of(run, debug=debug)
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Run the command. A reader that went away (`| head`) is met here, before Typer makes exit code 1 of it."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _silence_stdout()
            raise typer.Exit(BROKEN_PIPE) from None
        return result


def exit_code_of(run: Callable[[], Any], *, debug: bool) -> int:
    """Run a command; what it raises is told in one sentence (`debug`: with the traceback first)."""
    try:
        result = run()
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        if debug:
            traceback.print_exc()
        console.tell("interrupted")
        return INTERRUPTED
    except typer.Exit as end:
        return end.exit_code
    except Exception as error:  # noqa: BLE001  (the last place that can say what happened)
        if debug:
            traceback.print_exc()
        return _tell(error)


def _tell(error: Exception) -> int:
    from inpaint_core.errors import InpaintError

    if isinstance(error, InpaintError):
        console.fail(error.message)
        return error.exit_code
    if isinstance(error, TimedOut):
        console.fail(str(error))
        return TIMED_OUT
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _silence_stdout()
        console.fail(
            f"The disk is full{f' ({error.filename})' if error.filename else ''}. Free some space and try again."
        )
        return 7
    if isinstance(error, _COMMAND_ERROR):
        return _tell_usage(error)
    console.fail(
        f"unexpected {type(error).__name__}: {console.clean(str(error))[:500]}. "
        "Run again with --debug (or INPAINT_DEBUG=1) for the traceback."
    )
    return 1


def _tell_usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    context = getattr(error, "ctx", None)
    sentence = " ".join(error.format_message().split()).replace("Value error, ", "")
    see = f" See `{context.command_path} --help`." if isinstance(error, _USAGE_ERROR) and context else ""
    console.fail(sentence + ("" if sentence.endswith((".", "?", "!")) else ".") + see)
    return 2


def _take_debug(words: list[str]) -> bool:
    """Whether the traceback is wanted. `--debug` may stand anywhere: people append it to the command that failed."""
    end = words.index("--") if "--" in words else len(words)
    given = "--debug" in words[:end]
    words[:end] = [word for word in words[:end] if word != "--debug"]
    return given or os.environ.get("INPAINT_DEBUG", "").lower() not in ("", "0", "false", "no")


def _silence_stdout() -> None:
    # The interpreter flushes stdout once more at its end, and would complain then.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
