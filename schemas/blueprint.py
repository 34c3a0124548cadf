"""The blueprint: the desired journey as configuration. What happened is measured against it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Strict
from schemas.matching import Match
from schemas.rules import Rule


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
