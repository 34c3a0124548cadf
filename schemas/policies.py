"""Which incidents people are told of, as a blueprint writes it, with the tests that live beside each policy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.base import Strict
from schemas.friction_rules import GoldenStep, GoldenTest

Move = Literal["backward", "exit"]
Measure = Literal["friction_rate", "emotion", "volume"]
"""`volume`: that nothing comes any more; more is no harm."""
Level = Literal["watch", "high", "severe"]
LEVELS: tuple[Level, ...] = ("watch", "high", "severe")
"""How bad something is, the least first."""
HIGH_FROM, SEVERE_FROM = 0.4, 0.8
"""Where the levels begin, inclusive, for what hurt one account: on the scale 0…1 of a severity."""
WATCH_LOAD, HIGH_LOAD, SEVERE_LOAD = 0.05, 0.2, 0.5
"""Where they begin for a touchpoint type, which hurts some of many: weighed pain per active account and week."""


def level_at(severity: float) -> Level:
    """The one word for a severity of 0…1: on incidents, in messages, on a timeline."""
    return "severe" if severity >= SEVERE_FROM else "high" if severity >= HIGH_FROM else "watch"


def level_of_load(load: float) -> Level | None:
    """The same words for a touchpoint type, by what it weighs; None: it is calm."""
    if load < WATCH_LOAD:
        return None
    return "severe" if load >= SEVERE_LOAD else "high" if load >= HIGH_LOAD else "watch"


def is_at_least(level: Level, least: Level) -> bool:
    return LEVELS.index(level) >= LEVELS.index(least)


class Burn(Strict):
    """A promise is missed when it is missed this much over a long time, and is missed so still."""

    factor: float = Field(gt=0, le=100, description="so many times as often as is promised")
    long_h: float = Field(gt=0, le=168, description="hours over which")
    short_h: float = Field(gt=0, le=168, description="and the last hours, in which it must be so still")

    @model_validator(mode="after")
    def _ordered(self) -> Burn:
        if self.short_h >= self.long_h:
            raise ValueError(f"`short_h` {self.short_h:g} must be less than `long_h` {self.long_h:g}")
        return self


BURNS = (
    Burn(factor=14.4, long_h=1, short_h=0.25),
    Burn(factor=6, long_h=6, short_h=0.5),
    Burn(factor=3, long_h=24, short_h=2),
    Burn(factor=1, long_h=72, short_h=6),
)
"""Fast and bad, or slow and lasting: the multi-window burn rates of the Site Reliability Workbook, chapter 5."""
MOST_ACCOUNTS = 20
"""Accounts are counted up to so many in a slot: a policy cannot ask for more."""


class PolicyTest(GoldenTest):
    """Events in, tellings out. `signals` counts the incidents that the policy tells of."""

    events: tuple[GoldenStep | float | tuple[float, dict[str, object]], ...] = Field(
        (), description="in any order; in short: a time, or a time with fields; none where `heard` says it all"
    )
    traits: dict[str, str] = Field({}, description="traits of the account in this test")
    heard: tuple[tuple[float, float, float], ...] = Field(
        (), description="of a policy of `sources`: [from, until, every] in hours, how the source `golden` was heard"
    )
    figures: tuple[tuple[float, float, dict[str, float]], ...] = Field(
        (),
        description="of a policy of `targets` or `unusual`: [from, until, figures] in hours, what was measured: "
        "`volume` an hour, and of it `friction_rate`, `emotion`, `missed` (of promises in time), `accounts`, "
        "`anew` (the part of what was bad that was read anew by a newer mapping)",
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
    targets: tuple[str, ...] = Field((), description='targets of touchpoint types that are missed; `"*"`: any of them')
    burns: tuple[Burn, ...] = Field(BURNS, min_length=1, description="of `targets`: how badly, over how long; any one")
    may_miss: float = Field(
        0.1, gt=0, lt=1, description="of `targets` in time: the part that may take longer without being told"
    )
    volume: int = Field(30, ge=1, description="of `targets` and `unusual`: least number judged in the (long) window")
    accounts: int = Field(
        5, ge=1, le=MOST_ACCOUNTS, description="of `targets` and `unusual`: least number of accounts that felt it"
    )
    unusual: tuple[Measure, ...] = Field(
        (), description="what is unusual of a touchpoint type in a phase, beside the same hours of the weeks before"
    )
    window_h: int = Field(6, ge=1, le=72, description="of `unusual`: so many hours are compared")
    long_h: int = Field(
        24,
        ge=0,
        le=168,
        description="of `unusual`: and so many, where few hours say too little (not of `volume`); 0: not asked",
    )
    deviations: float = Field(
        6.0, ge=2, le=20, description="of `unusual`: by so many robust standard deviations it must differ"
    )
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
        alone = {"sources": self.sources, "targets": self.targets, "unusual": self.unusual}
        for name in [name for name, given in alone.items() if given]:
            if asked or sum(map(bool, alone.values())) > 1:
                raise ValueError(
                    f"a policy of `{name}` asks for nothing else: give what accounts feel a policy of its own"
                )
        if not (asked or any(alone.values())):
            needed = "`rules`, `types`, `moves`, `sources`, `targets`, `unusual`, `count` or `renewal_within_days`"
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
