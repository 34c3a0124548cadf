"""Which rules can find anything, given what is connected: a rule that nothing feeds is said, not silently zero."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from schemas.blueprint import Blueprint
from schemas.capabilities import Capability
from schemas.friction_rules import Rule, SignalMatch

Told = Collection[Capability]
"""What the connected sources can tell, all together."""


def feedable(blueprint: Blueprint, known: Told) -> dict[str, bool]:
    """Rule id → whether what is told can feed it, in the catalogue's order.

    A rule that asks for nothing can be fed by anything; one about signals when every kind it asks for has a rule that
    is fed.
    """
    fed = {rule.id: is_fed(rule, known) for rule in blueprint.rules if rule.pattern != "compound"}
    rules = {rule.id: rule for rule in blueprint.rules}
    return {rule.id: fed[rule.id] if rule.id in fed else _can_compound(rule, rules, fed) for rule in blueprint.rules}


def unfed(blueprint: Blueprint, known: Told, feeders: Callable[[Capability], Sequence[str]]) -> list[str]:
    """One line for each rule that nothing feeds, naming the connectors that would: `feeders` of a capability."""
    can = feedable(blueprint, known)
    return [
        f"rule `{rule.id}` finds nothing: no configured source feeds it ({_feeders(rule, feeders)})"
        for rule in blueprint.rules
        if not can[rule.id]
    ]


def _feeders(rule: Rule, feeders: Callable[[Capability], Sequence[str]]) -> str:
    names = dict.fromkeys(name for word in rule.fed_by for name in feeders(word))
    return ", ".join(names) or "signals"


def is_fed(rule: Rule, known: Told) -> bool:
    """Whether any of what the rule asks for is told."""
    return not rule.fed_by or any(capability in known for capability in rule.fed_by)


def _can_compound(rule: Rule, rules: Mapping[str, Rule], fed: Mapping[str, bool]) -> bool:
    found = [rules[rule_id] for rule_id, can in fed.items() if can]
    enough = len({part.id for part in found for wanted in rule.of for kind in wanted if _may_be(kind, part)})
    whole = any(all(any(_may_be(kind, part) for part in found) for kind in wanted) for wanted in rule.of)
    return whole and enough >= rule.count


def _may_be(kind: SignalMatch, rule: Rule) -> bool:
    return (
        (not kind.polarity or kind.polarity == rule.polarity)
        and (kind.stated is None or kind.stated == rule.stated)
        and (not kind.rules or rule.id in kind.rules)
    )
