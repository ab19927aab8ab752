"""Settings: `INPAINT_*` variables, an optional TOML file, and what a running local stack wrote down, in that order."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import SplitResult, urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from inpaint_core.acceleration import AUTO, AccelerateOrAuto
from inpaint_core.errors import NotConfigured
from inpaint_core.settings_errors import explain_toml, explain_validation
from inpaint_core.tiers import Tier

PREFIX = "INPAINT_"
#: The file in the data folder in which `inpaint up` writes the addresses and passwords of its servers (mode 0600).
STACK_FILE = "stack.toml"
#: Variables that are read elsewhere: by this module before settings exist, by the command line, and by Flower's.
_OTHER_VARIABLES = {PREFIX + name for name in ("CONFIG", "DEBUG", "FLOWER_PORT", "FLOWER_ADDRESS", "FLOWER_BASIC_AUTH")}

#: Every image format that the fleet can take; `image_formats` may allow fewer.
IMAGE_FORMATS = ("jpeg", "png", "webp", "tiff", "bmp", "avif", "heic")
Seconds = Annotated[float, Field(gt=0, le=86_400)]


def default_data_dir() -> Path:
    """Where the local stack keeps its data: the user's data folder, or /var/lib for root."""
    # Postgres refuses to run as root, and the user it then runs as cannot enter /root.
    if os.geteuid() == 0:
        return Path("/var/lib/inpaint-fleet")
    return platformdirs.user_data_path("inpaint-fleet", appauthor=False)


def config_file() -> Path:
    """The TOML file that is read: `INPAINT_CONFIG`, or config.toml in the user's configuration folder if it exists."""
    named = os.environ.get(PREFIX + "CONFIG")
    if named:
        return Path(named).expanduser()
    return platformdirs.user_config_path("inpaint-fleet", appauthor=False) / "config.toml"


