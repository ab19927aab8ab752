"""Where the pictures of an item lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inpaint_core.images import FORMATS
from inpaint_core.storage import input_ref
from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Picture:
    """An object, `s3://bucket/key`. With a `damage_seed`, `inpaint_core.damage.damage` is done to it before showing."""

    uri: str
    damage_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Pictures:
    """What belongs to an item."""

    prompt: str
    negative_prompt: str
    source: Picture
    mask: Picture | None
    results: tuple[Picture, ...]


_SAMPLE = text("""
SELECT s.prompt, s.negative_prompt, s.source_sha256, f.format AS source_format, s.mask_sha256, m.format AS mask_format
  FROM sample s JOIN image f ON f.sha256 = s.source_sha256 JOIN image m ON m.sha256 = s.mask_sha256
 WHERE s.id = :sample_id
""")
# Where the mask came as shapes or transparency, what the job might change is the next best.
_JOB = text("""
SELECT j.prompt, j.negative_prompt, j.source_uri, coalesce(j.mask_uri, g.uri) AS mask_uri
  FROM job j LEFT JOIN output g ON g.job_id = j.id AND g.attempt = j.attempt AND g.kind = 'region'
 WHERE j.id = :job_id
""")
_RESULTS = text("""
SELECT o.uri, t.output_sha256, f.format
  FROM trial t LEFT JOIN job j ON j.id = t.job_id LEFT JOIN image f ON f.sha256 = t.output_sha256
  LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
 WHERE t.id = ANY(:trial_ids) ORDER BY t.number
""")
_RESULT_OF_JOB = text("""
SELECT o.uri, NULL AS output_sha256 FROM job j
  JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
 WHERE j.id = :job_id
""")


def pictures_of(connection: Connection, item: Any, bucket: str) -> Pictures:
    """The pictures of a row of `rating_item`; an untouched one shows its source as the result."""
    if item.sample_id is not None:
        of = connection.execute(_SAMPLE, {"sample_id": item.sample_id}).one()
        source = Picture(_address(bucket, of.source_sha256, of.source_format))
        mask: Picture | None = Picture(_address(bucket, of.mask_sha256, of.mask_format))
    else:
        of = connection.execute(_JOB, {"job_id": item.job_id}).one()
        source = Picture(of.source_uri)
        mask = None if of.mask_uri is None else Picture(of.mask_uri)
    results: tuple[Picture, ...]
    if item.purpose == "untouched":
        results = (source,)
    else:
        found = (
            connection.execute(_RESULTS, {"trial_ids": item.trial_ids})
            if item.trial_ids
            else connection.execute(_RESULT_OF_JOB, {"job_id": item.job_id})
        )
        results = tuple(
            Picture(row.uri or _address(bucket, row.output_sha256, row.format), item.damage_seed) for row in found
        )
    return Pictures(of.prompt, of.negative_prompt, source, mask, results)


def _address(bucket: str, sha256: str, kind: str) -> str:
    return str(input_ref(bucket, sha256, FORMATS[kind][0]))
