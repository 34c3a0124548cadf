"""Groups and organisations that nothing else ties to the CRM: they are the account of those who are in them.

Where these are of several accounts, people are asked, and what they decide holds.

A helpdesk's organisation without a domain, a product's bare group id: if everyone in it of whom a CRM account is known
is of one and the same, it is that one, until somebody of another one is seen there. It follows from sets, so the order
in which they were learned never shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from sys import intern

from schemas.ids import BARE
from schemas.links import Decision
from schemas.touchpoints import Alias
from streams.identity.directory import Directory
from streams.identity.graph import IdentityGraph
from streams.identity.memberships import Memberships

_NONE = ""
"""Stands among the accounts of somebody of whom it is not certain."""


class Followers:
    """Which CRM accounts the known members of each bare account are of, counted."""

    def __init__(self, graph: IdentityGraph, memberships: Memberships, directory: Directory) -> None:
        self._graph, self._memberships, self._directory = graph, memberships, directory
        self._said: dict[tuple[str, Alias], tuple[str, ...]] = {}
        self._votes: dict[str, Counter[str]] = {}
        self._named_by: dict[str, set[str]] = {}

    def look_again(self, aliases: Iterable[Alias]) -> set[str]:
        """Count anew what these people's accounts say; the bare accounts for which that may be news."""
        concerned = set[str]()
        for person in {person.person_id: person for person in map(self._graph.person, aliases)}.values():
            accounts = self._crm_accounts(person.aliases)
            for alias in person.aliases:
                concerned |= {bare for bare in self._bare_of(alias) if self._count(bare, alias, accounts)}
        return concerned

    def left(self, bare: str, alias: Alias) -> None:
        """An alias was never in a bare account, or in too many others before: it has no say there."""
        self._count(bare, alias, ())

    def naming(self, accounts: Iterable[str]) -> set[str]:
        """The bare accounts that may follow any of these CRM accounts, and those among them."""
        told = set(accounts)
        return {bare for account in told for bare in self._named_by.get(account, ())} | (told & self._votes.keys())

    def followed(self, bare: str) -> str:
        """The account that it was decided to be, else the one that all its known members are of; empty: none."""
        decided = self.decisions(bare)
        if decided and decided[-1].verdict == "belongs":
            return self._directory.canonical(decided[-1].b)
        not_it = {self._directory.canonical(decision.b) for decision in decided}
        found = self.voted(bare).keys() - not_it
        return found.pop() if len(found) == 1 else ""

    def voted(self, bare: str) -> Counter[str]:
        """Of which accounts its known members are, and how many ids of theirs say so."""
        found: Counter[str] = Counter()
        for account, votes in self._votes.get(bare, Counter()).items() if not self._directory.domains_of(bare) else ():
            found[self._directory.canonical(account)] += votes
        return found

    def decisions(self, bare: str) -> list[Decision]:
        """What was decided on it and accounts, the last word on each; yes before no, the latest last."""
        told = self._memberships.decisions((bare,))
        return sorted(told, key=lambda decision: (decision.verdict == "belongs", decision.rank))

    def members(self, bare: str) -> int:
        """How many ids of known members say so."""
        return self.voted(bare).total()

    def asked_about(self, bare: str) -> list[str]:
        """The accounts that it may be and that nobody has decided on, while it follows none."""
        decided = {self._directory.canonical(decision.b) for decision in self.decisions(bare)}
        return [] if self.followed(bare) else sorted(self.voted(bare).keys() - decided - {_NONE})

    def first_seen(self, bare: str) -> tuple[datetime, str]:
        """When a known member was seen there, always the same one; and the event that shows it."""
        member = min(name for name in self._memberships.members(bare) if (bare, name) in self._said)
        return self._memberships.first_seen(member, bare)

    def decide(self, bare: str, account: str) -> None:
        """Somebody says whether a bare account is this one: changes of either may be news for it."""
        self._votes.setdefault(intern(bare), Counter())
        self._named_by.setdefault(account, set()).add(bare)

    def _crm_accounts(self, aliases: tuple[Alias, ...]) -> tuple[str, ...]:
        """What a person's CRM contacts were ever tied to, without what somebody decided not to be theirs.

        Who left one, or is there for a time only, may be in a group of anyone's: that speaks against all.
        """
        contacts = [name for name in aliases if name.startswith("crm_contact:")]
        accounts = {account for account in self._memberships.tied(contacts) if account.startswith("crm:")}
        if accounts and self._memberships.has_ended(contacts, "crm:"):
            accounts.add(_NONE)
        if accounts:
            not_theirs = {d.b for d in self._memberships.decisions(aliases) if d.verdict == "not_belongs"}
            accounts -= not_theirs
        return tuple(sorted(accounts))

    def _bare_of(self, alias: Alias) -> Iterator[str]:
        return (account for account in self._memberships.accounts((alias,)) if account.startswith(BARE))

    def _count(self, bare: str, alias: Alias, accounts: tuple[str, ...]) -> bool:
        """Whether it says something else than before."""
        key = (intern(bare), alias)
        before = self._said.get(key, ())
        if before == accounts:
            return False
        votes = self._votes.setdefault(key[0], Counter())
        votes.subtract(before)
        votes.update(accounts)
        self._votes[key[0]] = +votes
        for account in accounts:
            self._named_by.setdefault(account, set()).add(key[0])
        if accounts:
            self._said[key] = accounts
        else:
            del self._said[key]
        return True
