"""The blueprint: the desired journey as configuration. What happened is measured against it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.base import Strict
from schemas.calendars import Calendar
from schemas.friction_rules import Rule
from schemas.languages import Named
from schemas.matching import Match
from schemas.policies import Policy, Tiers
from schemas.traffic import TrafficRules


class Phase(Named):
    """One phase of the journey, in order."""

    id: str = Field(description="stable id")
    kind: Literal["buyer", "customer", "exit"] = Field("buyer", description="which journey it belongs to")
    goal: str = Field("", description="what the customer wants here")
    questions: tuple[str, ...] = Field((), description="what the customer asks here, in their words")


class Transition(Strict):
    """An allowed move of an account between phases; `*` is any phase."""

    source: str = Field(description="phase left, or *")
    target: str = Field(description="phase entered")


class Owner(Strict):
    """Who answers for a touchpoint type, and with what."""

    department: str = Field(description="responsible department")
    people: tuple[str, ...] = Field((), description="roles, never names")
    technology: tuple[str, ...] = Field((), description="systems it runs on")
    calendar: str = Field("", description="when they work, by its name in `calendars`; empty: at any hour")


#: What a touchpoint type can promise, and what it means.
TARGETS: dict[str, str] = {
    "first_response_s": "seconds to the first human answer, at most",
    "resolution_s": "seconds until it is solved, at most",
    "answer_s": "seconds until we have answered what was asked for (a quote, a call back), at most",
    "duration_ms": "milliseconds it may take to load",
    "emotion": "mean emotion -1…1, at least",
    "friction_rate": "part of the touchpoints with friction 0…1, at most",
}


class TouchpointType(Named):
    """A kind of touchpoint of the catalogue: what it is, what it should be, and how its events are recognised."""

    id: str = Field(description="stable id, e.g. `pricing_page`")
    phase: str = Field(description="home phase")
    match: tuple[Match, ...] = Field((), description="any of these; the most specific match of all types wins")
    on_map: bool = Field(True, description="a contact moment; false for records about records")
    channel: str = Field("", description="shown channel; empty: the event's own")
    contact: Literal["direct", "indirect"] = Field("direct", description="with us, or through a third party or medium")
    setting: Literal["online", "offline"] = Field("online", description="on a screen, or in person and on paper")
    started_by: Literal["customer", "company"] = Field("customer", description="who starts it")
    moment_of_truth: bool = Field(False, description="makes or breaks the relationship")
    importance: int = Field(3, ge=1, le=5, description="1 minor … 5 decisive")
    risk: int = Field(3, ge=1, le=5, description="damage if it fails: 1 hardly noticed … 5 the customer is lost")
    if_it_fails: str = Field("", description="that damage in words")
    owner: Owner | None = Field(None, description="who answers for it, and with what")
    goal: str = Field("", description="what the customer wants of it")
    excellent: str = Field("", description="what it looks like at its best")
    terrible: str = Field("", description="what it looks like at its worst")
    desired_emotion: float | None = Field(
        None, ge=-1, le=1, description="what it should feel like: -1 painful … 0 neutral … 1 delightful"
    )
    targets: dict[str, float] = Field(
        {},
        description="what is promised here; rules and the map measure against it",
        json_schema_extra={"propertyNames": {"enum": [*TARGETS]}},
    )
    effort: Literal["quick", "medium", "long"] | None = Field(
        None, description="to improve it: quick ≤ 2 weeks, medium ≤ 3 months, long is more; absent: the rule's default"
    )


class Behaviour(Strict):
    """What a person does, counted over all their contact moments at the account."""

    type: tuple[str, ...] = Field((), description="touchpoint types that count, any of them")
    action: tuple[str, ...] = Field((), description="actions that count, any of them")
    at_least: int = Field(1, ge=1, description="how many must count")
    share: float = Field(0.0, ge=0, le=1, description="part of all their contact moments that must count; 1: only such")


class PersonaRule(Strict):
    """First rule that holds names the persona. Any one of its conditions is enough."""

    persona: str = Field(description="persona id")
    title_words: tuple[str, ...] = Field(
        (), description="words of the normalised title, any entry; several words: all; `inkoop*`, `*beheerder`: parts"
    )
    department: tuple[str, ...] = Field((), description="department, any of them")
    role: tuple[str, ...] = Field((), description="CRM role field, any of them")
    behaviour: Behaviour | None = Field(None, description="what the person does")


BuyingRole = Literal["decision maker", "influencer", "practitioner", "executive sponsor", "champion", "other"]


class Persona(Named):
    """A kind of person."""

    id: str = Field(description="stable id")
    buying_role: BuyingRole = Field("other", description="part in the decision")
    title: str = Field("", description="typical job title")
    department: str = Field("", description="typical department")
    motivation: str = Field("", description="what drives them")
    frustration: str = Field("", description="what wears them down")
    goal: str = Field("", description="what they want to have achieved")


class Decisive(Strict):
    """Evidence that decides the account's phase."""

    match: Match = Field(description="what must have happened")
    phase: str = Field(description="phase the account is in from then on")
    only_from: tuple[str, ...] = Field((), description="counts only in these phases; empty: in any")


