"""Groups and organisations that nothing else ties to the CRM: they are the account of those who are in them.

A helpdesk's organisation without a domain, a product's bare group id: if everyone in it of whom a CRM account is known
is of one and the same, it is that one, until somebody of another one is seen there. It follows from sets, so the order
in which they were learned never shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from sys import intern

from schemas.touchpoints import Alias
from streams.resolve.directory import Directory
from streams.resolve.graph import IdentityGraph
from streams.resolve.memberships import Memberships

BARE = ("group:", "org:")
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
        """An alias was never in a bare account: it has no say there."""
        self._count(bare, alias, ())

    def naming(self, accounts: Iterable[str]) -> set[str]:
        """The bare accounts that may follow any of these CRM accounts, and those among them."""
        told = set(accounts)
        return {bare for account in told for bare in self._named_by.get(account, ())} | (told & self._votes.keys())

    def followed(self, bare: str) -> str:
        """The one account that all known members of a bare one are of; empty where there is none, or several."""
        votes = self._votes.get(bare) if not self._directory.domains_of(bare) else None
        found = {self._directory.canonical(account) for account in votes} if votes else set[str]()
        return found.pop() if len(found) == 1 else ""

    def members(self, bare: str) -> int:
        """How many ids of known members say so."""
        return sum(self._votes.get(bare, Counter()).values())

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
