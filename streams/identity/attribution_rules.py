"""Whose touchpoint it is: rules in their order, the first that decides wins; each abstains when candidates conflict.

What each rule looks at is in docs/explanation/attribution.md, which says the same in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.touchpoints import Alias, Attribution, Candidate, CleanTouchpoint
from schemas.traffic import SENDER, STAFF
from streams.identity.aliases import is_mailbox
from streams.identity.company_names import company_name
from streams.identity.declared import Declarations
from streams.identity.directory import Directory
from streams.identity.domains import address_host, company_domain
from streams.identity.graph import IdentityGraph, Person
from streams.identity.learning import TYPED_ACTIONS, actors, declared_hosts, declared_name, is_anybody, owner
from streams.identity.memberships import Memberships, Standing

RULE_VERSION = 12
MAX_REJECTED = 20
CONFIDENCE = {
    "explicit": 1.0,
    "crm_contact": 1.0,
    "membership": 0.95,
    "email_domain": 0.9,
    "declared_domain": 0.8,
    "network": 0.6,
    "provisional_domain": 0.7,
    "unidentified": 0.0,
}

_NOT_THEIR_OWN = frozenset({"explicit", "membership"})
"""How somebody's touchpoint may be another account's than the one that they are of."""

Home = tuple[object, ...]
"""Everything of a person that attribution depends on; equal homes, equal attributions."""
_Found = tuple[str, str, str]
"""(account, method, evidence)."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that rules look at."""

    graph: IdentityGraph
    directory: Directory
    memberships: Memberships
    ties: Memberships
    staff: Memberships
    declared: Declarations

    def standing(self, aliases: tuple[Alias, ...]) -> Standing:
        """The stints of a person with these aliases, under the accounts' canonical ids."""
        found = self.memberships.standing(aliases, self.directory.canonical)
        if not self.directory.open:
            return found
        kept = tuple(stint for stint in found.stints if stint.is_decided or not self.directory.is_open(stint.named))
        return found if len(kept) == len(found.stints) else Standing(kept, found.excluded)


@dataclass(slots=True)
class _Case:
    """One touchpoint under the rules."""

    known: Known
    touchpoint: CleanTouchpoint
    owners: tuple[Alias, ...]
    hosts: list[str]
    standing: Standing
    rejected: list[Candidate] = field(default_factory=list)

    def reject(self, accounts: Iterable[str], method: str, why: str) -> None:
        told = {candidate.account_id for candidate in self.rejected}
        for account_id in accounts:
            if account_id not in told and len(told) < MAX_REJECTED:
                told.add(account_id)
                self.rejected.append(Candidate(account_id=account_id, method=method, why=why))

    def only(self, hosts: Iterable[str], method: str, said: str) -> _Found | None:
        """The one account these hosts are of; several are a conflict, and rejected."""
        found: dict[str, str] = {}
        for host in hosts:
            accounts = self.known.directory.accounts_at(host)
            if len(accounts) == 1:
                found.setdefault(accounts[0], host)
            else:
                self.reject(accounts, method, f"several accounts claim {host}")
        for account_id in self.standing.excluded & found.keys():
            self.reject((account_id,), method, "somebody decided that it is not theirs")
            del found[account_id]
        if len(found) > 1:
            self.reject(sorted(found), method, f"one of several {said}")
        if len(found) != 1:
            return None
        ((account_id, host),) = found.items()
        return (account_id, method, f"{said} {host}, which only {account_id} claims")


def attribute(known: Known, touchpoint: CleanTouchpoint) -> Attribution:
    """Person and account: the first rule that decides, with what was considered and not taken."""
    people = actors(touchpoint)
    subject = owner(touchpoint, people)
    person = known.graph.person(subject) if people else None
    owners = person.aliases if person else (subject,)
    case = _Case(known, touchpoint, owners, _hosts(people, owners), known.standing(owners))
    nobodys = f"anon:{person.person_id if person else known.graph.person_id(owners[0])}"
    found = _decided(case) or (None if people else _of_its_person(case))
    account_id, method, evidence = found or (nobodys, "unidentified", "")
    if people and method in _NOT_THEIR_OWN:
        _note_sender(case, account_id)
    if people:
        _note_staff(case)
    return Attribution(
        person_id=person.person_id if person else "",
        account_id=account_id,
        method=method,
        confidence=CONFIDENCE[method],
        evidence=evidence,
        rejected=tuple(case.rejected),
        rule_version=RULE_VERSION,
    )


def _decided(case: _Case) -> _Found | None:
    for rule in RULES:
        found = rule(case)
        if found is not None:
            return found
    return None