class Settings(BaseSettings):
    """All settings of clients, relay and workers. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True, env_ignore_empty=True
    )

    data_dir: Path = Field(default_factory=default_data_dir, description="Folder of the local stack")

    redis_url: SecretStr | None = Field(None, description="Redis, e.g. redis://:password@host:6379/0")
    postgres_url: SecretStr | None = Field(None, description="Postgres 15-18, e.g. postgresql://user:pw@host:5432/db")
    s3_url: str | None = Field(None, description="S3 endpoint, e.g. https://minio.example.com:9000")
    s3_access_key: str | None = Field(None, description="S3 access key")
    s3_secret_key: SecretStr | None = Field(None, description="S3 secret key")
    s3_bucket: str = Field("inpaint", description="Bucket of inputs and outputs")
    s3_region: str = Field("us-east-1", description="Region that requests are signed for")
    s3_read_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Other buckets that jobs may name objects in, separated by commas"
    )

    catalogue: Path | None = Field(None, description="TOML file that changes model cards and adds others")

    max_image_bytes: int = Field(64 << 20, ge=1024, description="Largest encoded image")
    #: Pillow takes nothing over 178,956,970.
    max_image_pixels: int = Field(50_000_000, ge=1, le=178_000_000, description="Most pixels an image may decode to")
    max_image_side: int = Field(16_384, ge=1, description="Longest side of an image, pixels")
    max_image_frames: int = Field(1, ge=1, le=10_000, description="Most frames or pages; the first is taken")
    image_formats: Annotated[tuple[str, ...], NoDecode] = Field(
        IMAGE_FORMATS, description="Formats that are accepted, separated by commas"
    )

    max_attempts: int = Field(3, ge=1, le=20, description="Failed attempts after which a job fails")
    lease_s: Seconds = Field(10, description="A running job whose worker is silent this long is requeued")
    heartbeat_s: Seconds = Field(2, description="How often a worker renews its leases and hears of cancels")
    ageing_s: Seconds = Field(600, description="A job that waits longer may be put in front, one in eight")
    sweep_s: Seconds = Field(1, description="How often the relay looks for work")
    publish_grace_s: Seconds = Field(2, description="How long a producer may take to publish before the relay does")
    republish_after_s: Seconds = Field(15, description="A queued job whose queue is empty this long is sent again")
    backoff_s: Seconds = Field(2, description="First pause before a retry; doubles each time, with jitter")
    backoff_max_s: Seconds = Field(300, description="Longest pause before a retry")

    weights_dir: Path | None = Field(
        None, description="Folder of weights as OWNER/REPO; absent: the Hugging Face hub and its cache"
    )
    device: Literal["auto", "cuda", "cpu"] = Field("auto", description="What diffusion models run on; auto: a GPU")
    accelerate: Annotated[AccelerateOrAuto, NoDecode] = Field(
        default=AUTO,
        description="What makes diffusion models quicker, separated by commas; auto: what the model's card says",
    )
    compile_cache: Path | None = Field(
        None, description="Folder that keeps what was compiled, so that a restarted worker need not compile again"
    )
    warm_shapes: Literal["favourite", "all"] = Field(
        "favourite", description="Which shapes of pictures a worker paints before its first job, to compile for them"
    )
    offload: Literal["auto", "never", "always"] = Field(
        "auto", description="Keep only the part of a model on the GPU that works; auto: where it does not fit"
    )
    tiling: Literal["auto", "never", "always"] = Field(
        "auto", description="Encode and decode pictures in tiles, which saves memory; auto: where hardly any is left"
    )
    tier: Tier = Field(Tier.EXACT, description="What jobs that name no tier run in; one of the model's")
    openai_api_key: SecretStr | None = Field(None, description="Key of OpenAI's API, for models that are reached by it")
    openai_base_url: str = Field(
        "https://api.openai.com/v1", description="Address of OpenAI's API, or of a gateway to it"
    )
    openai_timeout_s: Seconds = Field(120, description="Longest wait for an answer of OpenAI, before it is asked again")
    worker_threads: int = Field(2, ge=1, le=16, description="Jobs in hand at once; one of them uses the GPU")
    grace_s: Seconds = Field(60, description="How long a stopping worker may finish the job it runs")
    step_timeout_s: Seconds = Field(300, description="A step without progress for this long ends the worker process")
    health_host: str = Field("127.0.0.1", description="Address of a worker's /healthz and /readyz")
    health_port: int = Field(0, ge=0, le=65_535, description="Port of /healthz and /readyz; 0: none")

    web_host: str = Field("127.0.0.1", description="Address that `inpaint web` listens on")
    web_port: int = Field(8000, ge=1, le=65_535, description="Its port")
    web_url: str | None = Field(None, description="How browsers reach it, e.g. https://rate.example.com")
    web_token: SecretStr | None = Field(None, description="Password of its pages that are not blind; none: closed")

    keep_succeeded_days: int | None = Field(
        None, ge=1, le=36_500, description="Days after which succeeded jobs are deleted with their outputs"
    )
    keep_failed_days: int | None = Field(
        None, ge=1, le=36_500, description="The same for failed, canceled and expired jobs"
    )
    #: Longer than a producer trusts what it has seen, the clocks differ, and a submit takes, all together.
    orphan_grace_s: float = Field(
        86_400, ge=3600, le=31_536_000, description="How long what nothing uses is left alone"
    )
    gc_interval_s: float = Field(3600, ge=0, le=604_800, description="How often the relay cleans up; 0: never")

    log_format: Literal["console", "json"] = Field("console", description="console for people, json for machines")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe log shown")

    #: Settings without which nothing can be reached.
    SERVICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "Redis": ("redis_url",),
        "Postgres": ("postgres_url",),
        "S3": ("s3_url", "s3_access_key", "s3_secret_key"),
    }

    @field_validator("data_dir", "catalogue", "weights_dir", "compile_cache")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("s3_read_buckets", "image_formats", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        # A variable holds one text; pydantic-settings would ask for JSON.
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("image_formats")
    @classmethod
    def _known_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        formats = tuple(dict.fromkeys(name.lower() for name in value))
        if not formats or not set(formats) <= set(IMAGE_FORMATS):
            raise ValueError(f"must be some of {', '.join(IMAGE_FORMATS)}, separated by commas")
        return formats

    @field_validator("redis_url", "postgres_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        if value is None:
            return None
        wanted = {
            "redis_url": ("redis", "rediss"),
            "postgres_url": ("postgresql", "postgres", "postgresql+psycopg"),
        }[info.field_name]
        parts = _split_url(value.get_secret_value())
        if parts.scheme not in wanted:
            raise ValueError(f"must begin with {' or '.join(s + '://' for s in wanted[:2])}")
        if not parts.hostname and "host=" not in parts.query and parts.scheme != "unix":
            raise ValueError("must name a host, as in " + wanted[0] + "://user:password@host:port/name")
        return value

    @field_validator("s3_bucket")
    @classmethod
    def _bucket_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
            raise ValueError("must have 3 to 63 small letters, digits, dots or hyphens, as S3 wants it")
        return value

    @field_validator("s3_url", "web_url")
    @classmethod
    def _http(cls, value: str | None, info: Any) -> str | None:
        if value is None:
            return None
        parts = _split_url(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be http://host:port or https://host:port")
        if parts.path.strip("/") or parts.username:
            keys = "; keys go to INPAINT_S3_ACCESS_KEY and _SECRET_KEY" if info.field_name == "s3_url" else ""
            raise ValueError(f"must be only scheme, host and port{keys}")
        return value.rstrip("/")

    @field_validator("web_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        # It stands in a link, and guesses are only slowed down.
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", value.get_secret_value()):
            raise ValueError("must have at least 16 letters, digits, _ or -, as `openssl rand -hex 16` makes them")
        return value

    @field_validator("openai_api_key")
    @classmethod
    def _one_word(cls, value: SecretStr | None) -> SecretStr | None:
        # It becomes a header; a line break from a file that holds it would end up in an error of the HTTP library.
        if value is None:
            return None
        key = value.get_secret_value().strip()
        if not re.fullmatch(r"[!-~]+", key):
            raise ValueError("must be one word of ASCII letters, digits and signs, without quotes or spaces around it")
        return SecretStr(key)

    @field_validator("openai_base_url")
    @classmethod
    def _http_with_path(cls, value: str) -> str:
        parts = _split_url(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be http:// or https://, a host and a path, as in https://api.openai.com/v1")
        if parts.username or parts.password:
            raise ValueError("must have no user or password in it; the key goes to INPAINT_OPENAI_API_KEY")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Settings:
        if self.lease_s < 3 * self.heartbeat_s:
            raise ValueError(
                f"INPAINT_LEASE_S is {self.lease_s:g} and INPAINT_HEARTBEAT_S is {self.heartbeat_s:g}: "
                "a lease must last at least three heartbeats, or one lost packet costs a job"
            )
        return self

    def need(self, service: str) -> None:
        """Raise `NotConfigured` unless the settings of `service` (Redis, Postgres or S3) have values."""
        missing = [PREFIX + name.upper() for name in self.SERVICES[service] if getattr(self, name) is None]
        if missing:
            raise NotConfigured(
                f"No {service} is configured: {', '.join(missing)} not set, and no local stack runs in "
                f"{self.data_dir}. Start one with `inpaint up`, or set {'it' if len(missing) == 1 else 'them'} "
                f"to use your own {service}.",
                service=service,
                missing=missing,
            )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file, then the local stack's file."""
        config = _read_toml(settings_cls, config_file())
        chosen = {**config(), **env_settings(), **init_settings()}
        data_dir = Path(str(chosen.get("data_dir") or default_data_dir())).expanduser()
        # Not a TomlConfigSettingsSource when unreadable: a stack of another user must not break a client of one's own.
        stack = data_dir / STACK_FILE
        sources = (init_settings, env_settings, config)
        if os.access(stack, os.R_OK):
            return (*sources, _read_toml(settings_cls, stack))
        return sources


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `SettingsInvalid` names each wrong one, its value and the fix."""
    named = os.environ.get(PREFIX + "CONFIG")
    if named and not Path(named).expanduser().is_file():
        raise explain_toml(Path(named), "there is no such file")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise explain_validation(error, Settings) from None


def _read_toml(settings_cls: type[BaseSettings], path: Path) -> TomlConfigSettingsSource:
    try:
        return TomlConfigSettingsSource(settings_cls, path)
    except (ValueError, OSError) as error:  # a TOMLDecodeError is the former
        raise explain_toml(path, str(error)) from None


def _split_url(url: str) -> SplitResult:
    """The parts of a URL; ValueError without the URL, which may hold a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only when asked for
    except ValueError:
        raise ValueError("must be a URL whose port, if it has one, is a number up to 65535") from None
    return parts


def unknown_variables() -> list[str]:
    """`INPAINT_*` variables that no setting reads: most often a misspelling."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def shown(settings: Settings) -> dict[str, str]:
    """Every setting as text that may be printed: secrets and passwords in URLs are hidden."""
    rows = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = redact_url(value.get_secret_value()) if name.endswith("_url") else "********"
        rows[name] = "(not set)" if value is None else ", ".join(value) if isinstance(value, tuple) else str(value)
    return rows


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as `INPAINT_*` variables, secrets included: for the environment of a child process."""
    found = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value is not None and value != ():
            found[PREFIX + name.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
    return found


def redact_url(url: str) -> str:
    """The URL with its password replaced, fit for logs and messages."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if "@" in netloc:
        user, _, host = netloc.rpartition("@")
        netloc = f"{user.split(':')[0]}:***@{host}" if ":" in user else f"{user}@{host}"
    return parts._replace(netloc=netloc, query="").geturl()


def address(url: str) -> str:
    """host:port of a URL, as error messages name it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname or parts.path)
