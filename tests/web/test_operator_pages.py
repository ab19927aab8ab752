"""The pages that are not blind: galleries, the leaderboard, single jobs."""

from __future__ import annotations

import io
from uuid import uuid4

from bench_scene import Scene
from factories import encode, make_image, make_mask
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from PIL import Image
from starlette.testclient import TestClient
from web_scene import WebScene


def test_a_gallery_has_a_row_for_each_sample_and_a_column_for_each_model(operator: TestClient, scene: WebScene) -> None:
    scene.run("rooms-1", samples=3, trials=2)
    page = operator.get("/gallery/rooms-1").text
    assert page.count("<tr>") == 4
    assert page.count('<th scope="col">') == 3
    assert page.count("/result?small=320") == 3 * 2 * 2
    assert "rooms-1" in operator.get("/gallery").text


def test_pictures_of_a_gallery_come_small_and_large(operator: TestClient, scene: WebScene) -> None:
    scene.run("rooms-1", samples=1, trials=1)
    page = operator.get("/gallery/rooms-1").text
    small = page.split('<img src="/trial/')[1].split('"')[0]
    for path, kind in ((f"/trial/{small}", "WEBP"), (f"/trial/{small.split('?')[0]}", "PNG")):
        with Image.open(io.BytesIO(operator.get(path).content)) as image:
            assert (image.format, image.size) == (kind, (96, 64))
    assert operator.get(f"/trial/{small.split('?')[0]}?small=5000").status_code == 400


def test_a_long_gallery_has_pages(operator: TestClient, scene: WebScene) -> None:
    scene.run("rooms-1", samples=13, trials=1, models=("opencv-telea",))
    first, second = (operator.get(f"/gallery/rooms-1?page={page}").text for page in (1, 2))
    assert "sample-12" in first and "sample-13" not in first and "sample-13" in second
    assert operator.get("/gallery/rooms-1?page=3").status_code == 404


def test_trials_without_a_picture_say_why(operator: TestClient, database: Database) -> None:
    with database.begin() as connection:
        scene = Scene(connection)
        scene.run("failed", scene.dataset("one"), ["opencv-telea"], (1, 2))
        scene.trial("failed", "opencv-telea", "one", status="failed", error_code="x", error_message="Too <dark>.")
    page = operator.get("/gallery/failed").text
    assert "<b>failed</b>" in page and "Too &lt;dark&gt;." in page and "<b>planned</b>" in page


def test_the_leaderboard_is_the_reports_own_table_and_plots(operator: TestClient, scene: WebScene) -> None:
    assert "no run to compare" in operator.get("/leaderboard").text
    scene.run("rooms-1")
    page = operator.get("/leaderboard").text
    assert '<table class="evaluation">' in page
    assert "opencv-telea" in page and "<svg" in page
    missing = operator.get("/leaderboard?run=nothing")
    assert missing.status_code == 400 and "rooms-1" in missing.text


def test_a_tier_that_is_not_exact_stands_beside_the_model(operator: TestClient, scene: WebScene) -> None:
    scene.run("rooms-1", samples=1, trials=1)
    scene.run("rooms-2", samples=1, trials=1, tier="fast")
    for path in ("/gallery/rooms-2", "/leaderboard?run=rooms-2"):
        assert "opencv-telea (fast)" in operator.get(path).text, path
    for path in ("/gallery/rooms-1", "/leaderboard?run=rooms-1"):
        page = operator.get(path).text
        assert "opencv-telea" in page and "opencv-telea (" not in page, path
    assert "rooms-2 (fast)" in operator.get("/gallery").text


def test_a_job_shows_its_pictures_and_where_its_seconds_went(
    operator: TestClient, client: InpaintClient, worker
) -> None:
    job = client.submit(encode(make_image()), encode(make_mask()), model="opencv-telea", prompt="a <b>green</b> sofa")
    client.wait(job.id, timeout_s=60)
    page = operator.get(f"/jobs/{job.id}")
    assert page.status_code == 200
    assert "a &lt;b&gt;green&lt;/b&gt; sofa" in page.text and "inference" in page.text
    for role in ("source", "mask", "result", "region"):
        with Image.open(io.BytesIO(operator.get(f"/jobs/{job.id}/{role}").content)) as image:
            assert image.size == (96, 64)
    assert operator.get(f"/jobs/{job.id}/result?number=2").status_code == 404
    assert operator.get(f"/jobs/{job.id}/reference").status_code == 404
    assert str(job.id) in operator.get("/jobs").text


def test_a_job_that_is_not_there_is_told_so(operator: TestClient) -> None:
    missing = operator.get(f"/jobs/{uuid4()}")
    assert missing.status_code == 404 and "no job" in missing.text
