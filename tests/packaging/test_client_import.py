from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "cv2", "diffusers", "transformers", "psutil", "fastapi", "typer"}
#: Half a second is promised; importing plain Celery takes a third of that already. Seconds of computing: how long the
#: machine lets a process wait, while others test as well, is no matter of ours.
PROMISED_S = 0.5

CONSTRUCT = """
import json, sys, time
started = time.process_time()
from inpaint_producer import InpaintClient
client = InpaintClient()
print(json.dumps({"seconds": time.process_time() - started, "modules": sorted(sys.modules)}))
"""
SUBMIT = """
import json, sys
from inpaint_producer import InpaintClient, JobSpec
from inpaint_producer.submit import Submitter
from inpaint_producer.relay import Relay
from inpaint_core.queues import make_celery
client = InpaintClient()
client._submit
make_celery(client.settings, client.catalogue)
client.close()
print(json.dumps({"modules": sorted(sys.modules)}))
"""


def run(program: str) -> dict[str, object]:
    env = {
        **os.environ,
        "INPAINT_REDIS_URL": "redis://127.0.0.1:1/0",
        "INPAINT_POSTGRES_URL": "postgresql://me@127.0.0.1:1/x",
        "INPAINT_S3_URL": "http://127.0.0.1:1",
        "INPAINT_S3_ACCESS_KEY": "key",
        "INPAINT_S3_SECRET_KEY": "secretsecret",
    }
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=env, capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0, said.stderr
    found: dict[str, object] = json.loads(said.stdout)
    return found


def roots(found: dict[str, object]) -> set[str]:
    modules = found["modules"]
    assert isinstance(modules, list)
    return {name.split(".")[0] for name in modules}


@pytest.mark.parametrize("program", [CONSTRUCT, SUBMIT], ids=["construct", "submit"])
def test_a_client_brings_no_model_library_with_it(program: str) -> None:
    assert roots(run(program)) & HEAVY == set()


def test_a_client_never_imports_the_worker_or_the_command() -> None:
    assert {name for name in roots(run(SUBMIT)) if name.startswith("inpaint_")} == {
        "inpaint_core",
        "inpaint_db",
        "inpaint_producer",
    }


def test_importing_and_constructing_a_client_takes_less_than_half_a_second() -> None:
    seconds = sorted(float(str(run(CONSTRUCT)["seconds"])) for _ in range(3))
    print(f"import and construct a client: {seconds[0]:.3f} s (best of {[round(s, 3) for s in seconds]})")
    assert seconds[0] < PROMISED_S
