"""Webhook signatures as data: one HMAC verifier, one row per scheme.

Verified on the bytes received, before anything parses them; compared in constant time; several
secrets are tried while rotating. A verifier never raises: whatever a header holds, the answer is yes or no.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Part = Literal["method", "url", "body", "timestamp", "id", "."]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one vendor signs. `message` is what is signed, part by part; header names are lower case."""

    header: bytes
    message: tuple[Part, ...]
    digest: Literal["sha256", "sha1"] = "sha256"
    encoding: Literal["base64", "hex"] = "base64"
    prefix: bytes = b""
    layout: Literal["plain", "spaced", "fields"] = "plain"  # `sig` | `v1,sig v1,sig` | `t=…,v1=sig`
    key: Literal["text", "whsec"] = "text"
    timestamp: Literal["", "ms", "s", "iso"] = ""
    timestamp_header: bytes = b""
    id_header: bytes = b""
    tolerance_s: int = 300


SCHEMES: dict[str, Scheme] = {
    "hubspot": Scheme(
        b"x-hubspot-signature-v3",
        ("method", "url", "body", "timestamp"),
        timestamp="ms",
        timestamp_header=b"x-hubspot-request-timestamp",
    ),
    "zendesk": Scheme(
        b"x-zendesk-webhook-signature",
        ("timestamp", "body"),
        timestamp="iso",
        timestamp_header=b"x-zendesk-webhook-signature-timestamp",
    ),
    "standard_webhooks": Scheme(
        b"webhook-signature",
        ("id", ".", "timestamp", ".", "body"),
        prefix=b"v1,",
        layout="spaced",
        key="whsec",
        timestamp="s",
        timestamp_header=b"webhook-timestamp",
        id_header=b"webhook-id",
    ),
    "stripe": Scheme(
        b"stripe-signature", ("timestamp", ".", "body"), encoding="hex", prefix=b"v1=", layout="fields", timestamp="s"
    ),
    "jira": Scheme(b"x-hub-signature", ("body",), encoding="hex", prefix=b"sha256="),
    "intercom": Scheme(b"x-hub-signature", ("body",), digest="sha1", encoding="hex", prefix=b"sha1="),
    "typeform": Scheme(b"typeform-signature", ("body",), prefix=b"sha256="),
    "oro": Scheme(b"webhook-signature", ("body",), encoding="hex"),
    "shopify": Scheme(b"x-shopify-hmac-sha256", ("body",)),
}


@dataclass(frozen=True, slots=True)
class Signed:
    """What was received. `urls` are the addresses the sender may have called, normally one."""

    method: bytes
    urls: tuple[bytes, ...]
    headers: Mapping[bytes, bytes]
    body: bytes


def verify(scheme: Scheme, secrets: Iterable[bytes], signed: Signed, now: datetime) -> str:
    """Empty when the signature is good and fresh, else why not, in words fit for a log and a 401."""
    header = signed.headers.get(scheme.header, b"")
    if not header:
        return "the signature header is missing"
    stamp = _field(header, b"t=") if scheme.layout == "fields" else signed.headers.get(scheme.timestamp_header, b"")
    if scheme.timestamp and not _is_fresh(stamp, scheme, now):
        return f"the timestamp is missing, unreadable or more than {scheme.tolerance_s} s off"
    given = _given(header, scheme)
    expected = [
        _expected(scheme, secret, _message(scheme, signed, url, stamp)) for secret in secrets for url in signed.urls
    ]
    # Every pair is compared, so that the time taken does not say which secret was nearly right.
    good = [hmac.compare_digest(one, other) for one in given for other in expected]
    return "" if any(good) else "the signature does not match"


def sign(scheme: Scheme, secret: bytes, signed: Signed, stamp: bytes = b"") -> bytes:
    """The signature itself, as a sender would compute it; for demos and tests."""
    return _expected(scheme, secret, _message(scheme, signed, signed.urls[0], stamp))


def _message(scheme: Scheme, signed: Signed, url: bytes, stamp: bytes) -> bytes:
    parts: dict[Part, bytes] = {
        "method": signed.method,
        "url": url,
        "body": signed.body,
        "timestamp": stamp,
        "id": signed.headers.get(scheme.id_header, b""),
        ".": b".",
    }
    return b"".join(parts[part] for part in scheme.message)


def _expected(scheme: Scheme, secret: bytes, message: bytes) -> bytes:
    if scheme.key == "whsec":
        try:
            secret = base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
        except binascii.Error:
            return b""
    found = hmac.new(secret, message, getattr(hashlib, scheme.digest))
    return found.hexdigest().encode() if scheme.encoding == "hex" else base64.b64encode(found.digest())


def _given(header: bytes, scheme: Scheme) -> list[bytes]:
    """The signatures the header offers, at most eight."""
    parts = {"plain": [header], "spaced": header.split(b" "), "fields": header.split(b",")}[scheme.layout]
    found = [part.strip() for part in parts if part.strip().startswith(scheme.prefix)]
    return [part[len(scheme.prefix) :] for part in found if len(part) > len(scheme.prefix)][:8]


def _field(header: bytes, name: bytes) -> bytes:
    return next((part.strip()[len(name) :] for part in header.split(b",") if part.strip().startswith(name)), b"")


def _is_fresh(stamp: bytes, scheme: Scheme, now: datetime) -> bool:
    """Within the tolerance, both ways, edges included."""
    try:
        seconds = _seconds(stamp.decode("ascii"), scheme.timestamp)
    except (ValueError, OverflowError):
        return False
    return abs(now.timestamp() - seconds) <= scheme.tolerance_s


def _seconds(stamp: str, form: str) -> float:
    if form == "iso":
        found = datetime.fromisoformat(stamp)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not re.fullmatch(r"[0-9]{1,15}", stamp):
        raise ValueError("not a number")
    return int(stamp) / (1000 if form == "ms" else 1)


_KEPT_ENCODED = re.compile(rb"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def hubspot_url(base: str, path: bytes, query: bytes) -> bytes:
    """The URL as HubSpot signs it: as called, with only `:/?@!$'()*,;` percent-decoded."""
    url = base.rstrip("/").encode() + path + (b"?" + query if query else b"")
    return _KEPT_ENCODED.sub(lambda found: bytes.fromhex(found[1].decode()), url)
