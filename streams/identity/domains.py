"""The company domain of a host, URL or address; none where anybody has a mailbox (`free_mail`)."""

from __future__ import annotations

from functools import cache, lru_cache
from sys import intern
from typing import TYPE_CHECKING

from schemas.touchpoints import Alias
from streams.identity.free_mail import MAILBOXES, PLATFORMS, is_free_mail
from streams.names import readable_host

if TYPE_CHECKING:
    from tldextract import TLDExtract
    from tldextract.tldextract import ExtractResult

#: Under which everybody has a company's domain, though the public list does not say so: the cloud's tenants, and the
#: names set aside for examples and trials (RFC 2606), with which people try this product.
_MORE_SUFFIXES = ("onmicrosoft.com", "mail.onmicrosoft.com", "example", "test")
ADDRESSES = ("email:", "mailbox:")
"""What an alias begins with that is an address."""


@cache
def _suffixes() -> TLDExtract:
    """The suffix list that ships with the package: nothing is fetched at run time.

    Imported when it is first asked: it brings an HTTP library along, 5 MB and 0.1 s in each process that never asks.
    """
    from tldextract import TLDExtract

    return TLDExtract(
        suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True, extra_suffixes=_MORE_SUFFIXES
    )


def _parts(text: str) -> ExtractResult:
    return _suffixes().extract_str(readable_host(text.strip().lower().rpartition("@")[2]))


@lru_cache(maxsize=65_536)
def company_domain(text: str) -> str:
    """The registrable domain of a host, URL or address (`www.acme.co.uk/x` → `acme.co.uk`), else empty."""
    parts = _parts(text)
    return intern(f"{parts.domain}.{parts.suffix}") if parts.domain and parts.suffix else ""


@lru_cache(maxsize=65_536)
def company_host(text: str) -> str:
    """The whole host of the same, without `www.`; empty where it belongs to no company: free mail, a bare suffix."""
    parts = _parts(text)
    if not (parts.domain and parts.suffix) or is_free_mail(f"{parts.domain}.{parts.suffix}"):
        return ""
    host = parts.fqdn.removeprefix("www.")
    return "" if host in MAILBOXES else intern(host)


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
    return bool(slash and path) and company_domain(host) in PLATFORMS
