"""Which rules can find anything, given what is connected: a rule that nothing feeds is said, not silently zero."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas.blueprint import Blueprint
from schemas.rules import Rule, SignalMatch


def feedable(blueprint: Blueprint, vendors: Collection[str]) -> dict[str, bool]:
    """Rule id → whether any of these vendors (registry keys) can feed it, in the catalogue's order.

    A rule that names no source can be fed by any; one about signals when every kind it asks for has a rule that is fed.
    """
    fed = {rule.id: _is_fed(rule, vendors) for rule in blueprint.rules if rule.pattern != "compound"}
    rules = {rule.id: rule for rule in blueprint.rules}
    return {rule.id: fed[rule.id] if rule.id in fed else _can_compound(rule, rules, fed) for rule in blueprint.rules}


def unfed(blueprint: Blueprint, vendors: Collection[str]) -> list[str]:
    """One line for each rule that nothing feeds, naming what would."""
    can = feedable(blueprint, vendors)
    return [
        f"rule `{rule.id}` finds nothing: no configured source feeds it ({', '.join(rule.sources) or 'signals'})"
        for rule in blueprint.rules
        if not can[rule.id]
    ]


def _is_fed(rule: Rule, vendors: Collection[str]) -> bool:
    return not rule.sources or any(source in vendors for source in rule.sources)


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
