"""Links by which people act on an incident from a message: signed, and of no use after a while. Pure.

A link grants taking, silencing and calling done one incident, and nothing else. It names evidence, not the id of the
conversation alone, because actions follow evidence. It names no account and no person: addresses end up in logs.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import orjson

PATH: Final = "/alerts/act/"
LEAVE_PATH: Final = "/alerts/leave/"
LEAVE: Final = b"touchline:leave:1:"
"""Signs links that leave a digest: neither kind of link opens what the other does."""
LEAST_SECRET_BYTES: Final = 32
MAX_TOKEN_CHARS: Final = 2_000
_EVENTS = 3
_ACT = b"touchline:act:1:"


@dataclass(frozen=True, slots=True)
class ActionLink:
    """What a link is about. `what` is the policy's name."""

    incident_id: str
    what: str
    events: tuple[str, ...]
    until: datetime


class LinkError(Exception):
    """A link that is not ours, or not any more."""

    def __init__(self, kind: Literal["forged", "expired"]) -> None:
        super().__init__(kind)
        self.kind = kind


def signed(link: ActionLink, key: bytes, kind: bytes = _ACT) -> str:
    """The token of a link: what it says and its signature, both in base64url."""
    said = [link.incident_id, link.what[:80], link.events[:_EVENTS], int(link.until.timestamp())]
    text = _encoded(orjson.dumps(said))
    return f"{text}.{_encoded(_signature(text, key, kind))}"


def read(token: str, keys: Sequence[bytes], now: datetime, kind: bytes = _ACT) -> ActionLink:
    """The link of a token that any of the keys signed. Raises LinkError."""
    if len(token) > MAX_TOKEN_CHARS:
        raise LinkError("forged")
    text, _, proof = token.partition(".")
    # every key is compared, and nothing is read before one fits
    fitting = [hmac.compare_digest(_encoded(_signature(text, key, kind)).encode(), proof.encode()) for key in keys]
    if not any(fitting):
        raise LinkError("forged")
    incident_id, what, events, until_s = orjson.loads(_decoded(text))
    link = ActionLink(incident_id, what, tuple(events), datetime.fromtimestamp(until_s, UTC))
    if now >= link.until:
        raise LinkError("expired")
    return link


def _signature(text: str, key: bytes, kind: bytes) -> bytes:
    return hmac.digest(key, kind + text.encode("utf-8", "surrogatepass"), "sha256")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
