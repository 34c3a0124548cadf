"""What a vendor mapping is: a RawRequest in, one result per vendor message out. Pure, and it never raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.errors import MalformedPayload, PermanentError, shown
from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors.slices import slices

Message = dict[str, Any]
"""One vendor message, or the envelope around several, as decoded JSON."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A message we understood. `address` is where it was sent from; it is looked up and dropped."""

    touchpoint: CleanTouchpoint
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that can never become a touchpoint. `original` is its exact text inside the body."""

    reason: str
    message: str
    original: str
    index: int


Result = Mapped | Refused


def nowhere(message: Message, envelope: Message) -> str:
    """The address of senders that tell none."""
    return ""


def verbatim(request: RawRequest) -> str:
    """The payload of most requests: their body."""
    return request.body


@dataclass(frozen=True, slots=True)
class Vendor:
    """One connector. `touchpoint(message, envelope, request)` raises PermanentError for what it refuses."""

    name: str
    touchpoint: Callable[[Message, Message, RawRequest], CleanTouchpoint]
    batch_key: str = field(default="")
    payload: Callable[[RawRequest], str] = verbatim
    address: Callable[[Message, Message], str] = nowhere

    def map(self, request: RawRequest) -> list[Result]:
        """Every message of the request, in order, mapped or refused. Refusals do not touch their neighbours."""
        body = self.payload(request)
        try:
            envelope, messages = _open(body, self.batch_key)
        except PermanentError as error:
            return [Refused(error.reason, str(error), body, 0)]
        return [self._one(i, message, envelope, request, body) for i, message in enumerate(messages)]

    def _one(self, index: int, message: object, envelope: Message, request: RawRequest, body: str) -> Result:
        try:
            if isinstance(message, PermanentError):
                raise message
            if not isinstance(message, dict):
                raise MalformedPayload(f"a message must be a JSON object, not {shown(message)}", "wrong_type")
            return Mapped(self.touchpoint(message, envelope, request), self.address(message, envelope))
        except PermanentError as error:
            return Refused(error.reason, str(error), _original(body, self.batch_key, index), index)
        except Exception as error:  # our own mistake must cost one message, not the stream
            text = f"{type(error).__name__}: {error}"[:300]
            return Refused("mapping_failed", text, _original(body, self.batch_key, index), index)


def _open(body: str, batch_key: str) -> tuple[Message, list[Any]]:
    """Envelope and messages. A message JSON allows but no double or UTF-8 can hold (`1e400`) becomes an error."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _open_piecewise(body, batch_key, error)
    if isinstance(value, list):
        return {}, value
    if not isinstance(value, dict):
        raise MalformedPayload(f"the body must be a JSON object or array, not {shown(value)}", "wrong_type")
    batch = value.get(batch_key) if batch_key else None
    return (value, batch) if isinstance(batch, list) else ({}, [value])


def _open_piecewise(body: str, batch_key: str, error: orjson.JSONDecodeError) -> tuple[Message, list[Any]]:
    try:
        rest, texts = slices(body, batch_key)
        return orjson.loads(rest), [_parsed(text) for text in texts]
    except (ValueError, RecursionError):
        raise MalformedPayload(f"not JSON: {error}", "malformed") from None


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return MalformedPayload(f"{error.msg}: {shown(text)}", "not_representable")


def _original(body: str, batch_key: str, index: int) -> str:
    try:
        return slices(body, batch_key)[1][index]
    except (ValueError, RecursionError, IndexError):
        return body
