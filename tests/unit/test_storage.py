from __future__ import annotations

from uuid import UUID

import pytest
from inpaint_core.storage import ObjectRef, input_ref, output_ref

SHA = "ab" * 32


@pytest.mark.parametrize(
    "uri",
    [
        "s3://inpaint/a",
        "s3://my.bucket-1/a/b c/ü.png",
        "s3://abc/" + "k" * 1024,
        "s3://abc/a?b#c%20d",
        "s3://abc/..a/b..",
    ],
)
def test_an_address_that_parses_is_written_as_it_was_read(uri: str) -> None:
    assert str(ObjectRef.parse(uri)) == uri


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("", "must be s3://bucket/key"),
        ("room.jpg", "must be s3://bucket/key"),
        ("http://bucket/key", "must be s3://bucket/key"),
        ("s3://bucket", "must be s3://bucket/key"),
        ("s3://bucket/", "must be s3://bucket/key"),
        ("s3://Bucket/key", "must be s3://bucket/key"),
        ("s3://b/key", "must be s3://bucket/key"),
        ("s3://bucket/a/../b", "'..' part"),
        ("s3://bucket/./b", "'.' or '..' part"),
        ("s3://bucket/a//b", "empty"),
        ("s3://bucket/a/", "empty"),
        ("s3://bucket/a\nb", "control characters"),
        ("s3://bucket/a\x00b", "control characters"),
        ("s3://bucket/" + "ü" * 513, "longer than 1024 bytes"),
    ],
)
def test_an_address_that_could_mean_something_else_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ObjectRef.parse(uri)


def test_an_upload_lies_under_its_content() -> None:
    ref = input_ref("inpaint", SHA, "jpg")
    assert str(ref) == f"s3://inpaint/inputs/{SHA}.jpg"
    assert ref.content_sha256 == SHA


@pytest.mark.parametrize("key", ["inputs/room.jpg", f"other/{SHA}.jpg", f"inputs/{SHA.upper()}.jpg", f"inputs/{SHA}"])
def test_only_names_that_this_system_gives_tell_a_content(key: str) -> None:
    assert ObjectRef("inpaint", key).content_sha256 is None


def test_two_attempts_never_share_an_address() -> None:
    job = UUID(int=7)
    assert str(output_ref("inpaint", job, 2, "result.png")) == f"s3://inpaint/outputs/{job}/2/result.png"
    assert output_ref("inpaint", job, 1, "result.png") != output_ref("inpaint", job, 2, "result.png")
