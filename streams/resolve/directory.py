"""Accounts: which domains and names they go by, and which of them are the same.

Claims are sets, so what follows from them does not depend on the order in which they were learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from sys import intern

from schemas.links import AccountClaim
from streams.resolve.company_names import company_name
from streams.resolve.domains import company_domain, company_host, is_free_mail

#: Strong to weak: a weaker account is the stronger one that a directory says it is, or that alone claims its domain.
NAMESPACES = ("crm", "group", "org")

_Claims = dict[str, set[str]]
"""Host → the accounts that claim it."""


class Directory:
    """What is known of accounts."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str, str], datetime] = {}
        self._claims: dict[str, _Claims] = {}
        self._hosts: dict[str, set[str]] = {}
        self._canonical: dict[str, str] = {}
        self._at: dict[str, dict[str, tuple[str, ...]]] = {}
        self._is: dict[str, set[str]] = {}
        self._named: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}

    def knows(self, account_id: str, trait: str, value: str, since: datetime) -> bool:
        """Whether this claim is known, from evidence at least as early."""
        known = self._since.get((account_id, trait, value))
        return known is not None and known <= since

    def claim(self, claim: AccountClaim) -> list[str]:
        """An account claims a domain or a name; returns the accounts that are another one from now on, as they were."""
        account_id = intern(claim.account_id)
        new = (account_id, claim.trait, claim.value) not in self._since
        self._since[account_id, claim.trait, claim.value] = claim.since
        if new and claim.trait == "name" and (name := company_name(claim.value)):
            self._named.setdefault(name, set()).add(account_id)
            if _rank(account_id) > 0:
                self._names.setdefault(account_id, set()).add(name)
        if new and claim.trait == "is" and _rank(claim.value) < _rank(account_id):
            self._is.setdefault(account_id, set()).add(claim.value)
            return [before for before in [self._rename(account_id)] if before]
        host = company_host(claim.value) if new and claim.trait == "domain" else ""
        return self._claim_host(account_id, host) if host else []

    def accounts_at(self, host: str) -> tuple[str, ...]:
        """The accounts an address at `host` may be of, each under its canonical id, sorted.

        Those that claim the host itself; else the next longer domain it lies in; else any host of that company.
        """
        domain = company_domain(host)
        if domain not in self._claims:
            return ()
        found = self._at.setdefault(domain, {})
        if host not in found:
            found[host] = tuple(sorted({self.canonical(account) for account in self._claimants(host, domain)}))
        return found[host]

    def accounts_named(self, name: str) -> tuple[str, ...]:
        """The accounts of this company name (as `company_name` gives it), each under its canonical id, sorted."""
        return tuple(sorted({self.canonical(account) for account in self._named.get(name, ())}))

    def canonical(self, account_id: str) -> str:
        """The account that `account_id` is: itself, or the only stronger one that claims one of its domains."""
        return self._canonical.get(account_id, account_id)

    def claimants(self, domain: str) -> tuple[str, ...]:
        """The accounts that claim a company domain or a host in it, as they call themselves, sorted."""
        return tuple(sorted({account for accounts in self._claims.get(domain, {}).values() for account in accounts}))

    def weaker_at(self, domain: str, account_id: str) -> list[str]:
        """The accounts whose canonical id may change when `account_id` claims a host of this domain."""
        rank = _rank(account_id)
        weaker = [other for other in self.claimants(domain) if _rank(other) > rank] if rank < len(NAMESPACES) else []
        return [*weaker, account_id] if rank > 0 else weaker

    def domains_of(self, account_id: str) -> set[str]:
        """The company domains in which an account claims a host; known for weaker accounts only."""
        return {company_domain(host) for host in self._hosts.get(account_id, ())}

    def names_of(self, account_id: str) -> set[str]:
        """The company names an account goes by; known for weaker accounts only."""
        return self._names.get(account_id, set())

    def _claim_host(self, account_id: str, host: str) -> list[str]:
        domain = company_domain(host)
        self._claims.setdefault(domain, {}).setdefault(host, set()).add(account_id)
        if _rank(account_id) > 0:
            self._hosts.setdefault(account_id, set()).add(host)
        self._at.pop(domain, None)
        return [before for other in self.weaker_at(domain, account_id) if (before := self._rename(other))]

    def _rename(self, account_id: str) -> str:
        """Derive the canonical id anew; returns the former one when that changed, else nothing."""
        before, after = self.canonical(account_id), self._stronger(account_id)
        if before == after:
            return ""
        if after == account_id:
            del self._canonical[account_id]
        else:
            self._canonical[account_id] = after
        for domain in self.domains_of(account_id):
            self._at.pop(domain, None)
        return before

    def _stronger(self, account_id: str) -> str:
        for namespace in NAMESPACES[: min(_rank(account_id), len(NAMESPACES))]:
            stated = {other for other in self._is.get(account_id, ()) if other.startswith(f"{namespace}:")}
            claiming = {
                other
                for host in self._hosts.get(account_id, ())
                for other in self._claimants(host, company_domain(host), f"{namespace}:")
            }
            for found in (stated, claiming):
                if len(found) == 1:
                    return found.pop()
        return account_id

    def _claimants(self, host: str, domain: str, namespace: str = "") -> set[str]:
        """Who claims the host, or the nearest domain around it, or else anything of the company."""
        claims = self._claims.get(domain, {})
        for place in _upwards(host, domain):
            if found := {account for account in claims.get(place, ()) if account.startswith(namespace)}:
                return found
        return {account for accounts in claims.values() for account in accounts if account.startswith(namespace)}


def claimed_domains(text: str) -> list[str]:
    """The company domains in a trait's value (several are separated by spaces or commas); free mail is none."""
    domains = (company_domain(part) for part in text.replace(",", " ").split())
    return sorted({domain for domain in domains if domain and not is_free_mail(domain)})


def _upwards(host: str, domain: str) -> Iterator[str]:
    """`a.b.acme.com`, `b.acme.com`, `acme.com`."""
    while len(host) > len(domain):
        yield host
        host = host.partition(".")[2]
    yield domain


def _rank(account_id: str) -> int:
    """0 is the strongest namespace; those that are never another account come last."""
    namespace = account_id.partition(":")[0]
    return NAMESPACES.index(namespace) if namespace in NAMESPACES else len(NAMESPACES)
