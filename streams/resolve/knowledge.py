"""All links, as every resolve worker knows them: a state machine over one totally ordered topic.

`learn` says what a touchpoint teaches, `attribute` whose it is, `apply` takes a link in and says
whose stored touchpoints must now be attributed again.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.links import AccountClaim, Edge, Link, Membership
from schemas.touchpoints import Attribution, Candidate, CleanTouchpoint, Recall
from streams.resolve.aliases import is_person, ordered
from streams.resolve.directory import Directory, claimed_domains
from streams.resolve.domains import corporate_domain
from streams.resolve.graph import IdentityGraph, Person, person_id_of

RULE_VERSION = 1
CONFIDENCE = {
    "explicit": 1.0,
    "crm_contact": 1.0,
    "membership": 0.95,
    "email_domain": 0.9,
    "declared_domain": 0.8,
    "provisional_domain": 0.7,
    "unidentified": 0.0,
}

_Home = tuple[object, ...]
"""Everything of a person that attribution depends on; equal homes, equal attributions."""


class Knowledge:
    """Identity and directory at one position of the links topic."""

    def __init__(self) -> None:
        self.graph = IdentityGraph()
        self.directory = Directory()
        self.position = 0
        self._people_at: dict[str, set[str]] = {}

    def learn(self, touchpoint: CleanTouchpoint) -> list[Link]:
        """The links this touchpoint is evidence for and that are not known yet."""
        return [link for link in _implied(touchpoint) if not self._knows(link)]

    def attribute(self, touchpoint: CleanTouchpoint) -> Attribution:
        """Person and account: the first rule that decides, with what was considered and not taken."""
        aliases = ordered(touchpoint.aliases)
        people = tuple(name for name in aliases if is_person(name))
        person = self.graph.person(people[0]) if people else None
        rejected: list[Candidate] = []
        for account_id, method, evidence in self._candidates(touchpoint, person, aliases, rejected):
            return Attribution(
                person_id=person.person_id if person else "",
                account_id=account_id,
                method=method,
                confidence=CONFIDENCE[method],
                evidence=evidence,
                rejected=tuple(rejected),
                rule_version=RULE_VERSION,
            )
        raise AssertionError("the last rule always decides")

    def apply(self, link: Link, position: int) -> list[Recall]:
        """Take in the link at `position` (offset + 1); returns the recalls it makes necessary."""
        self.position = max(self.position, position)
        if self._knows(link):
            return []
        if isinstance(link, Edge):
            return list(self._apply_edge(link, position))
        if isinstance(link, Membership):
            return list(self._apply_membership(link, position))
        return list(self._apply_claim(link, position))

    def _knows(self, link: Link) -> bool:
        return self.graph.knows(link) if isinstance(link, Edge) else self.directory.knows(link)

    # -- attribution: the rules in their order

    def _candidates(
        self, touchpoint: CleanTouchpoint, person: Person | None, aliases: tuple[str, ...], rejected: list[Candidate]
    ) -> Iterator[tuple[str, str, str]]:
        if touchpoint.account_refs:
            named = touchpoint.account_refs[0]
            yield self.directory.canonical(named), "explicit", f"the event names {named}"
        owners = person.aliases if person else aliases
        yield from self._by_membership(touchpoint, owners, rejected)
        for name in owners:
            yield from self._by_domain(corporate_domain(name), "email_domain", name, rejected)
        for domain in claimed_domains(touchpoint.account_traits.get("domain", "")):
            yield from self._by_domain(domain, "declared_domain", f"declared {domain}", rejected)
        for name in owners:
            domain = corporate_domain(name)
            if domain and not self.directory.accounts_at(domain):
                yield f"domain:{domain}", "provisional_domain", f"{name}; nobody claims {domain} yet"
        yield unidentified(person, aliases, touchpoint), "unidentified", ""

    def _by_membership(
        self, touchpoint: CleanTouchpoint, owners: tuple[str, ...], rejected: list[Candidate]
    ) -> Iterator[tuple[str, str, str]]:
        """The latest membership that had begun; before the first one, the first."""
        known = self.directory.memberships(owners)
        if not known:
            return
        begun = [m for m in known if m.since <= touchpoint.ordered_at] or known[:1]
        chosen = begun[-1]
        account_id = self.directory.canonical(chosen.account_id)
        for other in {self.directory.canonical(m.account_id) for m in known} - {account_id}:
            rejected.append(Candidate(account_id=other, method="membership", why="not the latest at that time"))
        method = "crm_contact" if chosen.alias.startswith("crm_contact:") else "membership"
        yield account_id, method, f"{chosen.alias} belongs to {chosen.account_id} since {chosen.since.isoformat()}"

    def _by_domain(
        self, domain: str, method: str, evidence: str, rejected: list[Candidate]
    ) -> Iterator[tuple[str, str, str]]:
        accounts = self.directory.accounts_at(domain) if domain else ()
        if len(accounts) == 1:
            yield accounts[0], method, f"{evidence}; only {accounts[0]} claims {domain}"
        for account_id in accounts if len(accounts) > 1 else ():
            rejected.append(Candidate(account_id=account_id, method=method, why=f"several accounts claim {domain}"))

    # -- what a link changes

    def _apply_edge(self, edge: Edge, position: int) -> Iterator[Recall]:
        people = {p.person_id: p for p in (self.graph.person(edge.a), self.graph.person(edge.b))}
        homes = {person_id: (self._home(p), self._accounts(p)) for person_id, p in people.items()}
        changed = {person.person_id: person for person in self.graph.add(edge)}
        for end in (edge.a, edge.b):
            self._index(end)
        for person_id, person in changed.items():
            before, accounts = homes.get(person_id) or (None, self._accounts(person))
            if any(self._home(self.graph.person(name)) != before for name in person.aliases):
                yield from _recalls(accounts, (person_id,), position, f"{edge.a} and {edge.b} are the same person")

    def _apply_membership(self, membership: Membership, position: int) -> Iterator[Recall]:
        person = self.graph.person(membership.alias)
        before, accounts = self._home(person), self._accounts(person)
        self.directory.join(membership)
        if self._home(person) != before:
            who = person.person_id if is_person(membership.alias) else ""
            cause = f"{membership.alias} belongs to {membership.account_id}"
            yield from _recalls(accounts, (who,), position, cause)

    def _apply_claim(self, claim: AccountClaim, position: int) -> Iterator[Recall]:
        domain, cause = claim.value, f"{claim.account_id} claims {claim.value}"
        concerned = self.directory.claimants(domain) | {claim.account_id}
        names_before = {account_id: self.directory.canonical(account_id) for account_id in concerned}
        target_before = self.directory.accounts_at(domain)
        accounts_before = {name: self._accounts(self.graph.person(name)) for name in self._people_at.get(domain, ())}
        self.directory.claim(claim)
        for before in sorted({b for a, b in names_before.items() if self.directory.canonical(a) != b}):
            yield from _recalls([before], (), position, cause)
        if self.directory.accounts_at(domain) != target_before:
            yield from _recalls([f"domain:{domain}"], (), position, cause)
            for name, accounts in sorted(accounts_before.items()):
                elsewhere = [a for a in accounts if a != f"domain:{domain}"]
                yield from _recalls(elsewhere, (self.graph.person(name).person_id,), position, cause)

    def _index(self, name: str) -> None:
        domain = corporate_domain(name)
        if domain:
            self._people_at.setdefault(domain, set()).add(name)

    def _home(self, person: Person) -> _Home:
        memberships = [(m.since, m.account_id, m.alias) for m in self.directory.memberships(person.aliases)]
        domains = [domain for name in person.aliases if (domain := corporate_domain(name))]
        return (person.person_id, tuple(memberships), tuple(domains))

    def _accounts(self, person: Person) -> list[str]:
        """Every account that may hold touchpoints of this person."""
        found = {self.directory.canonical(m.account_id) for m in self.directory.memberships(person.aliases)}
        for name in person.aliases:
            if domain := corporate_domain(name):
                found |= {f"domain:{domain}", *self.directory.accounts_at(domain)}
        return sorted(found | {f"anon:{person.person_id}"})


def unidentified(person: Person | None, aliases: tuple[str, ...], touchpoint: CleanTouchpoint) -> str:
    """The provisional account of a person (or a thing) that no rule could place."""
    if person is not None:
        return f"anon:{person.person_id}"
    return f"anon:{person_id_of(aliases[0] if aliases else f'event:{touchpoint.event_id}')}"


def _implied(touchpoint: CleanTouchpoint) -> Iterator[Link]:
    """Everything a touchpoint is evidence for, known or not."""
    since, evidence, source = touchpoint.ordered_at, touchpoint.event_id, touchpoint.source
    aliases = ordered(touchpoint.aliases)
    people = [name for name in aliases if is_person(name)]
    for other in people[1:]:
        yield Edge(a=people[0], b=other, since=since, evidence=evidence, source=source)
    if len(people) == 1 and corporate_domain(people[0]):  # alone, but its domain may be claimed one day
        yield Edge(a=people[0], b=people[0], since=since, evidence=evidence, source=source)
    if not touchpoint.account_refs:
        return
    account_id = touchpoint.account_refs[0]
    for name in people[:1] or aliases[:1]:
        yield Membership(alias=name, account_id=account_id, since=since, evidence=evidence, source=source)
    for domain in claimed_domains(touchpoint.account_traits.get("domain", "")):
        yield AccountClaim(
            account_id=account_id, trait="domain", value=domain, since=since, evidence=evidence, source=source
        )


def _recalls(accounts: list[str], person_ids: tuple[str, ...], position: int, cause: str) -> Iterator[Recall]:
    for account_id in accounts:
        yield Recall(account_id=account_id, person_ids=person_ids, knowledge=position, cause=cause)
