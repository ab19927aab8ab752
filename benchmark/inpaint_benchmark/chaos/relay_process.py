"""The fleet's relay, with a catalogue that knows the models of the run."""

from __future__ import annotations

import signal
import sys
import threading

from inpaint_core.log import setup_logging
from inpaint_core.settings import load_settings
from inpaint_producer.relay import Relay

from inpaint_benchmark.chaos.scene import chaos_catalogue
from inpaint_benchmark.chaos.worker_process import end_with_parent


def main() -> int:
    """Sweep until SIGTERM."""
    end_with_parent()
    settings = load_settings()
    setup_logging(settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    relay = Relay(settings, chaos_catalogue())
    try:
        relay.run(stop)
    finally:
        relay.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
