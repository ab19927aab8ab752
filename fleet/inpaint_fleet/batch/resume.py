"""Idempotency keys for the rows of a batch: the same batch again goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.errors import InvalidRequest
from inpaint_producer import JobSpec

from inpaint_fleet.batch.rows import Row

#: The key, a colon and 32 digits must fit the 200 characters of an idempotency key.
_LONGEST = 160


def with_keys(rows: Sequence[Row], resume_key: str) -> list[Row]:
    """Give each row the key RESUME_KEY:hash of what it asks. Rows with a key of their own keep it.

    A picture, a prompt, a parameter or an option that changed makes a new job. Two equal rows are two jobs.
    """
    if not resume_key or len(resume_key) > _LONGEST:
        raise InvalidRequest(f"--resume-key must have 1 to {_LONGEST} characters.")
    contents: dict[Path, str] = {}
    seen: Counter[str] = Counter()
    keyed = []
    for row in rows:
        if row.spec is not None and row.spec.idempotency_key is None:
            asked = _digest(row.spec, contents)
            seen[asked] += 1
            nth = f".{seen[asked]}" if seen[asked] > 1 else ""
            row = replace(row, spec=replace(row.spec, idempotency_key=f"{resume_key}:{asked}{nth}"))
        keyed.append(row)
    return keyed


def _digest(spec: JobSpec, contents: dict[Path, str]) -> str:
    asked: list[object] = [
        _image(spec.source, contents), _image(spec.mask, contents), spec.model, spec.prompt, spec.negative_prompt,
        spec.seed, dict(spec.parameters),
    ]  # fmt: skip
    # As the request reads it: 8 and "8" are one. Without options nothing is added, so that old keys stay what they are.
    if said := EditOptions.model_validate(spec.edit or {}).said():
        asked.append(said)
    guides: dict[str, object] = {
        "reference_strength": _number(spec.reference_strength), "control_type": spec.control_type,
        "control_strength": _number(spec.control_strength), "outputs": None if spec.outputs == 1 else int(spec.outputs),
        "tier": spec.tier,
        **{role: _image(image, contents) for role, image in spec.guides.items()},
    }  # fmt: skip
    if guides := {name: value for name, value in guides.items() if value is not None}:
        asked.append(guides)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


def _number(strength: float | None) -> float | None:
    return None if strength is None else float(strength)


def _image(image: object, contents: dict[Path, str]) -> str:
    if isinstance(image, Mapping | MaskShapes):
        return MaskShapes.model_validate(image).model_dump_json()
    if not isinstance(image, Path):
        return str(image)
    if image not in contents:
        with image.open("rb") as file:
            contents[image] = hashlib.file_digest(file, "sha256").hexdigest()
    return contents[image]
