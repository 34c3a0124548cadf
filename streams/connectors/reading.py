"""Reading untrusted fields: each reader gives a clean value or raises UnmappableEvent naming field and value."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from math import isfinite
from typing import Any, Final
from uuid import UUID

import orjson

from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Scalar
from streams.connectors.times import parsed
from streams.identity.domains import is_rented
from streams.ids import named_id
from streams.names import readable_host

NAMESPACE = UUID("6f1a5f3e-6c0e-5d0b-9a53-0f4a5ce1d7a4")
"""Of event ids. Never to be changed: every stored event's identity comes from it."""

MAX_ID_CHARS = 512
MAX_TEXT_CHARS = 2_000
MAX_VALUE_CHARS = 200
MAX_PROPERTIES = 30
CLOCK_TOLERANCE = timedelta(minutes=5)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(2100, 1, 1, tzinfo=UTC)
_EXACT = 2**53
"""From here on a double skips whole numbers."""
_ADDRESS = re.compile(
    r"\d{1,3}(\.\d{1,3}){3}(:\d+)?|\[?[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}(:\d{1,3}(\.\d{1,3}){3})?(%\w+)?\]?", re.I
)
_ADDRESS_HOST = re.compile(r"[a-z][a-z0-9+.-]{0,19}://(?:[^/?#@]*@)?(\[[0-9a-f:.]+\]|[^/?#:@]+)", re.I)
_SENSITIVE = re.compile(
    r"e-?mail|phone|telefoon|^(mobile|mobiel|tel|fax|gsm)$|passw|pwd|wachtwoord|kennwort|mot_?de_?passe|(^|_)bsn($|_)|secret|token|api_?key|card_?n|iban|ssn|cvc|cvv|"
    r"(^|[^a-z])ip([^a-z]|$)|ip_?addr|remote_?addr|(client|user|visitor|remote)_?ip$|forwarded[-_]?for",
    re.I,
)


def event_id(source: str, vendor_event_id: str) -> str:
    """The identity of an event: its source and the sender's own id of it, nothing of how it travelled."""
    return named_id(NAMESPACE, f"{source}\n{vendor_event_id}")


def content_id(message: dict[str, Any], without: frozenset[str]) -> str:
    """An id for a message that has none: the hash of its canonical JSON without its transport fields."""
    kept = {key: value for key, value in message.items() if key not in without}
    try:
        canonical = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # orjson writes at most 254 levels
        raise UnmappableEvent("an id of its own is needed by a message that is nested this deep", "too_deep") from None
    return "sha256:" + hashlib.sha256(canonical).hexdigest()


def ident(message: dict[str, Any], field: str) -> str:
    """An id as text, empty when absent. Whole numbers are ids too; anything else is a mistake of the sender.

    `111.0` is the whole number that it is. Where a number is too large to have come through whole, two ids may be one.
    """
    value = message.get(field)
    if value is None:
        return ""
    if isinstance(value, str):
        if len(value) > MAX_ID_CHARS:
            raise UnmappableEvent(f"`{field}` is longer than {MAX_ID_CHARS} characters: {shown(value)}", "too_long")
        return value.strip()
    if type(value) is int:
        return str(value)
    if not isinstance(value, float) or not value.is_integer():
        raise UnmappableEvent(f"`{field}` must be text or a whole number, not {shown(value)}", "wrong_type")
    if abs(value) >= _EXACT:
        raise UnmappableEvent(f"`{field}` is too large for a number: send it as text, not {shown(value)}", "not_exact")
    return str(int(value))


def member(message: dict[str, Any], field: str) -> dict[str, Any]:
    """An object, empty when absent; PHP writes an empty one as `[]`."""
    value = message.get(field)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    if value == [] or value == "":
        return {}
    raise UnmappableEvent(f"`{field}` must be an object, not {shown(value)}", "wrong_type")


