"""A stand-in for OpenAI's images.edit: a real HTTP server on loopback, as strict as the API's reference."""

from __future__ import annotations

import base64
import email
import http.server
import io
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

KEY = "sk-proj-0123456789-abcdefghij-secret"
#: What the API paints; everything outside the mask changes as well, as it does there.
PAINT = (200, 30, 30)


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came over the wire."""

    path: str
    headers: dict[str, str]
    fields: dict[str, str]
    files: dict[str, bytes]

    def picture(self, name: str) -> Image.Image:
        """An uploaded file, decoded."""
        image = Image.open(io.BytesIO(self.files[name]))
        image.load()
        return image


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to one request."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0


def refusal(status: int, code: str | None, message: str = "no", **headers: str) -> Answer:
    """An error in the API's form."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(status, {"error": error}, headers)


def image_answer(image: Image.Image, kind: str = "PNG") -> Answer:
    """A picture in the API's form."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return text_answer(base64.b64encode(buffer.getvalue()).decode())


def text_answer(encoded: str) -> Answer:
    """What stands where a picture should."""
    return Answer(200, {"created": 1, "data": [{"b64_json": encoded}], "usage": {"total_tokens": 3}})


def edit(call: Call) -> Answer:
    """Check a request as the reference describes it, and paint."""
    if call.headers.get("authorization") != f"Bearer {KEY}":
        # As the API does: with parts of the key.
        return refusal(401, "invalid_api_key", "Incorrect API key provided: sk-proj-****cret.")
    if call.path != "/v1/images/edits":
        return Answer(404, {"detail": "Not Found"})
    model = call.fields["model"]
    if not model.startswith("gpt-image-2"):
        return refusal(400, "model_not_found", f"The model '{model}' does not exist.")
    if "response_format" in call.fields:
        return refusal(400, "unknown_parameter", "Unknown parameter: 'response_format'.")
    mask, image = call.picture("mask"), call.picture("image")
    if mask.format != "PNG" or mask.size != image.size or "A" not in mask.getbands() or len(call.files["mask"]) > 4e6:
        return refusal(400, "invalid_mask", "The mask must be a PNG with alpha, of the image's size and under 4 MB.")
    width, height = (int(side) for side in call.fields["size"].split("x"))
    return image_answer(Image.new("RGB", (width, height), PAINT))


class OpenAiServer:
    """Answers what `answers` hold, first things first, and as the API would once they are used up."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: list[Answer | Callable[[Call], Answer]] = []
        self._closing = threading.Event()
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        """What INPAINT_OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def close(self) -> None:
        """Stop, also those answers that still wait."""
        self._closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _answer(self, call: Call) -> Answer:
        self.calls.append(call)
        found = self.answers.pop(0) if self.answers else edit
        answer = found if isinstance(found, Answer) else found(call)
        self._closing.wait(answer.after_s)
        return answer

    def _handler(server) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = server._answer(_parsed(self.path, dict(self.headers.items()), body))
                data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                headers = {"content-type": "application/json", "x-request-id": "req_7", **answer.headers}
                try:
                    self.send_response(answer.status)
                    for name, value in {**headers, "content-length": str(len(data))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except ConnectionError:
                    self.close_connection = True  # the client has given up

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
                pass

        return Handler


def _parsed(path: str, headers: dict[str, str], body: bytes) -> Call:
    headers = {name.lower(): value for name, value in headers.items()}
    message = email.message_from_bytes(b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body)
    fields, files = {}, {}
    for part in message.get_payload():
        name = str(part.get_param("name", header="content-disposition"))  # type: ignore[union-attr]
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        assert isinstance(payload, bytes)
        if part.get_filename():  # type: ignore[union-attr]
            files[name] = payload
        else:
            fields[name] = payload.decode()
    return Call(path, headers, fields, files)


def wait_for_calls(server: OpenAiServer, count: int, timeout_s: float = 30) -> None:
    """Wait until the server has been asked so many times."""
    deadline = time.monotonic() + timeout_s
    while len(server.calls) < count:
        assert time.monotonic() < deadline, f"{len(server.calls)} calls"
        time.sleep(0.02)
