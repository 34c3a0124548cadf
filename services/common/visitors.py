"""Whom a server answers: by which name it is called, and from which web page. Pure.

A browser sends requests for any page it shows. Where nothing else keeps strangers out (no password, on loopback), a
page could give its own name our address (DNS rebinding), which its `Host` betrays, or simply call us, which `Origin`
and `Sec-Fetch-Site` betray. Programs send neither of these two, and pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from services.common.config import is_loopback

LOOPBACK_NAMES = frozenset(["localhost", "127.0.0.1", "::1"])
_SAFE_METHODS = ("GET", "HEAD")
Header = tuple[bytes, bytes]
Headers = Mapping[bytes, bytes]
"""Lower-case name → value."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Visitors:
    """`names` are the hosts answered to (empty: any), `origins` the pages of others that may call.

    `open_paths` are answered to all, for probes and scrapes. `linked`: people may come by a link of another page.
    `section` names the part of the configuration, for what is said to who is refused.
    """

    section: str
    names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    open_paths: frozenset[str] = field(default_factory=frozenset)
    linked: bool = False

    @classmethod
    def of(cls, section: str, host: str, hosts: Iterable[str], origins: Iterable[str]) -> Visitors:
        """For a server that listens on `host`: on loopback, this machine's names are answered to beside `hosts`.

        Elsewhere, without any `hosts`, every name is: there a password keeps strangers out.
        """
        listed = frozenset(one.lower() for one in hosts)
        own = LOOPBACK_NAMES | {host.lower()} if is_loopback(host) else frozenset[str]()
        return cls(section, own | listed, frozenset(one.lower() for one in origins))

    def refusal(self, method: str, path: str, headers: Headers) -> Refusal | None:
        """Why this request is not answered; None when it is."""
        if path in self.open_paths:
            return None
        called = headers.get(b"host")
        if called is not None and self.names and name_of(called) not in self.names:
            return Refusal(421, "unknown_host", f"no server of this name here; see {self.section}.allowed_hosts")
        if self._is_foreign(method, headers):
            return Refusal(403, "foreign_origin", f"a page of another site may not; see {self.section}.allowed_origins")
        return None

    def shows_own_page(self, headers: Headers) -> bool:
        """Whether the browser itself says that a page of ours, or one that is allowed, asks: for changes by cookie."""
        origin = headers.get(b"origin")
        if origin is not None:
            return self._is_listed(origin) or _is_own(origin, headers.get(b"host", b""))
        return headers.get(b"sec-fetch-site") == b"same-origin"

    def cors(self, headers: Headers) -> list[Header]:
        """What lets a page of an allowed origin read its answer; nothing for others."""
        origin = headers.get(b"origin", b"")
        if not self._is_listed(origin):
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]

    def preflight(self, method: str, headers: Headers) -> list[Header] | None:
        """The headers of the answer (204) when this asks whether an allowed page may send; else None."""
        allowed = self.cors(headers)
        if method != "OPTIONS" or not allowed or b"access-control-request-method" not in headers:
            return None
        asked = headers.get(b"access-control-request-headers", b"authorization")
        methods = (b"access-control-allow-methods", b"GET, POST, OPTIONS")
        return [*allowed, methods, (b"access-control-allow-headers", asked), (b"access-control-max-age", b"3600")]

    def _is_foreign(self, method: str, headers: Headers) -> bool:
        origin = headers.get(b"origin")
        if origin is not None:
            return not self._is_listed(origin) and not _is_own(origin, headers.get(b"host", b""))
        if headers.get(b"sec-fetch-site", b"none") in (b"same-origin", b"none"):
            return False
        return not (self.linked and method in _SAFE_METHODS and headers.get(b"sec-fetch-mode") == b"navigate")

    def _is_listed(self, origin: bytes) -> bool:
        return origin.decode("latin-1").lower() in self.origins


def name_of(host: bytes) -> str:
    """The name in a Host header, without its port; empty for what is none."""
    try:
        return urlsplit(f"//{host.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""


def _is_own(origin: bytes, host: bytes) -> bool:
    return origin.partition(b"://")[2].lower() == host.lower() != b""
