"""The links that matter for a person, out of all that are stored: their component, and the claims around it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson
from clickhouse_connect.driver.client import Client
from pydantic import TypeAdapter

from schemas.ids import BARE, bare
from schemas.links import AccountClaim, Decision, Declared, Edge, Link, Membership, RecordChange
from schemas.touchpoints import Alias, AttributedTouchpoint
from streams.identity.aliases import is_person
from streams.identity.company_names import company_name
from streams.identity.directories import Directories
from streams.identity.domains import address_host, company_domain
from streams.identity.learning import actors, owner
from streams.runtime.clickhouse import query_rows

MAX_ALIASES = 1_000
"""Of one component; a shared device may tie thousands of people together."""
MAX_ROUNDS = 8
Placed = tuple[int, Link]
_LINK: TypeAdapter[Link] = TypeAdapter(Link)

_ABOUT: Final = """
SELECT position, payload FROM links FINAL
WHERE kind != 'account' AND multiSearchAny(payload, {needles:Array(String)})
"""
_CLAIMS: Final = """
WITH JSONExtractString(payload, 'account_id') AS account_id, JSONExtractString(payload, 'trait') AS trait,
  splitByChar(' ', JSONExtractString(payload, 'value')) AS hosts
SELECT position, payload FROM links FINAL
WHERE kind = 'record' AND hasAny({accounts:Array(String)},
  [JSONExtractString(payload, 'record'), JSONExtractString(payload, 'into')])
OR kind = 'account' AND (
  has({accounts:Array(String)}, account_id)
  OR (trait = 'domain' AND arrayExists(
    d -> arrayExists(h -> h = d OR endsWith(h, concat('.', d)), hosts), {domains:Array(String)}))
  OR (trait = 'name' AND {with_names:UInt8} = 1))
"""
_OF_PERSON: Final = """
SELECT payload FROM histories FINAL
WHERE (account_id, event_id) IN (
  SELECT account_id, event_id FROM touchpoints FINAL WHERE person_id = {person_id:String} ORDER BY minute DESC LIMIT 50)
"""
_NEEDLES_AT_ONCE = 200


class LinkSource(Protocol):
    """Where links are looked up; every method may raise StoreUnavailable."""

    def about(self, names: Collection[Alias]) -> Iterable[Placed]:
        """Every link that names any of these aliases."""

    def claims(self, accounts: Collection[str], domains: Collection[str], *, with_names: bool) -> Iterable[Placed]:
        """Claims of these accounts, claims on these company domains and hosts in them; all names, if asked.

        With them what became of these accounts' records, and of those merged into them.
        """

    def aliases_of(self, person_id: str) -> set[Alias]:
        """Aliases of this person's latest touchpoints."""


class StoredLinks:
    """ClickHouse's table of links."""

    def __init__(self, client: Client, directories: Directories) -> None:
        self._client = client
        self._directories = directories

    def about(self, names: Collection[Alias]) -> Iterator[Placed]:
        written = {form for name in names for form in (name, bare(name))}  # as it may have been stored before
        needles = [orjson.dumps(name).decode() for name in sorted(written)]  # with its quotes: a whole value
        for start in range(0, len(needles), _NEEDLES_AT_ONCE):
            yield from self._links(_ABOUT, {"needles": needles[start : start + _NEEDLES_AT_ONCE]})

    def claims(self, accounts: Collection[str], domains: Collection[str], *, with_names: bool) -> Iterator[Placed]:
        written = {form for account in accounts for form in (account, bare(account))}
        asked = {"accounts": sorted(written), "domains": sorted(domains), "with_names": int(with_names)}
        return self._links(_CLAIMS, asked)

    def aliases_of(self, person_id: str) -> set[Alias]:
        rows = query_rows(self._client, _OF_PERSON, {"person_id": person_id})
        items = (self._directories.attributed(AttributedTouchpoint.decoded(str(row["payload"]))) for row in rows)
        return {owner(item.touchpoint, people) for item in items if (people := actors(item.touchpoint))}

    def _links(self, sql: str, asked: dict[str, object]) -> Iterator[Placed]:
        for row in query_rows(self._client, sql, asked):
            yield int(str(row["position"])), _LINK.validate_json(str(row["payload"]))


