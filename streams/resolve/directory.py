"""Accounts: which domains they claim, who belongs to them since when, and which of them are the same.

Claims and memberships are sets with an earliest time each, so what follows from them does not
depend on the order in which they were learned.
"""

from __future__ import annotations

from datetime import datetime

from schemas.links import AccountClaim, Membership
from schemas.touchpoints import Alias
from streams.resolve.domains import company_domain, is_free_mail

#: Strong to weak: a weaker account is the stronger one when only that one claims its domain.
NAMESPACES = ("crm", "group", "org")


class Directory:
    """What is known of accounts."""

    def __init__(self) -> None:
        self._claims: dict[str, datetime] = {}
        self._claimants: dict[str, set[str]] = {}
        self._domains: dict[str, set[str]] = {}
        self._memberships: dict[Alias, dict[str, Membership]] = {}

    def knows(self, link: AccountClaim | Membership) -> bool:
        """Whether this is known, from evidence at least as early."""
        if isinstance(link, Membership):
            known = self._memberships.get(link.alias, {}).get(link.account_id)
            return known is not None and known.since <= link.since
        return link.link_id in self._claims

    def claim(self, claim: AccountClaim) -> None:
        """An account claims a domain."""
        self._claims[claim.link_id] = claim.since
        if claim.trait == "domain":
            self._claimants.setdefault(claim.value, set()).add(claim.account_id)
            self._domains.setdefault(claim.account_id, set()).add(claim.value)

    def join(self, membership: Membership) -> None:
        """An alias belongs to an account."""
        if not self.knows(membership):
            self._memberships.setdefault(membership.alias, {})[membership.account_id] = membership

    def memberships(self, aliases: tuple[Alias, ...]) -> list[Membership]:
        """All memberships of these aliases, earliest first."""
        found = [m for name in aliases for m in self._memberships.get(name, {}).values()]
        return sorted(found, key=lambda m: (m.since, m.account_id, m.alias))

    def claimants(self, domain: str) -> set[str]:
        """The accounts that claim a domain, as they call themselves."""
        return self._claimants.get(domain, set())

    def accounts_at(self, domain: str) -> tuple[str, ...]:
        """The accounts that claim a domain, each under its canonical id, sorted."""
        return tuple(sorted({self.canonical(account_id) for account_id in self.claimants(domain)}))

    def canonical(self, account_id: str) -> str:
        """The account that `account_id` is: itself, or the only stronger one that claims one of its domains."""
        namespace = account_id.partition(":")[0]
        if namespace not in NAMESPACES[1:]:
            return account_id
        for stronger in NAMESPACES[: NAMESPACES.index(namespace)]:
            found = {
                other
                for domain in self._domains.get(account_id, ())
                for other in self.claimants(domain)
                if other.startswith(f"{stronger}:")
            }
            if len(found) == 1:
                return found.pop()
        return account_id


def claimed_domains(text: str) -> list[str]:
    """The company domains in a trait's value (several are separated by spaces or commas); free mail is none."""
    domains = (company_domain(part) for part in text.replace(",", " ").split())
    return sorted({domain for domain in domains if domain and not is_free_mail(domain)})
