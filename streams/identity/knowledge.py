"""All links, as every resolve worker knows them: a state machine over one totally ordered topic.

`learn` says what a touchpoint teaches, `attribute` whose it is, `apply` takes a link in and says
whose stored touchpoints must now be attributed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from schemas.ids import BARE
from schemas.links import AccountClaim, Decision, Declared, Edge, Erasure, Link, Membership, RecordChange, supersedes
from schemas.touchpoints import Alias, Attribution, CleanTouchpoint, Recall
from streams.identity.aliases import NAMING_KINDS, is_mailbox, is_person, kind_of, strength
from streams.identity.attribution_rules import Home, Known, attribute, home, places
from streams.identity.declared import Declarations
from streams.identity.directory import Directory
from streams.identity.domains import ADDRESSES, address_host, company_domain, company_host
from streams.identity.edges import Seen
from streams.identity.erasures import Ledger
from streams.identity.followers import Followers
from streams.identity.forgetting import forget, known_names
from streams.identity.graph import IdentityGraph, Person, moved
from streams.identity.learning import implied
from streams.identity.memberships import Memberships
from streams.identity.proposals import Proposals
from streams.identity.record_changes import Records
from streams.identity.retold import Retold, accounts_of, aliases_of

MAX_PEOPLE_IN_A_RECALL = 500
_Due = dict[str, set[str]]
"""Account → ids of the people whose touchpoints it must send back; "*" stands for everyone's."""
_EVERYONE = "*"