@dataclass(slots=True)
class Neighbourhood:
    """What was found. `is_cut`: the component is larger than what was read, so clusters may be incomplete.

    `read`: a link as it is stored → as it is read now.
    """

    read: Callable[[Link], Link] = lambda link: link
    links: dict[str, Placed] = field(default_factory=dict)
    aliases: set[Alias] = field(default_factory=set)
    is_cut: bool = False

    def in_order(self) -> list[Placed]:
        """As a worker learned them."""
        return sorted(self.links.values(), key=lambda placed: placed[0])

    @property
    def told(self) -> set[Alias]:
        """The aliases that any link names."""
        links = [link for _, link in self.links.values()]
        return {name for link in links for name in (*_ends(link), getattr(link, "alias", ""), getattr(link, "a", ""))}

    def take(self, found: Iterable[Placed]) -> list[Placed]:
        """Keep links as they are read now; returns them."""
        kept = [(position, self.read(link)) for position, link in found]
        self.links.update({link.link_id: (position, link) for position, link in kept})
        return kept


def neighbourhood(
    source: LinkSource, names: Iterable[Alias], read: Callable[[Link], Link] = lambda link: link
) -> Neighbourhood:
    """Everything that decides on the people these aliases belong to."""
    found = Neighbourhood(read)
    waiting, asked = set(names), set[str]()
    while waiting:
        found.aliases |= waiting
        ends = {end for _, link in found.take(source.about(sorted(waiting))) for end in _ends(link)}
        waiting = ends - found.aliases
        if not waiting:  # whom a group or an organisation follows depends on everyone in it
            waiting = _members(source, found, asked) - found.aliases
        if len(found.aliases) + len(waiting) > MAX_ALIASES:
            found.is_cut = True
            break
    _with_claims(source, found)
    return found


def _members(source: LinkSource, found: Neighbourhood, asked: set[str]) -> set[Alias]:
    """Who is in the groups and organisations that were not asked for yet."""
    accounts = {account for _, link in found.links.values() for account in _accounts(link)}
    new = {account for account in accounts if account.startswith(BARE)} - asked
    asked |= new
    told = [link for _, link in found.take(source.about(sorted(new)))] if new else []
    return {
        link.a if isinstance(link, Decision) else link.alias for link in told if isinstance(link, Decision | Membership)
    }


def _with_claims(source: LinkSource, found: Neighbourhood) -> None:
    """Claims that may place them, until no account and no domain is new."""
    links = [link for _, link in found.links.values()]
    declared = [link for link in links if isinstance(link, Declared)]
    names = {company_name(link.value) for link in declared if link.trait == "name"}
    accounts = {account for link in links for account in _accounts(link)}
    domains = {company_domain(host) for name in found.aliases if (host := address_host(name))}
    domains |= {company_domain(link.value) for link in declared if link.trait == "domain"}
    for _ in range(MAX_ROUNDS):
        asked = source.claims(accounts, domains - {""}, with_names=bool(names))
        mattering = [link for _, link in found.take(_mattering(asked, accounts, names))]
        claims = [link for link in mattering if isinstance(link, AccountClaim)]
        size = len(accounts) + len(domains)
        accounts |= {claim.account_id for claim in claims}
        changes = [link for link in mattering if isinstance(link, RecordChange)]
        accounts |= {record for change in changes for record in (change.record, change.into) if record}
        domains |= {company_domain(host) for claim in claims if claim.trait == "domain" for host in claim.value.split()}
        if len(accounts) + len(domains) == size:
            return


def _mattering(placed: Iterable[Placed], accounts: Collection[str], names: Collection[str]) -> Iterator[Placed]:
    """Without the names of accounts that nobody here declared."""
    for position, link in placed:
        is_matter = True
        if isinstance(link, AccountClaim) and link.trait == "name":
            is_matter = link.account_id in accounts or company_name(link.value) in names
        if is_matter:
            yield position, link


def _ends(link: Link) -> tuple[Alias, ...]:
    """The aliases a link ties together."""
    if isinstance(link, Edge) or (isinstance(link, Decision) and link.about_people):
        return (link.a, link.b)
    if isinstance(link, Membership) and is_person(link.account_id):  # a deal or ticket, and whose it is
        return (link.alias, link.account_id)
    return (link.record, link.into) if isinstance(link, RecordChange) and link.into else ()


def _accounts(link: Link) -> tuple[str, ...]:
    if isinstance(link, Membership):
        return () if is_person(link.account_id) else (link.account_id,)
    return (link.b,) if isinstance(link, Decision) and not link.about_people else ()
