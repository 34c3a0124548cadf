"""One incident as its own page shows it: what happened sign by sign, what was done, who was told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.incidents import Delivery, IncidentAction, Part
from schemas.policies import Level
from services.dashboard.catalogue import Catalogue
from services.dashboard.incidents import IncidentView, One, what_of
from services.dashboard.views.accounts import AccountRow, TouchpointView
from services.dashboard.words import rule_label
from streams.incidents.incident import signs_of
from streams.incidents.judging import level_of_part

MOST_SIGNS = 40


@dataclass(frozen=True, slots=True)
class Sign:
    """One pain. `touchpoint`: the event that carries it; `also`: other rules that saw it; `shown_by`: more events."""

    at: datetime
    severity: Level
    where: str
    words: str
    also: tuple[str, ...]
    event_id: str
    shown_by: tuple[str, ...]
    until: datetime | None
    touchpoint: TouchpointView | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """What happened to the incident, newest first."""

    at: datetime
    words: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """All of an incident. `signs` are the newest; `people`: how many it hurt; `runbooks`, `excellent`: what to do."""

    view: IncidentView
    signs: tuple[Sign, ...]
    log: tuple[LogLine, ...]
    notified: str
    lines: tuple[Delivery, ...]
    policies: tuple[str, ...]
    runbooks: tuple[str, ...]
    excellent: str
    account: AccountRow | None
    people: int


def drawn(
    catalogue: Catalogue,
    one: One,
    touchpoints: Mapping[str, TouchpointView],
    actions: Sequence[IncidentAction],
    lines: Sequence[Delivery],
    account: AccountRow | None,
) -> IncidentPage:
    """`touchpoints` by their ids, where they are stored."""
    kind = catalogue.types.get(one.view.touchpoint_type)
    return IncidentPage(
        view=one.view,
        signs=tuple(_signs(catalogue, one, touchpoints)),
        log=tuple(_log(one, actions)),
        notified=notified_words(one),
        lines=tuple(lines),
        policies=tuple(policy.name for policy in one.policies),
        runbooks=tuple(dict.fromkeys(policy.runbook for policy in one.policies if policy.runbook)),
        excellent=kind.excellent if kind is not None else "",
        account=account,
        people=len({part.person_id for part in one.listed.incident.roots} - {""}),
    )


def events_of(one: One) -> tuple[str, ...]:
    """The events that the newest signs are carried by."""
    return tuple(signs_of(one.listed.incident.roots))[:MOST_SIGNS]


def _signs(catalogue: Catalogue, one: One, touchpoints: Mapping[str, TouchpointView]) -> Iterable[Sign]:
    lens = catalogue.lens
    for event_id, parts in list(signs_of(one.listed.incident.roots).items())[:MOST_SIGNS]:
        worst = max(parts, key=lambda part: (part.severity, part.part_id))
        others = [rule_label(part.what) for part in parts if part is not worst and part.kind == "signal"]
        yield Sign(
            at=worst.pained_at,
            severity=level_of_part(worst, lens, one.listed.weight),
            where=f"{what_of(catalogue, worst)}{_rule(worst)}",
            words=worst.words,
            also=tuple(dict.fromkeys(others)),
            event_id=event_id,
            shown_by=tuple(event for event in worst.proof if event != event_id),
            until=worst.closed_at if worst.waits else None,
            touchpoint=touchpoints.get(event_id),
        )


def _rule(part: Part) -> str:
    return f": {rule_label(part.what).lower()}" if part.kind == "signal" else ""


def _log(one: One, actions: Sequence[IncidentAction]) -> list[LogLine]:
    incident, standing = one.listed.incident, one.listed.standing
    lines = [LogLine(incident.opened_at, "It began"), *(LogLine(each.at, _did(each), each.text) for each in actions)]
    if one.listed.is_back and standing.done_at is not None:
        after = min(part.pained_at for part in incident.roots if part.pained_at > standing.done_at)
        lines.append(LogLine(after, f"Came back: it hurts again after {standing.done_by} called it done"))
    if one.view.state == "over" and one.view.over_at is not None:
        lines.append(LogLine(one.view.over_at, "Over: nothing more happened, or what was waited for has come"))
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _did(action: IncidentAction) -> str:
    by = action.by
    if action.verb == "assign":
        return f"{by} gave it to {action.to}"
    if action.verb == "silence":
        return f"{by} silenced it until {action.until:%d %b %H:%M} UTC"
    return {"take": f"{by} took it", "done": f"{by} called it done"}.get(action.verb, f"{by} wrote")


def notified_words(one: One) -> str:
    """Who was told, in a sentence; that nobody was is a sentence of its own."""
    thread = one.listed.thread
    if thread is None and one.policies:
        return "Nobody was told: it was over, silenced or too old when it became known, or the alerts were not running."
    if thread is None:
        return "Nobody was told: no policy asks for incidents like this one."
    if thread.state == "held":
        return f"Nobody is told yet: it waits, because {thread.held_why or f'nothing was heard of {thread.held_for}'}."
    if not thread.channels:
        return "Nobody was told: no channel is configured for it."
    waiting = sorted({one.channel for notice in thread.notices for one in notice.sendings if one.state != "sent"})
    still = f" Still on its way to {', '.join(waiting)}." if waiting else ""
    ended = {"closed": " Its end was told, too.", "withdrawn": " It was withdrawn: later facts disprove it."}
    return f"Told through {', '.join(thread.channels)}.{still}{ended.get(thread.state, '')}"
