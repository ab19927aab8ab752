"""What no schema says of docker/: addresses, passwords, names that the code knows, and the page that explains it."""

from __future__ import annotations

import http.server
import importlib.util
import os
import re
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from inpaint_core.catalogue import load_catalogue
from inpaint_core.settings import PREFIX, Settings
from pydantic import SecretStr
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
DOCKERFILES = sorted(path for path in DOCKER.glob("Dockerfile.*") if path.suffix != ".dockerignore")
#: `INPAINT_*` variables that are read elsewhere than in `Settings`.
OTHER_VARIABLES = {"INPAINT_CONFIG", "INPAINT_DEBUG"}
#: What somebody has to choose before anything may start.
PASSWORDS = {
    *("REDIS_PASSWORD", "POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "FLOWER_PASSWORD", "WEB_PASSWORD"),
}


class Required(Exception):
    """A variable that has to be set and is not."""


def interpolate(text: str, variables: dict[str, str]) -> str:
    """Put `variables` into `text` as compose does: `$$`, `${A}`, `${A:-default}`, `${A:?message}`, nested ones too."""
    out, at = "", 0
    while at < len(text):
        if text.startswith("$$", at):
            out, at = out + "$", at + 2
        elif text.startswith("${", at):
            depth, end = 1, at + 2
            while depth:
                depth += 1 if text.startswith("${", end) else -1 if text[end] == "}" else 0
                end += 2 if text.startswith("${", end) else 1
            found = re.fullmatch(r"(\w+)(?::([-?])(.*))?", text[at + 2 : end - 1], re.DOTALL)
            assert found, f"{text[at:end]}: not a form that this project uses"
            name, operator, rest = found.groups()
            if variables.get(name):
                out += variables[name]
            elif operator == "?":
                raise Required(f"{name}: {rest}")
            else:
                out += interpolate(rest or "", variables)
            at = end
        else:
            out, at = out + text[at], at + 1
    return out


def each_text(node: Any, apply: Callable[[str], str]) -> Any:
    """The same tree with `apply` done to each text that is not a key."""
    if isinstance(node, dict):
        return {key: each_text(value, apply) for key, value in node.items()}
    if isinstance(node, list):
        return [each_text(value, apply) for value in node]
    return apply(node) if isinstance(node, str) else node


def run_tool(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of this Python's environment. One that is missing fails the test: FileNotFoundError names it."""
    program = Path(sys.executable).parent / name
    return subprocess.run(
        [str(program), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docker_{name}", DOCKER / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seconds(duration: str) -> float:
    amount, unit = re.fullmatch(r"(\d+)(s|m)", duration).groups()  # type: ignore[union-attr]
    return float(amount) * {"s": 1, "m": 60}[unit]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml, anchors merged, variables as they stand."""
    return YAML(typ="safe").load(COMPOSE.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def filled(compose: dict[str, Any]) -> dict[str, Any]:
    """compose.yaml as compose sees it with nothing but the passwords set."""
    secrets = {name: f"made-up-{name.lower()}" for name in PASSWORDS}
    return each_text(compose, lambda text: interpolate(text, secrets))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services, and the GPU template as if somebody had made one of it."""
    return {**compose["services"], "worker-template": {**compose["x-gpu-worker"], "command": ["worker", "NAME"]}}


@pytest.fixture(scope="module")
def workers(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if name.startswith("worker-")}


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    result = run_tool("hadolint", "--no-color", "--failure-threshold", "style", path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_is_an_image_for_the_fleet_and_one_for_workers() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile.fleet", "Dockerfile.worker"]


def test_compose_file_is_what_the_compose_specification_allows() -> None:
    result = run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_compose_file_is_still_valid_with_variables_filled_in_and_a_gpu_worker(
    filled: dict[str, Any], tmp_path: Path
) -> None:
    template = {**filled["x-gpu-worker"], "command": ["worker", "NAME"]}
    document = {**filled, "services": {**filled["services"], "worker-template": template}}
    path = tmp_path / "compose.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    result = run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_images_run_as_a_numbered_user_other_than_root(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"^USER (.+)$", text, re.MULTILINE)) == {"10001:10001"}
    # Each final stage sets it after its last RUN, so nothing that runs in the container is root.
    for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]:
        name = stage.split("\n")[0].split(" AS ")[1]
        if name in ("fleet", "cpu", "cuda"):
            assert stage.rindex("\nUSER ") > stage.rindex("\nRUN "), f"{name} runs something after USER, or has none"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_images_carry_the_version_of_the_package(path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert set(re.findall(r"^ARG VERSION=(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)) == {version}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_build_context_holds_what_the_wheel_is_made_of_and_nothing_else(path: Path) -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        "pyproject.toml",
        "constraints.txt",
        pyproject["project"]["readme"],
        *pyproject["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
        "docker/requirements.py",
        "docker/healthcheck.py",
    }
    lines = (path.with_name(path.name + ".dockerignore")).read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[0] == "*", "the first line excludes everything"
    assert {line[1:] for line in lines if line.startswith("!")} == needed


def test_constraints_pin_torch_without_a_build_suffix() -> None:
    # torch==2.13.0+cpu would keep the CUDA image from being built; without it the index decides which build it is.
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert re.search(r"^torch==[\d.]+$", pins, re.MULTILINE)
    assert not re.search(r"^[^#\n]*==[^#\n]*\+", pins, re.MULTILINE)


# ---------------------------------------------------------------- compose.yaml


def test_every_published_port_is_bound_to_loopback(filled: dict[str, Any]) -> None:
    published = [port for service in filled["services"].values() for port in service.get("ports", [])]
    assert published
    for port in published:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port
    assert not any(service.get("network_mode") for service in filled["services"].values())


def test_published_services_are_on_a_network_that_can_publish_and_others_lead_nowhere(filled: dict[str, Any]) -> None:
    # Docker silently publishes nothing for a container whose networks are all internal.
    assert filled["networks"]["fleet"]["internal"] == "true"
    for name, service in filled["services"].items():
        assert service["networks"] == (["fleet", "outside"] if service.get("ports") else ["fleet"]), name


@pytest.mark.parametrize("missing", sorted(PASSWORDS))
def test_compose_refuses_to_start_without(missing: str, compose: dict[str, Any]) -> None:
    others = dict.fromkeys(PASSWORDS - {missing}, "made-up")
    with pytest.raises(Required, match=f"set {missing} in docker/.env"):
        each_text(compose, lambda text: interpolate(text, others))


def test_no_password_stands_in_any_file(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|ACCESS_KEY|AUTH|TOKEN|ROOT_USER", variable):
                rest = re.sub(r"\$\{[^{}]*\}", "", value)
                assert rest in ("", ":"), f"{variable} of {name} has a value of its own: {value}"
    for path in [COMPOSE, DOCKER / ".env.example", *DOCKERFILES]:
        for user, password in re.findall(r"//([^\s:/@]*):(\$\{[^}]*\}|[^\s@]+)@", path.read_text(encoding="utf-8")):
            assert password.startswith("${") or password == "password", f"{path.name}: {user}:{password}"
    example = (DOCKER / ".env.example").read_text(encoding="utf-8")
    for name in PASSWORDS - {"S3_ACCESS_KEY"}:  # a name, not a secret
        assert re.search(rf"^{name}=$", example, re.MULTILINE), f"{name} is not an empty line of .env.example"


@pytest.mark.parametrize("path", [COMPOSE, DOCKER / ".env.example", *DOCKERFILES], ids=lambda path: path.name)
def test_every_inpaint_variable_is_one_that_the_code_reads(path: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    used = set(re.findall(r"\bINPAINT_[A-Z0-9_]*[A-Z0-9]\b", path.read_text(encoding="utf-8")))
    used = {name for name in used if not name.startswith("INPAINT_FLOWER_")}
    assert used <= known, f"nobody reads {', '.join(sorted(used - known))}"


def test_flower_variables_are_the_three_that_it_reads(compose: dict[str, Any]) -> None:
    given = {name for name in compose["services"]["flower"]["environment"] if name.startswith("INPAINT_FLOWER_")}
    assert given == {"INPAINT_FLOWER_ADDRESS", "INPAINT_FLOWER_PORT", "INPAINT_FLOWER_BASIC_AUTH"}


def test_settings_accept_what_each_service_is_given(
    filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # a config.toml of whoever runs the tests stays out of it
    read = set()
    for service in filled["services"].values():
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in service.get("environment", {}).items():
            monkeypatch.setenv(name, value)
        settings = Settings(data_dir=tmp_path)
        read |= settings.model_fields_set
    assert {"redis_url", "postgres_url", "s3_url", "s3_secret_key", "grace_s", "health_port"} <= read
    assert settings.postgres_url == SecretStr("postgresql://inpaint:made-up-postgres_password@postgres:5432/inpaint")


def test_every_worker_serves_a_model_of_the_catalogue(workers: dict[str, dict[str, Any]]) -> None:
    catalogue = load_catalogue()
    assert {"worker-opencv-telea", "worker-opencv-ns"} <= set(workers)
    for name, service in workers.items():
        command, model = service["command"]
        assert command == "worker"
        assert name == f"worker-{model}"
        assert catalogue.card(model).status == "active"
        assert service["build"]["target"] == catalogue.card(model).device


def test_every_command_is_one_that_inpaint_knows(compose: dict[str, Any]) -> None:
    commands = set()
    for service in compose["services"].values():
        if "build" not in service:
            continue
        words = service["command"]
        if "entrypoint" in service:  # a shell, which calls `inpaint` by name
            words = re.search(r"\binpaint ([a-z ]+)", words[0])[1].split()  # type: ignore[index]
        commands.add(tuple(words[:1] if words[0] == "worker" else words))
    assert {("db", "upgrade"), ("storage", "init"), ("relay",), ("worker",), ("flower",), ("web",)} <= commands
    for command in sorted(commands):
        result = run_tool("inpaint", *command, "--help")
        assert result.returncode == 0, f"inpaint {' '.join(command)}: {result.stderr}"


def test_docker_waits_longer_than_a_stopping_worker_does(services: dict[str, dict[str, Any]]) -> None:
    stopping = {name: service for name, service in services.items() if name.startswith("worker-")}
    assert len(stopping) >= 3
    for name, service in stopping.items():
        grace = float(service["environment"]["INPAINT_GRACE_S"])
        assert seconds(service["stop_grace_period"]) >= grace + 20, name


def test_nothing_starts_before_the_schema_and_the_bucket_exist(services: dict[str, dict[str, Any]]) -> None:
    done = "service_completed_successfully"
    assert services["relay"]["depends_on"]["migrate"]["condition"] == done
    for name, service in services.items():
        if name.startswith("worker-"):
            assert service["depends_on"]["migrate"]["condition"] == done
            assert service["depends_on"]["bucket-init"]["condition"] == done
            assert "relay" in service["depends_on"]


def test_every_service_is_confined(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is (name != "minio"), name
        assert service["logging"]["options"]["max-size"], name
        assert not service.get("privileged"), name


def test_redis_keeps_messages_and_flower_needs_a_password(compose: dict[str, Any]) -> None:
    script = compose["services"]["redis"]["command"][-1]
    assert "--appendonly yes" in script
    assert "--maxmemory-policy noeviction" in script
    assert "requirepass" in script
    flower = compose["services"]["flower"]
    assert flower["command"] == ["flower"], "--no-auth must not be among its arguments"
    assert flower["profiles"] == ["monitoring"]


def test_web_pages_have_what_they_import_and_nothing_of_the_queue(compose: dict[str, Any]) -> None:
    web = compose["services"]["web"]
    assert set(web["build"]["args"]["EXTRAS"].split()) == {"web", "benchmark"}, "the leaderboard's statistics need it"
    assert not any("REDIS" in name for name in web["environment"])
    # A link that `cli` prints must lead to where browsers reach the pages.
    assert compose["services"]["cli"]["environment"]["INPAINT_WEB_URL"] == web["environment"]["INPAINT_WEB_URL"]


def test_variables_of_the_example_are_those_that_compose_reads() -> None:
    example = (DOCKER / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE)) - {"COMPOSE_PROFILES"}
    read = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", COMPOSE.read_text(encoding="utf-8")))
    assert offered <= read, f"compose.yaml does not read {', '.join(sorted(offered - read))}"
    assert read >= PASSWORDS
    assert offered >= PASSWORDS


# ---------------------------------------------------------------- the scripts


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ("new-env", ".env.example"):
        (tmp_path / name).write_bytes((DOCKER / name).read_bytes())
    return tmp_path


def new_env(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(folder / "new-env")], capture_output=True, text=True, check=False, timeout=30, cwd="/"
    )


def read_env(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_new_env_makes_a_password_for_each_name_that_only_its_owner_may_read(copied: Path) -> None:
    assert new_env(copied).returncode == 0
    values = read_env(copied)
    made = [values[name] for name in PASSWORDS - {"S3_ACCESS_KEY"}]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in made)
    assert values["COMPOSE_PROFILES"] == "stores,cpu"
    assert stat.S_IMODE((copied / ".env").stat().st_mode) == 0o600
    assert sorted(path.name for path in copied.iterdir()) == [".env", ".env.example", "new-env"]


def test_new_env_leaves_an_existing_file_alone(copied: Path) -> None:
    (copied / ".env").write_text("REDIS_PASSWORD=kept\n", encoding="utf-8")
    result = new_env(copied)
    assert result.returncode == 1
    assert "left as it is" not in result.stdout
    assert "exists already" in result.stderr
    assert read_env(copied) == {"REDIS_PASSWORD": "kept"}


def test_passwords_that_new_env_makes_satisfy_compose(copied: Path, compose: dict[str, Any]) -> None:
    new_env(copied)
    values = read_env(copied)
    each_text(compose, lambda text: interpolate(text, values))


def test_image_requirements_follow_extras_that_name_others() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = load_script("requirements").requirements
    slim = requirements(project, ["flower"])
    worker = requirements(project, ["diffusers"])
    assert set(project["dependencies"]) < set(slim)
    assert not any(line.startswith(("torch", "opencv", "inpaint")) for line in slim)
    named = {line for line in project["optional-dependencies"]["worker"] if not line.startswith("inpaint")}
    assert named < set(worker) and any(line.startswith("pi-heif") for line in worker)
    assert any(line.startswith("torch") for line in worker)
    assert not any(line.startswith("inpaint") for line in worker)


def test_image_requirements_refuse_an_extra_that_does_not_exist() -> None:
    with pytest.raises(SystemExit, match="no extra 'flour'"):
        load_script("requirements").requirements({"name": "x", "dependencies": []}, ["flour"])


@pytest.fixture
def health_port() -> Iterator[int]:
    """A server that is alive and not ready."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()
            self.wfile.write(b"loading")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def healthcheck(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOCKER / "healthcheck.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"http_proxy": "http://127.0.0.1:9", **environment},
    )


def test_health_check_tells_a_ready_server_from_one_that_is_not(health_port: int) -> None:
    assert healthcheck(health_port, "/healthz").returncode == 0
    not_ready = healthcheck(INPAINT_HEALTH_PORT=str(health_port))
    assert not_ready.returncode == 1
    assert "503 loading" in not_ready.stderr


def test_health_check_fails_when_nobody_listens_or_no_port_is_set(unused_port: int) -> None:
    assert healthcheck(unused_port, "/readyz").returncode == 1
    unset = healthcheck()
    assert unset.returncode == 1
    assert "INPAINT_HEALTH_PORT is not set" in unset.stderr


@pytest.fixture
def unused_port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])


# ---------------------------------------------------------------- docs/operations.md


def test_operations_page_lists_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(INPAINT_[A-Z0-9_]+)` \| ([^|]*?) \|", page, re.MULTILINE))
    listed = {name for name in rows if not name.startswith("INPAINT_FLOWER_")} - OTHER_VARIABLES
    assert listed == {PREFIX + name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        shown = rows[PREFIX + name.upper()].strip("`")
        if name == "data_dir":
            continue  # depends on who asks; the page says how
        default = ",".join(field.default) or "none" if isinstance(field.default, tuple) else field.default
        expected = "not set" if default is None else f"{default}"
        assert shown.replace(",", "") == expected.replace(",", ""), f"{name}: the page says {shown}, not {expected}"


def test_operations_page_names_every_profile_and_service(compose: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    profiles = {profile for service in compose["services"].values() for profile in service.get("profiles", [])}
    for word in profiles | {"gpu"} | set(compose["services"]):
        assert f"`{word}`" in page, f"docs/operations.md does not mention `{word}`"
