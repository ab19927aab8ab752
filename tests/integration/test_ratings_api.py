"""What raters can do, and what nobody can: links, sessions, stars, corrections, and the end of a session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from bench_scene import Scene
from factories import (
    count,
    give_stars,
    make_rating,
    make_rating_session,
)
from inpaint_core.errors import IdempotencyConflict, InvalidRequest
from inpaint_core.settings import Settings
from inpaint_db.raters import make_rater
from inpaint_db.rating_queries import ItemView, save_event, save_rating, show_item, undo
from inpaint_db.rating_sessions import (
    SessionRow,
    find_session,
    finish_session,
    list_sessions,
    reveal,
)
from inpaint_db.session import Database
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError


def rated_run(connection: Connection, samples: int = 2, models: str = "ab", trials: int = 2) -> Scene:
    """The run `test` with imported results everywhere."""
    scene = Scene(connection)
    names = [f"s{number}" for number in range(samples)]
    scene.run("test", scene.dataset(*names), list(models), seeds=range(1, trials + 1))
    for sample in names:
        for model in models:
            for number in range(1, trials + 1):
                scene.imported("test", model, sample, number)
    return scene


@pytest.fixture
def session(connection: Connection) -> SessionRow:
    rated_run(connection)
    return make_rating_session(connection, check_share=0)


def item_at(connection: Connection, session: SessionRow, position: int = 1) -> ItemView:
    return show_item(connection, session.rater_id, session.id, position, bucket="inpaint")


def save(connection: Connection, session: SessionRow, item: ItemView, **fields: Any) -> Any:
    given = {"rating_id": uuid4(), "item_id": item.id, "criterion": "realism", "stars": 3}
    return save_rating(connection, session.rater_id, **{**given, **fields})


# --- stars ------------------------------------------------------------------------------------------------------------


def test_sending_a_rating_twice_saves_it_once(connection: Connection, session: SessionRow) -> None:
    item, key = item_at(connection, session), uuid4()
    first = save(connection, session, item, rating_id=key, duration_s=2.5, ui_version="1")
    again = save(connection, session, item, rating_id=key)
    assert (first.again, again.again, again.number) == (False, True, first.number)
    assert count(connection, "rating") == 1
    with pytest.raises(IdempotencyConflict, match="another rating"):
        save(connection, session, item, rating_id=key, stars=1)


def test_of_two_pages_the_later_stars_count_and_both_are_kept(connection: Connection, session: SessionRow) -> None:
    one, two = item_at(connection, session), item_at(connection, session)
    first = save(connection, session, one, stars=1)
    second = save(connection, session, two, stars=4)
    assert (first.supersedes, second.supersedes) == (None, first.id)
    assert item_at(connection, session).stars == {"realism": 4} and count(connection, "rating") == 2


@pytest.mark.parametrize("stars", [-1, 5, 2.5, True, None, "3", 2**70])
def test_stars_are_zero_to_four(connection: Connection, session: SessionRow, stars: Any) -> None:
    with pytest.raises(InvalidRequest, match="must be 0, 1, 2, 3 or 4") as caught:
        save(connection, session, item_at(connection, session), stars=stars)
    assert caught.value.field == "stars"


@pytest.mark.parametrize("criterion", ["beauty", "reproducibility", "", "\x00"])
def test_a_criterion_that_is_not_asked_is_refused(connection: Connection, session: SessionRow, criterion: str) -> None:
    with pytest.raises(InvalidRequest, match="but by realism, adaptability") as caught:
        save(connection, session, item_at(connection, session), criterion=criterion)
    assert caught.value.field == "criterion"


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration_s": -1.0},
        {"duration_s": float("nan")},
        {"duration_s": float("inf")},
        {"ui_version": "\x00"},
        {"ui_version": "\ud800"},
        {"ui_version": "x" * 5000},
    ],
)
def test_what_a_page_adds_is_looked_at(connection: Connection, session: SessionRow, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(wrong))):
        save(connection, session, item_at(connection, session), **wrong)


def test_another_rater_finds_nothing_of_a_session(connection: Connection, session: SessionRow) -> None:
    other, _ = make_rater(connection, "Bo")
    item = item_at(connection, session)
    attempts: list[Callable[[], object]] = [
        lambda: show_item(connection, other.id, session.id, 1, bucket="inpaint"),
        lambda: save_rating(connection, other.id, rating_id=uuid4(), item_id=item.id, criterion="realism", stars=1),
        lambda: save_event(connection, other.id, event_id=uuid4(), item_id=item.id, kind="skip"),
        lambda: undo(connection, other.id, event_id=uuid4(), session_id=session.id),
        lambda: find_session(connection, other.id, session.id),
        lambda: finish_session(connection, other.id, session.id),
        lambda: reveal(connection, other.id, session.id),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidRequest, match=r"There is no such (item|session)"):
            attempt()
    assert list_sessions(connection, other.id) == []


def test_an_id_of_anothers_rating_is_not_taken_for_ones_own(connection: Connection, session: SessionRow) -> None:
    key = give_stars(connection, session, 1, 2, "realism")[0]
    theirs = make_rating_session(connection, rater="Bo", check_share=0)
    with pytest.raises(IdempotencyConflict):
        save(connection, theirs, item_at(connection, theirs), rating_id=key)


# --- skip, flag, undo -------------------------------------------------------------------------------------------------


def test_skipping_is_done_and_can_be_thought_better_of(connection: Connection, session: SessionRow) -> None:
    item, key = item_at(connection, session), uuid4()
    for _ in range(2):
        save_event(connection, session.rater_id, event_id=key, item_id=item.id, kind="skip", reason="blank")
    now = find_session(connection, session.rater_id, session.id)
    assert (now.done, now.skipped, now.next_position, count(connection, "rating_event")) == (1, 1, 2, 1)
    save_event(connection, session.rater_id, event_id=uuid4(), item_id=item.id, kind="unskip")
    save_event(connection, session.rater_id, event_id=uuid4(), item_id=item.id, kind="flag")
    assert find_session(connection, session.rater_id, session.id).next_position == 1
    assert item_at(connection, session).flagged


@pytest.mark.parametrize("wrong", [{"kind": "undo"}, {"kind": "like"}, {"reason": "\x00"}, {"reason": "x" * 2001}])
def test_an_event_that_makes_no_sense_is_refused(
    connection: Connection, session: SessionRow, wrong: dict[str, Any]
) -> None:
    item = item_at(connection, session)
    with pytest.raises(InvalidRequest) as caught:
        save_event(connection, session.rater_id, **{"event_id": uuid4(), "item_id": item.id, "kind": "skip", **wrong})
    assert caught.value.field == next(iter(wrong))


def test_undo_takes_back_the_newest_and_then_the_one_before(connection: Connection, session: SessionRow) -> None:
    give_stars(connection, session, 1, 1, "realism")
    give_stars(connection, session, 2, 2, "realism")
    give_stars(connection, session, 1, 4, "realism")
    key = uuid4()

    def take(event_id: UUID) -> tuple[int, int, int | None]:
        found = undo(connection, session.rater_id, event_id=event_id, session_id=session.id)
        return found.position, found.stars, found.now

    assert take(key) == take(key) == (1, 4, 1)
    assert item_at(connection, session).stars == {"realism": 1}
    assert take(uuid4()) == (2, 2, None)
    assert take(uuid4()) == (1, 1, None)
    with pytest.raises(InvalidRequest, match="no rating left"):
        take(uuid4())
    assert count(connection, "rating") == 3


def test_analysts_and_the_page_agree_on_what_counts(connection: Connection, session: SessionRow) -> None:
    for position, stars in ((1, 1), (2, 2), (1, 4), (3, 0), (3, 3)):
        give_stars(connection, session, position, stars)
    undo(connection, session.rater_id, event_id=uuid4(), session_id=session.id)
    item = item_at(connection, session, 4)
    # Given before the other one, and arrived after it, as from a page without a connection.
    connection.execute(
        text("""INSERT INTO rating (id, item_id, criterion, stars, waited_s, duration_s, ui_version)
                VALUES (gen_random_uuid(), :item, 'realism', 4, 0, 9, ''),
                       (gen_random_uuid(), :item, 'realism', 1, 3600, 1, '')"""),
        {"item": item.id},
    )
    page = connection.execute(text("SELECT id, stars FROM current_rating ORDER BY id")).all()
    analysts = connection.execute(text("SELECT rating_id, stars FROM bench.ratings_current ORDER BY 1")).all()
    assert analysts == page and len(page) == 3 * 4 + 1
    row = connection.execute(
        text("SELECT stars, times_given, hasty FROM bench.ratings_current WHERE item_id = :item"), {"item": item.id}
    ).one()
    assert tuple(row) == (4, 2, False)


def test_what_was_said_cannot_be_changed_even_in_sql(connection: Connection) -> None:
    rated_run(connection)
    connection.execute(text("TRUNCATE rating, rating_event"))  # there is nothing in them yet
    make_rating(connection)
    for table in ("rating", "rating_event"):
        for statement in (f"UPDATE {table} SET created_at = now()", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(DBAPIError, match=f"Rows of {table} are never changed"), connection.begin_nested():
                connection.execute(text(statement + (" CASCADE" if "TRUNC" in statement else "")))


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_session_ends_when_all_is_rated_or_skipped_and_then_says_what_was_what(connection: Connection) -> None:
    rated_run(connection, samples=1, trials=1)
    session = make_rating_session(connection, check_share=1.0)  # two pictures, an untouched and a damaged one
    give_stars(connection, session, 1, 4)
    with pytest.raises(InvalidRequest, match=r"3 of the session's items have no stars yet \(2, 3, 4\)") as caught:
        finish_session(connection, session.rater_id, session.id)
    assert caught.value.positions == [2, 3, 4]
    with pytest.raises(InvalidRequest, match="once the session is finished"):
        reveal(connection, session.rater_id, session.id)
    for place in (2, 3):
        give_stars(connection, session, place, 4)
    last = item_at(connection, session, 4)
    save_event(connection, session.rater_id, event_id=uuid4(), item_id=last.id, kind="skip")
    ended = finish_session(connection, session.rater_id, session.id)
    assert ended == finish_session(connection, session.rater_id, session.id)
    assert (ended.done, ended.next_position) == (4, None) and ended.finished_at is not None
    revealed = reveal(connection, session.rater_id, session.id)
    assert sorted(item.purpose for item in revealed) == ["damaged", "real", "real", "untouched"]
    assert {item.model for item in revealed if item.purpose == "real"} == {"a", "b"}
    said = {item.purpose: item.passed for item in revealed if item.stars}
    assert said.get("untouched", True) is True and said.get("damaged", False) is False


def test_a_finished_session_takes_no_more_but_knows_what_it_had(connection: Connection) -> None:
    rated_run(connection, samples=1, models="a", trials=1)
    session = make_rating_session(connection, check_share=0)
    (key, *_), item = give_stars(connection, session, 1, 2), item_at(connection, session)
    finish_session(connection, session.rater_id, session.id)
    assert save(connection, session, item, rating_id=key, stars=2).again
    for attempt in (
        lambda: save(connection, session, item),
        lambda: save_event(connection, session.rater_id, event_id=uuid4(), item_id=item.id, kind="flag"),
        lambda: undo(connection, session.rater_id, event_id=uuid4(), session_id=session.id),
    ):
        with pytest.raises(InvalidRequest, match="is finished"):
            attempt()


def test_two_pages_that_send_the_same_rating_at_once_save_it_once(settings: Settings) -> None:
    with Database(settings, application="inpaint-test") as database:
        with database.begin() as connection:
            rated_run(connection)
            session = make_rating_session(connection, check_share=0)
            item = item_at(connection, session)
        key, start = uuid4(), threading.Barrier(4)

        def send(_: int) -> bool:
            start.wait()
            with database.begin() as connection:
                return bool(save(connection, session, item, rating_id=key).again)

        with ThreadPoolExecutor(4) as pages:
            assert sorted(pages.map(send, range(4))) == [False, True, True, True]
        with database.read() as connection:
            assert count(connection, "rating") == 1
