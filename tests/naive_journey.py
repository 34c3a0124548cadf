"""Persona, committee, phase and opportunities of an account, from their definitions, as plainly as possible.

The oracle of the journey: it recomputes everything from the whole list for every question and shares no code with
`streams.journey`. Slow on purpose. `type_of` says what each touchpoint is; that is not its business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.blueprint import Behaviour, Blueprint, PersonaRule, TouchpointType
from schemas.matching import Match
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint

TypeOf = Callable[[CleanTouchpoint], TouchpointType]


@dataclass(frozen=True)
class Move:
    """A change of phase, or one that was refused (`to` was asked for)."""

    event_id: str
    came_from: str
    to: str
    is_accepted: bool
    dwell_s: float


class NaiveJourney:
    """All answers about one account's touchpoints, given in any order."""

    def __init__(self, blueprint: Blueprint, items: Sequence[AttributedTouchpoint], type_of: TypeOf) -> None:
        self.blueprint, self.type_of = blueprint, type_of
        self.items = sorted(items, key=lambda item: (item.touchpoint.ordered_at, item.event_id))
        self.moves: list[Move] = []
        self.phase_at: dict[str, str] = {}
        self.phase_before: dict[str, str] = {}
        self.phase = self.high_water = blueprint.initial_phase
        self._since = self.items[0].touchpoint.ordered_at if self.items else None
        for item in self.items:
            self.phase_before[item.event_id] = self.phase
            self._tell(item)
            self.phase_at[item.event_id] = self.phase

    # Persona and committee

    def persona(self, person_id: str) -> str:
        """The first rule that holds, over everything that is known of the person at the end."""
        mine = [item.touchpoint for item in self.items if person_id and item.attribution.person_id == person_id]
        traits: dict[str, str] = {}
        for touchpoint in mine:
            traits |= touchpoint.person_traits
        moments = [touchpoint for touchpoint in mine if self.type_of(touchpoint).on_map]
        for rule in self.blueprint.persona_rules:
            if self._holds(rule, traits, moments):
                return rule.persona
        return "unknown"

    def _holds(self, rule: PersonaRule, traits: dict[str, str], moments: list[CleanTouchpoint]) -> bool:
        return (
            any(_in_title(entry, traits.get("title", "")) for entry in rule.title_words)
            or _same(traits.get("department"), rule.department)
            or any(_same(role, rule.role) for role in traits.get("role", "").split(";"))
            or (rule.behaviour is not None and self._behaves(rule.behaviour, moments))
        )

    def _behaves(self, wanted: Behaviour, moments: list[CleanTouchpoint]) -> bool:
        such = [t for t in moments if self.type_of(t).id in wanted.type or t.action in wanted.action]
        return len(such) >= wanted.at_least and len(such) >= wanted.share * len(moments)

    def committee(self) -> dict[str, tuple[int, int]]:
        """Role → (known, required)."""
        people = {item.attribution.person_id for item in self.items} - {""}
        roles = {persona.id: persona.buying_role for persona in self.blueprint.personas}
        known = [roles.get(self.persona(person_id), "") for person_id in people]
        return {role: (known.count(role), required) for role, required in self.blueprint.committee.items()}

    def completeness(self) -> float:
        """Mean over the roles of min(known / required, 1)."""
        shares = [min(known / required, 1) for known, required in self.committee().values()]
        return sum(shares) / len(shares)

    # Phase

    def _tell(self, item: AttributedTouchpoint) -> None:
        """Decisive evidence first; what did not move the account may still be a hint."""
        became = self._became(item)
        evidence = [d for d in self.blueprint.decisive if _meets(d.match, item.touchpoint, became)]
        counting = [d for d in evidence if self.phase in (d.only_from or [self.phase])]
        if evidence and not self._is_beside(item, (counting or evidence)[0].phase):
            target = (counting or evidence)[0].phase
            if target == self.phase:
                return
            ways = sorted(self._ways(self.phase, target), key=lambda way: (len(way), self._places(way)))
            if counting and ways and not self._is_held(item, target):
                for phase in ways[0]:
                    self._move(item, phase)
                return
            self._refuse(item, target)
        kind, hinted = self.type_of(item.touchpoint), self.blueprint.indicative.get(self.phase)
        if hinted and kind.on_map and kind.phase in self._journey() and self._is_later(kind.phase):
            self._move(item, hinted)

    def _became(self, item: AttributedTouchpoint) -> str:
        """Won, lost or open, if the deal was something else before this event, whether it is there or removed."""
        if not _about_deal(item.touchpoint):
            return ""
        told = self.items[: self.items.index(item) + 1]
        mine = [i for i in told if _about_deal(i.touchpoint) and i.touchpoint.subject == item.touchpoint.subject]
        now = self._standing(mine)
        return now if now != self._standing(mine[:-1]) else ""

    def _ways(self, source: str, target: str) -> Iterator[tuple[str, ...]]:
        """Every allowed way: one move, or forward moves only (after the re-entry, from an exit)."""
        if self._may(source, target):
            yield (target,)
        order = [phase.id for phase in self.blueprint.phases]
        for following in self._journey():
            is_forward = order.index(following) > order.index(source) or source not in self._journey()
            is_before = target in self._journey() and order.index(following) < order.index(target)
            if self._may(source, following) and is_forward and is_before:
                yield from ((following, *rest) for rest in self._ways(following, target))

    def _may(self, source: str, target: str) -> bool:
        moves = {(move.source, move.target) for move in self.blueprint.transitions}
        return source != target and bool(moves & {(source, target), ("*", target)})

    def _journey(self) -> list[str]:
        return [phase.id for phase in self.blueprint.phases if phase.kind != "exit"]

    def _places(self, way: tuple[str, ...]) -> list[int]:
        return [[phase.id for phase in self.blueprint.phases].index(phase) for phase in way]

    def _is_later(self, phase: str) -> bool:
        return self._places((phase,)) > self._places((self.phase,))

    def _is_beside(self, item: AttributedTouchpoint, target: str) -> bool:
        """An expansion of a customer moves no phase, unless it ends the relation."""
        deal = self.opportunities(item).get(item.touchpoint.subject)
        is_customer = self.phase in [phase.id for phase in self.blueprint.phases if phase.kind == "customer"]
        return deal is not None and deal["kind"] == "expansion" and is_customer and target in self._journey()

    def _is_held(self, item: AttributedTouchpoint, target: str) -> bool:
        """A lost deal takes nobody back while another deal of the account is open."""
        deals = self.opportunities(item)
        is_lost = deals.get(item.touchpoint.subject, {}).get("status") == "lost"
        is_back = {target, self.phase} <= {*self._journey()} and self._places((target,)) < self._places((self.phase,))
        return is_lost and is_back and any(deal["status"] == "open" for deal in deals.values())

    def _move(self, item: AttributedTouchpoint, phase: str) -> None:
        at = item.touchpoint.ordered_at
        assert self._since is not None
        self.moves.append(Move(item.event_id, self.phase, phase, True, (at - self._since) / timedelta(seconds=1)))
        self.phase, self._since = phase, at
        if phase in self._journey() and self._places((phase,)) > self._places((self.high_water,)):
            self.high_water = phase

    def _refuse(self, item: AttributedTouchpoint, target: str) -> None:
        assert self._since is not None
        dwell_s = (item.touchpoint.ordered_at - self._since) / timedelta(seconds=1)
        self.moves.append(Move(item.event_id, self.phase, target, False, dwell_s))

    # Opportunities

    def opportunities(self, until: AttributedTouchpoint | None = None) -> dict[str, dict[str, Any]]:
        """Deal → what is known of it, after all touchpoints or after one of them."""
        told = self.items if until is None else self.items[: self.items.index(until) + 1]
        subjects = [item.touchpoint.subject for item in told if _about_deal(item.touchpoint)]
        return {subject: self._opportunity(subject, told) for subject in dict.fromkeys(subjects)}

    def _opportunity(self, subject: str, told: Sequence[AttributedTouchpoint]) -> dict[str, Any]:
        mine = [item for item in told if _about_deal(item.touchpoint) and item.touchpoint.subject == subject]
        named = [stage for stage in (_stage(item.touchpoint) for item in mine) if stage]
        statuses = [("open", mine[0].touchpoint.ordered_at)]
        for index, item in enumerate(mine):
            removed = item.touchpoint.action == "crm_removed"
            status = "removed" if removed else self._standing(mine[: index + 1])
            statuses.append((status, item.touchpoint.ordered_at))
        changes = [(a, *b) for (a, _), b in zip(statuses, statuses[1:], strict=False) if a != b[0]]
        closed = [at for _, status, at in changes[-1:] if status != "open"]
        kinds = {phase.id: phase.kind for phase in self.blueprint.phases}
        order = [stage.lower() for stage in self.blueprint.opportunities.stages]
        ranked = [order.index(stage.lower()) if stage.lower() in order else None for stage in named]
        return {
            "kind": "expansion" if kinds[self.phase_before[mine[0].event_id]] == "customer" else "new",
            "status": statuses[-1][0],
            "stage": named[-1] if named else "",
            "opened_at": mine[0].touchpoint.ordered_at,
            "closed_at": closed[0] if closed else None,
            "regressions": sum(
                a is not None and b is not None and b < a for a, b in zip(ranked, ranked[1:], strict=False)
            ),
            "reopened": sum(
                to == "open" and not _is_passing((to, at), changes[n + 1 :]) for n, (_, to, at) in enumerate(changes)
            ),
            "amount": next((amount for amount in map(_amount, reversed(mine)) if amount is not None), None),
        }

    def _standing(self, mine: Sequence[AttributedTouchpoint]) -> str:
        """Walk back from the newest word of each fact; the first that says what the deal is decides.

        Of one time a flag that is set comes first, then the stage, then what is taken back.
        """
        last = {fact: (value, item.touchpoint.ordered_at) for item in mine for fact, value in _facts(item.touchpoint)}
        flags = [(at, 2, fact) for fact, (value, at) in last.items() if fact in ("won", "lost") and value]
        taken = [(at, 0, fact) for fact, (value, at) in last.items() if fact != "stage" and not value]
        stage, stage_at = last.get("stage", ("", None))
        known = self.blueprint.opportunities
        ends = dict.fromkeys(known.won, "won") | dict.fromkeys(known.lost, "lost") | dict.fromkeys(known.stages, "open")
        means, denied = ends.get(str(stage).lower(), ""), set[str]()
        walk = [*flags, *taken, *([(stage_at, 1, "stage")] if stage_at and means else [])]
        for at, _, fact in sorted(walk, reverse=True):
            if fact == "closed":
                return "open"
            if fact == "stage":
                flag_at, _, end = max(flags, default=(at, 0, means), key=lambda flag: (flag[0], flag[2]))
                reopened = [t for t, _, f in taken if f == "closed" and flag_at < t]
                if end == means or reopened or not flag_at <= at <= flag_at + timedelta(minutes=1):
                    return "open" if means in denied else means
            elif last[fact][0]:
                return fact
            else:
                denied.add(fact)
        return "open"


