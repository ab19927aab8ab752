"""What a session asks: no more than can be answered, and of equal pictures once."""

from __future__ import annotations

from uuid import UUID

import pytest
from bench_scene import Scene
from factories import (
    give_stars,
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
from inpaint_db.rating_queries import ItemView, show_item
from inpaint_db.rating_sessions import Contents, SessionRow, contents_of, finish_session, reveal
from inpaint_db.rating_subjects import JobQuery
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError


def item_at(connection: Connection, session: SessionRow, position: int = 1) -> ItemView:
    return show_item(connection, session.rater_id, session.id, position, bucket="inpaint")


def rated(connection: Connection, item_id: UUID) -> bool:
    found = connection.execute(text("SELECT rated FROM rating_progress WHERE item_id = :id"), {"id": item_id})
    return bool(found.scalar_one())


def without_prompt(connection: Connection, sample: str) -> None:
    connection.execute(text("UPDATE sample SET prompt = E' \n' WHERE name = :sample"), {"sample": sample})


def test_without_a_prompt_nobody_is_asked_whether_it_was_met(connection: Connection) -> None:
    scene = Scene(connection)
    scene.run("test", scene.dataset("s0"), ["a"], seeds=[1, 2])
    for number in (1, 2):
        scene.imported("test", "a", "s0", number)
    without_prompt(connection, "s0")
    session = make_rating_session(connection, check_share=1.0)
    for position in range(1, session.items + 1):
        item = item_at(connection, session, position)
        asked = [criterion.name for criterion in item.criteria]
        assert asked == (["realism", "consistency", "preservation"] if item.kind == "output" else ["reproducibility"])
        if item.kind == "output":
            with pytest.raises(InvalidRequest, match="not rated by 'adaptability', but by realism, consistency, pres"):
                give_stars(connection, session, position, 2, "adaptability")
            give_stars(connection, session, position, 2, "realism", "consistency")
            assert not rated(connection, item.id)
            give_stars(connection, session, position, 2, "preservation")
        else:
            give_stars(connection, session, position, 2)
        assert rated(connection, item.id)
    assert finish_session(connection, session.rater_id, session.id).next_position is None
    shown = reveal(connection, session.rater_id, session.id)
    assert {len(item.stars) for item in shown if item.kind == "output"} == {3}
    assert all(item.passed is not None for item in shown if item.purpose != "real")
    assert connection.execute(text("SELECT count(*) FROM bench.unrated")).scalar() == 0
    refused = pytest.raises(DBAPIError, match="not rated by adaptability")
    with refused, connection.begin_nested():
        connection.execute(
            text("""INSERT INTO rating (id, item_id, criterion, stars, ui_version)
                    SELECT gen_random_uuid(), item_id, 'adaptability', 4, '' FROM rating WHERE criterion = 'realism'""")
        )


@pytest.mark.parametrize(("prompt", "asked"), [("a lamp", 4), ("", 3)])
def test_a_job_outside_of_runs_is_asked_by_its_own_prompt(connection: Connection, prompt: str, asked: int) -> None:
    claimed = try_claim(
        connection, make_illustrated_job(connection, prompt=prompt, campaign="spring"), make_worker(connection)
    )
    assert claimed is not None
    finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed)])
    session = make_rating_session(connection, query=JobQuery(campaign="spring"), check_share=0)
    assert len(item_at(connection, session).criteria) == asked
    give_stars(connection, session, 1, 3)
    assert finish_session(connection, session.rater_id, session.id).done == 1


def test_equal_pictures_of_a_model_on_a_sample_are_asked_once_and_their_set_all_the_same(
    connection: Connection,
) -> None:
    scene = Scene(connection)
    scene.run("test", scene.dataset("one", "two"), ["a", "b"], seeds=[1, 2, 3])
    room = make_facts("room").sha256
    for sample in ("one", "two"):
        for number in (1, 2, 3):
            scene.imported("test", "a", sample, number, output_sha256=room)
            scene.imported("test", "b", sample, number)
    unrated = text("SELECT kind, count(*) FROM bench.unrated WHERE model = 'a' GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in connection.execute(unrated)] == [("output", 2), ("trials", 2)]
    session = make_rating_session(connection, check_share=0)
    rows = connection.execute(
        text("""SELECT i.kind, i.model, count(*), max(cardinality(i.trial_ids)) AS trials, max(t.number) AS last
                  FROM rating_item i JOIN trial t ON t.id = i.trial_ids[1] GROUP BY 1, 2 ORDER BY 1, 2""")
    )
    assert [tuple(row) for row in rows] == [
        ("output", "a", 2, 1, 1),
        ("output", "b", 6, 1, 3),
        ("trials", "a", 2, 3, 1),
        ("trials", "b", 2, 3, 1),
    ]
    assert contents_of(connection, session.id) == Contents(pictures=8, sets=4, checks=0)
    for position in range(1, session.items + 1):
        give_stars(connection, session, position, 2)
    assert connection.execute(text("SELECT count(*) FROM bench.unrated")).scalar() == 0


def test_equal_trials_among_jobs_are_asked_once_and_other_jobs_each(connection: Connection) -> None:
    scene = Scene(connection)
    scene.run("test", scene.dataset("one"), ["a"], seeds=[1, 2])
    jobs = [scene.trial("test", "a", "one", 2), scene.trial("test", "a", "one", 1), scene.job("a"), scene.job("a")]
    for job in jobs:
        connection.execute(
            text("""INSERT INTO output (id, job_id, attempt, kind, number, uri, sha256, format, width, height,
                                        size_bytes)
                    SELECT gen_random_uuid(), :job, 1, 'result', 1, 's3://b/' || :job, :sha, 'PNG', 9, 9, 9"""),
            {"job": job, "sha": make_facts("room").sha256},
        )
    session = make_rating_session(connection, query=JobQuery(model="a"), check_share=0)
    shown = connection.execute(text("SELECT job_id FROM rating_item")).scalars().all()
    assert set(shown) == set(jobs[1:]) and session.items == 3
