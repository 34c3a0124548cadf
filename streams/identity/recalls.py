"""Late identity is repaired here: whose stored touchpoints must be attributed again, because of a link that is new.

A link is taken in, and homes before and after are compared. Who moved is recalled: their accounts send their
touchpoints back to be attributed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from schemas.ids import BARE
from schemas.links import AccountClaim, Decision, Declared, Edge, Link, Membership, RecordChange
from schemas.touchpoints import Alias, Recall
from streams.identity.aliases import NAMING_KINDS, is_mailbox, is_person, kind_of, strength
from streams.identity.attribution_rules import Home, home, places
from streams.identity.domains import address_host
from streams.identity.graph import Person, moved
from streams.identity.retold import accounts_of, aliases_of
from streams.sentences import said

if TYPE_CHECKING:
    from streams.identity.knowledge import Knowledge

MAX_PEOPLE_IN_A_RECALL: Final = 500
EVERYONE: Final = "*"


class Recalls:
    """Gathers who must be recalled while links are taken in."""

    __slots__ = ("_due", "_knowledge")

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._due: dict[str, set[str]] = {}
        """Account → ids of the people whose touchpoints it must send back, or EVERYONE."""

    def commands(self, position: int, cause: str) -> list[Recall]:
        """What was gathered, at this position of the links."""
        return list(_recalls(self._due, position, cause))

    def add(self, name: Alias) -> None:
        """The touchpoints of whoever an id is of, or of an account, must be attributed again."""
        if not strength(name):  # no kind of alias: an account
            self._add_account(self._knowledge.directory.canonical(name))
        else:
            self._add_person(self._knowledge.graph.person(name))

    def take_in(self, link: Link) -> tuple[set[Alias], set[Alias]]:
        """Take it in; returns the aliases of which other questions may be asked now, and those only of accounts."""
        of_accounts = set[Alias]()
        if isinstance(link, Edge):
            asked, of_accounts, changed = self._joined((link.a, link.b), lambda: self._knowledge.see(link))
            asked |= self._followed({link.a, link.b, *changed}, ())
        elif isinstance(link, Decision) and link.about_people:
            asked, of_accounts, changed = self._joined((link.a, link.b), lambda: self._knowledge.decide(link))
            asked |= {link.a, link.b} | self._followed({link.a, link.b, *changed}, ())
        elif isinstance(link, AccountClaim) or (isinstance(link, RecordChange) and link.is_of_account):
            reach = self._knowledge.directory.reach(link)
            asked = self._claimed(link) | self._followed((), _accounts_of(link) | reach.accounts)
        elif isinstance(link, RecordChange):
            asked = self._contact_changed(link)
        else:
            asked, left = self._told_of(link)
            alias = link.a if isinstance(link, Decision) else link.alias
            bare = (alias,) if alias.startswith(BARE) else ()
            accounts = (*bare, *left, *(accounts_of(link) if link.retracted else ()))
            asked |= self._followed({*asked, alias}, accounts)
        return asked, of_accounts

    def add_evidence(self, link: Link) -> None:
        """Whatever may be evidence for a link that is told anew is attributed again, and learned from again."""
        for name in aliases_of(link):
            self._add_person(self._knowledge.graph.person(name))
        for account in accounts_of(link) if isinstance(link, (AccountClaim, RecordChange)) else ():
            self._add_account(self._knowledge.directory.canonical(account))

    # -- what a link changes: homes before and after, and where the touchpoints of those who moved may be

    def _joined(
        self, ends: tuple[Alias, Alias], change: Callable[[], list[Person]]
    ) -> tuple[set[Alias], set[Alias], set[Alias]]:
        """Change the graph; returns the aliases of which other questions may be asked now, those of accounts, and all
        of the people that changed.
        """
        new = {end for end in ends if self._is_new(end)}
        changed = change()
        for end in ends:
            self._knowledge.addresses.add(end, address_host(end))
        for person in changed:
            if new.isdisjoint(person.aliases) or len(person.aliases) > 1:
                before = home(self._knowledge.known, person)
                after = {now.person_id: now for now in map(self._knowledge.graph.person, person.aliases)}
                if any(home(self._knowledge.known, now) != before for now in after.values()):
                    self._add_person(person)
        theirs = {name for person in changed for name in person.aliases}
        of_accounts = {name for name in self._knowledge.graph.recounted() | theirs if self._may_be_asked_of(name)}
        return moved(changed, self._knowledge.graph.person) | self._knowledge.graph.regrouped(), of_accounts, theirs

    def _may_be_asked_of(self, name: Alias) -> bool:
        """Whether accounts may be asked about, for reasons that its person has a part in."""
        host = address_host(name)
        return bool(host and self._knowledge.directory.accounts_at(host)) or self._knowledge.declared.has_any((name,))

    def _told_of(self, link: Membership | Declared | Decision) -> tuple[set[Alias], set[str]]:
        """Take in what is said of one alias; returns the aliases of its person, and the accounts that it is not of."""
        alias = link.a if isinstance(link, Decision) else link.alias
        person = self._knowledge.graph.person(alias)
        is_new = self._is_new(alias)
        before, where = home(self._knowledge.known, person), places(self._knowledge.known, person)
        left = self._knowledge.take_in(link)
        if not is_new and home(self._knowledge.known, person) != before:
            self._add_at(where, person)
        return set(person.aliases), left

    def _claimed(self, link: AccountClaim | RecordChange) -> set[Alias]:
        """What accounts claim or are changes; returns the aliases for which that may be news."""
        directory, reach = self._knowledge.directory, self._knowledge.directory.reach(link)
        seen = link if isinstance(link, AccountClaim) and not link.stated_as and not link.generation else None
        called = {account: directory.canonical(account) for account in reach.accounts}
        at_before = self._knowledge.addresses.accounts_at(reach.domains)
        named_before = {name: directory.accounts_named(name) for name in reach.names}
        members = {} if isinstance(link, AccountClaim) else self._homes(self._members(reach.accounts))
        opened = _accounts_of(link) & directory.open
        hosts = [host for host in at_before if not (seen and directory.is_crowded(host, seen))]
        people = self._homes(self._knowledge.addresses.named_at(hosts))
        for before in self._knowledge.change(link):
            self._add_account(before)
        at_moved = self._knowledge.addresses.moved_at(at_before)
        for name, (person, before_home, where) in {**people, **members}.items():
            if name in at_moved or (name in members and home(self._knowledge.known, person) != before_home):
                self._add_at(where, person)
        if isinstance(link, AccountClaim):  # what they were called before is recalled whole
            members = self._homes(self._members(a for a, before in called.items() if directory.canonical(a) != before))
            for person, _, where in members.values():
                self._add_at(where, person)
        for account in opened ^ (_accounts_of(link) & directory.open):
            self._add_account(directory.canonical(account))
            strangers = self._homes(self._members((account,)))
            for person, _, where in strangers.values():
                self._add_at(where, person)
            members = {**members, **strangers}
        renamed = {name for name, accounts in named_before.items() if directory.accounts_named(name) != accounts}
        declaring = {alias for name in renamed for alias in self._knowledge.declared.named(name)}
        self._add_all(declaring)
        concerned = at_moved | members.keys() | declaring
        return {alias for name in concerned for alias in self._knowledge.graph.person(name).aliases}

    def _followed(self, aliases: Iterable[Alias], accounts: Iterable[str]) -> set[Alias]:
        """Bare accounts may be another one now, because of their members; returns the aliases for which it is news."""
        directory = self._knowledge.directory
        bare = self._knowledge.followers.look_again(aliases) | self._knowledge.followers.naming(accounts)
        now = {name: self._knowledge.followers.followed(name) for name in bare}
        moved = {name: other for name, other in now.items() if directory.followed_by_members(name) != other}
        if not moved:
            return bare
        named_before = {n: directory.accounts_named(n) for name in moved for n in directory.names_of(name)}
        at_before = self._knowledge.addresses.accounts_at(
            {domain for name in moved for domain in directory.domains_of(name)}
        )
        concerned = self._homes([*self._members(moved), *self._knowledge.addresses.named_at(at_before)])
        for name, other in sorted(moved.items()):
            for before in directory.follow(name, other):
                self._add_account(before)
        at_moved = self._knowledge.addresses.moved_at(at_before)
        for name, (person, before_home, where) in concerned.items():
            if name in at_moved or home(self._knowledge.known, person) != before_home:
                self._add_at(where, person)
        renamed = {n for n, before in named_before.items() if directory.accounts_named(n) != before}
        called = {alias for n in renamed for alias in self._knowledge.declared.named(n)}
        self._add_all(called)
        asked = at_moved | called.union(self._members(moved))
        return bare | {alias for name in asked for alias in self._knowledge.graph.person(name).aliases}

    def _members(self, accounts: Iterable[str]) -> Iterator[Alias]:
        return (name for account in accounts for name in self._knowledge.memberships.members(account))

    def _contact_changed(self, link: RecordChange) -> set[Alias]:
        """A contact's record is deleted, restored or merged: what it belonged to rests, or goes on."""
        contacts = self._homes(self._knowledge.records.family(link.record))
        self._knowledge.change(link)
        for name, (person, before_home, where) in contacts.items():
            if not self._is_new(name) and home(self._knowledge.known, person) != before_home:
                self._add_at(where, person)
        return {name for person, _, _ in contacts.values() for name in person.aliases}

    def _add_all(self, aliases: set[Alias]) -> None:
        for name in aliases:
            self._add_person(self._knowledge.graph.person(name))

    def _homes(self, names: Iterable[Alias]) -> dict[Alias, tuple[Person, Home, set[str]]]:
        people = {name: self._knowledge.graph.person(name) for name in names}
        return {
            name: (person, home(self._knowledge.known, person), places(self._knowledge.known, person))
            for name, person in people.items()
        }

    def _add_person(self, person: Person) -> None:
        self._add_at(places(self._knowledge.known, person), person)

    def _add_at(self, where: Iterable[str], person: Person) -> None:
        """What they did there is attributed again, and what is told of deals and tickets of theirs."""
        concerned = {person.person_id} if is_person(person.aliases[0]) else {""}
        if any(self._knowledge.ties.members(name) for name in person.aliases):
            concerned.add("")
        for account_id in where:
            self._due.setdefault(account_id, set()).update(concerned)

    def _is_new(self, alias: Alias) -> bool:
        """Whether no touchpoint of this alias can have been attributed yet: each would have told an edge."""
        is_recorded = is_mailbox(alias) or kind_of(alias) in NAMING_KINDS
        if (
            not is_recorded
            or self._knowledge.graph.has(alias)
            or self._knowledge.ties.members(alias)
            or self._knowledge.retold.names(alias)
        ):
            return False
        return not any(self._knowledge.memberships.decisions((alias,)))

    def _add_account(self, account_id: str) -> None:
        """All of an account."""
        self._due.setdefault(account_id, set()).add(EVERYONE)


