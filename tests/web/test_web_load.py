"""Many raters at once, small; `inpaint bench web` is the large one."""

from __future__ import annotations

from browser import WebServer
from inpaint_benchmark.web.load import measure_load
from inpaint_benchmark.web.scene import make_raters
from inpaint_core.settings import Settings


def test_of_many_raters_at_once_nothing_is_lost_or_doubled(web_server: WebServer, settings: Settings) -> None:
    raters = make_raters(settings, 8, items=5)
    load = measure_load(settings, web_server.url, raters, ratings=20, pause_s=0)
    assert (load.ratings, load.lost, load.doubled, load.refused) == (160, 0, 0, 0)
    assert load.sent_again > 0
