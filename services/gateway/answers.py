"""What callers read: the answers each connector's sender expects, byte for byte where it matters.

200 is the only success: two SDKs take 202 and 204 for failures and send again. An error is JSON with `code`
and `message` (rudder-sdk-python retries a 400 whose JSON lacks them), or plain text where the sender's own is.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from streams.connectors.ways import JSON, TEXT, Answers, Reply

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; Content-Length is added when it is sent."""

    status: int
    body: bytes = b""
    content_type: bytes = TEXT
    headers: tuple[Header, ...] = ()


class Refusal(Exception):
    """A request that is not taken: status, a slug for programs, a line for people.

    `known`: more than that, for the operator alone.
    """

    def __init__(self, status: int, code: str, message: str, headers: tuple[Header, ...] = (), known: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.known = known or message


def replied(reply: Reply, status: int = 200) -> Answer:
    """A connector's own answer."""
    return Answer(status, reply.body, reply.content_type, reply.headers)


def refused(refusal: Refusal, answers: Answers | None = None) -> Answer:
    """The refusal in the sender's own shape, as far as the sender is known."""
    if answers is not None and answers.refused == "text":
        return Answer(refusal.status, refusal.message.encode(), TEXT, refusal.headers)
    body = {"success": False, "code": refusal.code, "message": refusal.message, "detail": refusal.message}
    return Answer(refusal.status, orjson.dumps(body), JSON, refusal.headers)


def json_answer(value: object, status: int = 200) -> Answer:
    """Any JSON."""
    return Answer(status, orjson.dumps(value), JSON)


def unavailable(retry_after_s: int, message: str) -> Refusal:
    """503, the one status nearly every sender retries."""
    return Refusal(503, "unavailable", message, ((b"retry-after", str(retry_after_s).encode()),))
