from __future__ import annotations

import pytest
from inpaint_core.errors import NotConfigured
from inpaint_core.queues import make_celery, queue_name, redis_lists
from inpaint_core.settings import Settings, load_settings


@pytest.fixture
def settings() -> Settings:  # no server is needed: nothing connects
    return load_settings(redis_url="redis://127.0.0.1:1/0")


def test_a_queue_has_the_name_of_its_model() -> None:
    assert queue_name("opencv-telea") == "inpaint.opencv-telea"


def test_the_lists_of_a_queue_are_those_that_celery_uses() -> None:
    assert redis_lists("m") == ["inpaint:inpaint.m", *(f"inpaint:inpaint.m\x06\x16{step}" for step in range(1, 10))]


def test_only_json_is_sent_and_accepted(settings: Settings) -> None:
    app = make_celery(settings, ["a"])
    assert app.conf.task_serializer == "json"
    assert list(app.conf.accept_content) == ["json"]


def test_an_app_knows_the_queues_of_its_models_and_makes_no_others(settings: Settings) -> None:
    app = make_celery(settings, ["a", "b"])
    assert [queue.name for queue in app.conf.task_queues] == ["inpaint.a", "inpaint.b"]
    assert app.conf.task_create_missing_queues is False


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", False),
        ("worker_prefetch_multiplier", 1),
        ("worker_disable_prefetch", True),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("result_backend", None),
        ("broker_connection_max_retries", None),
    ],
)
def test_the_settings_that_keep_jobs_are_set(settings: Settings, setting: str, value: object) -> None:
    assert getattr(make_celery(settings, ["a"]).conf, setting) == value


def test_a_hanging_connection_is_noticed_and_keys_have_their_prefix(settings: Settings) -> None:
    options = make_celery(settings, ["a"]).conf.broker_transport_options
    assert options["socket_timeout"] == 5 and options["health_check_interval"] == 5
    assert options["global_keyprefix"] == "inpaint:"
    assert options["visibility_timeout"] >= 3600


def test_a_producer_does_not_wait_for_a_redis_that_is_away(settings: Settings) -> None:
    assert make_celery(settings, ["a"], for_producer=True).conf.broker_transport_options["max_retries"] == 0
    assert "max_retries" not in make_celery(settings, ["a"]).conf.broker_transport_options


def test_no_redis_is_a_sentence() -> None:
    with pytest.raises(NotConfigured, match="INPAINT_REDIS_URL"):
        make_celery(load_settings(), ["a"])
