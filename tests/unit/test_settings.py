from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_core.errors import NotConfigured, SettingsInvalid
from inpaint_core.settings import (
    Settings,
    address,
    config_file,
    default_data_dir,
    load_settings,
    redact_url,
    shown,
    unknown_variables,
)

PASSWORD = "hunter2hunter2"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("INPAINT_CONFIG", str(path))
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# --- where values come from -------------------------------------------------------------------------------------------


def test_nothing_set_gives_the_defaults_and_no_services() -> None:
    settings = load_settings()
    assert settings.lease_s == 10
    assert settings.s3_bucket == "inpaint"
    assert settings.redis_url is None and settings.postgres_url is None and settings.s3_url is None


def test_arguments_beat_variables_beat_the_config_file_beats_the_stack_file(
    config: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    write(config, "")
    write(environment / "stack.toml", 's3_region = "stack"')
    found.append(load_settings().s3_region)
    write(config, 's3_region = "file"')
    found.append(load_settings().s3_region)
    monkeypatch.setenv("INPAINT_S3_REGION", "variable")
    found.append(load_settings().s3_region)
    found.append(load_settings(s3_region="argument").s3_region)
    assert found == ["stack", "file", "variable", "argument"]


def test_the_config_file_may_name_the_data_folder_in_which_the_stack_file_lies(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INPAINT_DATA_DIR")
    write(config, f'data_dir = "{tmp_path / "elsewhere"}"')
    write(tmp_path / "elsewhere" / "stack.toml", 's3_url = "http://127.0.0.1:9000"')
    assert load_settings().s3_url == "http://127.0.0.1:9000"


def test_a_stack_file_of_somebody_else_is_passed_over(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(environment / "stack.toml", 's3_region = "stack"')
    # Root may read every file, so permissions alone would not show it.
    monkeypatch.setattr("inpaint_core.settings.os.access", lambda path, mode: False)
    assert load_settings().s3_region == "us-east-1"


def test_the_user_configuration_folder_is_read_without_any_variable(environment: Path) -> None:
    write(config_file(), "max_attempts = 7")
    assert config_file().is_relative_to(environment.parent / "config")
    assert load_settings().max_attempts == 7


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_REDIS_URL", "")
    assert load_settings().redis_url is None


def test_a_tilde_in_the_data_folder_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_DATA_DIR", "~/pictures")
    assert load_settings().data_dir == Path.home() / "pictures"


def test_root_keeps_its_stack_where_the_account_of_postgres_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inpaint_core.settings.os.geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/inpaint-fleet")
    monkeypatch.setattr("inpaint_core.settings.os.geteuid", lambda: 1000)
    assert default_data_dir().name == "inpaint-fleet" and default_data_dir() != Path("/var/lib/inpaint-fleet")


@pytest.mark.parametrize("text", ["first,second", " first , second,"])
def test_buckets_to_read_from_are_listed_with_commas(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_S3_READ_BUCKETS", text)
    assert load_settings().s3_read_buckets == ("first", "second")


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.lease_s = 1  # type: ignore[misc]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("MAX_ATTEMPTS", "many", "valid integer"),
        ("MAX_ATTEMPTS", "0", "greater than or equal to 1"),
        ("LEASE_S", "-3", "greater than 0"),
        ("LEASE_S", "nan", "less than or equal to 86400"),
        ("HEALTH_PORT", "70000", "65535"),
        ("MAX_IMAGE_PIXELS", "178000001", "less than or equal to 178000000"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("S3_URL", "minio:9000", "must be http://host:port or https://host:port"),
        ("S3_URL", "http://minio:9000/bucket", "only scheme, host and port"),
        ("S3_URL", "http://minio:99999", "number up to 65535"),
        ("OPENAI_BASE_URL", "api.openai.com", "https://api.openai.com/v1"),
        ("OPENAI_TIMEOUT_S", "0", "greater than 0"),
        ("S3_BUCKET", "a", "must have 3 to 63 small letters"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found_and_the_fix(
    name: str, value: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"INPAINT_{name}", value)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert f"INPAINT_{name} is {value!r}" in caught.value.message
    assert fix in caught.value.message
    assert caught.value.names == [name.lower()]
    assert caught.value.exit_code == 7


def test_several_wrong_values_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_MAX_ATTEMPTS", "x")
    monkeypatch.setenv("INPAINT_SWEEP_S", "y")
    with pytest.raises(SettingsInvalid, match=r"INPAINT_MAX_ATTEMPTS is 'x'.*INPAINT_SWEEP_S is 'y'"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("REDIS_URL", f"http://:{PASSWORD}@redis:6379", "must begin with redis:// or rediss://"),
        ("REDIS_URL", f"redis://:{PASSWORD}@redis:port/0", "number up to 65535"),
        ("REDIS_URL", "redis:///0", "must name a host"),
        ("POSTGRES_URL", f"mysql://user:{PASSWORD}@db/inpaint", "must begin with postgresql:// or postgres://"),
        ("S3_URL", f"http://user:{PASSWORD}@minio:9000", "keys go to INPAINT_S3_ACCESS_KEY"),
        ("OPENAI_BASE_URL", f"https://user:{PASSWORD}@gateway/v1", "the key goes to INPAINT_OPENAI_API_KEY"),
        ("OPENAI_BASE_URL", f"https://gateway/v1?key={PASSWORD}", "a host and a path"),
        ("OPENAI_API_KEY", f"'{PASSWORD}' # mine", "must be one word"),
    ],
)
def test_a_wrong_url_is_explained_without_the_password_in_it(
    name: str, value: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"INPAINT_{name}", value)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert f"INPAINT_{name} is (hidden)" in caught.value.message
    assert fix in caught.value.message
    assert PASSWORD not in str(caught.value) + repr(caught.value) + repr(caught.value.facts)


def test_a_key_from_a_file_loses_its_line_break_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_OPENAI_API_KEY", f"sk-{PASSWORD}\n")
    settings = load_settings()
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == f"sk-{PASSWORD}"
    assert PASSWORD not in repr(settings) + repr(shown(settings))


def test_a_lease_must_last_three_heartbeats() -> None:
    with pytest.raises(SettingsInvalid, match=r"INPAINT_LEASE_S is 5 and INPAINT_HEARTBEAT_S is 2: .*three heartbeats"):
        load_settings(lease_s=5, heartbeat_s=2)
    assert load_settings(lease_s=6, heartbeat_s=2).lease_s == 6


def test_a_misspelt_name_in_the_file_offers_the_nearest(config: Path) -> None:
    write(config, "max_attemps = 2")
    with pytest.raises(SettingsInvalid, match="There is no setting max_attemps: did you mean max_attempts"):
        load_settings()


def test_a_config_file_that_does_not_exist_is_an_error_when_it_was_named(config: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"config\.toml cannot be used: there is no such file"):
        load_settings()


def test_a_broken_file_is_named_with_the_place_of_the_mistake(config: Path, environment: Path) -> None:
    write(config, "lease_s = \n")
    with pytest.raises(SettingsInvalid, match=r"config\.toml cannot be used: .*line 1") as caught:
        load_settings()
    assert caught.value.path == str(config)
    write(config, "")
    write(environment / "stack.toml", "?")
    with pytest.raises(SettingsInvalid, match=r"stack\.toml cannot be used: .*line 1"):
        load_settings()


def test_a_variable_that_no_setting_reads_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_REDDIS_URL", "redis://localhost")
    monkeypatch.setenv("INPAINT_DEBUG", "1")
    assert unknown_variables() == ["INPAINT_REDDIS_URL"]


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        ("Redis", ["INPAINT_REDIS_URL"]),
        ("Postgres", ["INPAINT_POSTGRES_URL"]),
        ("S3", ["INPAINT_S3_URL", "INPAINT_S3_ACCESS_KEY", "INPAINT_S3_SECRET_KEY"]),
    ],
)
def test_a_service_that_is_needed_and_not_set_says_which_variables_and_offers_the_local_stack(
    service: str, missing: list[str]
) -> None:
    with pytest.raises(NotConfigured, match="inpaint up") as caught:
        load_settings().need(service)
    assert caught.value.missing == missing
    assert all(name in caught.value.message for name in missing)


def test_a_half_configured_service_names_only_what_is_missing() -> None:
    settings = load_settings(s3_url="http://minio:9000", s3_access_key="key")
    with pytest.raises(NotConfigured) as caught:
        settings.need("S3")
    assert caught.value.missing == ["INPAINT_S3_SECRET_KEY"]


# --- secrets ----------------------------------------------------------------------------------------------------------


def full() -> Settings:
    return load_settings(
        redis_url=f"redis://:{PASSWORD}@redis:6379/0",
        postgres_url=f"postgresql://inpaint:{PASSWORD}@db:5432/inpaint?password={PASSWORD}",
        s3_url="https://minio:9000",
        s3_access_key="key",
        s3_secret_key=PASSWORD,
    )


def test_no_text_form_of_the_settings_shows_a_secret() -> None:
    settings = full()
    assert PASSWORD not in repr(settings) + str(settings) + settings.model_dump_json() + repr(shown(settings))


def test_shown_keeps_the_addresses_of_hidden_urls() -> None:
    rows = shown(full())
    assert rows["redis_url"] == "redis://:***@redis:6379/0"
    assert rows["postgres_url"] == "postgresql://inpaint:***@db:5432/inpaint"
    assert rows["s3_secret_key"] == "********"
    assert rows["s3_url"] == "https://minio:9000"
    assert set(rows) == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("redis://:p@ss@redis:6379", "redis://:***@redis:6379"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("postgresql://db/x?user=me&password=secret", "postgresql://db/x"),
    ],
)
def test_a_url_is_redacted_wherever_its_password_stands(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


def test_an_address_is_host_and_port_and_nothing_else() -> None:
    assert address(f"redis://:{PASSWORD}@redis:6379/0") == "redis:6379"
    assert address(f"postgresql://me:{PASSWORD}@db/x") == "db"