def _note_sender(case: _Case, account_id: str) -> None:
    """Of which accounts its sender is, beside this one: one of us, say, who is at work for a customer."""
    moment, directory = case.touchpoint.ordered_at, case.known.directory
    found = {stint.account_id for stint in case.standing.stints if stint.covers(moment)}
    for host in _hosts((), case.owners):
        accounts = directory.accounts_at(host)
        found |= {*accounts} if len(accounts) == 1 else set() if accounts else {f"domain:{company_domain(host)}"}
    found -= case.standing.excluded | {account_id}
    told = [Candidate(account_id=other, method=SENDER, why="its sender is of it") for other in sorted(found)]
    case.rejected += told[:MAX_REJECTED]  # beside what a rule says of it: whose they are is another question


def _note_staff(case: _Case) -> None:
    """Which helpdesk or CRM knew its sender as one of our own people then."""
    moment, stints = case.touchpoint.ordered_at, case.known.staff.standing(case.owners, _as_is).stints
    for place in sorted({stint.account_id for stint in stints}):
        if Standing(tuple(stint for stint in stints if stint.account_id == place)).at(moment) is not None:
            case.rejected.append(Candidate(account_id=place, method=STAFF, why="its sender is one of our people there"))


def _of_its_person(case: _Case) -> _Found | None:
    """Where the person is whose deal or ticket it is, that says nothing of an account itself."""
    tie = case.known.ties.standing(case.owners, _as_is).at(case.touchpoint.ordered_at)
    if tie is None:
        return None
    person = case.known.graph.person(tie.account_id)
    theirs = _Case(
        case.known,
        case.touchpoint,
        person.aliases,
        _hosts((), person.aliases),
        case.known.standing(person.aliases),
        case.rejected,
    )
    account_id, method, evidence = _decided(theirs) or (f"anon:{person.person_id}", "unidentified", "")
    return (account_id, method, f"{tie.alias} is of {tie.account_id}{evidence and ': '}{evidence}")


def _as_is(name: str) -> str:
    return name


def _hosts(people: tuple[Alias, ...], owners: tuple[Alias, ...]) -> list[str]:
    """The company hosts of the touchpoint's own addresses, as far as they are its person's; else of all of theirs."""
    own = [host for name in people if (name in owners or is_mailbox(name)) and (host := address_host(name))]
    return own or list(dict.fromkeys([host for name in owners if (host := address_host(name))]))


def _explicit(case: _Case) -> _Found | None:
    """The account the event itself names."""
    refs = case.touchpoint.account_refs
    if not refs or case.touchpoint.action == "decision":  # a decision speaks of an account, it does not happen there
        return None
    if case.touchpoint.aliases and case.known.directory.is_open(refs[0]):
        case.reject((refs[0],), "explicit", "it claims nothing but domains where anyone has a mailbox")
        return None
    followed = case.known.directory.followed_by_members(refs[0])
    why = f", which is {followed} by decision, or by all its known members" if followed else ""
    return (case.known.directory.canonical(refs[0]), "explicit", f"the event names {refs[0]}{why}")


def _member(case: _Case) -> _Found | None:
    """The person's membership at that time."""
    standing, moment = case.standing, case.touchpoint.ordered_at
    if not standing.stints and not standing.excluded:
        return None
    is_elsewhere = _is_of_another_company(case)
    chosen = None if is_elsewhere else standing.at(moment)
    others = {stint.account_id for stint in standing.stints} - {chosen.account_id if chosen else ""}
    running = {stint.account_id for stint in standing.stints if stint.covers(moment)}
    if is_elsewhere:
        case.reject(sorted(others), "membership", "an address of another company was typed")
    case.reject(sorted(others & running), "membership", "not the latest at that time")
    case.reject(sorted(others - running), "membership", "not a member at that time")
    case.reject(sorted(standing.excluded), "membership", "somebody decided that it is not theirs")
    if chosen is None:
        return None
    since = "" if chosen.is_stated and chosen.begin.year == 1 else f" since {chosen.begin.isoformat()}"
    method = "crm_contact" if chosen.by_crm else "membership"
    return (chosen.account_id, method, f"{chosen.alias} belongs to {chosen.named}{since}")


def _is_of_another_company(case: _Case) -> bool:
    """Whether nobody was signed in, and the role's address that was typed is of a company where the person has none."""
    if case.touchpoint.action not in TYPED_ACTIONS or not case.touchpoint.aliases:
        return False
    people = actors(case.touchpoint)
    typed = {company_domain(host) for name in people if is_mailbox(name) and (host := address_host(name))}
    if not typed or not is_anybody(owner(case.touchpoint, people)):
        return False
    theirs = {company_domain(host) for name in case.owners if (host := address_host(name))}
    return bool(theirs) and theirs.isdisjoint(typed)