def _recalls(due: dict[str, set[str]], position: int, cause: str) -> Iterator[Recall]:
    for account_id, people in sorted(due.items()):
        named = sorted(people - {EVERYONE})
        if EVERYONE in people or (account_id.startswith("domain:") and len(named) > MAX_PEOPLE_IN_A_RECALL):
            yield Recall(account_id=account_id, person_ids=(), knowledge=position, cause=cause)
            continue
        for start in range(0, len(named), MAX_PEOPLE_IN_A_RECALL):
            some = tuple(named[start : start + MAX_PEOPLE_IN_A_RECALL])
            yield Recall(account_id=account_id, person_ids=some, knowledge=position, cause=cause)


def _accounts_of(link: AccountClaim | RecordChange) -> set[str]:
    """The accounts a link speaks of."""
    return {link.account_id} if isinstance(link, AccountClaim) else {link.record, link.into}


def cause_of(link: Link) -> str:
    """Why touchpoints move, as a coded sentence."""
    if link.generation:
        return said("no_longer_said" if link.retracted else "said_otherwise", link=_sentence(link))
    return _sentence(link)


def _sentence(link: Link) -> str:
    if isinstance(link, Edge):
        return said("same_person", a=link.a, b=link.b)
    if isinstance(link, AccountClaim):
        if not link.value:
            return said("claims_nothing", account=link.account_id, trait=link.trait)
        return said("claims", account=link.account_id, value=link.value)
    if isinstance(link, RecordChange):
        if not link.into:
            return said("record_changed", record=link.record, how=link.how)
        return said("record_merged", record=link.record, how=link.how, into=link.into)
    if isinstance(link, Declared):
        return said("declared", alias=link.alias, value=link.value)
    if isinstance(link, Membership):
        return said("left" if link.how == "left" else "member", alias=link.alias, account=link.account_id)
    return said(f"decided_{link.verdict}", by=link.by, a=link.a, b=link.b)
