"""The contract as JSON Schema. `python -m inpaint_core.contract` rewrites contract.schema.json beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inpaint_core.job import CONTRACT_VERSION, JobMessage

#: Lies in the package, so that a producer finds it where the client is installed.
SCHEMA_FILE = Path(__file__).with_name("contract.schema.json")


def message_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the keyword arguments of the task `inpaint.run`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:inpaint-fleet:contract:{CONTRACT_VERSION}",
        **JobMessage.model_json_schema(),
    }


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(message_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
