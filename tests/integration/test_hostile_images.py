"""Images that nobody should send: refused at submit, by client and command line, with a code and one sentence."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import count, encode, make_image, make_mask, make_spec
from heic import HEIC
from inpaint_core.errors import ImageError, RequestError
from inpaint_core.s3 import S3Store
from inpaint_core.storage import ObjectRef
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from PIL import Image
from profiles import rgb_profile
from stored import objects

MODEL = "opencv-telea"


def png(width: int, height: int, packed: bytes, bits: int = 8) -> bytes:
    """A PNG in grey that says so of itself, with these pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def whole_bomb() -> bytes:
    """20,000 x 20,000 black pixels, in a file of 50 kB."""
    rows = zlib.compressobj(9)
    return png(20_000, 20_000, b"".join(rows.compress(bytes(2501)) for _ in range(20_000)) + rows.flush(), bits=1)


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def moving(kind: str) -> bytes:
    return encode(make_image(), kind, save_all=True, append_images=[make_image(seed=1), make_image(seed=2)])


UNREADABLE, FORMAT, FRAMES, LARGE = "image_unreadable", "image_format", "image_frames", "image_too_large"
#: File name -> its bytes, the code of the error, and what its sentence says.
HOSTILE: dict[str, tuple[bytes, str, str]] = {
    "empty.png": (b"", UNREADABLE, r"is empty \(0 bytes\)"),
    "text.png": (b"not an image at all", UNREADABLE, r"it begins with b'not an i'\)\. Accepted: jpeg, png, webp"),
    "zeros.jpg": (bytes(5000), UNREADABLE, r"is not an image that can be read"),
    "cut.jpg": (cut(encode(make_image(640, 480), "JPEG")), UNREADABLE, r"begins as a JPEG but cannot .* truncated"),
    "cut.png": (cut(encode(make_image())), UNREADABLE, r"begins as a PNG but cannot .* truncated"),
    "cut.webp": (cut(encode(make_image(), "WEBP")), UNREADABLE, r"begins as a WEBP but cannot be (opened|decoded)"),
    "cut.tif": (cut(encode(make_image(), "TIFF")), UNREADABLE, r"begins as a TIFF, but is damaged|truncated"),
    "cut.bmp": (cut(encode(make_image(), "BMP")), UNREADABLE, r"begins as a BMP but cannot .* truncated"),
    "cut.avif": (cut(encode(make_image(), "AVIF")), UNREADABLE, r"not an image that can be read|truncated"),
    "cut.heic": (cut(HEIC), UNREADABLE, r"not an image that can be read|truncated"),
    "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="96"/>', FORMAT, r"is an SVG, which is not"),
    "drawing.png": (b'<?xml version="1.0"?><svg width="96"/>', FORMAT, r"is an SVG, which is not"),
    "still.gif": (encode(make_image(), "GIF"), FORMAT, r"is a GIF, which is not .* Accepted: jpeg, png, webp"),
    "moving.gif": (moving("GIF"), FORMAT, r"is a GIF"),
    "moving.webp": (moving("WEBP"), FRAMES, r"several frames \(3 or more\), and at most 1 is accepted"),
    "moving.png": (moving("PNG"), FRAMES, r"several frames \(3 or more\)"),
    "moving.avif": (moving("AVIF"), FRAMES, r"several frames \(3 or more\)"),
    "pages.tif": (moving("TIFF"), FRAMES, r"several frames \(2 or more\)"),
    "claim.png": (png(60_000, 60_000, zlib.compress(b"")), LARGE, r"than the 50,000,000 that are accepted"),
    "side.png": (png(1, 20_000, zlib.compress(bytes(40_000))), LARGE, r"is 1x20000 .* 16,384 on a side"),
    "bomb.png": (whole_bomb(), LARGE, r"than the 50,000,000 that are accepted"),
    "some.png": (png(8_000, 8_000, zlib.compress(b"")), LARGE, r"is 8000x8000 \(64,000,000 pixels\); at most 50"),
    "float.tif": (encode(Image.new("F", (96, 64), 0.5), "TIFF"), UNREADABLE, r"32 bits a pixel .* 8 or 16 bits"),
    "profile.jpg": (
        encode(make_image(), "JPEG", icc_profile=rgb_profile(size=(1 << 20) + 4)),
        LARGE,
        r"colour profile .* has 1,048,580 bytes; at most 1,048,576 are accepted",
    ),
    "profile.png": (
        encode(make_image(), icc_profile=rgb_profile(size=(1 << 20) + 4)), UNREADABLE,
        r"begins as a PNG but cannot be opened",
    ),
    "whole.tif": (encode(Image.new("I", (96, 64), 5), "TIFF"), UNREADABLE, r"32 bits a pixel"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All of them as files, and a good picture with its mask."""
    for name, (data, _, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "room.png").write_bytes(encode(make_image()))
    (tmp_path / "mask.png").write_bytes(encode(make_mask()))
    return tmp_path


@pytest.fixture
def run(stack_env: dict[str, str], folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def inpaint(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "inpaint_fleet.cli", *arguments],
            env=stack_env, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return inpaint


def nothing_is_stored(store: S3Store, database: Database) -> None:
    assert objects(store) == set()
    with database.read() as connection:
        assert [count(connection, table) for table in ("job", "image")] == [0, 0]


def test_the_client_refuses_each_as_source_and_as_mask(
    client: InpaintClient, store: S3Store, database: Database, folder: Path
) -> None:
    for name, (data, code, words) in HOSTILE.items():
        for role in ("source", "mask"):
            for given in (folder / name, data):
                with pytest.raises(ImageError) as caught:
                    client.submit(**{"source": make_image(), "mask": make_mask(), role: given}, model=MODEL)  # type: ignore[arg-type]
                error = caught.value
                assert (name, error.code, error.exit_code, error.index) == (name, code, 2, 0)
                assert re.search(words, error.message), (name, error.message)
                assert re.match(rf"The (colour profile of the )?{role}\b", error.message) and error.message.endswith(
                    "."
                )
                assert len(error.message) < 400
                with pytest.raises(type(error)):
                    client.check(make_spec(**{role: given}))
    nothing_is_stored(store, database)


@pytest.mark.parametrize("name", ["empty.png", "cut.jpg", "bomb.png", "moving.webp", "drawing.svg", "float.tif"])
def test_the_command_line_says_it_in_one_sentence(
    run: Callable[..., subprocess.CompletedProcess[str]], store: S3Store, database: Database, name: str
) -> None:
    for arguments in ((name, "--mask", "mask.png"), ("room.png", "--mask", name), (name, "--box", "0,0,9,9")):
        said = run("submit", *arguments, "--model", MODEL)
        assert (said.returncode, said.stdout) == (2, ""), said.stderr
        assert said.stderr.startswith("error: The ") and said.stderr.count("\n") == 1, said.stderr
        assert re.search(HOSTILE[name][2], said.stderr) and "Traceback" not in said.stderr
    nothing_is_stored(store, database)


def test_a_batch_of_them_names_each_and_queues_nothing(
    run: Callable[..., subprocess.CompletedProcess[str]], store: S3Store, database: Database, folder: Path
) -> None:
    rows = [f"{name},mask.png" for name in HOSTILE] + [f"room.png,{name}" for name in HOSTILE] + ["room.png,mask.png"]
    (folder / "jobs.csv").write_text("\n".join(["source,mask", *rows]), encoding="utf-8")
    said = run("submit-batch", "jobs.csv", "--model", MODEL, "--json")
    assert said.returncode == 2 and "Traceback" not in said.stderr
    invalid = json.loads(said.stdout)["invalid"]
    assert [entry["row"] for entry in invalid] == list(range(1, 2 * len(HOSTILE) + 1))
    for entry, (name, (_, _, words)) in zip(invalid, [*HOSTILE.items(), *HOSTILE.items()], strict=True):
        assert name in entry["error"] and re.search(words, entry["error"]), entry
    nothing_is_stored(store, database)


@pytest.mark.parametrize("name", ["empty.png", "cut.png", "bomb.png", "drawing.svg", "moving.webp"])
def test_objects_in_the_bucket_are_looked_at_as_files_are(
    client: InpaintClient, store: S3Store, database: Database, name: str
) -> None:
    data, code, words = HOSTILE[name]
    ref = ObjectRef(store.bucket, f"in/{name}")
    store.put(ref, data, "image/png")
    for role in ("source", "mask"):
        with pytest.raises(ImageError, match=words) as caught:
            client.submit(**{"source": make_image(), "mask": make_mask(), role: str(ref)}, model=MODEL)  # type: ignore[arg-type]
        assert caught.value.code == code and str(ref) in caught.value.message
    with database.read() as connection:
        assert count(connection, "job") == 0


def test_a_mask_of_another_size_is_refused_with_both_sizes(
    run: Callable[..., subprocess.CompletedProcess[str]], folder: Path
) -> None:
    (folder / "small.png").write_bytes(encode(make_mask(40, 30)))
    said = run("submit", "room.png", "--mask", "small.png", "--model", MODEL)
    assert said.returncode == 2 and said.stderr.startswith("error: The mask is 40x30 pixels and the source 96x64.")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("png-named.jpg", encode(make_image())),
        ("jpeg-named.png", encode(make_image(), "JPEG")),
        ("no-ending", encode(make_image(), "WEBP")),
        ("profile.jpg", encode(make_image(), "JPEG", icc_profile=b"no profile" * 30)),
        ("profile.png", encode(make_image(), "PNG", icc_profile=b"no profile" * 30)),
    ],
)
def test_what_the_content_is_decides_and_not_the_name_nor_a_broken_profile(
    client: InpaintClient, tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    view = client.get(client.submit(tmp_path / name, make_mask(), model=MODEL).id)
    ending = {b"\x89PNG": ".png", b"RIFF": ".webp"}.get(data[:4], ".jpg")
    assert view.source_uri is not None and view.source_uri.endswith(ending)


def test_what_is_no_image_at_all_is_named_by_its_type(client: InpaintClient) -> None:
    for role in ("source", "mask"):
        with pytest.raises(RequestError, match=f"{role}: list is not taken as an image. Give a path"):
            client.check(make_spec(**{role: [[0, 255], [255, 0]]}))
