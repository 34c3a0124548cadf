"""What a blueprint's models cannot see: names of what is not there, ids given twice, phases nobody can reach,
and types that nothing tells apart. Each problem says where it stands; all are found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from schemas.actions import ACTIONS
from schemas.blueprint import TARGETS, Blueprint, BuyingRole
from schemas.documents import Loc, dotted
from schemas.errors import ConfigurationError, did_you_mean
from schemas.friction_rules import Rule, SignalMatch
from schemas.matching import Compare, Match
from streams.journey.overlap import overlap
from streams.journey.transitions import Transitions
from streams.matching.conditions import folded, specificity

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at `loc`; `other` is the second place it concerns, which `message` names as {other}."""

    loc: Loc
    message: str
    other: Loc | None = None

    def in_words(self, place: Callable[[Loc], str] = dotted) -> str:
        """The message, with the second place in words."""
        return self.message if self.other is None else self.message.replace("{other}", place(self.other))


class RefusedBlueprint(ConfigurationError):
    """A blueprint that reads well and cannot be run."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{dotted(problem.loc)}: {problem.in_words()}" for problem in self.problems))


def problems(
    blueprint: Blueprint, *, excused: frozenset[str] | None = None, vendors: Collection[str] | None = None
) -> list[Problem]:
    """Everything wrong, in the order of the catalogue's parts; empty when it can be run.

    `excused`: ids of entries that were refused before; naming them is no further problem, and what follows from
    the whole (unreachable phases) is not asked. `vendors`: the connectors there are; None: any name will do.
    """
    found = [
        *_twice(blueprint),
        *_phrases_twice(blueprint),
        *_unknown(blueprint, excused or frozenset(), vendors),
        *_stages(blueprint),
    ]
    found += [*_of_deals(blueprint), *_ambiguous(blueprint)]
    return found if excused is not None or found else [*_unreachable(blueprint), *_barred(blueprint)]


def _twice(blueprint: Blueprint) -> Iterator[Problem]:
    parts: dict[str, Iterable[Any]] = {
        "phases": blueprint.phases,
        "personas": blueprint.personas,
        "types": blueprint.types,
        "rules": blueprint.rules,
        "policies": blueprint.policies,
    }
    for part, entries in parts.items():
        seen: dict[str, int] = {}
        for index, entry in enumerate(entries):
            first = seen.setdefault(entry.id, index)
            if first != index:
                yield Problem(
                    (part, index, "id"), f"`{entry.id}` stands twice, first at {{other}}", (part, first, "id")
                )


def _phrases_twice(blueprint: Blueprint) -> Iterator[Problem]:
    """A phrase that tells two types tells neither."""
    seen: dict[tuple[str, frozenset[str]], Loc] = {}
    for index, noted in enumerate(blueprint.words):
        for part in ("events", "otherwise", "pages", "forms"):
            for at, phrase in enumerate(getattr(noted, part)):
                loc: Loc = ("words", index, part, at)
                first = seen.setdefault((part, frozenset(phrase.split())), loc)
                if first != loc:
                    yield Problem(loc, f"`{phrase}` stands twice, first at {{other}}", first)


def _unknown(blueprint: Blueprint, excused: frozenset[str], vendors: Collection[str] | None) -> Iterator[Problem]:
    known: dict[str, Collection[str]] = {
        "phase": tuple(phase.id for phase in blueprint.phases),
        "persona": tuple(persona.id for persona in blueprint.personas),
        "touchpoint type": tuple(kind.id for kind in blueprint.types),
        "rule": tuple(rule.id for rule in blueprint.rules),
        "buying role": get_args(BuyingRole),
        "action": ACTIONS,
        "target": tuple(TARGETS),
        "calendar": tuple(blueprint.calendars),
    }
    if vendors is not None:
        known["vendor"] = vendors
    for what, loc, name in dict.fromkeys(_references(blueprint)):  # variants share what they do not replace
        if what in known and name not in known[what] and name not in excused:
            yield Problem(loc, f"unknown {what} `{name}`{did_you_mean(name, known[what])}")


_Reference = tuple[str, Loc, str]


def _references(blueprint: Blueprint) -> Iterator[_Reference]:
    """(what it names, where, the name) for every name that must stand for something."""
    yield "phase", ("initial_phase",), blueprint.initial_phase
    yield from _phase_references(blueprint)
    for index, rule in enumerate(blueprint.persona_rules):
        yield "persona", ("persona_rules", index, "persona"), rule.persona
        if rule.behaviour is not None:
            place: Loc = ("persona_rules", index, "behaviour")
            yield from (("touchpoint type", (*place, "type", at), name) for at, name in enumerate(rule.behaviour.type))
            yield from (("action", (*place, "action", at), name) for at, name in enumerate(rule.behaviour.action))
    yield from (("buying role", ("committee", role), role) for role in blueprint.committee)
    for index, kind in enumerate(blueprint.types):
        yield from (("target", ("types", index, "targets", name), name) for name in kind.targets)
        if kind.owner is not None and kind.owner.calendar:
            yield "calendar", ("types", index, "owner", "calendar"), kind.owner.calendar
    for index, noted in enumerate(blueprint.words):
        yield "touchpoint type", ("words", index, "type"), noted.type
    for index, each in enumerate(blueprint.rules):
        yield from _rule_references(each, ("rules", index))
    for index, policy in enumerate(blueprint.policies):
        yield from (("rule", ("policies", index, "rules", at), name) for at, name in enumerate(policy.rules))
        yield from (("touchpoint type", ("policies", index, "types", at), name) for at, name in enumerate(policy.types))
    yield from (("vendor", (*loc, "vendor"), found.vendor) for loc, found in below(blueprint, Match) if found.vendor)


_NAMING = ("within_by_phase", "target", "where", "of")
"""Fields of a rule that name something else; a variant may put its own in their place."""


def _rule_references(rule: Rule, loc: Loc) -> Iterator[_Reference]:
    for at, way in enumerate(rule.ways()):
        instead: Mapping[str, Any] = rule.variants[at].instead if rule.variants else {}
        place = {name: (*loc, "variants", at, "instead", name) if name in instead else (*loc, name) for name in _NAMING}
        yield from (("phase", (*place["within_by_phase"], name), name) for name in way.within_by_phase)
        if way.target:
            yield "target", place["target"], way.target
        for where, compare in below(way.where, Compare, place["where"]):
            if compare.above_target:
                yield "target", (*where, "above_target"), compare.above_target
        for where, signal in below(way.of, SignalMatch, place["of"]):
            yield from (("rule", (*where, "rules", index), name) for index, name in enumerate(signal.rules))
            yield from (("buying role", (*where, "roles", index), name) for index, name in enumerate(signal.roles))


def _phase_references(blueprint: Blueprint) -> Iterator[_Reference]:
    for index, move in enumerate(blueprint.transitions):
        if move.source != "*":
            yield "phase", ("transitions", index, "source"), move.source
        yield "phase", ("transitions", index, "target"), move.target
    for source, target in blueprint.indicative.items():
        yield from (("phase", ("indicative", source), name) for name in (source, target))
    for index, decisive in enumerate(blueprint.decisive):
        yield "phase", ("decisive", index, "phase"), decisive.phase
        for at, name in enumerate(decisive.only_from):
            yield "phase", ("decisive", index, "only_from", at), name
    for index, kind in enumerate(blueprint.types):
        yield "phase", ("types", index, "phase"), kind.phase


def _stages(blueprint: Blueprint) -> Iterator[Problem]:
    """A deal's stage is open, won or lost, and stands once."""
    seen: dict[str, Loc] = {}
    for part in ("stages", "won", "lost"):
        for index, stage in enumerate(getattr(blueprint.opportunities, part)):
            loc: Loc = ("opportunities", part, index)
            first = seen.setdefault(str(folded(stage)), loc)
            if first != loc:
                yield Problem(loc, f"stage `{stage}` stands twice, first at {{other}}", first)


