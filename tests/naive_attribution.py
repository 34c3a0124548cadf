"""Who and which account, from scratch, over all touchpoints at once: what docs/explanation/attribution.md says.

Slow and plain on purpose, and independent of how the stream does it: no graph, no directory, no recalls, nothing
incremental. Shared with the product are only the readings of one text (aliases' kinds, hosts of addresses).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from schemas.touchpoints import CleanTouchpoint
from streams.identity.aliases import PERSON_KINDS, kind_of, ordered, strength
from streams.identity.company_names import company_name
from streams.identity.domains import address_host, claimed_hosts, company_domain

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
BY_HAND = {
    "page_view", "click", "form_touched", "form_submitted", "form_failed", "client_error", "custom", "survey_answered",
}  # fmt: skip
STRONG = ("crm:", "group:", "org:")
STATED_BY = {"domain": "domain", "website": "domain", "hs_additional_domains": "domain", "name": "name"}


class Place(NamedTuple):
    """What is said of one touchpoint."""

    person_id: str
    account_id: str
    method: str
    rejected: frozenset[str]


class Edge(NamedTuple):
    """Two aliases on one event; sorts by its time."""

    since: datetime
    a: str
    b: str
    typed: bool
    source: str


class Stint(NamedTuple):
    begin: datetime
    account: str
    alias: str
    end: datetime
    stated: bool
    rests: tuple[tuple[datetime, datetime], ...] = ()
    named: str = ""
    primary: bool = False


class Fate(NamedTuple):
    """What became of a record of the CRM."""

    at: datetime
    event_id: str
    record: str
    how: str
    into: str = ""


class Limits(NamedTuple):
    """Sizes from which on something does not grow any more."""

    max_aliases: int = 50
    max_edges: int = 100
    fades: int = 10
    max_region: int = 100
    max_seen: int = 50
    max_claimants: int = 20


def naive(touchpoints: Iterable[CleanTouchpoint], **limits: int) -> dict[str, Place]:
    """The place of every touchpoint, by event id, knowing all; `limits` as in Limits."""
    return led(touchpoints, (), **limits)


def led(touchpoints: Iterable[CleanTouchpoint], leads: Sequence[str], **limits: int) -> dict[str, Place]:
    """`naive` where directories lead, the first of `leads` before the others."""
    events = sorted({t.event_id: t for t in touchpoints}.values(), key=lambda t: (t.ordered_at, t.event_id))
    world = _World(events, Limits(**limits), leads)
    return {t.event_id: world.place(t) for t in events}


def _people(t: CleanTouchpoint) -> list[str]:
    found = [name for name in ordered(t.aliases) if kind_of(name) in PERSON_KINDS]
    if t.action in BY_HAND and len(found) > 1:  # who sits there comes before an address they typed
        found.sort(key=lambda n: {"email": 1, "mailbox": 2}.get(kind_of(n), 0))
    found.sort(key=lambda n: t.action == "alias" and n == t.properties.get("given_up"))
    return found


def _subject(t: CleanTouchpoint) -> str:
    kinds = sorted(kind_of(name) for name in _people(t))
    nobody_signed_in = not {"crm_contact", "support_user", "user"} & {*kinds}
    if t.action in BY_HAND and nobody_signed_in and kinds.count("email") == 1:  # who typed it is who is there
        return next(name for name in t.aliases if kind_of(name) == "email")
    return (_people(t) or list(ordered(t.aliases)) or [f"event:{t.event_id}"])[0]


def _belonging(t: CleanTouchpoint) -> list[str]:
    """Who belongs to the account that an event names: the one who acted, if it says so, and deals and tickets."""
    says_so = t.action in ("group", "support_record", "lifecycle_changed", "crm_record", "crm_removed")
    things = [name for name in t.aliases if kind_of(name) not in PERSON_KINDS]
    return [*({_subject(t)} if t.aliases and (says_so or t.valid_from or t.valid_to) else ()), *things]


def _fates(t: CleanTouchpoint) -> list[Fate]:
    """Deletions, restorations and merges of the CRM's accounts and contacts that an event tells."""
    kind, _, own = t.subject.partition(":")
    records = [ref for ref in t.account_refs if ref.startswith("crm:")] if kind == "company" else []
    if kind == "contact":
        records = [name for name in ordered(t.aliases) if kind_of(name) == "crm_contact"]
        records.sort(key=lambda name: name != f"crm_contact:{own}")
    if not records or t.action not in ("crm_record", "crm_removed", "lifecycle_changed", "alias"):
        return []
    first, *others = records
    if t.action == "crm_removed" and not t.properties.get("removed"):
        return [Fate(t.ordered_at, t.event_id, first, "removed")]
    if t.properties.get("restored"):
        return [Fate(t.ordered_at, t.event_id, first, "restored")]
    is_merge = t.action == "alias" or "merged" in t.properties
    return [Fate(t.ordered_at, t.event_id, other, "merged", first) for other in others if is_merge]


