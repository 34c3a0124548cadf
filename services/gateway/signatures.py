"""Executes the schemes by which senders prove themselves (streams/connectors/schemes.py): one function a kind.

Verified on the bytes received, before anything parses them; compared in constant time; several
secrets are tried while rotating. A verifier never raises: whatever a header holds, the answer is yes or no.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from services.gateway.request import Request
from streams.connectors.schemes import Basic, Hmac, Part, QueryToken, Scheme, Token, covers_url

MISMATCH: Final = "invalid_signature"
_FORMS: Final = {"iso": "ISO 8601", "s": "seconds since 1970", "ms": "milliseconds since 1970"}


@dataclass(frozen=True, slots=True)
class Signed:
    """What was received. `urls` are the addresses the sender may have called, normally one. `query` as it was sent."""

    method: bytes
    urls: tuple[bytes, ...]
    headers: Mapping[bytes, bytes]
    body: bytes
    query: str = ""


class Problem(NamedTuple):
    """Why a sender has not proved itself: a slug for programs, and words fit for a log and a 401."""

    code: str
    words: str


def verify(scheme: Scheme, secrets: Iterable[bytes], signed: Signed, now: datetime) -> Problem | None:
    """None when the sender has proved itself just now, else why not."""
    return _KINDS[type(scheme)].verify(scheme, tuple(secrets), signed, now)


def prove(scheme: Scheme, secret: bytes, signed: Signed, now: datetime) -> dict[bytes, bytes]:
    """The headers a sender would prove itself with; for samples, demos and tests. `signed` holds the id, if any.

    Empty where it is the URL that proves: see `query_proof`.
    """
    return _KINDS[type(scheme)].prove(scheme, secret, signed, now)


# -- keyed hashes


def _verify_hmac(scheme: Hmac, secrets: tuple[bytes, ...], signed: Signed, now: datetime) -> Problem | None:
    header = signed.headers.get(scheme.header, b"")
    if not header:
        return Problem("missing_signature", "the signature header is missing")
    stamp = _field(header, b"t=") if scheme.layout == "fields" else signed.headers.get(scheme.timestamp_header, b"")
    if scheme.timestamp and not _is_fresh(stamp, scheme, now):
        return _stale(stamp, scheme, now)
    given = _given(header, scheme)
    expected = [
        _expected(scheme, secret, _message(scheme, signed, url, stamp)) for secret in secrets for url in signed.urls
    ]
    return None if _any_equal(given, expected) else Problem(MISMATCH, "the signature does not match")


def _prove_hmac(scheme: Hmac, secret: bytes, signed: Signed, now: datetime) -> dict[bytes, bytes]:
    stamp = _stamp(scheme, now)
    value = scheme.prefix + sign(scheme, secret, signed, stamp)
    if scheme.layout == "fields":
        value = b"t=" + stamp + b"," + value
    return {scheme.header: value} | ({scheme.timestamp_header: stamp} if scheme.timestamp_header else {})


def sign(scheme: Hmac, secret: bytes, signed: Signed, stamp: bytes = b"") -> bytes:
    """The signature itself, as a sender would compute it."""
    return _expected(scheme, secret, _message(scheme, signed, signed.urls[0], stamp))


def _message(scheme: Hmac, signed: Signed, url: bytes, stamp: bytes) -> bytes:
    parts: dict[Part, bytes] = {
        "method": signed.method,
        "url": url,
        "body": signed.body,
        "timestamp": stamp,
        "id": signed.headers.get(scheme.id_header, b""),
        ".": b".",
        ":": b":",
    }
    return b"".join(parts[part] for part in scheme.message)


def _expected(scheme: Hmac, secret: bytes, message: bytes) -> bytes:
    if scheme.key == "whsec":
        try:
            secret = base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
        except binascii.Error:
            return b""
    found = hmac.new(secret, message, getattr(hashlib, scheme.digest))
    return found.hexdigest().encode() if scheme.encoding == "hex" else base64.b64encode(found.digest())


def _given(header: bytes, scheme: Hmac) -> list[bytes]:
    """The signatures the header offers, at most eight."""
    parts = {"plain": [header], "spaced": header.split(b" "), "fields": header.split(b",")}[scheme.layout]
    found = [part.strip() for part in parts if part.strip().startswith(scheme.prefix)]
    return [part[len(scheme.prefix) :] for part in found if len(part) > len(scheme.prefix)][:8]


def _field(header: bytes, name: bytes) -> bytes:
    return next((part.strip()[len(name) :] for part in header.split(b",") if part.strip().startswith(name)), b"")


def _stale(stamp: bytes, scheme: Hmac, now: datetime) -> Problem:
    """A stamp that is too old, too new, or none: what it says, and by how much it is off."""
    if not stamp:
        return Problem("stale_signature", "the timestamp is missing")
    try:
        off = now.timestamp() - _seconds(stamp.decode("ascii"), scheme.timestamp)
    except (ValueError, OverflowError):
        shown = stamp[:30].decode(errors="replace")
        return Problem("stale_signature", f"the timestamp is not in {_FORMS[scheme.timestamp]}: `{shown}`")
    side = "old" if off > 0 else "ahead of our clock"
    most = f"at most {scheme.tolerance_s} s are taken"
    return Problem("stale_signature", f"the timestamp is {ceil(abs(off))} s {side}; {most}")


def _is_fresh(stamp: bytes, scheme: Hmac, now: datetime) -> bool:
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


def _stamp(scheme: Hmac, now: datetime) -> bytes:
    seconds = now.timestamp()
    written = {"": "", "iso": now.isoformat(), "s": str(int(seconds)), "ms": str(int(seconds * 1000))}
    return written[scheme.timestamp].encode()


# -- the secret itself


def _verify_token(scheme: Token, secrets: tuple[bytes, ...], signed: Signed, now: datetime) -> Problem | None:
    header = signed.headers.get(scheme.header, b"")
    if not header:
        return Problem("missing_signature", "the header with the token is missing")
    is_said = header[: len(scheme.prefix)].lower() == scheme.prefix.lower()
    given = [header[len(scheme.prefix) :].strip()] if is_said else []
    return None if _any_equal(given, secrets) else Problem(MISMATCH, "the token does not match")


def _prove_token(scheme: Token, secret: bytes, signed: Signed, now: datetime) -> dict[bytes, bytes]:
    return {scheme.header: scheme.prefix + secret}


def _verify_basic(scheme: Basic, secrets: tuple[bytes, ...], signed: Signed, now: datetime) -> Problem | None:
    kind, _, value = signed.headers.get(b"authorization", b"").partition(b" ")
    try:
        given = base64.b64decode(value.strip(), validate=True) if kind.lower() == b"basic" else b""
    except binascii.Error:
        given = b""
    if not given:
        return Problem("missing_signature", "HTTP Basic is missing")
    is_known = _any_equal([given, given.partition(b":")[2]], secrets)
    return None if is_known else Problem(MISMATCH, "user or password does not match")


def _prove_basic(scheme: Basic, secret: bytes, signed: Signed, now: datetime) -> dict[bytes, bytes]:
    pair = secret if secret.count(b":") else b"touchline:" + secret
    return {b"authorization": b"Basic " + base64.b64encode(pair)}


def _verify_query_token(
    scheme: QueryToken, secrets: tuple[bytes, ...], signed: Signed, now: datetime
) -> Problem | None:
    pairs = (part.partition("=") for part in signed.query.split("&"))
    given = [unquote_to_bytes(value) for name, _, value in pairs if name == scheme.name][:8]
    if not any(given):
        return Problem("missing_signature", f"`{scheme.name}` is missing in the query")
    return None if _any_equal(given, secrets) else Problem(MISMATCH, "the token does not match")


def _prove_query_token(scheme: QueryToken, secret: bytes, signed: Signed, now: datetime) -> dict[bytes, bytes]:
    return {}


def query_proof(scheme: Scheme, secret: bytes) -> str:
    """What a sender adds to the query to prove itself; empty where it proves itself otherwise."""
    return f"{scheme.name}={quote(secret, safe='')}" if isinstance(scheme, QueryToken) else ""


def query_secrets(scheme: Scheme) -> tuple[str, ...]:
    """Parameters of the query that must not be stored."""
    return (scheme.name,) if isinstance(scheme, QueryToken) else ()


def _any_equal(given: Iterable[bytes], expected: Iterable[bytes]) -> bool:
    """Every pair is compared, so that the time taken does not say which secret was nearly right."""
    wanted = [secret for secret in expected if secret]
    good = [hmac.compare_digest(one, other) for one in given for other in wanted]
    return any(good)


@dataclass(frozen=True, slots=True)
class _Kind:
    """The two functions of a kind of scheme."""

    verify: Callable[[Any, tuple[bytes, ...], Signed, datetime], Problem | None]
    prove: Callable[[Any, bytes, Signed, datetime], dict[bytes, bytes]]


_KINDS: dict[type[Scheme], _Kind] = {
    Hmac: _Kind(_verify_hmac, _prove_hmac),
    Token: _Kind(_verify_token, _prove_token),
    Basic: _Kind(_verify_basic, _prove_basic),
    QueryToken: _Kind(_verify_query_token, _prove_query_token),
}


# -- the address that was called


def called_urls(scheme: Scheme, request: Request, public_base_url: str) -> tuple[bytes, ...]:
    """The address the sender called: the configured public one, else our own socket's. Never the Host header's.

    Empty where the scheme does not cover it.
    """
    if not isinstance(scheme, Hmac) or not covers_url(scheme):
        return (b"",)
    host, port = request.server
    bases = [public_base_url]
    if not public_base_url:
        hosts = (host, "localhost") if host.startswith("127.") else (host,)
        bases = [f"{request.scheme}://{name}:{port}" if port else f"{request.scheme}://{name}" for name in hosts]
    query = request.query.encode("latin-1")
    return tuple(signed_url(scheme, base, request.raw_path, query) for base in bases)


def signed_url(scheme: Hmac, base: str, path: bytes, query: bytes) -> bytes:
    """The URL as the sender signs it: as called, with only the scheme's `url_decoded` percent-decoded."""
    url = base.rstrip("/").encode() + path + (b"?" + query if query else b"")
    if not scheme.url_decoded:
        return url
    return _encoded(scheme.url_decoded).sub(lambda found: bytes.fromhex(found[1].decode()), url)


@lru_cache(maxsize=64)
def _encoded(characters: bytes) -> re.Pattern[bytes]:
    """`%XX` of any of these characters."""
    codes = b"|".join(b"%02X" % character for character in characters)
    return re.compile(b"%(" + codes + b")", re.IGNORECASE)
