"""What callers read: the answers each vendor's SDK expects, byte for byte where it matters.

200 is the only success: two SDKs take 202 and 204 for failures and send again. An error is JSON with `code`
and `message` (rudder-sdk-python retries a 400 whose JSON lacks them), or plain text where RudderStack's is.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
GIF = b"image/gif"
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; Content-Length is added when it is sent."""

    status: int
    body: bytes = b""
    content_type: bytes = TEXT
    headers: tuple[Header, ...] = ()


class Refusal(Exception):
    """A request that is not taken: status, a slug for programs, a line for people."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


_ACCEPTED = dict.fromkeys(("segment", "touchline"), Answer(200, b'{"success":true}', JSON))
_OK = Answer(200, b"OK")
_NO_STORE = ((b"cache-control", b"no-cache, no-store, must-revalidate"),)


def accepted(vendor: str) -> Answer:
    """What the vendor's SDK expects for an event that is safe."""
    return _ACCEPTED.get(vendor, _OK)


def refused(refusal: Refusal, vendor: str = "") -> Answer:
    """The refusal in the vendor's own shape."""
    if vendor == "rudderstack":
        return Answer(refusal.status, refusal.message.encode(), TEXT, refusal.headers)
    body = {"success": False, "code": refusal.code, "message": refusal.message, "detail": refusal.message}
    return Answer(refusal.status, orjson.dumps(body), JSON, refusal.headers)


def json_answer(value: object, status: int = 200) -> Answer:
    """Any JSON."""
    return Answer(status, orjson.dumps(value), JSON)


def pixel(status: int) -> Answer:
    """The image, whatever happened; the status still tells the truth."""
    return Answer(status, PIXEL, GIF, _NO_STORE)


def unavailable(retry_after_s: int, message: str) -> Refusal:
    """503, the one status nearly every sender retries."""
    return Refusal(503, "unavailable", message, ((b"retry-after", str(retry_after_s).encode()),))