def _values(t: CleanTouchpoint, trait: str) -> set[str]:
    said = t.account_traits.get(trait, "")
    return set(claimed_hosts(said)) if trait == "domain" else {company_name(said)} - {""} if said else set()


def _whose(name: str) -> str:
    """The directory of an id that has one: what stands between its first two colons."""
    return name.split(":", 2)[1] if name.count(":") > 1 else ""


def _name_id(alias: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"touchline:person:{alias}"))


class _World:
    def __init__(self, events: list[CleanTouchpoint], limits: Limits, leads: Sequence[str]) -> None:
        self.max_seen, self.max_claimants = limits.max_seen, limits.max_claimants
        self.events = events
        self.leads = list(leads)
        self.facts = [t for t in events if t.action != "decision"]
        self.on_people = self._last_words({"link", "unlink"})
        self.on_accounts = self._last_words({"belongs", "not_belongs"})
        self.fates = [fate for t in self.facts for fate in _fates(t)]  # in the order of time
        self.claims = [(host, ref) for host, ref in self._claimed("domain") if host]
        self.names = [(name, ref) for name, ref in self._claimed("name") if name]
        self.edges, tree = self._edges(limits.max_edges, limits.fades)
        self.joining = _untangled(self.edges, tree, limits.max_region)
        self.groups = self._groups(limits.max_aliases)
        self.open = self._open()
        self.canonical = {ref: self._canonical(ref) for t in events for ref in (*t.account_refs, t.network) if ref}

    # -- decisions and edges

    def _last_words(self, verdicts: set[str]) -> dict[frozenset[str], str]:
        found: dict[frozenset[str], str] = {}
        for t in self.events:  # in the order of time, so that the last one stands
            if t.action == "decision" and t.properties.get("verdict") in verdicts:
                about = t.aliases[:2] if "link" in verdicts else (*t.aliases[:1], *t.account_refs[:1])
                if len(about) == 2:
                    found[frozenset(about)] = str(t.properties["verdict"])
            contacts = [name for name in ordered(t.aliases) if kind_of(name) == "crm_contact"]
            if "link" in verdicts and t.action == "alias":
                found.update({frozenset((contacts[0], other)): "link" for other in contacts[1:]})
        return found

    def _edges(self, most: int, fades: int) -> tuple[list[Edge], list[Edge]]:
        """Those that count, and of these the first of each alias with a stronger one."""
        first: dict[tuple[str, str, bool], Edge] = {}
        for t in self.facts:  # earliest first
            people = _people(t)
            linking = [name for name in people if kind_of(name) != "mailbox"]
            pairs = [(linking[0], other) for other in linking[1:]]
            if not pairs and people[:1] and kind_of(people[0]) not in ("phone", "anonymous", "device"):
                pairs = [(people[0], people[0])]
            for one, other in pairs:
                a, b = (one, other) if kind_of(one) == kind_of(other) else ordered((one, other))
                typed = a != b and t.action in BY_HAND and bool({"email", "phone"} & {kind_of(a), kind_of(b)})
                first.setdefault((a, b, typed), Edge(t.ordered_at, a, b, typed, t.source))
        kept = [edge for edge in first.values() if self.on_people.get(frozenset((edge.a, edge.b))) != "unlink"]
        kept.sort(key=lambda edge: (-strength(edge.b), edge))
        touching: dict[str, list[Edge]] = {}
        for edge in kept:
            for end in {edge.a, edge.b}:
                touching.setdefault(end, []).append(edge)
        for end, ends in touching.items():
            too_many = max(0, len(ends) - most) if kind_of(end) in ("anonymous", "device") else 0
            del ends[max(0, most - too_many * fades) :]
        counting = [edge for edge in kept if all(edge in touching[end] for end in (edge.a, edge.b))]
        first_of = {edge.b: edge for edge in reversed(counting) if edge.a != edge.b}
        return counting, list(first_of.values())

    def _groups(self, most: int) -> dict[str, set[str]]:
        groups = {name: {name} for t in self.events for name in t.aliases}
        taken: dict[str, set[str]] = {
            name: {e.source for e in self.edges if name in (e.a, e.b)} if name.startswith("user:") else set()
            for name in groups
        }
        given_up: set[str] = set()
        for edge in self.edges:
            are_user_ids = kind_of(edge.a) == kind_of(edge.b) == "user"
            given_up |= {edge.b} if are_user_ids and edge.a != edge.b else set()
            one, other = groups[edge.a], groups[edge.b]
            if edge not in self.joining or one is other or len(one) + len(other) > most:
                continue
            clash = any(
                ((kind_of(x), kind_of(y)) == ("crm_contact", "crm_contact") and _whose(x) == _whose(y))
                or taken[x] & taken[y]
                for x in one
                for y in other
                if given_up.isdisjoint((x, y))
            )
            addresses = [any(kind_of(name) == "email" for name in group) for group in (one, other)]
            if not clash and not (edge.typed and all(addresses)):
                _unite(groups, edge.a, edge.b)
        for pair, verdict in self.on_people.items():  # people decide over evidence
            if verdict == "link" and groups[min(pair)] is not groups[max(pair)]:
                _unite(groups, min(pair), max(pair))
        return groups

    def person_id(self, name: str) -> str:
        """Named by the earliest of the ids that say something."""
        group = self.groups[name]
        naming = [n for n in group if kind_of(n) in ("crm_contact", "email", "support_user", "user")] or list(group)
        seen = {n: min((e.since for e in self.edges if n in (e.a, e.b)), default=LAST) for n in naming}
        return _name_id(min(naming, key=lambda n: (seen[n], ordered(naming).index(n))))

    # -- accounts

    def survivor(self, record: str) -> str:
        """What it was merged into last, unless it was restored since; of a circle the first by name."""
        way = [record]
        while True:
            mine = [fate for fate in self.fates if fate.record == way[-1] and fate.how in ("merged", "restored")]
            into = mine[-1].into if mine else ""
            if not into:
                return way[-1]
            if into in way:
                return min(way[way.index(into) :])
            way.append(into)

    def _deletions(self, record: str) -> list[tuple[Fate, Fate | None]]:
        """Each deletion of what the record is now, and the next restoration after it."""
        mine = [f for f in self.fates if f.record == self.survivor(record) and f.how in ("removed", "restored")]
        return [
            (fate, next((later for later in mine[n:] if later.how == "restored"), None))
            for n, fate in enumerate(mine)
            if fate.how == "removed"
        ]

    def _is_released(self, account: str, said: CleanTouchpoint | None) -> bool:
        """Whether the account is deleted now, and this was not stated after that."""
        last = [gone for gone, back in self._deletions(account) if back is None][-1:]
        return any(said is None or (said.ordered_at, said.event_id) < (gone.at, gone.event_id) for gone in last)

    def _claimed(self, trait: str) -> set[tuple[str, str]]:
        """Who claims which domain (or name): as events show, and as each source's record of it says last."""
        shown: set[tuple[str, str]] = set()
        stated: dict[tuple[str, str, str], CleanTouchpoint] = {}
        for t in self.facts:
            if not t.account_refs:
                continue
            if t.action in ("crm_record", "lifecycle_changed") and t.subject.startswith("company:"):
                field = t.properties.get("property")
                if STATED_BY.get(str(field)) == trait:
                    stated[t.account_refs[0], t.source, str(field)] = t
                elif field not in STATED_BY and trait in t.account_traits:
                    stated[t.account_refs[0], t.source, trait] = t
            else:
                shown |= {(value, t.account_refs[0]) for value in _values(t, trait)}
        found = {(value, account) for value, account in shown if not self._is_released(account, None)}
        for (account, _, _), t in stated.items():
            if not self._is_released(account, t):
                found |= {(value, account) for value in _values(t, trait)}
        return found

    def _open(self) -> set[str]:
        """Organisations of which only public mail domains were ever told."""
        mails = {"gmail.com", "hotmail.com"}
        told = {(part, t.account_refs[0]) for t in self.facts if t.account_refs and t.account_refs[0].startswith("org:")
                for part in t.account_traits.get("domain", "").split()}  # fmt: skip
        of_companies = {account for _, account in self.claims}
        return {account for part, account in told if part in mails} - of_companies

    def _claimants(self, host: str, place_of: tuple[int, int, str] | None = None) -> set[str]:
        """All, or those of one place among the systems."""
        claims = [(h, account) for h, account in self.claims if account.startswith(STRONG)]
        claims = [(h, account) for h, account in claims if place_of in (None, self._place(account))]
        place = host
        while place.endswith(company_domain(host)):
            if found := {account for h, account in claims if h == place}:
                return found
            place = place.partition(".")[2]
        return {account for h, account in claims if company_domain(h) == company_domain(host)}

    def _place(self, account: str) -> tuple[int, int, str]:
        """Where the account's system stands: the CRM before groups before organisations, the leading one first."""
        namespace = next((n for n, prefix in enumerate(STRONG) if account.startswith(prefix)), len(STRONG))
        whose = _whose(account)
        return (namespace, self.leads.index(whose), "") if whose in self.leads else (namespace, len(self.leads), whose)

    def _canonical(self, account: str) -> str:
        own, now = self._place(account), self.survivor(account)
        hosts = {h for h, a in self.claims if a in (account, now)}
        stated = {
            self.survivor(t.account_refs[0])
            for t in self.facts
            if t.action in ("crm_record", "support_record", "group")
            and account in t.account_refs[1:]
            and not account.startswith("crm:")  # those may only be merged
        }
        names = stated | {a for h in hosts for _, a in self.claims if company_domain(_) == company_domain(h)}
        for place in sorted({self._place(name) for name in names if self._place(name) < own}):
            domains = {self.survivor(x) for h in hosts for x in self._claimants(h, place)}
            for found in ({x for x in stated if self._place(x) == place}, domains):
                if len(found) == 1:
                    return found.pop()
        of_members = self._of_members(account) if account.startswith(("group:", "org:")) and not hosts else set()
        return of_members.pop() if len(of_members) == 1 else now

    def _of_members(self, account: str) -> set[str]:
        """What the CRM ever said of the contacts of those who were seen in a bare account."""
        told = [(alias, t.account_refs[0]) for t in self.facts if t.account_refs for alias in _belonging(t)]
        seen = [(_subject(t), t.account_refs[0]) for t in self.facts if t.account_refs and t.aliases]
        inside = [self.groups[alias] for alias, named in [*seen, *told] if named == account]
        for t in self.facts:  # who left a customer, or is there for a time, is nobody's to follow
            is_over = t.valid_to is not None or (t.action == "crm_removed" and t.valid_from is None)
            of_crm = bool(t.account_refs) and t.account_refs[0].startswith("crm:") and t.aliases != ()
            contact = _subject(t).startswith("crm_contact:")
            if is_over and of_crm and contact and any(_subject(t) in group for group in inside):
                return set()
        return {
            self._canonical(named)
            for group in inside
            for alias, named in told
            if alias in group and alias.startswith("crm_contact:") and named.startswith("crm:")
            if not any(self.on_accounts.get(frozenset((one, named))) == "not_belongs" for one in group)
        }

    def accounts_at(self, host: str) -> set[str]:
        found = self._claimants(host)
        return {self.canonical[account] for account in found} if len(found) <= self.max_claimants else set()

    def _verdicts(self, owners: set[str]) -> dict[str, str]:
        """The last word on each account, of whichever alias and under whichever of its ids it was said."""
        found: dict[str, str] = {}
        for t in self.events:
            says = t.properties.get("verdict") if t.action == "decision" else None
            if says in ("belongs", "not_belongs") and {*t.aliases[:1]} & owners and t.account_refs:
                found[self.canonical[t.account_refs[0]]] = str(says)
        return found

    def _stints(self, owners: set[str], verdicts: dict[str, str]) -> list[Stint]:
        told = [(t, alias) for t in self.facts if t.account_refs for alias in {*_belonging(t)} & owners]
        left = [
            (self.canonical[t.account_refs[0]], t.ordered_at)
            for t, _ in told
            if t.action == "crm_removed" and not (t.valid_from or t.valid_to)
        ]
        found: dict[Any, Stint] = {}
        for t, alias in told:
            named, account = t.account_refs[0], self.canonical[t.account_refs[0]]
            if t.valid_from or t.valid_to:  # the last statement of one begin stands
                begin = t.valid_from or FIRST
                found[alias, named, "stated", begin] = Stint(begin, account, alias, t.valid_to or LAST, True, (), named)
            elif t.action == "crm_record":
                first = t.properties.get("primary") is True
                found[alias, named, "joined", t.ordered_at] = Stint(
                    t.ordered_at, account, alias, LAST, False, (), named, first
                )
            elif t.action != "crm_removed":
                found.setdefault((alias, named, "seen"), Stint(t.ordered_at, account, alias, LAST, False, (), named))
        stints = []
        for stint in self._counting(found):
            ends = [at for account, at in left if account == stint.account and at > stint.begin]
            if verdicts.get(stint.account) != "not_belongs" and stint.named not in self.open:
                stints.append(stint._replace(end=min([stint.end, *ends]), rests=self._rests(stint)))
        stints += [Stint(FIRST, account, "", LAST, True) for account, v in verdicts.items() if v == "belongs"]
        return stints

    def _counting(self, found: dict[Any, Stint]) -> list[Stint]:
        """All but what was seen beyond the first accounts."""
        seen = sorted((key for key in found if key[-1] == "seen"), key=lambda key: (found[key].begin, key[1], key[0]))
        return [stint for key, stint in found.items() if key not in seen[self.max_seen :]]

    def _rests(self, stint: Stint) -> tuple[tuple[datetime, datetime], ...]:
        """While the CRM has deleted the account or the contact; what was begun since then is news of its own."""
        gaps = [*self._deletions(stint.account), *self._deletions(stint.alias)]
        return tuple((gone.at, back.at if back else LAST) for gone, back in gaps if gone.at > stint.begin)

    # -- one touchpoint

    def place(self, t: CleanTouchpoint) -> Place:
        """The rules in their order."""
        people, subject, rejected = _people(t), _subject(t), set[str]()
        owners = self.groups[subject] if people else {subject}
        person = self.person_id(subject) if people else ""
        found = self._rules(t, owners, people, rejected)
        if not found and not people and (theirs := self._whose(subject, t.ordered_at)):
            found = self._rules(t, self.groups[theirs], [], rejected)
            found = found or (f"anon:{self.person_id(theirs)}", "unidentified")
        account, method = found or (f"anon:{person or _name_id(subject)}", "unidentified")
        if people and method in ("explicit", "membership"):
            rejected |= self._of_its_sender(owners, t.ordered_at) - {account}
        if people:
            rejected |= self._where_staff(owners, t.ordered_at)
        return Place(person, account, method, frozenset(rejected))

    def _where_staff(self, owners: set[str], at: datetime) -> set[str]:
        """The helpdesks and CRMs that knew any of these ids as one of our own people then."""
        said = [(t, alias, how) for t in self.facts for alias, how in t.staff.items() if alias in owners]
        said = [one for one in said if kind_of(one[1]) in ("crm_contact", "email", "support_user", "user")]
        found: dict[Any, Stint] = {}
        for t, alias, how in said:
            key = (alias, f"staff:{t.source}", "seen") if how == "seen" else (alias, t.source, how, t.ordered_at)
            if how != "left":
                found.setdefault(key, Stint(t.ordered_at, f"staff:{t.source}", alias, LAST, False))
        left = [(f"staff:{t.source}", t.ordered_at) for t, _, how in said if how == "left"]
        stints = [
            stint._replace(
                end=min((when for a, when in left if a == stint.account and when > stint.begin), default=LAST)
            )
            for stint in self._counting(found)
        ]
        accounts = {stint.account for stint in stints}
        return {account for account in accounts if _at([s for s in stints if s.account == account], at)}

    def _of_its_sender(self, owners: set[str], at: datetime) -> set[str]:
        """Where they are a member then, and whose addresses they have."""
        verdicts = self._verdicts(owners)
        found = {s.account for s in self._stints(owners, verdicts) if _covers(s, at)}
        for host in {address_host(n) for n in owners} - {""}:
            accounts = self.accounts_at(host) or {f"domain:{company_domain(host)}"}
            found |= accounts if len(accounts) == 1 else set()
        return found - {account for account, verdict in verdicts.items() if verdict == "not_belongs"}

    def _whose(self, thing: str, at: datetime) -> str:
        """Of whom a deal or ticket was told to be last by then; or first."""
        told = [t for t in self.facts if thing in t.aliases and _people(t)]
        found: dict[Any, Stint] = {}
        for t in told:
            alias = _subject(t)
            if t.action == "crm_record":
                found[thing, alias, "joined", t.ordered_at] = Stint(t.ordered_at, alias, thing, LAST, False)
            elif t.action != "crm_removed":
                found.setdefault((thing, alias, "seen"), Stint(t.ordered_at, alias, thing, LAST, False))
        left = [(_subject(t), t.ordered_at) for t in told if t.action == "crm_removed"]
        stints = [
            stint._replace(
                end=min((when for name, when in left if name == stint.account and when > stint.begin), default=LAST)
            )
            for stint in self._counting(found)
        ]
        chosen = _at(stints, at)
        return chosen.account if chosen else ""

    def _rules(
        self, t: CleanTouchpoint, owners: set[str], people: list[str], rejected: set[str]
    ) -> tuple[str, str] | None:
        at, verdicts = t.ordered_at, self._verdicts(owners)
        is_open = bool(t.account_refs and t.aliases and t.account_refs[0] in self.open)
        if is_open and t.action != "decision":
            rejected.add(t.account_refs[0])
        elif t.account_refs and t.action != "decision":
            return self.canonical[t.account_refs[0]], "explicit"
        stints = self._stints(owners, verdicts)
        no = {account for account, verdict in verdicts.items() if verdict == "not_belongs"}
        chosen = None if self._elsewhere(t, owners) else _at(stints, at)
        if stints or no:
            rejected |= ({s.account for s in stints} | no) - ({chosen.account} if chosen else set())
        if chosen:
            return chosen.account, "crm_contact" if chosen.alias.startswith("crm_contact:") else "membership"
        own = [n for n in people if n in owners or kind_of(n) == "mailbox"]
        hosts = {address_host(n) for n in own} - {""} or {address_host(n) for n in owners} - {""}
        if one := self._only(hosts, no, rejected):
            return one, "email_domain"
        names = self._declared("name", t, owners)
        for name in {company_name(n) for n in names}:
            rejected |= {self.canonical[account] for called, account in self.names if called == name} - no
        if one := self._only(self._declared("domain", t, owners), no, rejected):
            return one, "declared_domain"
        if t.network and self.canonical[t.network] not in no:
            return self.canonical[t.network], "network"
        rejected |= {self.canonical[t.network]} if t.network else set()
        unknown = {company_domain(host) for host in hosts if not self.accounts_at(host)}
        unknown -= {account.removeprefix("domain:") for account in no if account.startswith("domain:")}
        if len(unknown) == 1:
            return f"domain:{unknown.pop()}", "provisional_domain"
        rejected |= {f"domain:{domain}" for domain in unknown}
        return None

    def _elsewhere(self, t: CleanTouchpoint, owners: set[str]) -> bool:
        """A role's address of another company than any of theirs, typed where nobody was signed in."""
        boxes = {company_domain(address_host(n)) for n in t.aliases if kind_of(n) == "mailbox" and address_host(n)}
        own = {company_domain(address_host(n)) for n in owners if address_host(n)}
        signed_in = kind_of(_subject(t)) in ("crm_contact", "support_user", "user", "email")
        return bool(t.action in BY_HAND and boxes and own) and not signed_in and not boxes & own

    def _only(self, hosts: Iterable[str], no: set[str], rejected: set[str]) -> str | None:
        found: set[str] = set()
        for host in hosts:
            accounts = self.accounts_at(host)
            if len(accounts) == 1:
                found |= accounts
            else:
                rejected |= accounts
        rejected |= found & no
        found -= no
        if len(found) > 1:
            rejected |= found
        return found.pop() if len(found) == 1 else None

    def _declared(self, trait: str, t: CleanTouchpoint, owners: set[str]) -> set[str]:
        """What the event says; else what its person had said last by then, or will say first."""

        def said(e: CleanTouchpoint) -> set[str]:
            value = "" if e.account_refs else e.account_traits.get(trait, "")
            return set(claimed_hosts(value)) if trait == "domain" else {value} - {""}

        def boxes(e: CleanTouchpoint) -> set[str]:
            return {address_host(n) for n in _people(e)[1:] if kind_of(n) == "mailbox"} - {""}

        if t.action != "decision" and said(t):
            return said(t)
        first: dict[str, datetime] = {}
        for e in self.facts:
            if _subject(e) in owners:
                for value in said(e) | (boxes(e) if trait == "domain" else set()):
                    first.setdefault(value, e.ordered_at)
        before = [since for since in first.values() if since <= t.ordered_at] or sorted(first.values())[:1]
        return {value for value, since in first.items() if before and since == max(before)}


