"""Links of raters, and what a session shows in which order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bench_scene import Scene
from factories import (
    make_facts,
    make_illustrated_job,
    make_output,
    make_rating_session,
    make_worker,
    try_claim,
)
from inpaint_core.errors import InvalidRequest
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.raters import find_rater_by_token, imported_rater, make_rater, revoke
from inpaint_db.rating_queries import ItemView, show_item
from inpaint_db.rating_sessions import SessionRow, make_session
from inpaint_db.rating_subjects import JobQuery
from inpaint_db.retention import Keep, delete_past
from inpaint_db.rubrics import enter_rubric
from sqlalchemy import Connection, text


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


def test_looking_ahead_is_not_showing(connection: Connection, session: SessionRow) -> None:
    show_item(connection, session.rater_id, session.id, 1, bucket="inpaint", note=False)
    assert connection.execute(text("SELECT count(shown_at) FROM rating_item")).scalar() == 0


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
