"""What the database itself refuses, to the program's own role as well; and what two raters do at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from bench_scene import Scene
from factories import count, give_stars, make_rating_session
from inpaint_core.errors import IdempotencyConflict
from inpaint_core.settings import Settings
from inpaint_db.raters import make_rater
from inpaint_db.rating_queries import save_event, save_rating, show_item
from inpaint_db.rating_sessions import SessionRow, finish_session
from inpaint_db.session import Database
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError


@pytest.fixture
def scene(connection: Connection) -> Scene:
    """The run `test`, whose first trials are rated by Ada and Bo and whose second nobody was shown."""
    scene = Scene(connection)
    scene.run("test", scene.dataset("one", "two"), ["a", "b"], seeds=[1, 2])
    for model in "ab":
        for sample in ("one", "two"):
            scene.imported("test", model, sample, 1)
    for name in ("Ada", "Bo"):
        session = make_rating_session(connection, rater=name, check_share=1.0)
        for position in (1, 2):
            give_stars(connection, session, position, 3)
    return scene


KEPT = [
    "UPDATE criterion SET anchors = ARRAY['a', 'b', 'c', 'd', 'e']",
    "UPDATE criterion SET question = 'Is it nice?'",
    "DELETE FROM criterion",
    "UPDATE rubric SET version = 9",
    "UPDATE rating_item SET model = 'b'",
    "UPDATE rating_item SET purpose = 'untouched'",
    "UPDATE rating_item SET trial_ids = ARRAY[gen_random_uuid()]",
    "UPDATE rating_item SET repeat_of = NULL, session_id = session_id",
    "DELETE FROM rating_item",
    "TRUNCATE rating_item CASCADE",
    "UPDATE rating_session SET rater_id = (SELECT id FROM rater WHERE name = 'Bo')",
    "UPDATE rating_session SET min_dwell_s = 0",
    "UPDATE rating_session SET rubric_id = rubric_id",
    "DELETE FROM rating_session",
    "UPDATE rater SET kind = 'imported', token_sha256 = NULL, token_expires_at = NULL",
]
MISFITS = {
    "INSERT INTO rating (id, item_id, criterion, stars, ui_version)"
    " SELECT gen_random_uuid(), item_id, 'beauty', 4, '' FROM rating LIMIT 1": "not rated by beauty",
    "INSERT INTO rating (id, item_id, criterion, stars, ui_version)"
    " SELECT gen_random_uuid(), item_id, 'reproducibility', 4, '' FROM rating LIMIT 1": "not rated by reproducibility",
    "INSERT INTO rating (id, item_id, criterion, stars, ui_version, supersedes)"
    " SELECT gen_random_uuid(), a.item_id, a.criterion, 4, '', b.id FROM rating a, rating b"
    " WHERE a.item_id <> b.item_id LIMIT 1": "another item or criterion",
    "INSERT INTO rating (id, item_id, criterion, stars, ui_version, supersedes)"
    " SELECT gen_random_uuid(), a.item_id, a.criterion, 4, '', b.id FROM rating a, rating b"
    " WHERE a.item_id = b.item_id AND a.criterion <> b.criterion LIMIT 1": "another item or criterion",
    "INSERT INTO rating_event (id, item_id, kind, rating_id)"
    " SELECT gen_random_uuid(), a.item_id, 'undo', b.id FROM rating a, rating b"
    " WHERE a.item_id <> b.item_id LIMIT 1": "another item, and not taken back",
    "INSERT INTO rating_item (id, session_id, position, kind, purpose, model, trial_ids)"
    " SELECT gen_random_uuid(), id, 99, 'model', 'untouched', 'x', '{}' FROM rating_session LIMIT 1": "checks_fit_kind",
    "INSERT INTO rating_item (id, session_id, position, kind, purpose, model, run_id, sample_id, trial_ids)"
    " SELECT gen_random_uuid(), session_id, 99, kind, 'real', model, run_id, sample_id, ARRAY[gen_random_uuid()]"
    " FROM rating_item WHERE purpose = 'real' LIMIT 1": "A trial of item",
    "INSERT INTO rating_item (id, session_id, position, kind, purpose, model, run_id, sample_id, trial_ids)"
    " SELECT gen_random_uuid(), session_id, 99, kind, 'real', 'b', run_id, sample_id, trial_ids"
    " FROM rating_item WHERE model = 'a' AND purpose = 'real' LIMIT 1": "of another run, model or sample",
    "INSERT INTO rating_item"
    " (id, session_id, position, kind, purpose, model, run_id, sample_id, trial_ids, repeat_of)"
    " SELECT gen_random_uuid(), i.session_id, 99, i.kind, 'repeat', i.model, i.run_id, i.sample_id, i.trial_ids, o.id"
    " FROM rating_item i, rating_item o WHERE i.purpose = 'real' AND o.purpose = 'real'"
    " AND o.session_id <> i.session_id AND o.trial_ids = i.trial_ids LIMIT 1": "something else than what it repeats",
}


@pytest.mark.parametrize("statement", KEPT)
def test_what_stars_were_given_for_stays(scene: Scene, statement: str) -> None:
    with pytest.raises(DBAPIError, match="never changed or deleted"), scene.connection.begin_nested():
        scene.connection.execute(text(statement))


@pytest.mark.parametrize(("statement", "sentence"), MISFITS.items(), ids=[f"{n}" for n in range(len(MISFITS))])
def test_what_does_not_belong_together_is_refused(scene: Scene, statement: str, sentence: str) -> None:
    with pytest.raises(DBAPIError, match=sentence), scene.connection.begin_nested():
        scene.connection.execute(text(statement))


def test_what_the_fleet_notes_later_can_be_noted(scene: Scene) -> None:
    connection = scene.connection
    make_rater(connection, "Ada", note="again")  # a new link
    connection.execute(text("UPDATE rating_item SET shown_at = now(), looked_s = 3"))
    session = make_rating_session(connection, rater="Cy", check_share=0)
    for position in range(1, session.items + 1):
        give_stars(connection, session, position, 2)
    assert finish_session(connection, session.rater_id, session.id).finished_at is not None
    with pytest.raises(DBAPIError, match="never changed"), connection.begin_nested():
        connection.execute(text("UPDATE rating_session SET finished_at = NULL WHERE id = :id"), {"id": session.id})


def test_trials_that_were_rated_are_kept_and_others_can_go(scene: Scene) -> None:
    connection = scene.connection
    for statement in (
        "DELETE FROM trial WHERE number = 1",
        "UPDATE trial SET id = gen_random_uuid() WHERE number = 1",
        "TRUNCATE trial CASCADE",
    ):
        refused = pytest.raises(DBAPIError, match=r"put before raters are kept|never changed or deleted")
        with refused, connection.begin_nested():
            connection.execute(text(statement))
    assert connection.execute(text("DELETE FROM trial WHERE number = 2")).rowcount == 4
    assert count(connection, "trial") == 4


# --- at the same moment -----------------------------------------------------------------------------------------------


def together(database: Database, *attempts: Callable[[Connection], object]) -> list[str]:
    """Names of the errors of attempts that begin at once, each in a transaction of its own; "" for none."""
    start = threading.Barrier(len(attempts))

    def one(attempt: Callable[[Connection], object]) -> str:
        try:
            with database.begin() as connection:
                start.wait(timeout=30)
                attempt(connection)
        except (DBAPIError, IdempotencyConflict) as error:
            return type(error).__name__
        return ""

    with ThreadPoolExecutor(len(attempts)) as threads:
        return sorted(threads.map(one, attempts))


@pytest.mark.parametrize("what", ["rating", "event"])
def test_two_raters_who_send_one_id_at_once_conflict(settings: Settings, what: str) -> None:
    with Database(settings, application="inpaint-test") as database:
        with database.begin() as connection:
            scene = Scene(connection)
            scene.run("test", scene.dataset("one"), ["a"])
            scene.imported("test", "a", "one")
            sessions = [make_rating_session(connection, rater=name, check_share=0) for name in ("Ada", "Bo")]
            items = [show_item(connection, s.rater_id, s.id, 1, bucket="inpaint").id for s in sessions]

        def send(session: SessionRow, item: UUID, key: UUID) -> Callable[[Connection], object]:
            def attempt(connection: Connection) -> object:
                who = session.rater_id
                if what == "event":
                    return save_event(connection, who, event_id=key, item_id=item, kind="flag")
                return save_rating(connection, who, rating_id=key, item_id=item, criterion="realism", stars=3)

            return attempt

        for _ in range(20):
            key = uuid4()
            found = together(database, *(send(s, item, key) for s, item in zip(sessions, items, strict=True)))
            assert found == ["", IdempotencyConflict.__name__]
        with database.read() as connection:
            assert count(connection, "rating" if what == "rating" else "rating_event") == 20
