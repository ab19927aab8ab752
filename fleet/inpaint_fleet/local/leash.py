"""Starts a program that must not outlive its parent: `python -I -S leash.py PARENT SIGNAL ACCOUNT -- COMMAND...`.

Run as a script in front of every child of the stack, and replaced by it (the process id stays). A supervisor that is
killed with SIGKILL cannot stop its children; the kernel can, if each asks for it. That has to be asked for in the
child, between fork and exec. A `preexec_fn` would run there too, but Python cannot run one safely once there are
threads, and the kernel forgets the request when the process changes its user, which Postgres needs when root starts it.

Only the standard library: with -I -S the interpreter is up in about 15 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the account ("" stays as it is), ask for SIGNAL at the parent's death, become COMMAND."""
    parent, death_signal, account, _, *command = arguments
    if account:
        import pwd

        entry = pwd.getpwnam(account)
        os.setgroups([entry.pw_gid])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != int(parent):
        # The parent died before the request was made: the signal will never come.
        sys.exit(1)
    # An ignored signal stays ignored across exec. Python ignores two for itself, and a shell that starts a program
    # in the background has it ignore those by which it would be stopped.
    for number in range(1, signal.SIGSYS + 1):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as problem:
        sys.stderr.write(f"cannot start {sys.argv[5]}: {problem}\n")
        sys.exit(127)
