"""What a worker process makes of jobs, on real servers."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import numpy as np
import pytest
from factories import encode, make_image, make_mask
from inpaint_core.queues import WakeUp, make_celery, send_wake_ups
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from outages import closed_port
from PIL import Image
from processes import WorkerProcess
from slow_jobs import LONG_S, MASK, SOURCE, attempts, submit
from slow_worker import CARD, SlowWorker
from sqlalchemy import text


class TestAJob:
    def test_is_repainted_inside_the_mask_and_kept_outside_bit_for_bit(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient
    ) -> None:
        start_slow()
        job_id = submit(slow_client, "sleep 0.1")
        assert slow_client.wait(job_id, timeout_s=LONG_S).status is JobStatus.SUCCEEDED
        result, source = np.asarray(slow_client.result(job_id)), np.asarray(SOURCE)
        region = np.asarray(MASK) > 0
        assert np.array_equal(result[~region], source[~region])
        assert np.array_equal(result[region], 255 - source[region])

    def test_leaves_its_seconds_memory_seed_and_output_in_the_database(
        self, worker: WorkerProcess, client: InpaintClient, database: Database
    ) -> None:
        job_id = client.submit(SOURCE, MASK, model="opencv-telea", parameters={"radius": 3}).id
        view = client.wait(job_id, timeout_s=LONG_S)
        assert view.status is JobStatus.SUCCEEDED
        assert set(view.seconds) == {
            "queue_wait_s", "fetch_s", "prepare_s", "gpu_wait_s", "inference_s", "composite_s", "encode_s", "store_s"
        }  # fmt: skip
        assert all(seconds >= 0 for seconds in view.seconds.values())
        assert view.peak_memory_bytes and view.peak_memory_bytes > 10_000_000
        with database.read() as connection:
            attempt = connection.execute(text("SELECT * FROM attempt")).mappings().one()
            output = connection.execute(text("SELECT * FROM output WHERE kind = 'result'")).mappings().one()
            region = connection.execute(text("SELECT * FROM output WHERE kind <> 'result'")).mappings().one()
        assert attempt["parameters"] == {"radius": 3}
        assert attempt["peak_memory_kind"] == "process_rss"
        assert attempt["first_after_load"] is True
        assert attempt["seed"] == view.seed
        assert (output["width"], output["height"]) == (120, 80)
        assert len(client.result_bytes(job_id)) == output["size_bytes"]
        assert (output["exact"], output["outside_changed_pixels"]) == (True, 0)
        # OpenCV keeps to its mask.
        assert (output["raw_outside_mean"], output["raw_outside_max"], output["raw_outside_changed_share"]) == (0, 0, 0)
        assert output["inside_change_mean"] > 0 and output["inside_deviation"] > 0
        assert output["seam_step"] > 0 and output["ring_step"] > 0
        assert attempt["region_pixels"] == np.count_nonzero(np.asarray(MASK))
        assert attempt["windows"] == [{"box": [0, 0, 120, 80], "size": [120, 80], "content": [120, 80]}]
        assert (attempt["normalised"], attempt["warnings"]) == ({}, [])
        assert region["kind"] == "region" and region["exact"] is None
        with Image.open(io.BytesIO(client.result_bytes(job_id, kind="region"))) as stored:
            assert np.array_equal(np.asarray(stored), np.asarray(MASK) > 0)

    def test_keeps_transparency_and_size_of_an_rgba_source(self, worker: WorkerProcess, client: InpaintClient) -> None:
        source = make_image(90, 70).convert("RGBA")
        source.putalpha(make_image(90, 70, "L", seed=3))
        job_id = client.submit(source, make_mask(90, 70), model="opencv-ns").id
        client.cancel(job_id)
        job_id = client.submit(source, make_mask(90, 70), model="opencv-telea").id
        assert client.wait(job_id, timeout_s=LONG_S).status is JobStatus.SUCCEEDED
        result = client.result(job_id)
        assert result.mode == "RGBA"
        assert np.array_equal(np.asarray(result)[..., 3], np.asarray(source)[..., 3])

    def test_is_done_once_however_often_its_message_comes(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, settings: Settings, database: Database
    ) -> None:
        start_slow()
        start_slow()
        job_id = submit(slow_client, "sleep 0.5")
        with make_celery(settings, [CARD.name], for_producer=True) as app:
            send_wake_ups(app, [WakeUp(job_id, CARD.name) for _ in range(10)])
        slow_client.wait(job_id, timeout_s=LONG_S)
        time.sleep(0.5)
        assert attempts(database, job_id) == [(1, "succeeded")]

    def test_overlaps_with_its_neighbour_but_not_on_the_device(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
    ) -> None:
        start_slow()
        ids = [submit(slow_client, "sleep 0.5") for _ in range(4)]
        views = slow_client.wait_many(ids, timeout_s=LONG_S)
        assert {view.status for view in views} == {JobStatus.SUCCEEDED}
        assert sum(view.seconds["gpu_wait_s"] > 0.2 for view in views) >= 2


def test_the_output_is_a_png_that_carries_the_sources_colour_profile(
    worker: WorkerProcess, client: InpaintClient
) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    job_id = client.submit(encode(SOURCE, "JPEG", icc_profile=profile), MASK, model="opencv-telea").id
    client.wait(job_id, timeout_s=LONG_S)
    with Image.open(io.BytesIO(client.result_bytes(job_id))) as result:
        assert result.format == "PNG"
        assert result.info["icc_profile"] == profile


class TestHealth:
    def test_ready_when_the_model_is_warm_and_silent_about_jobs(self, start_slow: Callable[..., SlowWorker]) -> None:
        port = closed_port()
        start_slow(INPAINT_HEALTH_PORT=str(port))
        for page in ("healthz", "readyz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
                assert json.load(answer) == {"ok": True}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/jobs", timeout=5)
        refused.value.close()
        assert refused.value.code == 404
