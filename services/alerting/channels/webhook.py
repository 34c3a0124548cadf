"""Standard Webhooks 1.0: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.

`webhook-id` is the same at every attempt, so that a receiver knows what it had. `webhook-signature` holds a `v1`
signature for each secret: base64 of HMAC-SHA256 over `id.timestamp.body`, with the bytes that `whsec_` encodes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Sequence, Set

import orjson

from schemas.errors import ConfigurationError
from schemas.incidents import Digest, Message
from services.alerting.channels.outcome import Outcome, posted
from services.alerting.outgoing import Outgoing

PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64


def key_of(secret: str) -> bytes:
    """The key that a secret stands for. Raises ConfigurationError."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ConfigurationError(
            f"is no signing secret: it must be `{PREFIX}` and 24 to 64 bytes in base64, "
            "e.g. from `echo whsec_$(openssl rand -base64 32)`"
        )
    return key


def signature(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header's value: one signature for each key."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in keys)


def body(message: Message) -> bytes:
    """`type`, `timestamp` and `data`, as the specification recommends."""
    data = message.model_dump(mode="json")
    return orjson.dumps({"type": f"incident.{message.kind}", "timestamp": data["at"], "data": data})


def digest_body(digest: Digest) -> bytes:
    """The same of a digest."""
    data = digest.model_dump(mode="json")
    return orjson.dumps({"type": f"digest.{digest.kind}", "timestamp": data["at"], "data": data})


class Webhook:
    """One receiver."""

    kind = "webhook"

    def __init__(  # noqa: PLR0913 - a receiver and how it is reached
        self,
        name: str,
        url: str,
        secrets: Sequence[str],
        per_minute: int,
        outgoing: Outgoing,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name, self.per_minute = name, per_minute
        self._url, self._outgoing, self._clock = url, outgoing, clock
        self._secrets = tuple(secrets)
        self._keys = tuple(key_of(secret) for secret in secrets)

    async def send(self, message: Message) -> Outcome:
        """Post it, signed with the time of this attempt."""
        return await self._signed(message.notice_id, body(message))

    async def send_digest(self, digest: Digest, left: Set[str]) -> Outcome:
        """Post it like any message; programs do not leave."""
        return await self._signed(digest.digest_id, digest_body(digest))

    async def _signed(self, name: str, content: bytes) -> Outcome:
        now = int(self._clock())
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._keys, name, now, content),
        }
        return await posted(self._outgoing, self._url, content, headers, self._secrets)
