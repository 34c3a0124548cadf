"""Who is meant: all ids of one person, or of an account and of the people who are nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from clickhouse_connect.driver.client import Client

from schemas.links import AccountClaim, Erasure
from schemas.touchpoints import Alias, AttributedTouchpoint
from services.cli.console import UsageError
from services.common.linked import LinkSource, neighbourhood
from streams.connectors.own.naming import alias_of
from streams.identity.aliases import TICKETS, is_person, strength
from streams.identity.directories import Directories
from streams.identity.domains import company_domain
from streams.identity.erasures import Ledger, place_of
from streams.identity.knowledge import Knowledge
from streams.identity.late_erasures import spread
from streams.runtime.clickhouse import query_rows

ACCOUNTS: Final = ("crm:", "org:", "group:", "domain:", "anon:")
_OF_ACCOUNT: Final = "SELECT payload FROM histories FINAL WHERE account_id = {account:String}"
_ELSEWHERE: Final = """
SELECT DISTINCT person_id FROM touchpoints FINAL
WHERE account_id != {account:String} AND person_id IN {people:Array(String)}
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """`names`: every id that is theirs. `is_cut`: more ids hang together there than were read."""

    kind: Literal["person", "account"]
    names: frozenset[str]
    is_cut: bool = False

    @property
    def aliases(self) -> list[Alias]:
        """Those of people and things."""
        return sorted(name for name in self.names if strength(name))


def subject_of(client: Client, source: LinkSource, asked: str, directories: Directories) -> Subject:
    """Raises UsageError for what is neither a person nor an account, or could be several people; StoreUnavailable."""
    if asked.startswith(ACCOUNTS):
        return _account(client, source, asked, directories)
    names = _asked_names(source, asked, directories)
    return person_with(source, names, directories, asked)


def names_of(asked: str, directories: Directories) -> set[str]:
    """The ids that somebody wrote, of whom nothing is stored any more. Raises UsageError for what is none."""
    if asked.startswith(ACCOUNTS):
        return {asked}
    alias = alias_of(asked)
    if alias is None:
        raise UsageError("name a person by an e-mail address or an alias, or an account by its id")
    return {*directories.candidates(alias)}


def person_with(source: LinkSource, names: Iterable[Alias], directories: Directories, asked: str = "") -> Subject:
    """The person of these aliases; somebody who was never seen is their alias alone."""
    names = set(names)
    knowledge = Knowledge(directories.in_order)
    around = neighbourhood(source, names, lambda link: knowledge.graph.kept.current(link, directories))
    for position, link in around.in_order():
        knowledge.apply(link, position)
    named = {name for name in names if name in around.told}
    people = {person.person_id: person for person in map(knowledge.graph.person, sorted(named))}
    if asked and len(people) > 1:
        each = "; ".join(", ".join(person.aliases) for person in people.values())
        raise UsageError(f"{asked!r} could be several people: {each}. Name one by an id that only they have")
    own = (named or set(sorted(names)[:1])).union(*(person.aliases for person in people.values()))
    return Subject("person", frozenset({*own, *_tickets(knowledge, own)}), around.is_cut)


def late_in_links(source: LinkSource, names: set[str], ledger: Ledger, directories: Directories) -> Iterator[Erasure]:
    """What the ledger lacks by the stored links of these names, which are erased; it is taken in, too."""
    knowledge = Knowledge(directories.in_order, ledger)
    around = neighbourhood(source, names, lambda link: knowledge.graph.kept.current(link, directories))
    for position, link in around.in_order():
        knowledge.apply(link, position)
    for _, link in around.in_order():
        for one in list(spread(knowledge, link)):
            ledger.take(one)
            yield one


def _tickets(knowledge: Knowledge, own: set[Alias]) -> Iterator[Alias]:
    """Tickets that are this person's and nobody else's."""
    for name in {ticket for alias in own for ticket in knowledge.ties.members(alias)}:
        if name.startswith(TICKETS) and knowledge.ties.accounts((name,)) <= own:
            yield name


def _asked_names(source: LinkSource, asked: str, directories: Directories) -> set[Alias]:
    try:
        person_id = str(UUID(asked))
    except ValueError:
        alias = alias_of(asked)
        if alias is None:
            raise UsageError(
                f"{asked!r} names nobody: give a person id, an e-mail address, an alias such as crm_contact:51, or an "
                "account such as crm:crm:51"
            ) from None
        return {*directories.candidates(alias)}
    if not (found := source.aliases_of(person_id)):
        raise UsageError(f"no touchpoint of a person {person_id}")
    return found


def _account(client: Client, source: LinkSource, asked: str, directories: Directories) -> Subject:
    rows = query_rows(client, _OF_ACCOUNT, {"account": asked})
    items = [AttributedTouchpoint.decoded(str(row["payload"])) for row in rows]
    people: dict[str, set[Alias]] = {}
    things, refs = set[Alias](), {asked}
    for item in items:
        mine = people.setdefault(item.attribution.person_id, set())
        mine.update(name for name in item.touchpoint.aliases if is_person(name))
        things.update(name for name in item.touchpoint.aliases if not is_person(name))
        refs.update(item.touchpoint.account_refs)
    elsewhere = query_rows(client, _ELSEWHERE, {"account": asked, "people": sorted(people.keys() - {""})})
    same = set(_same(source, asked, refs, directories))
    for row in elsewhere:  # a consultant stays; what they did here goes, and all of whoever has an address here
        person_id = str(row["person_id"])
        if same.isdisjoint(map(place_of, people[person_id])):
            del people[person_id]
    return Subject("account", frozenset({*things, *same}.union(*people.values())))


def _same(source: LinkSource, asked: str, refs: set[str], directories: Directories) -> Iterator[str]:
    """The names that are this account, and the domains it goes by."""
    knowledge = Knowledge(directories.in_order)
    claims = [link for _, link in source.claims(refs, set(), with_names=False)]
    for position, link in enumerate(claims):
        knowledge.apply(knowledge.graph.kept.current(link, directories), position + 1)
    same = {ref for ref in refs if knowledge.directory.canonical(ref) == knowledge.directory.canonical(asked)} | {asked}
    yield from same
    for link in claims:
        if isinstance(link, AccountClaim) and link.account_id in same and link.trait == "domain":
            yield from (f"domain:{domain}" for host in link.value.split() if (domain := company_domain(host)))
