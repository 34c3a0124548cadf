"""Signed-in browsers: a cookie that says with which token, until when, and proves that we wrote it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookies import CookieError, SimpleCookie

from schemas.access import Role, TokenEntry
from services.common.access import Access

COOKIE = "touchline"
LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. `by_cookie`: a browser sent the proof by itself, so a change must show that our page asked for it."""

    name: str
    role: Role
    by_cookie: bool = False

    @property
    def may_change(self) -> bool:
        return self.role == "operator"


LOCAL = Person("this machine", "operator")
"""Whoever reaches a loopback address where no token was given out."""


class Sessions:
    """Opens and knows sessions. `key` signs them: who has the tokens' hashes alone can make none."""

    def __init__(self, access: Access, key: bytes) -> None:
        self.access = access
        self._key = hmac.digest(key, b"dashboard session", hashlib.sha256)

    def opened(self, entry: TokenEntry, now: datetime) -> str:
        """The cookie's value."""
        claim = f"{entry.id}.{int((now + LIFETIME).timestamp())}"
        return f"{claim}.{self._mac(claim)}"

    def person(self, cookies: str, name: str, now: datetime) -> Person | None:
        """By the header `Cookie`; None for what we did not write, what is over, and a token that was taken back."""
        try:
            cookie = SimpleCookie(cookies).get(name)
        except CookieError:
            return None
        claim, _, mac = cookie.value.rpartition(".") if cookie is not None else ("", "", "")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(claim).encode()):
            return None
        token_id, _, until = claim.partition(".")
        if now >= datetime.fromtimestamp(int(until), UTC):
            return None
        entry = self.access.by_id(token_id, now)
        return Person(entry.name, entry.role, by_cookie=True) if entry else None

    def bearer(self, header: str, now: datetime) -> Person | None:
        """By the header `Authorization`."""
        kind, _, given = header.partition(" ")
        entry = self.access.owner(given.strip(), now) if kind.lower() == "bearer" else None
        return Person(entry.name, entry.role) if entry else None

    def _mac(self, claim: str) -> str:
        return hmac.new(self._key, claim.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
