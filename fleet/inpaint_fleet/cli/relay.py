"""`inpaint relay`: makes sure that every accepted job reaches a worker."""

from __future__ import annotations


def relay() -> None:
    """Run the relay: send what waits, take jobs back from workers that fell silent, end what is overdue.

    A fleet needs one; any number may run. It waits for a Redis or Postgres that is away, and stops on
    SIGTERM or Ctrl-C.
    """
    import signal
    import threading

    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.log import setup_logging
    from inpaint_core.settings import load_settings
    from inpaint_producer.relay import Relay

    from inpaint_fleet.cli.notes import warn_of_unread_settings

    settings = load_settings()
    setup_logging(settings)
    warn_of_unread_settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running = Relay(settings, load_catalogue(settings.catalogue))
    try:
        running.run(stop)
    finally:
        running.close()