class Knowledge:
    """Identity and directory at one position of the links topic."""

    def __init__(self, order: Mapping[str, int] | None = None, ledger: Ledger | None = None) -> None:
        """`order`: which directory's accounts lead, see Directory. `ledger`: who was erased."""
        self.ledger = Ledger() if ledger is None else ledger
        self.told_since: dict[str, Link] = {}
        """Links that speak of ids that were erased, and are from later."""
        self.graph = IdentityGraph()
        self.records = Records()
        self.directory = Directory(self.records, order)
        self.memberships = Memberships(self.records)
        self.ties = Memberships()
        self.followers = Followers(self.graph, self.memberships, self.directory)
        self.declared = Declarations()
        self.known = Known(self.graph, self.directory, self.memberships, self.ties, self.declared)
        self.proposals = Proposals(self.known, self.followers)
        self.retold = Retold()
        self.position = 0
        self._at: dict[str, dict[str, list[Alias]]] = {}

    def learn(self, touchpoint: CleanTouchpoint) -> list[Link]:
        """The links this touchpoint is evidence for and that are not known yet.

        A newer reading also repeats what an older one taught, so that what it does not repeat can be told from that.
        Nothing is learned that speaks of somebody who was erased by then.
        """
        news = self._learned(touchpoint)
        return [link for link in news if not self.ledger.covers_link(link)] if self.ledger else news

    def _learned(self, touchpoint: CleanTouchpoint) -> list[Link]:
        if touchpoint.mapping == 1 and not self.retold:
            return [link for link in implied(touchpoint, self.graph.has_seen) if not self.knows(link)]
        told = implied(touchpoint) if touchpoint.read_anew else implied(touchpoint, self.graph.has_seen)
        repeats = self._stands if touchpoint.read_anew else lambda link: False
        news = [link for link in map(self.retold.stamped, told) if not self.knows(link) or repeats(link)]
        return [link.changed(mapping=touchpoint.mapping) for link in news]

    def attribute(self, touchpoint: CleanTouchpoint) -> Attribution:
        """Person and account: the first rule that decides, with what was considered and not taken."""
        return attribute(self.known, touchpoint)

    def apply(self, link: Link, position: int, *, is_last: bool = True) -> list[Recall]:
        """Take in a link at `position` (offset + 1), the last of its record; returns the recalls it makes necessary."""
        if is_last:
            self.position = max(self.position, position)
        if self.knows(link) or self.ledger.covers_link(link):
            return []
        if self.ledger.names_link(link):
            self.told_since[link.link_id] = link
        due: _Due = {}
        if link.generation:
            self.retold.take(link)
            self._owe_evidence(link, due)
        asked, of_accounts = self._applied(link, due)
        if link.generation:
            self._owe_evidence(link, due)
        self.proposals.look_again(asked, position, of_accounts)
        return list(_recalls(due, position, _cause(link)))

    def erase(self, erasure: Erasure, position: int) -> list[Recall]:
        """Take in an erasure at `position`; returns the recalls of all whose touchpoints it may change."""
        self.position = max(self.position, position)
        if not self.ledger.take(erasure):
            return []
        return forget(self, self.ledger, self.ledger.marked(known_names(self), frozenset(erasure.marks)), position)

    def owe(self, name: Alias, due: _Due) -> None:
        """The touchpoints of whoever an id is of, or of an account, must be attributed again."""
        if not strength(name):  # no kind of alias: an account
            due.setdefault(self.directory.canonical(name), set()).add(_EVERYONE)
        else:
            self._owe(due, self.graph.person(name))

    def recalls(self, due: _Due, position: int, cause: str) -> list[Recall]:
        """What is owed, as commands."""
        return list(_recalls(due, position, cause))

    def retract(self, link: Link, position: int, due: _Due) -> None:
        """A link is as if it had never been told; nothing is left of it."""
        known = self.retold.standing(link)
        gone = link.changed(generation=(known.generation if known else link.generation) + 1, retracted=True)
        self.retold.take(gone)
        self._owe_evidence(gone, due)
        asked, of_accounts = self._applied(gone, due)
        self._owe_evidence(gone, due)
        self.proposals.look_again(asked, position, of_accounts)
        self.retold.drop(gone)
        self.told_since.pop(link.link_id, None)

    def _applied(self, link: Link, due: _Due) -> tuple[set[Alias], set[Alias]]:
        """Take it in; returns the aliases of which other questions may be asked now, and those only of accounts."""
        of_accounts = set[Alias]()
        if isinstance(link, Edge):
            asked, of_accounts, changed = self._joined((link.a, link.b), lambda: self._see(link), due)
            asked |= self._followed({link.a, link.b, *changed}, (), due)
        elif isinstance(link, Decision) and link.about_people:
            asked, of_accounts, changed = self._joined((link.a, link.b), lambda: self._decide(link), due)
            asked |= {link.a, link.b} | self._followed({link.a, link.b, *changed}, (), due)
        elif isinstance(link, AccountClaim) or (isinstance(link, RecordChange) and link.is_of_account):
            reach = self.directory.reach(link)
            asked = self._claimed(link, due) | self._followed((), _accounts_of(link) | reach.accounts, due)
        elif isinstance(link, RecordChange):
            asked = self._contact_changed(link, due)
        else:
            asked, left = self._told_of(link, due)
            alias = link.a if isinstance(link, Decision) else link.alias
            bare = (alias,) if alias.startswith(BARE) else ()
            accounts = (*bare, *left, *(accounts_of(link) if link.retracted else ()))
            asked |= self._followed({*asked, alias}, accounts, due)
        return asked, of_accounts

    def _owe_evidence(self, link: Link, due: _Due) -> None:
        """Whatever may be evidence for a link that is told anew is attributed again, and learned from again."""
        for name in aliases_of(link):
            self._owe(due, self.graph.person(name))
        for account in accounts_of(link) if isinstance(link, (AccountClaim, RecordChange)) else ():
            due.setdefault(self.directory.canonical(account), set()).add(_EVERYONE)

    def load(self, links: Iterable[Link | Seen | Erasure], position: int) -> None:
        """Take in links whose recalls and questions were sent before, the fast way: at a worker's start."""
        self.graph.defer()
        asking = set[Alias]()
        for link in links:
            if isinstance(link, Seen):
                self.graph.collect(link)
            elif isinstance(link, Erasure):
                self.ledger.take(link)
            elif link.generation:
                self.retold.take(link)
            else:
                asking |= self._collect(link)
        for link in self.retold:  # whatever is older than these is known now
            asking |= self._collect(link)
        asking |= self.graph.derive_all()
        self._index_all()
        asking |= self.followers.look_again(asking)  # whoever is in an account is among them
        for account in sorted(name for name in asking if name.startswith(BARE)):
            self.directory.follow(account, self.followers.followed(account))
        self.proposals.look_again(asking, position, self._at_claimed_hosts())
        if self.ledger:
            self._forget_all(position)
        self.proposals.news.clear()
        self.position = max(self.position, position)

    def _forget_all(self, position: int) -> None:
        """After a start: what was read before it was known who was erased. A second for a million ids."""
        forget(self, self.ledger, list(filter(self.ledger.names, known_names(self))), position)

    def _collect(self, link: Link) -> set[Alias]:
        """Take in a link at a start; returns the aliases of which something may be asked."""
        if isinstance(link, Edge):
            self._see(link)
        elif isinstance(link, Decision) and link.about_people:
            self._decide(link)
        elif isinstance(link, (AccountClaim, RecordChange)):
            self._change(link)
        else:
            self._take_in(link)
            return {link.a if isinstance(link, Decision) else link.alias}
        return set()

    def _index_all(self) -> None:
        """Whose addresses are where, besides what is indexed; each alias is there once."""
        indexed = {name for hosts in self._at.values() for names in hosts.values() for name in names}
        at: dict[str, list[Alias]] = {}
        for name in self.graph.aliases():
            if name.startswith(ADDRESSES) and name not in indexed:
                at.setdefault(name.rpartition("@")[2], []).append(name)
        for written, names in at.items():
            if host := company_host(written):
                self._at.setdefault(company_domain(host), {}).setdefault(host, []).extend(names)

    def _at_claimed_hosts(self) -> Iterator[Alias]:
        """Those of whom it may be asked to which account they belong, since accounts claim where their address is."""
        for domain, hosts in self._at.items():
            for host, names in hosts.items() if self.directory.is_claimed(domain) else ():
                is_sure = len(self.directory.accounts_at(host)) < 2
                for name in names:
                    aliases = self.graph.person(name).aliases
                    if not is_sure or any("@" in other and address_host(other) != host for other in aliases):
                        yield name

    def limited(self) -> dict[str, int]:
        """How much grew to each limit, and grows no more."""
        return {
            "aliases_tangled": self.graph.tangled,
            "browsers_that_are_everybodys": self.graph.everybodys,
            "aliases_with_more_accounts_than_count": self.memberships.beyond + self.ties.beyond,
            "accounts_with_more_claims_than_count": len(self.directory.claims.crowded),
            "organisations_at_public_domains": len(self.directory.open),
            "hosts_with_more_claimants_than_count": len(self.directory.crowded),
            "aliases_that_decisions_do_not_join": len(self.graph.undone),
        }

    def knows(self, link: Link) -> bool:
        """Whether nothing new would be learned from it."""
        standing = self.retold.standing(link)
        if standing is not None or link.generation:
            return standing is not None and not supersedes(link, standing)
        if isinstance(link, Edge):
            return self.graph.knows(link)
        if isinstance(link, Membership):
            return self._kept(link).knows(link)
        if isinstance(link, AccountClaim):
            return self.directory.claims.knows(link)
        if isinstance(link, RecordChange):
            return self.records.knows(link)
        if isinstance(link, Declared):
            return self.declared.knows(link)
        return (self.graph if link.about_people else self.memberships).knows_decision(link)

    def outdone(self, link: Link) -> Link | None:
        """The link that stands in this one's place, if its evidence is better.

        A compacted topic keeps the last record of a key. Where that is not the best one, the best must be told again.
        """
        known = self.retold.standing(link) or self._known(link)
        return known if known is not None and supersedes(known, link) else None

    def _known(self, link: Link) -> Link | None:
        """The link with this id as it is known; of decisions and of what an account was only seen with, none is."""
        if isinstance(link, Edge):
            return self.graph.known(link.a, link.b, typed=link.typed)
        if isinstance(link, Membership):
            return self._kept(link).known(link)
        if isinstance(link, AccountClaim):
            return self.directory.claims.known(link)
        if isinstance(link, RecordChange):
            return self.records.known(link)
        return self.declared.known(link) if isinstance(link, Declared) else None

    def _stands(self, link: Link) -> bool:
        """Whether just this evidence is what a link rests on."""
        standing = self.retold.standing(link)
        if standing is not None:
            return standing.changed(mapping=1) == link
        if isinstance(link, AccountClaim):
            return self.directory.claims.is_told_by(link)
        return isinstance(link, Decision) or self._known(link) == link

    # -- what a link changes: homes before and after, and where the touchpoints of those who moved may be

    def _joined(
        self, ends: tuple[Alias, Alias], change: Callable[[], list[Person]], due: _Due
    ) -> tuple[set[Alias], set[Alias], set[Alias]]:
        """Change the graph; returns the aliases of which other questions may be asked now, those of accounts, and all
        of the people that changed.
        """
        new = {end for end in ends if self._is_new(end)}
        changed = change()
        for end in ends:
            self._index(end, address_host(end))
        for person in changed:
            if new.isdisjoint(person.aliases) or len(person.aliases) > 1:
                before = home(self.known, person)
                after = {now.person_id: now for now in map(self.graph.person, person.aliases)}
                if any(home(self.known, now) != before for now in after.values()):
                    self._owe(due, person)
        theirs = {name for person in changed for name in person.aliases}
        of_accounts = {name for name in self.graph.recounted() | theirs if self._may_be_asked_of(name)}
        return moved(changed, self.graph.person) | self.graph.regrouped(), of_accounts, theirs

    def _may_be_asked_of(self, name: Alias) -> bool:
        """Whether accounts may be asked about, for reasons that its person has a part in."""
        host = address_host(name)
        return bool(host and self.directory.accounts_at(host)) or self.declared.has_any((name,))

    def _told_of(self, link: Membership | Declared | Decision, due: _Due) -> tuple[set[Alias], set[str]]:
        """Take in what is said of one alias; returns the aliases of its person, and the accounts that it is not of."""
        alias = link.a if isinstance(link, Decision) else link.alias
        person = self.graph.person(alias)
        is_new = self._is_new(alias)
        before, where = home(self.known, person), places(self.known, person)
        left = self._take_in(link)
        if not is_new and home(self.known, person) != before:
            self._owe_at(due, where, person)
        return set(person.aliases), left

    def _see(self, link: Edge) -> list[Person]:
        return self.graph.retell(link) if link.generation else self.graph.add(link)

    def _decide(self, link: Decision) -> list[Person]:
        return self.graph.undecide(link) if link.retracted else self.graph.decide(link)

    def _kept(self, link: Membership) -> Memberships:
        """With which memberships this one is kept: people's and things' in accounts, or things' with people."""
        return self.ties if is_person(link.account_id) else self.memberships

    def _take_in(self, link: Membership | Declared | Decision) -> set[str]:
        """Returns the accounts that its alias is not known to be of any more."""
        if isinstance(link, Membership):
            left = (self._kept(link).retell if link.generation else self._kept(link).add)(link)
            for account in left:
                self.followers.left(account, link.alias)
            return left
        if isinstance(link, Decision):
            (self.memberships.undecide if link.retracted else self.memberships.decide)(link)
            if link.a.startswith(BARE):
                self.followers.decide(link.a, link.b)
            self._index(link.a, address_host(link.a))
        else:
            (self.declared.retell if link.generation else self.declared.add)(link)
            self._index(link.alias, company_host(link.value) if link.trait == "domain" else "")
        return set()

    def _claimed(self, link: AccountClaim | RecordChange, due: _Due) -> set[Alias]:
        """What accounts claim or are changes; returns the aliases for which that may be news."""
        directory, reach = self.directory, self.directory.reach(link)
        seen = link if isinstance(link, AccountClaim) and not link.stated_as and not link.generation else None
        called = {account: directory.canonical(account) for account in reach.accounts}
        at_before = self._accounts_at(reach.domains)
        named_before = {name: directory.accounts_named(name) for name in reach.names}
        members = {} if isinstance(link, AccountClaim) else self._homes(self._members(reach.accounts))
        opened = _accounts_of(link) & directory.open
        hosts = [host for host in at_before if not (seen and directory.is_crowded(host, seen))]
        people = self._homes(self._named_at(hosts))
        for before in self._change(link):
            due.setdefault(before, set()).add(_EVERYONE)
        at_moved = self._moved_at(at_before)
        for name, (person, before_home, where) in {**people, **members}.items():
            if name in at_moved or (name in members and home(self.known, person) != before_home):
                self._owe_at(due, where, person)
        if isinstance(link, AccountClaim):  # what they were called before is recalled whole
            members = self._homes(self._members(a for a, before in called.items() if directory.canonical(a) != before))
            for person, _, where in members.values():
                self._owe_at(due, where, person)
        for account in opened ^ (_accounts_of(link) & directory.open):
            due.setdefault(directory.canonical(account), set()).add(_EVERYONE)
            strangers = self._homes(self._members((account,)))
            for person, _, where in strangers.values():
                self._owe_at(due, where, person)
            members = {**members, **strangers}
        renamed = {name for name, accounts in named_before.items() if directory.accounts_named(name) != accounts}
        declaring = {alias for name in renamed for alias in self.declared.named(name)}
        self._owe_all(declaring, due)
        concerned = at_moved | members.keys() | declaring
        return {alias for name in concerned for alias in self.graph.person(name).aliases}

    def _followed(self, aliases: Iterable[Alias], accounts: Iterable[str], due: _Due) -> set[Alias]:
        """Bare accounts may be another one now, because of their members; returns the aliases for which it is news."""
        directory = self.directory
        bare = self.followers.look_again(aliases) | self.followers.naming(accounts)
        now = {name: self.followers.followed(name) for name in bare}
        moved = {name: other for name, other in now.items() if directory.followed_by_members(name) != other}
        if not moved:
            return bare
        named_before = {n: directory.accounts_named(n) for name in moved for n in directory.names_of(name)}
        at_before = self._accounts_at({domain for name in moved for domain in directory.domains_of(name)})
        concerned = self._homes([*self._members(moved), *self._named_at(at_before)])
        for name, other in sorted(moved.items()):
            for before in directory.follow(name, other):
                due.setdefault(before, set()).add(_EVERYONE)
        at_moved = self._moved_at(at_before)
        for name, (person, before_home, where) in concerned.items():
            if name in at_moved or home(self.known, person) != before_home:
                self._owe_at(due, where, person)
        renamed = {n for n, before in named_before.items() if directory.accounts_named(n) != before}
        called = {alias for n in renamed for alias in self.declared.named(n)}
        self._owe_all(called, due)
        asked = at_moved | called.union(self._members(moved))
        return bare | {alias for name in asked for alias in self.graph.person(name).aliases}

    def _accounts_at(self, domains: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The accounts of every host in these domains that somebody's address or word names."""
        hosts = (host for domain in domains for host in self._at.get(domain, ()))
        return {host: self.directory.accounts_at(host) for host in hosts}

    def _named_at(self, hosts: Iterable[str]) -> Iterator[Alias]:
        return (name for host in hosts for name in self._at[company_domain(host)][host])

    def _moved_at(self, before: Mapping[str, tuple[str, ...]]) -> set[Alias]:
        """Who is at the hosts that have other accounts than before."""
        return set(self._named_at(h for h, accounts in before.items() if self.directory.accounts_at(h) != accounts))

    def _members(self, accounts: Iterable[str]) -> Iterator[Alias]:
        return (name for account in accounts for name in self.memberships.members(account))

    def _change(self, link: AccountClaim | RecordChange) -> list[str]:
        """Take it in; returns the accounts that are another one from now on, as they were."""
        if isinstance(link, AccountClaim):
            return (self.directory.retell if link.generation else self.directory.claim)(link)
        if link.is_of_account:
            return self.directory.change(link)
        (self.records.retell if link.generation else self.records.add)(link)
        return []

    def _contact_changed(self, link: RecordChange, due: _Due) -> set[Alias]:
        """A contact's record is deleted, restored or merged: what it belonged to rests, or goes on."""
        contacts = self._homes(self.records.family(link.record))
        self._change(link)
        for name, (person, before_home, where) in contacts.items():
            if not self._is_new(name) and home(self.known, person) != before_home:
                self._owe_at(due, where, person)
        return {name for person, _, _ in contacts.values() for name in person.aliases}

    def _owe_all(self, aliases: set[Alias], due: _Due) -> None:
        for name in aliases:
            self._owe(due, self.graph.person(name))

    def _homes(self, names: Iterable[Alias]) -> dict[Alias, tuple[Person, Home, set[str]]]:
        people = {name: self.graph.person(name) for name in names}
        return {name: (person, home(self.known, person), places(self.known, person)) for name, person in people.items()}

    def _owe(self, due: _Due, person: Person) -> None:
        self._owe_at(due, places(self.known, person), person)

    def _owe_at(self, due: _Due, where: Iterable[str], person: Person) -> None:
        """What they did there is attributed again, and what is told of deals and tickets of theirs."""
        concerned = {person.person_id} if is_person(person.aliases[0]) else {""}
        if any(self.ties.members(name) for name in person.aliases):
            concerned.add("")
        for account_id in where:
            due.setdefault(account_id, set()).update(concerned)

    def _is_new(self, alias: Alias) -> bool:
        """Whether no touchpoint of this alias can have been attributed yet: each would have told an edge."""
        is_recorded = is_mailbox(alias) or kind_of(alias) in NAMING_KINDS
        if not is_recorded or self.graph.has(alias) or self.ties.members(alias) or self.retold.names(alias):
            return False
        return not any(self.memberships.decisions((alias,)))

    def _index(self, alias: Alias, host: str) -> None:
        if host:
            known = self._at.setdefault(company_domain(host), {}).setdefault(host, [])
            if alias not in known[-1:] and (len(known) > 64 or alias not in known):
                known.append(alias)


def _recalls(due: _Due, position: int, cause: str) -> Iterator[Recall]:
    for account_id, people in sorted(due.items()):
        named = sorted(people - {_EVERYONE})
        if _EVERYONE in people or (account_id.startswith("domain:") and len(named) > MAX_PEOPLE_IN_A_RECALL):
            yield Recall(account_id=account_id, person_ids=(), knowledge=position, cause=cause)
            continue
        for start in range(0, len(named), MAX_PEOPLE_IN_A_RECALL):
            some = tuple(named[start : start + MAX_PEOPLE_IN_A_RECALL])
            yield Recall(account_id=account_id, person_ids=some, knowledge=position, cause=cause)


def _accounts_of(link: AccountClaim | RecordChange) -> set[str]:
    """The accounts a link speaks of."""
    return {link.account_id} if isinstance(link, AccountClaim) else {link.record, link.into}


def _cause(link: Link) -> str:
    """Why touchpoints move, in words."""
    if link.generation:
        again = "nothing says so any more" if link.retracted else "what says so has changed"
        return f"a newer mapping reads otherwise, and {again}: {_said(link)}"
    return _said(link)


def _said(link: Link) -> str:
    if isinstance(link, Edge):
        return f"{link.a} and {link.b} are the same person"
    if isinstance(link, AccountClaim):
        return f"{link.account_id} claims {link.value or f'no {link.trait}'}"
    if isinstance(link, RecordChange):
        return f"{link.record} was {link.how}{' into ' if link.into else ''}{link.into}"
    if isinstance(link, Declared):
        return f"{link.alias} declared {link.value}"
    if isinstance(link, Membership):
        return f"{link.alias} {'left' if link.how == 'left' else 'belongs to'} {link.account_id}"
    said = {"link": "is", "unlink": "is not", "belongs": "belongs to", "not_belongs": "does not belong to"}
    return f"{link.by or 'somebody'} decided: {link.a} {said[link.verdict]} {link.b}"