def _is_passing(opened: tuple[str, datetime], later: Sequence[tuple[str, str, datetime]]) -> bool:
    """Whether a deal was open only within one save, on the way from one end to the other."""
    return any(to in ("won", "lost") and at - opened[1] <= timedelta(minutes=1) for _, to, at in later[:1])


def _facts(touchpoint: CleanTouchpoint) -> Iterator[tuple[str, str | bool]]:
    """What the test's events say of a deal: its stage, a flag that is set, or one that is taken back."""
    properties = touchpoint.properties
    if stage := _stage(touchpoint):
        yield "stage", stage
    if (outcome := properties.get("outcome")) in ("won", "lost"):
        yield str(outcome), True
    for name, fact in (("hs_is_closed_won", "won"), ("hs_is_closed_lost", "lost"), ("hs_is_closed", "closed")):
        if properties.get("property") == name and properties.get("value") == "false":
            yield fact, False


def _about_deal(touchpoint: CleanTouchpoint) -> bool:
    by_crm = touchpoint.action in ("deal_created", "deal_stage_changed", "crm_record", "crm_removed")
    ended = touchpoint.properties.get("removed") is True
    return by_crm and touchpoint.subject.startswith("deal:") and (not ended or touchpoint.account_refs != ())


def _stage(touchpoint: CleanTouchpoint) -> str:
    is_stage = touchpoint.action == "deal_stage_changed" and "outcome" not in touchpoint.properties
    return str(touchpoint.properties["value"]) if is_stage else ""


