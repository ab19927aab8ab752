"""What raters can do, and what nobody can: links, sessions, stars, corrections, and the end of a session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from bench_scene import Scene
from factories import (
    count,
    give_stars,
    make_facts,
    make_illustrated_job,
    make_output,
    make_rating,
    make_rating_session,
    make_worker,
    try_claim,
)
from inpaint_core.errors import IdempotencyConflict, InvalidRequest
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.raters import find_rater_by_token, imported_rater, make_rater, revoke
from inpaint_db.rating_queries import ItemView, save_event, save_rating, show_item, undo
from inpaint_db.rating_sessions import (
    SessionRow,
    find_session,
    finish_session,
    list_sessions,
    make_session,
    reveal,
)
from inpaint_db.rating_subjects import JobQuery
from inpaint_db.retention import Keep, delete_past
from inpaint_db.rubrics import enter_rubric
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


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_link_finds_its_rater_and_the_database_does_not_hold_it(connection: Connection) -> None:
    rater, token = make_rater(connection, "  Ada   Lovelace ")
    assert rater.name == "Ada Lovelace" and find_rater_by_token(connection, token) == rater
    held = connection.execute(text("SELECT CAST(r AS text) FROM rater r")).scalar_one()
    assert token not in held


@pytest.mark.parametrize("token", ["", "x" * 43, "\ud800", "\x00", "' OR true --"])
def test_an_unknown_link_says_what_to_do(connection: Connection, token: str) -> None:
    make_rater(connection, "Ada")
    with pytest.raises(InvalidRequest, match=r"not known.*Ask whoever sent it") as caught:
        find_rater_by_token(connection, token)
    assert caught.value.field == "token"


def test_a_new_link_ends_the_old_one_and_a_withdrawn_one_opens_nothing(connection: Connection) -> None:
    rater, old = make_rater(connection, "Ada", note="second floor")
    again, new = make_rater(connection, "Ada")
    assert again.id == rater.id and again.note == "second floor"
    with pytest.raises(InvalidRequest, match="replaced by a newer"):
        find_rater_by_token(connection, old)
    revoke(connection, "Ada")
    with pytest.raises(InvalidRequest, match="withdrawn"):
        find_rater_by_token(connection, new)


def test_a_link_expires(connection: Connection) -> None:
    _, token = make_rater(connection, "Ada", days=2)
    connection.execute(text("UPDATE rater SET token_expires_at = now() - :ago"), {"ago": timedelta(seconds=1)})
    with pytest.raises(InvalidRequest, match="was valid until"):
        find_rater_by_token(connection, token)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\x1b[31m", "\ud800", "x" * 81])
def test_a_name_is_one_readable_line(connection: Connection, name: str) -> None:
    with pytest.raises(InvalidRequest, match="one line"):
        make_rater(connection, name)


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 10_000])
def test_days_are_a_sensible_number(connection: Connection, days: float) -> None:
    with pytest.raises(InvalidRequest, match="cannot be valid for"):
        make_rater(connection, "Ada", days=days)


def test_a_person_and_imported_stars_never_share_a_name(connection: Connection) -> None:
    make_rater(connection, "Ada")
    imported_rater(connection, "a survey")
    with pytest.raises(InvalidRequest, match="a name of their own"):
        imported_rater(connection, "Ada")
    with pytest.raises(InvalidRequest, match="stands for imported stars"):
        make_rater(connection, "a survey")


# --- sessions ---------------------------------------------------------------------------------------------------------


def shown(connection: Connection, session: SessionRow) -> list[Any]:
    rows = connection.execute(
        text("""SELECT kind, purpose, model, sample_id, trial_ids, damage_seed FROM rating_item
                 WHERE session_id = :id ORDER BY position"""),
        {"id": session.id},
    )
    return [tuple(row) for row in rows]


def test_equal_seeds_show_the_same_in_the_same_order(connection: Connection) -> None:
    rated_run(connection, samples=5)
    first, same, other = (
        make_rating_session(connection, rater=name, seed=seed, check_share=0.3)
        for name, seed in (("Ada", 5), ("Bo", 5), ("Cy", 6))
    )
    assert shown(connection, first) == shown(connection, same) != shown(connection, other)


def test_a_session_shows_every_result_and_each_set_of_trials(session: SessionRow) -> None:
    assert (session.items, session.done, session.next_position) == (8 + 4, 0, 1)


def test_an_item_tells_neither_model_nor_purpose(connection: Connection) -> None:
    rated_run(connection)
    session = make_rating_session(connection, check_share=1.0)
    views = [item_at(connection, session, place) for place in range(1, session.items + 1)]
    assert not {"model", "purpose", "job_id", "trial_ids", "repeat_of"} & set(ItemView.__slots__)
    assert {view.kind: tuple(c.name for c in view.criteria) for view in views} == {
        "output": ("realism", "adaptability", "consistency", "preservation"),
        "trials": ("reproducibility",),
    }
    source = f"s3://inpaint/inputs/{make_facts('room').sha256}.png"
    assert {view.source.uri for view in views} == {source} and views[0].prompt.startswith("a sofa for s")
    assert {len(view.results) for view in views} == {1, 2}
    assert sum(view.results[0].damage_seed is not None for view in views) == 3


def test_when_an_item_was_first_shown_is_noted_once(connection: Connection, session: SessionRow) -> None:
    item_at(connection, session)
    connection.execute(text("UPDATE rating_item SET shown_at = '2026-01-01' WHERE shown_at IS NOT NULL"))
    item_at(connection, session)
    days = connection.execute(text("SELECT shown_at::date::text FROM rating_item WHERE shown_at IS NOT NULL"))
    assert days.scalars().all() == ["2026-01-01"]


@pytest.mark.parametrize("position", [0, -1, 13, 2**31, 2**70])
def test_there_is_nothing_beside_the_items(connection: Connection, session: SessionRow, position: int) -> None:
    with pytest.raises(InvalidRequest, match="no such item"):
        item_at(connection, session, position)


def test_jobs_outside_of_runs_are_rated_by_their_own_pictures_and_kept(connection: Connection) -> None:
    job_id = make_illustrated_job(connection, prompt="a lamp", campaign="spring")
    claimed = try_claim(connection, job_id, make_worker(connection))
    assert claimed is not None
    outputs = [make_output(claimed), make_output(claimed, "region")]
    finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), outputs)
    session = make_rating_session(connection, query=JobQuery(campaign="spring"), check_share=0)
    item = item_at(connection, session)
    assert (session.items, session.query, session.run) == (1, JobQuery(campaign="spring").as_json(), None)
    assert (item.prompt, item.source.uri, item.results[0].uri) == (
        "a lamp", "s3://inpaint/in/room.jpg", outputs[0].uri,
    )  # fmt: skip
    connection.execute(text("UPDATE job SET finished_at = finished_at - interval '9 days'"))
    assert delete_past(connection, Keep(succeeded_days=1), limit=10) == []


def test_what_cannot_be_rated_is_refused_with_a_reason(connection: Connection) -> None:
    scene = Scene(connection)
    scene.run("test", scene.dataset("one"), ["a"])
    with pytest.raises(InvalidRequest, match="nothing to rate yet"):
        make_rating_session(connection)
    rater, _ = make_rater(connection, "Ada")
    with pytest.raises(InvalidRequest, match="give one of the two"):
        make_session(connection, rater.id, "x")
    for wrong in ({"check_share": 1.5}, {"check_share": float("nan")}, {"min_dwell_s": -1}, {"limit": 0}, {"seed": -1}):
        with pytest.raises(InvalidRequest, match=next(iter(wrong))):
            make_rating_session(connection, **wrong)


def test_other_words_are_another_version_of_the_rubric(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from inpaint_db import rubrics

    first = enter_rubric(connection)
    assert enter_rubric(connection) == first and first.version == 1
    name, criteria = rubrics.read_rubric()
    changed = (replace(criteria[0], question="Does it look real?"), *criteria[1:])
    monkeypatch.setattr(rubrics, "read_rubric", lambda: (name, changed))
    assert enter_rubric(connection).version == 2
    monkeypatch.undo()
    assert enter_rubric(connection) == first


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


def test_what_was_said_cannot_be_changed_even_in_sql(connection: Connection) -> None:
    rated_run(connection)
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