def _untangled(edges: list[Edge], tree: list[Edge], most: int) -> set[Edge]:
    """The edges that may join: all where few hang together, else those of the trees, else none."""
    found: set[Edge] = set()
    for group in _hanging_together(edges):
        if len(group) <= most:
            found |= group
            continue
        for branch in _hanging_together([edge for edge in tree if edge in group]):
            found |= branch if len(branch) <= most else set()
    return found


def _hanging_together(edges: list[Edge]) -> list[set[Edge]]:
    groups = {end: {end} for edge in edges for end in (edge.a, edge.b)}
    for edge in edges:
        _unite(groups, edge.a, edge.b)
    distinct = {id(group): group for group in groups.values()}.values()
    return [{edge for edge in edges if edge.a in group} for group in distinct]


def _covers(s: Stint, at: datetime) -> bool:
    return s.begin <= at < s.end and not any(gone < at < back for gone, back in s.rests)


def _at(stints: list[Stint], at: datetime) -> Stint | None:
    running = [s for s in stints if _covers(s, at)]
    if running:
        by_crm = [s for s in running if s.alias.startswith("crm_contact:")] or running
        first_of = [s for s in by_crm if s.primary] or by_crm
        return max(first_of, key=lambda s: (s.begin, s.stated, s.account, s.alias))
    since = min((s.begin for s in stints), default=FIRST)
    earliest = [s for s in stints if s.begin - since <= timedelta(minutes=1)]
    earliest = [s for s in earliest if s.primary] or earliest
    first = min(earliest, key=lambda s: (s.begin, not s.stated, s.account, s.alias, s.end), default=None)
    return first if first is not None and not first.stated and at < first.begin else None


def _unite(groups: dict[str, set[str]], a: str, b: str) -> None:
    both = groups[a] | groups[b]
    for name in both:
        groups[name] = both


def differences(places: dict[str, Place], found: dict[str, Place]) -> list[str]:
    """What a reader of a failed test wants to see."""
    return [f"{key}: {places[key]} but {found.get(key)}" for key in sorted(places) if places[key] != found.get(key)]


def pairs(places: dict[str, Place]) -> set[tuple[str, str]]:
    """Events of one person, as pairs."""
    return {(a, b) for a, b in combinations(sorted(places), 2) if places[a].person_id == places[b].person_id != ""}