def _amount(item: AttributedTouchpoint) -> float | None:
    properties = item.touchpoint.properties
    said = str(properties["value"]) if properties.get("property") == "amount" else ""
    return float(said) if re.fullmatch(r"\d+(\.\d+)?", said) else None


def _meets(match: Match, touchpoint: CleanTouchpoint, became: str) -> bool:
    """Only what the test's blueprint uses: the action, the vendor type as it stands, values of properties, deals."""
    return (
        match.action in ("", touchpoint.action)
        and became in (match.deal_becomes or (became,))
        and match.vendor_type.lower() in ("", touchpoint.vendor_type.lower())
        and all(touchpoint.properties.get(name) in values for name, values in match.properties.items())
    )


def _words(text: str) -> list[str]:
    letters = [c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn"]
    return re.split(r"[^\w.]+", "".join(letters))


def _in_title(entry: str, title: str) -> bool:
    """Every word of the entry is one of the title's; `*` stands for any letters."""
    words = [part for word in _words(title) for part in (word.replace(".", ""), *word.split("."))]
    patterns = ["".join(".*" if c == "*" else re.escape(c) for c in wanted) for wanted in entry.lower().split()]
    return all(any(re.fullmatch(pattern, word) for word in words if word) for pattern in patterns)


def _same(value: str | None, accepted: Sequence[str]) -> bool:
    return value is not None and value.strip().lower() in [one.lower() for one in accepted]