def stamp(value: object, field: str) -> datetime:
    """A time as `times` reads them, from 1970 up to 2100."""
    found = parsed(value) if not isinstance(value, bool) else None
    if found is None:
        raise UnmappableEvent(f"`{field}` is not a time: {shown(value)}", "bad_time")
    if not _FIRST <= found < _END:
        raise UnmappableEvent(f"`{field}` is outside 1970–2100: {shown(value)}", "bad_time")
    return found


def is_suspect(occurred_at: datetime, received_at: datetime) -> bool:
    """Whether a clock ran ahead, or was never set and counts from 1970."""
    return occurred_at > received_at + CLOCK_TOLERANCE or occurred_at.year == _FIRST.year


#: What operators call the tier of an account in systems that have no word of their own for it.
TIER_NAMES: Final = ("tier", "account_tier", "accountTier", "customer_tier", "customerTier")


def first_text(places: tuple[dict[str, Any], ...], names: tuple[str, ...], limit: int = MAX_VALUE_CHARS) -> str:
    """The first non-empty text or number under any of `names`, place by place, cut to `limit`."""
    for place in places:
        for name in names if place else ():
            value = place.get(name)
            if value is not None and (found := text(value, limit)):
                return found
    return ""


def text(value: object, limit: int = MAX_VALUE_CHARS) -> str:
    """Text or a number as text, trimmed and cut; anything else is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()[:limit]
    return str(value)[:limit] if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def number(value: object) -> float | None:
    """A finite number, also when written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def scalars(values: dict[str, Any]) -> dict[str, Scalar]:
    """The flat part of `values`, at most 30 of them, long text cut, nothing that reads like a secret or an address."""
    kept: dict[str, Scalar] = {}
    for key, value in values.items():
        if isinstance(value, str):
            value = value[:MAX_VALUE_CHARS]
        elif value is not None and not isinstance(value, (int, float)):
            continue
        if is_sensitive(key) or (isinstance(value, str) and is_network_address(value)):
            continue
        kept[key[:MAX_VALUE_CHARS]] = value
        if len(kept) == MAX_PROPERTIES:
            break
    return kept


@lru_cache(maxsize=4096)
def is_sensitive(key: str) -> bool:
    """Whether a property of this name is likely to hold an address, a number to call, or a credential."""
    return _SENSITIVE.search(key) is not None


def is_network_address(value: str) -> bool:
    """Whether a value looks like an IPv4 or IPv6 address, which is never kept; a clock's `10:42:07` is none."""
    if _ADDRESS.fullmatch(value.strip()) is None:
        return False
    try:
        ip_address(value.strip().strip("[]").partition("%")[0])
    except ValueError:
        return value.count(".") == 3
    return True


def path_of(value: object) -> str:
    """The path of a URL or a path, without host, query and fragment, cut to 300 characters."""
    return _path_of(value) if isinstance(value, str) else ""


@lru_cache(maxsize=4096)
def _path_of(address: str) -> str:
    found = re.split(r"[?#]", address.strip(), maxsplit=1)[0]
    if "://" in found[:12]:
        _, slash, path = found.partition("://")[2].partition("/")
        found = slash + path or "/"
    return found[:300]


def host_of(value: object) -> str:
    """The host of a web address as a browser shows it, lower case, without its port; empty when it is none."""
    return _host_of(value) if isinstance(value, str) else ""


@lru_cache(maxsize=4096)
def _host_of(address: str) -> str:
    found = _ADDRESS_HOST.match(address.strip()[:400])
    return readable_host(found[1].lower())[:MAX_VALUE_CHARS] if found else ""


def domain_of(value: object) -> str:
    """The host of a domain or a web address, lower case, without `www.`; empty when it is none of its own."""
    if not isinstance(value, str) or is_rented(value.strip()):
        return ""
    host = value.strip().lower().rpartition("://")[2]
    host = re.split(r"[/?#:]", host.rpartition("@")[2], maxsplit=1)[0].removeprefix("www.").rstrip(".")
    return readable_host(host) if re.fullmatch(r"(?:[\w-]{1,63}\.)+(?:[^\W_]|-){2,63}", host) else ""
