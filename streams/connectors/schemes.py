"""How senders prove who they are, as data: a row a scheme. services/gateway/signatures.py executes them.

A vendor's own row stands in its connector's file; here are those that several senders share, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["method", "url", "body", "timestamp", "id", ".", ":"]


@dataclass(frozen=True, slots=True)
class Hmac:
    """A keyed hash of the request. `message` is what is signed, part by part; header names are lower case.

    `layout`: `plain` is `sig`, `spaced` is `v1,sig v1,sig`, `fields` is `t=…,v1=sig` with the stamp among them.
    `url_decoded`: characters whose percent-encoding the sender undoes before it signs the URL.
    """

    header: bytes
    message: tuple[Part, ...] = ("body",)
    digest: Literal["sha256", "sha1"] = "sha256"
    encoding: Literal["base64", "hex"] = "base64"
    prefix: bytes = b""
    layout: Literal["plain", "spaced", "fields"] = "plain"
    key: Literal["text", "whsec"] = "text"
    timestamp: Literal["", "ms", "s", "iso"] = ""
    timestamp_header: bytes = b""
    id_header: bytes = b""
    url_decoded: bytes = b""
    tolerance_s: int = 300


@dataclass(frozen=True, slots=True)
class Token:
    """The secret itself, in a header of its own; `prefix` stands before it, as `Bearer ` does."""

    header: bytes
    prefix: bytes = b""


@dataclass(frozen=True, slots=True)
class Basic:
    """The secret is `user:password` of HTTP Basic, or the password alone, and then any user will do."""


@dataclass(frozen=True, slots=True)
class QueryToken:
    """The secret itself, in a parameter of the URL, for senders that take nothing but a URL; it is not stored."""

    name: str


Scheme = Hmac | Token | Basic | QueryToken

SCHEMES: dict[str, Scheme] = {
    "standard_webhooks": Hmac(
        b"webhook-signature",
        ("id", ".", "timestamp", ".", "body"),
        prefix=b"v1,",
        layout="spaced",
        key="whsec",
        timestamp="s",
        timestamp_header=b"webhook-timestamp",
        id_header=b"webhook-id",
    ),
    "stripe": Hmac(
        b"stripe-signature", ("timestamp", ".", "body"), encoding="hex", prefix=b"v1=", layout="fields", timestamp="s"
    ),
    "hub_sha256": Hmac(b"x-hub-signature-256", encoding="hex", prefix=b"sha256="),
    "hub_sha1": Hmac(b"x-hub-signature", digest="sha1", encoding="hex", prefix=b"sha1="),
    "jira": Hmac(b"x-hub-signature", encoding="hex", prefix=b"sha256="),
    "typeform": Hmac(b"typeform-signature", prefix=b"sha256="),
    "oro": Hmac(b"webhook-signature", encoding="hex"),
    "shopify": Hmac(b"x-shopify-hmac-sha256"),
    "bearer": Token(b"authorization", b"Bearer "),
    "token": Token(b"x-webhook-token"),
    "basic": Basic(),
}


def covers_url(scheme: Scheme) -> bool:
    """Whether the address that was called is signed, too: a source behind a proxy then needs `public_base_url`."""
    return isinstance(scheme, Hmac) and "url" in scheme.message


def proof_headers(scheme: Scheme) -> tuple[str, ...]:
    """The headers a sender proves itself with, lower case."""
    if isinstance(scheme, Basic):
        return ("authorization",)
    if isinstance(scheme, QueryToken):
        return ()
    named = (scheme.header,) if isinstance(scheme, Token) else (scheme.header, scheme.timestamp_header)
    return tuple(name.decode() for name in named if name)
