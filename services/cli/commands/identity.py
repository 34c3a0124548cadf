"""`touchline identity`: who somebody is by what is known, edge by edge, and which account that makes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.facts import ProposalFact
from schemas.links import Decision, Edge
from schemas.touchpoints import Alias, CleanTouchpoint
from services.cli.console import UsageError
from services.common.linked import LinkSource, Neighbourhood, neighbourhood
from streams.connectors.own.naming import alias_of
from streams.identity.directories import Directories
from streams.identity.graph import Person
from streams.identity.knowledge import Knowledge

Identity = dict[str, Any]


def identify(source: LinkSource, asked: str, now: datetime, directories: Directories | None = None) -> Identity:
    """Everything known of a person: by a person id, an alias, or an e-mail address. `found` is False for nobody.

    An alias may be written without its directory; it is then everyone's who is called so.

    Raises UsageError for what is none of these, StoreUnavailable.
    """
    person_id = _person_id(asked)
    known = directories or Directories()
    names = source.aliases_of(person_id) if person_id else {*known.candidates(_alias(asked))}
    knowledge = Knowledge(known.in_order)
    around = neighbourhood(source, names, lambda link: knowledge.graph.kept.current(link, known))
    if not around.links:
        return {"asked": asked, "found": False}
    names = {name for name in names if name in around.told} or names
    for position, link in around.in_order():
        knowledge.apply(link, position)
    people = [knowledge.graph.person(name) for name in sorted(names)]
    person = next((one for one in people if one.person_id == person_id), people[0])
    return _described(knowledge, around, person, now) | {"asked": asked}


def _person_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _alias(text: str) -> Alias:
    found = alias_of(text)
    if found is None:
        raise UsageError(
            f"{text!r} names nobody: give a person id, an e-mail address, or an alias such as crm_contact:51"
        )
    return found


def _described(knowledge: Knowledge, around: Neighbourhood, person: Person, now: datetime) -> Identity:
    own = set(person.aliases)
    links = [link for _, link in around.in_order()]
    edges = [link for link in links if isinstance(link, Edge) and (link.a in own or link.b in own)]
    decisions = [link for link in links if isinstance(link, Decision) and (link.a in own or link.b in own)]
    proposals = [one for one in knowledge.proposals if one.a in own or one.b in own]
    account = knowledge.attribute(_today(person, now)).fields()
    del account["person_id"]
    return {
        "found": True,
        "person_id": person.person_id,
        "aliases": list(person.aliases),
        "edges": [_edge(knowledge, edge, own) for edge in edges],
        "memberships": [
            link.model_dump(mode="json")
            for kept in (knowledge.memberships, knowledge.staff)
            for link in kept.links(person.aliases)
        ],
        "declared": [link.model_dump(mode="json") for link in knowledge.declared.of(person.aliases)],
        "account": account,
        "proposals": [_question(one.fact(0)) for one in proposals],
        "decisions": [
            one.model_dump(mode="json") for one in sorted(decisions, key=lambda d: (d.decided_at, d.evidence))
        ],
        "is_cut": around.is_cut,
    }


def _question(fact: ProposalFact) -> dict[str, Any]:
    return {name: value for name, value in fact.fields().items() if name != "revision"}


def _edge(knowledge: Knowledge, edge: Edge, own: set[Alias]) -> dict[str, Any]:
    """`joins`: both ends are this person. Otherwise `why_not`."""
    joins = edge.a in own and edge.b in own
    decided = knowledge.graph.decision(edge.a, edge.b) if edge.a != edge.b else None
    return edge.model_dump(mode="json") | {"joins": joins, "why_not": "" if joins else _why_not(decided)}


def _why_not(decided: Decision | None) -> str:
    if decided is not None and decided.verdict == "unlink":
        return f"cut by {decided.by or 'somebody'}"
    return "would join what must stay apart, or a shared alias: asked about"


def _today(person: Person, now: datetime) -> CleanTouchpoint:
    """An event of theirs that names no account, as it would come in now."""
    return CleanTouchpoint(
        event_id="now",
        source="",
        vendor="",
        vendor_type="",
        action="identify",
        occurred_at=now,
        received_at=now,
        aliases=person.aliases,
    )


def as_text(found: Identity) -> str:
    """For a terminal."""
    if not found["found"]:
        return f"{found['asked']}: nothing is known of it"
    return "\n".join(_lines(found))


def _lines(found: Identity) -> Iterator[str]:
    yield f"person     {found['person_id']}"
    yield from (f"alias      {name}" for name in found["aliases"])
    account = found["account"]
    because = f", because of {account['evidence']}" if account["evidence"] else ""
    yield f"account    {account['account_id']} by {account['method']}, confidence {account['confidence']:.2f}{because}"
    for other in account["rejected"]:
        yield f"rejected   {other['account_id']} by {other['method']}: {other['why']}"
    for edge in found["edges"]:
        yield f"edge       {_edge_words(edge)}; {_seen(edge, 'since')}"
    for one in found["memberships"]:
        dates = f" from {one['valid_from'] or 'ever'} to {one['valid_to'] or 'now'}" if one["how"] == "stated" else ""
        yield f"membership {one['alias']} {one['how']} at {one['account_id']}{dates}; {_seen(one, 'since')}"
    for one in found["declared"]:
        yield f"declared   {one['alias']}: {one['trait']} {one['value']}; {_seen(one, 'since')}"
    for one in found["decisions"]:
        said = f"{one['a']} {one['verdict']} {one['b']} by {one['by'] or 'nobody named'}"
        yield f"decided    {said}; {_seen(one, 'decided_at')}"
    for one in found["proposals"]:
        asked = f"{one['a']} {one['question']} {one['b']}: {one['reason']}"
        yield f"question   {one['proposal_id']} ({one['status']}): {asked}"
    if found["is_cut"]:
        yield "cut        more aliases hang together here than were read; the cluster may be larger"


def _edge_words(edge: dict[str, Any]) -> str:
    if edge["a"] == edge["b"]:
        return f"{edge['a']} was seen alone"
    typed = " (typed into a form)" if edge["typed"] else ""
    return f"{edge['a']} = {edge['b']}{typed}" if edge["joins"] else f"{edge['a']} ≠ {edge['b']}: {edge['why_not']}"


def _seen(link: dict[str, Any], time: str) -> str:
    return f"{link[time]}, event {link['evidence']} from {link['source'] or 'unknown'}"
