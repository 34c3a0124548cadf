"""Accounts: which domains and names they go by, and which of them are the same.

Claims are sets, so what follows from them does not depend on the order in which they were learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern

from schemas.ids import directory_of
from schemas.links import AccountClaim, RecordChange
from streams.identity.claims import Claims, Trait, compared
from streams.identity.domains import company_domain
from streams.identity.free_mail import is_free_mail
from streams.identity.record_changes import Records

#: Strong to weak: a weaker account is the stronger one that a directory says it is, or that alone claims its domain.
#: Of one namespace the accounts of the directory that leads are the strongest.
NAMESPACES = ("crm", "group", "org")

_Rank = tuple[int, int, str]
_STRONGEST: _Rank = (0, 0, "")
MAX_CLAIMANTS = 20
"""Accounts that claim one host; where more do, it tells nothing of whose an address is, as if nobody did."""

_Claims = dict[str, set[str]]
"""Host → the accounts that claim it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a link may change: who an account is, which accounts have a domain, which a name."""

    accounts: set[str]
    domains: set[str]
    names: set[str]


class Directory:
    """What is known of accounts."""

    def __init__(self, records: Records | None = None, order: Mapping[str, int] | None = None) -> None:
        """`order`: directory → its place, 0 leads; those that are not in it come last, by name."""
        self.records = Records() if records is None else records
        self._order = order or {}
        self._rank = lru_cache(maxsize=65_536)(self._rank_of)
        self.claims = Claims(self.records)
        self._claims: dict[str, _Claims] = {}
        self._hosts: dict[str, set[str]] = {}
        self._canonical: dict[str, str] = {}
        self._at: dict[str, dict[str, tuple[str, ...]]] = {}
        self._is: dict[str, set[str]] = {}
        self._named: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}
        self._followed: dict[str, str] = {}
        self.open = set[str]()
        """Organisations that claim domains where anyone has a mailbox, and no company's: strangers are in them."""
        self.crowded = set[str]()
        """Hosts that more accounts claim than may."""
        self._by_rank: dict[str, dict[_Rank, Counter[str]]] = {}
        """Domain → rank → the accounts that claim hosts in it, and how many."""

    def claim(self, claim: AccountClaim) -> list[str]:
        """An account claims a domain or a name; returns the accounts that are another one from now on, as they were."""
        account_id = intern(claim.account_id)
        before = self.claims.standing(account_id)
        if claim.stated_as:
            self.claims.state(claim)
        elif not self.claims.see(claim):
            return []
        return self._told_of(account_id, claim, before)

    def retell(self, claim: AccountClaim) -> list[str]:
        """Put a claim in the place of what was known of it, or, retracted, nothing; returns the same."""
        account_id = intern(claim.account_id)
        before = self.claims.standing(account_id)
        self.claims.retell(claim)
        return self._told_of(account_id, claim, before)

    def _told_of(self, account_id: str, claim: AccountClaim, before: set[Trait]) -> list[str]:
        """Index what its claims are now; returns the accounts that are another one from now on, as they were."""
        if claim.trait != "is":
            stands = self.claims.standing(account_id)
            return self._take(account_id, stands - before, before - stands)
        named = (other for _, trait, other in self.claims.counting(account_id) if trait == "is")
        if stronger := {other for other in named if self._rank(other) < self._rank(account_id)}:
            self._is[account_id] = stronger
        else:
            self._is.pop(account_id, None)
        return self._renamed({account_id})

    def change(self, change: RecordChange) -> list[str]:
        """An account's record is deleted, restored or merged, or was not after all; returns the same."""
        family, reach = self.records.family(change.record), self.reach(change)
        before = {account: self.claims.standing(account) for account in family}
        (self.records.retell if change.generation else self.records.add)(change)
        renamed = []
        for account, stood in before.items():
            stands = self.claims.standing(account)
            renamed += self._take(account, stands - stood, stood - stands)
        for domain in reach.domains:
            self._at.pop(domain, None)
        return renamed + self._renamed(reach.accounts)

    def follow(self, account_id: str, other: str) -> list[str]:
        """A bare account is the one of its members from now on, or (empty) no more; returns the same."""
        if other:
            self._followed[account_id] = other
        else:
            self._followed.pop(account_id, None)
        return self._renamed((account_id,))

    def followed_by_members(self, account_id: str) -> str:
        """The account that a bare one was last said to be because of its members; empty: none."""
        return self._followed.get(account_id, "")

    def reach(self, link: AccountClaim | RecordChange) -> Reach:
        """What a link that is not taken in yet may change."""
        if isinstance(link, RecordChange):
            account_id, accounts = link.record, self.records.family(link.record)
            traits = {trait for account in accounts for trait in self.claims.told(account)}
            accounts |= {account for account, named in self._is.items() if not named.isdisjoint(accounts)}
        else:
            account_id, traits = link.account_id, self.claims.changed_by(link)
            accounts = {account_id} if link.trait == "is" else set()
        domains = {company_domain(value) for trait, value in traits if trait == "domain"}
        accounts.update(other for domain in domains for other in self.weaker_at(domain, account_id))
        names = {value for trait, value in traits if trait == "name"}
        return Reach(
            accounts,
            domains.union(*(self.domains_of(account) for account in accounts)),
            names.union(*(self.names_of(account) for account in accounts)),
        )

    def accounts_at(self, host: str) -> tuple[str, ...]:
        """The accounts an address at `host` may be of, each under its canonical id, sorted.

        Those that claim the host itself; else the next longer domain it lies in; else any host of that company.
        """
        domain = company_domain(host)
        if domain not in self._claims:
            return ()
        found = self._at.setdefault(domain, {})
        if host not in found:
            claimants = self._claimants(host, domain)
            few = claimants if len(claimants) <= MAX_CLAIMANTS else ()
            found[host] = tuple(sorted({self.canonical(account) for account in few}))
        return found[host]

    def is_open(self, account_id: str) -> bool:
        """Whether it stands for strangers: it, and nobody for it, says where they belong."""
        return account_id in self.open or (account_id.startswith("domain:") and is_free_mail(account_id[7:]))

    def is_crowded(self, host: str, claim: AccountClaim) -> bool:
        """Whether so many accounts claim what a host is looked up by that one more seen claim is no news."""
        domain = company_domain(host)
        claims, around = self._claims.get(domain, {}), set(_upwards(host, domain))
        is_nearer = any(value in around and value not in claims for _, value in compared(claim))
        return not is_nearer and len(self._claimants(host, domain)) > MAX_CLAIMANTS

    def accounts_named(self, name: str) -> tuple[str, ...]:
        """The accounts of this company name (as `company_name` gives it), each under its canonical id, sorted."""
        return tuple(sorted({self.canonical(account) for account in self._named.get(name, ())}))

    def canonical(self, account_id: str) -> str:
        """The account that `account_id` is: itself, what it was merged into, or the one stronger at its domains."""
        return self._canonical.get(account_id, account_id)

    def claimants(self, domain: str) -> tuple[str, ...]:
        """The accounts that claim a company domain or a host in it, as they call themselves, sorted."""
        return tuple(sorted({account for accounts in self._claims.get(domain, {}).values() for account in accounts}))

    def is_claimed(self, domain: str) -> bool:
        """Whether any account claims a host of this company domain."""
        return domain in self._claims

    def weaker_at(self, domain: str, account_id: str) -> list[str]:
        """The accounts whose canonical id may change when `account_id` claims a host of this domain."""
        rank, there = self._rank(account_id), self._by_rank.get(domain, {})
        is_strong = rank[0] < len(NAMESPACES)
        weaker = [other for at, accounts in there.items() if at > rank for other in accounts] if is_strong else []
        found = [*weaker, account_id] if rank > _STRONGEST else weaker
        return [*{one for other in found for one in self.records.family(other)}] if self.records else found

    def domains_of(self, account_id: str) -> set[str]:
        """The company domains in which an account claims a host; known for weaker accounts only."""
        return {company_domain(host) for host in self._hosts.get(account_id, ())}

    def names_of(self, account_id: str) -> set[str]:
        """The company names an account goes by; known for weaker accounts only."""
        return self._names.get(account_id, set())

    def _take(self, account_id: str, gained: Iterable[Trait], lost: Iterable[Trait]) -> list[str]:
        """Index what an account claims from now on, and no more; returns the accounts that are another one."""
        changed, is_weaker = set[str](), self._rank(account_id) > _STRONGEST
        for trait, value in _of_companies(gained):
            if trait == "name":
                self._named.setdefault(value, set()).add(account_id)
            else:
                changed.add(self._claimed_by(account_id, value))
            if is_weaker:
                (self._names if trait == "name" else self._hosts).setdefault(account_id, set()).add(value)
        for trait, value in _of_companies(lost):
            if trait == "name":
                _drop(self._named, value, account_id)
            else:
                changed.add(self._claimed_no_more(account_id, value))
            if is_weaker:
                _drop(self._names if trait == "name" else self._hosts, account_id, value)
        for domain in changed:
            self._at.pop(domain, None)
        if account_id.startswith("org:"):
            self._open_or_not(account_id)
        return self._renamed({other for domain in changed for other in self.weaker_at(domain, account_id)})

    def _open_or_not(self, account_id: str) -> None:
        traits = {trait for trait, _ in self.claims.standing(account_id)}
        (self.open.add if "public" in traits and "domain" not in traits else self.open.discard)(account_id)

    def _claimed_by(self, account_id: str, host: str) -> str:
        """Index who claims a host; returns its domain."""
        domain = company_domain(host)
        claimants = self._claims.setdefault(domain, {}).setdefault(host, set())
        claimants.add(account_id)
        if len(claimants) > MAX_CLAIMANTS:
            self.crowded.add(host)
        self._by_rank.setdefault(domain, {}).setdefault(self._rank(account_id), Counter())[account_id] += 1
        return domain

    def _claimed_no_more(self, account_id: str, host: str) -> str:
        domain = company_domain(host)
        _drop(self._claims[domain], host, account_id)
        if len(self._claims[domain].get(host, ())) <= MAX_CLAIMANTS:
            self.crowded.discard(host)
        self._uncount(domain, account_id)
        if not self._claims[domain]:
            del self._claims[domain]
        return domain

    def _uncount(self, domain: str, account_id: str) -> None:
        ranks, rank = self._by_rank[domain], self._rank(account_id)
        ranks[rank][account_id] -= 1
        if not ranks[rank][account_id]:
            del ranks[rank][account_id]
        if not ranks[rank]:
            del ranks[rank]
        if not ranks:
            del self._by_rank[domain]

    def _renamed(self, accounts: Iterable[str]) -> list[str]:
        """Derive who these accounts are anew; returns those that are another one, as they were."""
        return [before for account in sorted(accounts) if (before := self._rename(account))]

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
        ours = {*self._hosts.get(account_id, ()), *self._hosts.get(self.records.survivor(account_id), ())}
        hosts = [(host, company_domain(host)) for host in ours]
        named = self._is.get(account_id, set())
        ranks = {self._rank(other) for other in named}.union(*(self._by_rank.get(domain, ()) for _, domain in hosts))
        for rank in sorted(rank for rank in ranks if rank < self._rank(account_id)):
            stated = {self.records.survivor(other) for other in named if self._rank(other) == rank}
            claiming = {
                self.records.survivor(other) for host, domain in hosts for other in self._claimants(host, domain, rank)
            }
            for found in (stated, claiming):
                if len(found) == 1:
                    return found.pop()
        followed = self._followed.get(account_id)
        return self.canonical(followed) if followed else self.records.survivor(account_id)

    def _claimants(self, host: str, domain: str, rank: _Rank | None = None) -> set[str]:
        """Who claims the host, or the nearest domain around it, or else anything of the company; all, or of a rank."""
        claims = self._claims.get(domain, {})
        if rank is not None and rank not in self._by_rank.get(domain, ()):
            return set()
        for place in _upwards(host, domain):
            if found := self._of_rank(claims.get(place, ()), rank):
                return found
        return {account for accounts in claims.values() for account in self._of_rank(accounts, rank)}

    def _of_rank(self, accounts: Iterable[str], rank: _Rank | None) -> set[str]:
        return {account for account in accounts if rank is None or self._rank(account) == rank}

    def _rank_of(self, account_id: str) -> _Rank:
        """The lowest is the strongest; those that are never another account come last."""
        namespace, directory = account_id.partition(":")[0], directory_of(account_id)
        if namespace not in NAMESPACES:
            return (len(NAMESPACES), 0, "")
        place = self._order.get(directory)
        unknown = (len(self._order), directory)
        return (NAMESPACES.index(namespace), *(unknown if place is None else (place, "")))


def _of_companies(traits: Iterable[Trait]) -> Iterator[Trait]:
    return (one for one in traits if one[0] != "public")


def _drop(index: dict[str, set[str]], key: str, value: str) -> None:
    index[key].discard(value)
    if not index[key]:
        del index[key]


def _upwards(host: str, domain: str) -> Iterator[str]:
    """`a.b.acme.com`, `b.acme.com`, `acme.com`."""
    while len(host) > len(domain):
        yield host
        host = host.partition(".")[2]
    yield domain
