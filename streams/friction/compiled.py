"""Rules made ready to run: per way of firing what it watches, its subject, its deadline and its severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from schemas.friction_rules import HOLES, Rule, holes_of
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.friction.fields import Reader, reader
from streams.friction.views import page_of
from streams.matching.conditions import crosses

Targets = Mapping[str, float]
_STRICT, _FIELD = "\x1e", "\x1f"


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One way in which a rule can fire. `key` tells ways of one rule apart; their signals carry the rule's id.

    `subject` reads what an episode is about. `boundaries`: what of an event its boundaries are on, one of which is
    needed (none: no such need). `parameters`: what its explanation is made from.
    """

    rule: Rule
    key: str
    within: timedelta
    subject: Reader
    needs: tuple[Reader, ...]
    value: Reader | None = None
    boundaries: frozenset[str] = frozenset()
    other: timedelta = timedelta()
    rewrites: timedelta = timedelta()
    redirects: timedelta = timedelta()
    by_phase: Mapping[str, timedelta] = field(default_factory=dict)
    order: Mapping[str, int] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.rule.id

    def is_whole(self, item: AttributedTouchpoint) -> bool:
        """Whether it has every field the rule needs."""
        return all(read(item) for read in self.needs)

    def crosses(self, touchpoint: CleanTouchpoint, targets: Targets) -> bool:
        """Whether any boundary is crossed; true without boundaries."""
        where = self.rule.where
        if not where:
            return True
        for compare in where:  # noqa: SIM110 - a generator would cost more than what it goes through
            if crosses(compare, touchpoint, targets) is not None:
                return True
        return False

    def replaces(self, before: str, after: str, gap: timedelta) -> bool:
        """Whether what is viewed now is what was viewed a moment ago, or what that led on to by itself."""
        if not self.rewrites and not self.redirects:
            return False
        is_same = page_of(before) == page_of(after)
        return gap <= (self.rewrites if is_same else self.redirects)

    def deadline(self, targets: Targets, phase: str) -> timedelta:
        """How long is allowed: the type's target, else the phase's, else the rule's."""
        stated = targets.get(self.rule.target) if self.rule.target else None
        return self.by_phase.get(phase, self.within) if stated is None else timedelta(seconds=stated)

    def severity(self, touchpoint: CleanTouchpoint, targets: Targets, count: int) -> float:
        """Severity 0…1 of the `count`-th event of an episode."""
        severity = self.rule.severity
        raised = [value for least, value in sorted(severity.at_count.items()) if count >= least]
        base = raised[-1] if raised else severity.base
        shares = [share for c in self.rule.where if (share := crosses(c, touchpoint, targets)) is not None]
        worst = base if severity.worst is None else severity.worst
        value = base + max(shares, default=0.0) * (worst - base)
        return round(min(value + severity.step * max(count - self.rule.count, 0), 1.0), 4)


def _subject(group_by: tuple[str, ...], loose: tuple[str, ...]) -> Reader:
    """What an episode is about: the `group_by` fields of a touchpoint, then the `loose` ones."""
    strict, rest = [reader(name) for name in group_by], [reader(name) for name in loose]
    if rest:
        return lambda item: _FIELD.join([r(item) for r in strict]) + _STRICT + _FIELD.join([r(item) for r in rest])
    if len(strict) == 1:
        return strict[0]
    return lambda item: _FIELD.join([read(item) for read in strict])


def alike(one: str, other: str) -> bool:
    """Whether two subjects are the same: equal, where both have something to say about a loose field."""
    strict, _, loose = one.partition(_STRICT)
    other_strict, _, other_loose = other.partition(_STRICT)
    pairs = zip(loose.split(_FIELD), other_loose.split(_FIELD), strict=True)
    return strict == other_strict and all(a == b or not a or not b for a, b in pairs)


def compile_rules(rules: Sequence[Rule]) -> tuple[CompiledRule, ...]:
    """Every way of every rule, in catalogue order; the order of signals on a touchpoint follows it."""
    return tuple(way for rule in rules for way in _ways(rule))


def _ways(rule: Rule) -> list[CompiledRule]:
    names = [variant.id for variant in rule.variants] or [""]
    return [_compile(way, name) for way, name in zip(rule.ways(), names, strict=True)]


def _names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _compile(rule: Rule, variant: str) -> CompiledRule:
    value = rule.distinct or rule.same or rule.returns
    return CompiledRule(
        rule=rule,
        key=f"{rule.id}#{variant}" if variant else rule.id,
        within=timedelta(seconds=rule.within_s),
        subject=_subject(rule.group_by, rule.loose),
        needs=tuple(reader(name) for name in rule.needs),
        value=reader(value) if value else None,
        boundaries=frozenset(compare.field for compare in rule.where),
        other=timedelta(seconds=rule.other_s),
        rewrites=timedelta(seconds=rule.rewrites_s),
        redirects=timedelta(seconds=rule.redirects_s),
        by_phase={phase: timedelta(seconds=seconds) for phase, seconds in rule.within_by_phase.items()},
        parameters=tuple(dict.fromkeys(name for hole in holes_of(rule.explanation) for name in HOLES[hole])),
        order={name.lower(): rank for rank, names in enumerate(rule.order) for name in _names(names)},
    )