def _email_domain(case: _Case) -> _Found | None:
    return case.only(case.hosts, "email_domain", "an address at") if case.hosts else None


def _declared_domain(case: _Case) -> _Found | None:
    """The company domain the event declares, else the one its person declared last; names are only asked about."""
    declared, touchpoint = case.known.declared, case.touchpoint
    if not touchpoint.account_traits and not declared.has_any(case.owners):
        return None
    name = declared_name(touchpoint)
    for called in [name] if name else declared.at(case.owners, "name", touchpoint.ordered_at):
        accounts = case.known.directory.accounts_named(company_name(called))
        accounts = tuple(account for account in accounts if account not in case.standing.excluded)
        case.reject(accounts, "declared_name", f"called {called!r}: a name alone is only asked about")
    hosts = declared_hosts(touchpoint) or declared.at(case.owners, "domain", touchpoint.ordered_at)
    return case.only(hosts, "declared_domain", "declared") if hosts else None


def _network(case: _Case) -> _Found | None:
    """The account in whose listed network it happened."""
    if not case.touchpoint.network:
        return None
    account_id = case.known.directory.canonical(case.touchpoint.network)
    if account_id in case.standing.excluded:
        case.reject((account_id,), "network", "somebody decided that it is not theirs")
        return None
    return (account_id, "network", f"from an address listed for {case.touchpoint.network}")


def _provisional_domain(case: _Case) -> _Found | None:
    """The company domain of an address that nobody claims yet."""
    domains = {company_domain(host) for host in case.hosts if not case.known.directory.accounts_at(host)}
    if case.standing.excluded:
        domains = {domain for domain in domains if f"domain:{domain}" not in case.standing.excluded}
    if len(domains) > 1:
        case.reject(
            (f"domain:{domain}" for domain in sorted(domains)), "provisional_domain", "one of several addresses"
        )
    if len(domains) != 1:
        return None
    domain = domains.pop()
    return (f"domain:{domain}", "provisional_domain", f"an address at {domain}, which nobody claims yet")


RULES: tuple[Callable[[_Case], _Found | None], ...] = (
    _explicit,
    _member,
    _email_domain,
    _declared_domain,
    _network,
    _provisional_domain,
)
"""In their order. Where none decides, the touchpoint is not identified yet."""


def home(known: Known, person: Person) -> Home:
    """What the attribution of a person's touchpoints depends on, but for the accounts' own claims."""
    standing = known.standing(person.aliases)
    hosts = tuple(host for name in person.aliases if (host := address_host(name)))
    domains = known.declared.dated(person.aliases, "domain")
    its, staff = known.ties.standing(person.aliases, _as_is), known.staff.standing(person.aliases, _as_is)
    followed = (its, *(home(known, owner) for owner in _tied(known, person))) if its.stints else ()
    return (person.person_id, standing, hosts, domains, known.declared.dated(person.aliases, "name"), staff, followed)


def _tied(known: Known, thing: Person) -> list[Person]:
    """The people a deal or ticket was ever of."""
    return [known.graph.person(name) for name in sorted(known.ties.accounts(thing.aliases))]


def places(known: Known, person: Person) -> set[str]:
    """Every account that may hold touchpoints of this person (or thing)."""
    directory, aliases = known.directory, person.aliases
    found = {place for owner in _tied(known, person) for place in places(known, owner)}
    found |= {directory.canonical(account) for account in known.memberships.accounts(aliases)}
    found |= {directory.canonical(d.b) for d in known.memberships.decisions(aliases) if d.verdict == "belongs"}
    hosts = {host for name in aliases if (host := address_host(name))}
    declared = set(known.declared.values(aliases, "domain"))
    at = {host: directory.accounts_at(host) for host in hosts | declared}
    found |= {accounts[0] for accounts in at.values() if len(accounts) == 1}
    is_sure = len(hosts) == 1 and not declared and not any(known.memberships.decisions(aliases))
    if is_sure and len(at[next(iter(hosts))]) == 1:
        return found
    found |= {directory.canonical(account) for account in known.declared.values(aliases, "network")}
    found |= {f"domain:{company_domain(host)}" for host, accounts in at.items() if not accounts}
    return found if is_sure and not at[next(iter(hosts))] else found | {f"anon:{person.person_id}"}


def is_settled(known: Known, person: Person) -> bool:
    """Whether a rule places this person, so that nothing need be asked."""
    case_hosts = [host for name in person.aliases if (host := address_host(name))]
    hosts = [*case_hosts, *known.declared.values(person.aliases, "domain")]
    if known.standing(person.aliases).stints:
        return True
    return len({accounts for host in hosts if len(accounts := known.directory.accounts_at(host)) == 1}) == 1