class OpportunityStages(Strict):
    """How the CRM's deals go. A deal runs beside the account's phase: the phase says where the customer is."""

    stages: tuple[str, ...] = Field(
        ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent"),
        description="open stages, earliest first; a move to an earlier one is a regression",
    )
    won: tuple[str, ...] = Field(("closedwon",), description="stages that end a deal well")
    lost: tuple[str, ...] = Field(("closedlost",), description="stages that end it badly")


class Amendments(Strict):
    """How soon a later word takes an earlier one back, so that it counts as never said."""

    deal_s: float = Field(
        86_400.0,
        ge=0,
        description="seconds in which a deal that was won or lost by mistake is put right; 0: every end counts",
    )
    answer_s: float = Field(
        86_400.0,
        ge=0,
        description="seconds in which a person's second answer to a survey replaces the first; 0: only what names the "
        "same response does",
    )


_PHRASE = re.compile(r"\*?[a-z0-9]+\*?(?: \*?[a-z0-9]+\*?)*")


def _phrase(text: str) -> str:
    if _PHRASE.fullmatch(text) is None:
        raise ValueError(
            f"`{text[:80]}` is no phrase: write words in lower case without accents, as in `cart` or `demo request*`"
        )
    return text


Phrase = Annotated[str, AfterValidator(_phrase)]


class TypeWords(Strict):
    """Words that tell a type where no match says more of an event than its action.

    A phrase holds when all its words are there, in any order; `*` at an end of a word takes anything there. Of
    several the one with the most words decides, then the one furthest back in the path, then the longest.
    """

    type: str = Field(description="touchpoint type")
    events: tuple[Phrase, ...] = Field((), description="phrases for the name of a tracked event")
    otherwise: tuple[Phrase, ...] = Field((), description="phrases for such a name where none of `events` holds")
    pages: tuple[Phrase, ...] = Field((), description="phrases for the path of a page that was viewed")
    forms: tuple[Phrase, ...] = Field((), description="phrases for the page, or the name, of a form that was used")


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
    committee: dict[str, int] = Field({}, description="buying role → people a complete buying committee has of it")
    opportunities: OpportunityStages = Field(OpportunityStages(), description="stages of a deal")
    calendars: dict[str, Calendar] = Field(
        {}, description="name → working hours; rules with `working_time` count in those of the type's owner"
    )
    amendments: Amendments = Field(Amendments(), description="what a later word takes back")
    segments: tuple[SegmentRule, ...] = Field((), description="first match wins")
    types: tuple[TouchpointType, ...] = Field(description="the catalogue")
    words: tuple[TypeWords, ...] = Field((), description="what tells a type where no match says more than the action")
    traffic: TrafficRules = Field(TrafficRules(), description="what is not of customers, and whether it counts")
    rules: tuple[Rule, ...] = Field((), description="friction and delight")
    policies: tuple[Policy, ...] = Field((), description="which incidents people are told of")
    tiers: Tiers = Field(Tiers(), description="how much an account weighs when people are told")
