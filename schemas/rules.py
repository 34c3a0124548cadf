"""Friction and delight rules as a blueprint writes them, with the tests that live beside them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Strict
from schemas.matching import Compare, Match


class Severity(Strict):
    """Severity at the boundary, rising linearly to `worst` at the worst value of the boundary that was crossed."""

    base: float = Field(ge=0, le=1, description="severity at the boundary")
    worst: float | None = Field(None, ge=0, le=1, description="severity at the boundary's `worst_at`")
    step: float = Field(0.0, ge=0, le=1, description="added for each repetition after the first")


class GoldenStep(Strict):
    """One event of a golden test; fields are those of a clean touchpoint, `at_s` its time."""

    at_s: float = Field(description="seconds from the start of the test")
    event: dict[str, object] = Field(description="fields of the touchpoint")


class GoldenTest(Strict):
    """Events in, signals out; lives beside the rule and runs with `touchline validate`."""

    name: str = Field(description="what it shows")
    events: tuple[GoldenStep, ...] = Field(description="in any order")
    as_of_s: float = Field(86_400.0, description="when the question is asked")
    signals: int = Field(description="how many signals of this rule must stand")
    severity: float | None = Field(None, description="severity of the first of them")


class Rule(Strict):
    """One friction or delight rule.

    Patterns: `burst` — ≥ `count` matching events of one group, each ≤ `within_s` after the previous;
    `each` — every matching event, events of one group joining one episode;
    `absence` — `opens` with no `closes` of the same group within `within_s`, paused between `pauses` and `resumes`.
    """

    id: str = Field(description="stable id, e.g. `rage_click`")
    version: int = Field(1, ge=1, description="raise when the meaning changes")
    polarity: Literal["friction", "delight"] = Field("friction", description="painful or pleasant")
    pattern: Literal["burst", "each", "absence"] = Field(description="how events make an episode")
    when: tuple[Match, ...] = Field((), description="events that count (burst, each)")
    where: tuple[Compare, ...] = Field((), description="any of these boundaries must hold (each)")
    unless: tuple[Match, ...] = Field((), description="events that never count")
    opens: tuple[Match, ...] = Field((), description="events that open the wait (absence)")
    closes: tuple[Match, ...] = Field((), description="events that end the wait (absence)")
    closes_session: tuple[Match, ...] = Field((), description="events that end the wait at once, unmet (absence)")
    restarts: bool = Field(False, description="a further opening event starts the clock anew (absence)")
    pauses: tuple[Match, ...] = Field((), description="events that stop the clock (absence)")
    resumes: tuple[Match, ...] = Field((), description="events that start the clock again (absence)")
    group_by: tuple[str, ...] = Field((), description="fields that make the subject of an episode")
    count: int = Field(1, ge=1, description="how many make an episode (burst)")
    within_s: float = Field(0.0, ge=0, description="longest gap (burst) or the deadline (absence), inclusive")
    severity: Severity = Field(description="how painful")
    explanation: str = Field(description="in words; {count}, {element}, {page}, {score}, {waited}, {subject}, {title}")
    sources: tuple[str, ...] = Field((), description="vendors that can feed it")
    effort: Literal["quick", "medium", "long"] = Field(
        "medium", description="to mend what it finds, where the touchpoint type does not say"
    )
    tests: tuple[GoldenTest, ...] = Field((), description="both sides of every boundary")
