"""Moments → HTTP requests as the vendors' tools make them: batches, gzip, write keys, signatures. Pure."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from services.demo.script import Message, Moment, Sender, epoch_ms, iso

#: Messages per request: what Segment's and RudderStack's SDKs and HubSpot send at most; Zendesk sends one.
BATCH: dict[Sender, int] = {"web": 100, "product": 100, "crm": 100, "support": 1}


@dataclass(frozen=True, slots=True)
class Account:
    """How one sender reaches the gateway: the path its requests begin with, its secret, and the URL it signs."""

    source: str
    secret: bytes
    base_url: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. `headers(now)` signs it anew: a signature is good for five minutes."""

    path: str
    body: bytes
    messages: int
    headers: Callable[[datetime], dict[str, str]]


def requests(moments: Sequence[Moment], accounts: dict[Sender, Account]) -> list[Outgoing]:
    """All moments as requests of their senders; within a sender in the order given."""
    found: list[Outgoing] = []
    for sender, account in accounts.items():
        mine = [moment.message for moment in moments if moment.sender == sender]
        for messages in _parts(mine, BATCH[sender]):
            found.append(_BUILD[sender](account, messages))
    return found


def _parts(messages: Sequence[Message], size: int) -> Iterator[Sequence[Message]]:
    for start in range(0, len(messages), size):
        yield messages[start : start + size]


def _segment(account: Account, messages: Sequence[Message]) -> Outgoing:
    """One message is a single call, several are a batch."""
    auth = _basic(account.secret)
    if len(messages) == 1:
        body: Any = messages[0]
        path = f"/v1/{body['type']}"
    else:
        body, path = {"batch": messages}, "/v1/batch"
    return Outgoing(path, orjson.dumps(body), len(messages), lambda now: {**JSON, "authorization": auth})


def _rudder(account: Account, messages: Sequence[Message]) -> Outgoing:
    """Always a batch, always compressed."""
    headers = {**JSON, "content-encoding": "gzip", "authorization": _basic(account.secret)}
    body = gzip.compress(orjson.dumps({"batch": messages}), compresslevel=1, mtime=0)
    return Outgoing("/v1/batch", body, len(messages), lambda now: headers)


def _hubspot(account: Account, messages: Sequence[Message]) -> Outgoing:
    """An array, signed with method, URL, body and time."""
    path, body = f"/hubspot/{account.source}", orjson.dumps(messages)

    def headers(now: datetime) -> dict[str, str]:
        stamp = str(epoch_ms(now))
        signed = f"POST{account.base_url}{path}".encode() + body + stamp.encode()
        signature = _hmac(account.secret, signed)
        return {**JSON, "x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}

    return Outgoing(path, body, len(messages), headers)


def _zendesk(account: Account, messages: Sequence[Message]) -> Outgoing:
    """One event, signed with time and body."""
    path, body = f"/zendesk/{account.source}", orjson.dumps(messages[0])

    def headers(now: datetime) -> dict[str, str]:
        stamp = iso(now)
        signature = _hmac(account.secret, stamp.encode() + body)
        return {**JSON, "x-zendesk-webhook-signature": signature, "x-zendesk-webhook-signature-timestamp": stamp}

    return Outgoing(path, body, 1, headers)


JSON = {"content-type": "application/json"}
_BUILD: dict[Sender, Callable[[Account, Sequence[Message]], Outgoing]] = {
    "web": _segment,
    "product": _rudder,
    "crm": _hubspot,
    "support": _zendesk,
}


def _basic(key: bytes) -> str:
    return "Basic " + base64.b64encode(key + b":").decode()


def _hmac(secret: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()
