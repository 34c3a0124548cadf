"""Messages about an incident: what, whom, since when, how bad, the evidence, what good would look like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from urllib.parse import quote
from uuid import NAMESPACE_URL

from schemas.incidents import Desk, Evidence, Message, Part
from schemas.policies import Level, Policy
from streams.ids import named_id
from streams.incidents.actions import Standing
from streams.incidents.incident import Incident
from streams.incidents.intake import Lens
from streams.incidents.links import PATH, ActionLink, signed
from streams.incidents.subjects import TYPE, is_account

Kind = Literal["opened", "grown", "returned", "reminder", "closed", "withdrawn"]
MAX_EVIDENCE = 5
_PLACES = {"accounts": "the page of account {}", "touchpoints": "`touchline explain {}`"}
_OF_FIGURES = ("source", "target", "unusual")
"""Kinds of parts whose evidence is no touchpoint."""
_SOURCES = "the page Sources, or `touchline sources ls`"


class Links(NamedTuple):
    """How links that act are made. `url`: of the gateway, as people reach it."""

    url: str
    key: bytes
    valid_for: timedelta


class Places:
    """Where something is to be seen: a link, or where to look when no `public_url` is configured."""

    def __init__(self, public_url: str = "", links: Links | None = None) -> None:
        self._base = public_url.rstrip("/")
        self._links = links

    def act(self, incident: Incident, thread_id: str, what: str, at: datetime) -> str:
        """Where people can take, silence or end it; empty where messages have no such links."""
        if self._links is None:
            return ""
        link = ActionLink(thread_id, what, incident.events, at + self._links.valid_for)
        return f"{self._links.url}{PATH}{signed(link, self._links.key)}"

    def url(self, kind: Literal["accounts", "touchpoints"], name: str) -> str:
        """Empty when there is no address that people can open."""
        return f"{self._base}/{kind}/{quote(name, safe=':')}" if self._base else ""

    def about(self, account_id: str, phase: str = "") -> str:
        """Where whom a message is about is to be seen, as a link or in words."""
        if is_account(account_id):
            return self.words("accounts", account_id)
        if account_id.startswith(TYPE):
            return self._of_type(account_id.removeprefix(TYPE), phase)
        return f"{self._base}/sources" if self._base else f"look at {_SOURCES}"

    def _of_type(self, kind: str, phase: str) -> str:
        place = f"{self._base}/cells/{quote(phase)}/{quote(kind)}"
        return place if self._base else f"look at the page of touchpoint {kind}, phase {phase}"

    def words(self, kind: Literal["accounts", "touchpoints"], name: str) -> str:
        """The link, or where to look."""
        return self.url(kind, name) or f"look at {_PLACES[kind].format(name)}"


def notice_id(thread_id: str, kind: Kind, level: Level, mark: datetime) -> str:
    """The same for the same message of the same conversation; `mark`: when what it is about came about."""
    return named_id(NAMESPACE_URL, f"touchline:notice:{thread_id}:{kind}:{level}:{mark.isoformat()}")


def describe(  # noqa: PLR0913 - what a message is made of
    incident: Incident, desk: Desk, lens: Lens, policy: Policy, level: Level, standing: Standing, places: Places
) -> Callable[[str, Kind, datetime, str], Message]:
    """The message about an incident now, as a function of (conversation, kind, time, remark)."""
    lead = incident.lead
    kind = lens.types.get(lead.touchpoint_type)
    name = desk.name or desk.account_id
    owner = kind.owner if kind is not None else None

    def message(thread_id: str, why: Kind, at: datetime, remark: str) -> Message:
        mark = {"grown": incident.pained_at, "returned": incident.pained_at, "reminder": at}.get(
            why, incident.opened_at
        )
        return Message(
            notice_id=notice_id(thread_id, why, level, mark),
            incident_id=thread_id,
            kind=why,
            policy=policy.id,
            headline=_headline(policy, desk.account_id, name, lead),
            level=level,
            account_id=desk.account_id,
            account=name,
            tier=desk.tier,
            crm_owner=desk.owner,
            people=_people(incident, desk),
            touchpoint=kind.name if kind is not None else "",
            touchpoint_type=lead.touchpoint_type,
            phase=lead.phase,
            moment_of_truth=any(lens.types[p.touchpoint_type].moment_of_truth for p in _typed(incident, lens)),
            since=incident.opened_at,
            at=at,
            evidence=_evidence(incident, lens, places),
            evidence_count=len(incident.roots),
            excellent=kind.excellent if kind is not None else "",
            runbook=policy.runbook,
            department=owner.department if owner is not None else "",
            owners=owner.people if owner is not None else (),
            taken_by=standing.taken_by,
            renewal_at=desk.dates.get(policy.renewal_trait) if policy.renewal_within_days else None,
            remark=remark,
            where=places.about(desk.account_id, lead.phase),
            act=places.act(incident, thread_id, policy.name, at),
        )

    return message


def _headline(policy: Policy, account_id: str, name: str, lead: Part) -> str:
    if is_account(account_id):
        return f"{policy.name} at {name}"
    return f"{policy.name}: {name if account_id.startswith(TYPE) else lead.what}"


def trial(where: str, by: str, now: datetime) -> Message:
    """A message that cannot be taken for an incident. `by`: who wants to know whether it arrives."""
    name = f"test-{int(now.timestamp())}"
    return Message(
        notice_id=name,
        incident_id=name,
        kind="test",
        policy="test",
        headline="Touchline can reach you here",
        level="watch",
        account_id="test",
        account="nobody",
        since=now,
        at=now,
        evidence=(Evidence(words=f"{by} tried this channel", at=now, event_id="test"),),
        evidence_count=1,
        runbook="Nothing is to be done",
        where=where or "nothing to look at: it is a test",
    )


def ended(last: Message, kind: Kind, at: datetime, remark: str) -> Message:
    """The last word about a conversation whose incident is over, or never was one."""
    again = notice_id(last.incident_id, kind, last.level, last.since)
    return last.changed(notice_id=again, kind=kind, at=at, remark=remark, act="")


def _typed(incident: Incident, lens: Lens) -> list[Part]:
    return [part for part in incident.roots if part.touchpoint_type in lens.types]


def _people(incident: Incident, desk: Desk) -> tuple[str, ...]:
    """Roles of those it hurt; who has none that is known is counted."""
    roles: dict[str, str] = {}
    for part in incident.roots:
        carrier = desk.carriers.get(part.event_id)
        if part.person_id:
            roles[part.person_id] = (carrier.role if carrier else "") or roles.get(part.person_id, "")
    known = sorted({role for role in roles.values() if role})
    others = sum(not role for role in roles.values())
    more = ("one person" if not known else "one more") if others == 1 else f"{others} people"
    return (*known, more) if others else tuple(known)


def _evidence(incident: Incident, lens: Lens, places: Places) -> tuple[Evidence, ...]:
    newest = sorted(incident.roots, key=lambda part: (part.pained_at, part.part_id), reverse=True)
    return tuple(
        Evidence(
            words=_words(part, lens),
            at=part.pained_at,
            event_id=part.event_id,
            url=places.url("touchpoints", part.event_id) if part.kind not in _OF_FIGURES else "",
        )
        for part in newest[:MAX_EVIDENCE]
    )


def _words(part: Part, lens: Lens) -> str:
    kind = lens.types.get(part.touchpoint_type)
    return f"{kind.name}: {part.words}" if kind is not None and part.words != kind.name else part.words
