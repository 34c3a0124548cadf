"""The blueprint: the desired journey as configuration. What happened is measured against it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.actions import ACTIONS
from schemas.base import Strict
from schemas.touchpoints import Scalar


class Phase(Strict):
    """One phase of the journey, in order."""

    id: str = Field(description="stable id")
    name: str = Field(description="shown name")
    kind: Literal["buyer", "customer", "exit"] = Field("buyer", description="which journey it belongs to")
    goal: str = Field("", description="what the customer wants here")


class Transition(Strict):
    """An allowed move of an account between phases; `*` is any phase."""

    source: str = Field(description="phase left, or *")
    target: str = Field(description="phase entered")


class Match(Strict):
    """Conditions that must all hold. Empty conditions are not asked."""

    action: str = Field("", description="the touchpoint's action")
    vendor: str = Field("", description="the vendor's registry key")
    vendor_type: str = Field("", description="glob over the vendor's own event name")
    page: str = Field("", description="glob over the page's path")
    channel: str = Field("", description="the channel")
    properties: dict[str, tuple[Scalar, ...]] = Field({}, description="property name → accepted values")

    @model_validator(mode="after")
    def _known_action(self) -> Match:
        if self.action and self.action not in ACTIONS:
            raise ValueError(f"unknown action `{self.action}`; known: {', '.join(ACTIONS)}")
        return self


class TouchpointType(Strict):
    """A kind of touchpoint of the catalogue."""

    id: str = Field(description="stable id, e.g. `pricing_page`")
    name: str = Field(description="shown name")
    phase: str = Field(description="home phase")
    match: tuple[Match, ...] = Field((), description="any of these; the most specific match of all types wins")
    on_map: bool = Field(True, description="a contact moment; false for records about records")
    channel: str = Field("", description="shown channel; empty: the event's own")
    moment_of_truth: bool = Field(False, description="makes or breaks the relationship")
    importance: int = Field(3, ge=1, le=5, description="1 minor … 5 decisive")
    risk: int = Field(3, ge=1, le=5, description="damage if it fails")
    owner: str = Field("", description="responsible department")
    desired_emotion: float | None = Field(None, ge=-1, le=1, description="what it should feel like")


class PersonaRule(Strict):
    """First rule that matches a person's title, department or role names the persona."""

    persona: str = Field(description="persona id")
    title_words: tuple[str, ...] = Field((), description="whole words, any of them, in the normalised title")
    department: tuple[str, ...] = Field((), description="department, any of them")
    role: tuple[str, ...] = Field((), description="CRM role field, any of them")


class Persona(Strict):
    """A kind of person."""

    id: str = Field(description="stable id")
    name: str = Field(description="shown name")
    buying_role: str = Field("", description="decision maker, influencer, practitioner, sponsor, champion, other")


class Decisive(Strict):
    """Evidence that decides the account's phase."""

    match: Match = Field(description="what must have happened")
    phase: str = Field(description="phase the account is in from then on")
    only_from: tuple[str, ...] = Field((), description="counts only in these phases; empty: in any")


class SegmentRule(Strict):
    """First rule that holds for the account's traits names its segment."""

    segment: str = Field(description="segment id")
    trait: str = Field(description="account trait")
    at_least: float | None = Field(None, description="numeric lower bound")
    equals: tuple[str, ...] = Field((), description="accepted values")


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


class Severity(Strict):
    """Severity at the boundary, rising linearly to `worst` at the worst value of the boundary that was crossed."""

    base: float = Field(ge=0, le=1, description="severity at the boundary")
    worst: float | None = Field(None, ge=0, le=1, description="severity at the boundary's `worst_at`")
    step: float = Field(0.0, ge=0, le=1, description="added for each repetition after the first")


class Compare(Strict):
    """A boundary on a number of the event, inclusive."""

    field: str = Field(description="`score` or a property")
    at_most: float | None = Field(None, description="fires when the value is ≤ this")
    at_least: float | None = Field(None, description="fires when the value is ≥ this")
    worst_at: float | None = Field(None, description="value at which severity reaches `worst`")
    score_kind: str = Field("", description="only for this kind of score")

    @model_validator(mode="after")
    def _one_boundary(self) -> Compare:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("give exactly one of `at_most` and `at_least`")
        return self


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
    tests: tuple[GoldenTest, ...] = Field((), description="both sides of every boundary")


class Blueprint(Strict):
    """The whole blueprint."""

    version: int = Field(ge=1, description="every fact says which version made it")
    phases: tuple[Phase, ...] = Field(min_length=2, description="in order")
    initial_phase: str = Field(description="phase of an account before any evidence")
    transitions: tuple[Transition, ...] = Field(description="allowed moves")
    indicative: dict[str, str] = Field({}, description="phase → phase that indicative evidence may move it to")
    decisive: tuple[Decisive, ...] = Field((), description="evidence that decides, first match wins")
    personas: tuple[Persona, ...] = Field((), description="kinds of people")
    persona_rules: tuple[PersonaRule, ...] = Field((), description="first match wins")
    segments: tuple[SegmentRule, ...] = Field((), description="first match wins")
    types: tuple[TouchpointType, ...] = Field(description="the catalogue")
    rules: tuple[Rule, ...] = Field((), description="friction and delight")