def _of_deals(blueprint: Blueprint) -> Iterator[Problem]:
    """Which type an event is does not depend on the account's story."""
    for loc, match in below(blueprint.types, Match, ("types",)):
        if match.asks_deal:
            yield Problem(loc, "`deal` and `deal_becomes` are for `decisive` and rules; a type asks the event alone")


def below(value: object, wanted: type[Found], loc: Loc = ()) -> Iterator[tuple[Loc, Found]]:
    """Every `wanted` within `value`, with its place."""
    if isinstance(value, wanted):
        yield loc, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from below(getattr(value, name), wanted, (*loc, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from below(item, wanted, (*loc, index))


def _ambiguous(blueprint: Blueprint) -> Iterator[Problem]:
    """Types of equal weight whose matches can hold together: nothing would tell which of them it is."""
    weighed: dict[tuple[int, ...], list[tuple[Loc, str, Match]]] = {}
    for index, kind in enumerate(blueprint.types):
        for at, match in enumerate(kind.match):
            weighed.setdefault(specificity(match), []).append((("types", index, "match", at), kind.id, match))
    for equals in weighed.values():
        for (first, one_id, one), (second, other_id, other) in combinations(equals, 2):
            example = overlap(one, other) if one_id != other_id else None
            if example is not None:
                yield Problem(
                    second,
                    f"`{other_id}` and `{one_id}` ({{other}}) weigh the same and can both hold"
                    f"{f', as on {example}' if example else ''}; add a condition to one of them",
                    first,
                )


def _unreachable(blueprint: Blueprint) -> list[Problem]:
    """Phases no account can enter: no allowed transitions lead there, or no evidence does."""
    edges = {
        phase.id: {move.target for move in blueprint.transitions if move.source in ("*", phase.id)}
        for phase in blueprint.phases
    }
    allowed = _closure({blueprint.initial_phase}, edges)
    entered = {blueprint.initial_phase, *blueprint.indicative.values(), *(d.phase for d in blueprint.decisive)}
    order = {phase.id: index for index, phase in enumerate(blueprint.phases)}
    exits = {phase.id for phase in blueprint.phases if phase.kind == "exit"}
    back = {target: {one for one in edges if target in edges[one] and order[one] < order[target]} for target in edges}
    passed = _closure(entered - exits, {target: sources - exits for target, sources in back.items()})
    noted = []
    for index, phase in enumerate(blueprint.phases):
        if phase.id not in allowed:
            why = f"no allowed transitions lead to it from `{blueprint.initial_phase}`"
        elif phase.id not in entered | passed:
            why = "neither decisive nor indicative evidence leads to it"
        else:
            continue
        noted.append(Problem(("phases", index, "id"), f"`{phase.id}` cannot be reached: {why}"))
    return noted


def _barred(blueprint: Blueprint) -> Iterator[Problem]:
    """Indicative evidence that the transition graph never lets move anything."""
    moves = Transitions(blueprint)
    for source, target in blueprint.indicative.items():
        if source != target and not moves.path(source, target):
            yield Problem(("indicative", source), f"no allowed transitions lead from `{source}` to `{target}`")


def _closure(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set(start), list(start)
    while waiting:
        new = edges.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found
