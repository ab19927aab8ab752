"""Raters with sessions to work through. Their pictures are rows alone: what is measured is saving."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from inpaint_core.catalogue import load_catalogue
from inpaint_core.images import ImageFacts
from inpaint_core.settings import Settings
from inpaint_db.dataset_queries import NewSample, insert_version, list_samples
from inpaint_db.raters import make_rater
from inpaint_db.rating_sessions import make_session
from inpaint_db.result_queries import ImportedResult, insert_results
from inpaint_db.run_queries import RunPlan, insert_run
from inpaint_db.session import Database
from inpaint_db.submissions import insert_images, register_models
from sqlalchemy import Connection

_MODEL = "opencv-telea"


@dataclass(frozen=True, slots=True)
class Rater:
    """Somebody with a link and a session of `items` pictures."""

    token: str
    session_id: UUID
    items: int


def make_raters(settings: Settings, raters: int, items: int) -> list[Rater]:
    """So many raters, each with so many pictures of one run."""
    with Database(settings) as database, database.begin() as connection:
        run_id = _run(connection, items)
        found = []
        for number in range(raters):
            who, token = make_rater(connection, f"rater {number}")
            session = make_session(connection, who.id, "load", run_id=run_id, check_share=0, min_dwell_s=0)
            found.append(Rater(token, session.id, session.items))
    return found


def _run(connection: Connection, samples: int) -> UUID:
    facts = [
        ImageFacts(hashlib.sha256(str(number).encode()).hexdigest(), "PNG", "RGB", 1024, 1024, 1_000_000)
        for number in range(samples + 1)
    ]
    insert_images(connection, facts)
    register_models(connection, [load_catalogue().card(_MODEL)])
    images = {"source": facts[0].sha256, "mask": facts[0].sha256}
    news = [NewSample(f"sample-{number}", images, 1024, 1024, 0.2, prompt="a sofa") for number in range(samples)]
    version, _ = insert_version(connection, "load", None, "0" * 64, news)
    run = insert_run(connection, "load", RunPlan(version.id, [_MODEL], None, [1], imported=True), [])
    rows = list_samples(connection, version.id)
    results = [ImportedResult(s.id, 1, fact.sha256) for s, fact in zip(rows, facts[1:], strict=True)]
    insert_results(connection, run, _MODEL, results)
    return run.id
