"""Which incidents people are told of, as a blueprint writes it, with the tests that live beside each policy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.base import Strict
from schemas.friction_rules import GoldenStep, GoldenTest

Move = Literal["backward", "exit"]
Level = Literal["watch", "high", "severe"]
LEVELS: tuple[Level, ...] = ("watch", "high", "severe")
"""How bad something is, the least first."""
HIGH_FROM, SEVERE_FROM = 0.4, 0.8
"""Where the levels begin, inclusive, on the scale 0…1 of a severity."""


def level_at(severity: float) -> Level:
    """The one word for a severity of 0…1: on incidents, in messages, on a timeline."""
    return "severe" if severity >= SEVERE_FROM else "high" if severity >= HIGH_FROM else "watch"


def is_at_least(level: Level, least: Level) -> bool:
    return LEVELS.index(level) >= LEVELS.index(least)


class PolicyTest(GoldenTest):
    """Events in, tellings out. `signals` counts the incidents that the policy tells of."""

    events: tuple[GoldenStep | float | tuple[float, dict[str, object]], ...] = Field(
        (), description="in any order; in short: a time, or a time with fields; none where `heard` says it all"
    )
    traits: dict[str, str] = Field({}, description="traits of the account in this test")
    heard: tuple[tuple[float, float, float], ...] = Field(
        (), description="of a policy of `sources`: [from, until, every] in hours, how the source `golden` was heard"
    )
    level: Level | None = Field(None, description="how bad the first of them is")


class Policy(Strict):
    """Tells people of an incident. Of `rules`, `types` and `moves` any one is enough; `count` asks for many at once."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="stable id, e.g. `moment_of_truth_failed`")
    name: str = Field(description="what happened, in words: the headline of the message")
    rules: tuple[str, ...] = Field((), description="friction rules, simple or compound, any of them")
    types: tuple[str, ...] = Field((), description="touchpoint types that are pain by definition, any of them")
    moves: tuple[Move, ...] = Field((), description="moves of the account's phase, any of them")
    sources: tuple[str, ...] = Field((), description='sources that are late or silent; `"*"`: any of them')
    count: int = Field(0, ge=0, description="so many signals at one account within `within_s`; 0: not asked")
    within_s: float = Field(0.0, ge=0, description="longest time from the first to the last of these, inclusive")
    threshold: float = Field(0.0, ge=0, le=1, description="least severity of the signal or touchpoint, inclusive")
    renewal_within_days: float = Field(
        0.0,
        ge=0,
        le=366,
        description="only while the account's renewal is so near; alone: whatever hurts; 0: no matter",
    )
    renewal_trait: str = Field("renewal_date", description="account trait with the day of the renewal, as 2026-11-30")
    key_accounts: bool = Field(False, description="only for accounts whose tier weighs more than 1")
    max_age_s: float = Field(gt=0, description="what happened longer ago when it is first known is told to nobody")
    runbook: str = Field("", description="what to do: a link, or words")
    tests: tuple[PolicyTest, ...] = Field((), description="both sides of every boundary")

    @model_validator(mode="after")
    def _whole(self) -> Policy:
        asked = self.rules or self.types or self.moves or self.count or self.renewal_within_days
        if self.sources and asked:
            raise ValueError("a policy of `sources` asks for nothing else: give what accounts feel a policy of its own")
        if not (asked or self.sources):
            needed = "`rules`, `types`, `moves`, `sources`, `count` or `renewal_within_days`"
            raise ValueError(f"needs {needed}: without them it tells of nothing")
        if bool(self.count) != bool(self.within_s):
            raise ValueError("`count` and `within_s` belong together: so many within so long")
        return self


class Tiers(Strict):
    """How much an account weighs, by one of its traits."""

    trait: str = Field("tier", description="account trait that names the tier")
    weights: dict[str, float] = Field(
        {}, description="tier → factor on the severity; above 1: a key account; not named: 1"
    )
