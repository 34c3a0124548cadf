"""Friction and delight rules as a blueprint writes them, with the tests that live beside them."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from schemas.base import Strict
from schemas.calendars import Calendar
from schemas.capabilities import CAPABILITIES, Capability
from schemas.languages import Text, by_language
from schemas.matching import Compare, Match

Pattern = Literal["each", "burst", "window", "sequence", "absence", "regress", "advance", "compound"]


HOLES: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in ("count", "element", "page", "score", "subject", "name", "fields", "value", "before")},
    "times": ("count",),
    "waited": ("waited_s", "working"),
    "title": ("title", "subject"),
    "parts": ("parts",),
}
"""What an explanation may name in braces → the parameters that it is made from."""
_OF_A_COMPOUND: Final = ("count", "times", "waited", "parts")


def holes_of(explanation: str) -> list[str]:
    """What an explanation names in braces. Raises ValueError where its braces are not in pairs."""
    try:
        return [hole for _, hole, _, _ in Formatter().parse(explanation) if hole is not None]
    except ValueError as error:
        raise ValueError(f"the braces of `explanation` are not in pairs: `{explanation[:80]}`") from error


class Severity(Strict):
    """`base` at the boundary, rising linearly to `worst` at the boundary's `worst_at`, and with repetitions."""

    base: float = Field(ge=0, le=1, description="severity at the boundary")
    worst: float | None = Field(None, ge=0, le=1, description="severity at the boundary's `worst_at`")
    step: float = Field(0.0, ge=0, le=1, description="added for each repetition after the first")
    at_count: dict[int, float] = Field({}, description="count → severity from that count on, instead of `base`")
    of_parts: bool = Field(False, description="at least the worst part's severity (compound)")


class GoldenStep(Strict):
    """One event of a golden test; fields are those of a clean touchpoint (and `person`), `at_s` its time."""

    at_s: float = Field(description="seconds from the start of the test")
    event: dict[str, object] = Field(description="fields of the touchpoint")


class GoldenTest(Strict):
    """Events in, signals out; lives beside the rule and runs with `touchline validate`."""

    name: str = Field(description="what it shows")
    base: dict[str, object] = Field({}, description="fields that all events share")
    events: tuple[GoldenStep | float | tuple[float, dict[str, object]], ...] = Field(
        description="in any order; in short: a time, or a time with fields"
    )
    targets: dict[str, float] = Field({}, description="targets of every touchpoint type in this test, and no others")
    calendar: Calendar | None = Field(None, description="when the owner of every type works in this test")
    as_of_s: float = Field(86_400.0, description="when the question is asked")
    signals: int = Field(description="how many signals of this rule must stand")
    severity: float | None = Field(None, description="severity of the first of them")
    count: int | None = Field(None, description="events that prove the first of them, or its parts (compound)")
    is_open: bool | None = Field(None, description="whether the first of them is still open")
    adopted: int | None = Field(None, description="signals that name the first of them as their case")
    says: str = Field("", description="words that the first one's explanation must hold")

    def steps(self) -> tuple[GoldenStep, ...]:
        """The events, each written out."""
        return tuple(_step(event, self.base) for event in self.events)


def _step(event: GoldenStep | float | tuple[float, dict[str, object]], base: dict[str, object]) -> GoldenStep:
    at_s, fields = (
        (event.at_s, event.event)
        if isinstance(event, GoldenStep)
        else event
        if isinstance(event, tuple)
        else (event, {})
    )
    return GoldenStep(at_s=at_s, event=base | fields)


class SignalMatch(Strict):
    """Conditions on a signal that must all hold, for rules about signals."""

    polarity: Literal["", "friction", "delight"] = Field("", description="painful or pleasant")
    stated: bool | None = Field(None, description="whether the customer said it, or only did it")
    rules: tuple[str, ...] = Field((), description="ids of the rules, any of them")
    at_least: float = Field(0.0, ge=0, le=1, description="severity, inclusive")
    roles: tuple[str, ...] = Field((), description="buying role of the person's persona, any of them")
    moment_of_truth: bool = Field(False, description="only on a moment of truth")


class Variant(Strict):
    """Another way the same rule can fire: fields of the rule to put in place of its own."""

    id: str = Field(description="stable id within the rule")
    instead: dict[str, Any] = Field(description="field of the rule → its value for this variant")


class Rule(Strict):
    """One friction or delight rule. Boundaries are inclusive unless they say `above` or "less than".

    Patterns: `each`: every matching event, those within `within_s` of the last (0: any time) joining one episode;
    `burst`: ≥ `count` matching events, each ≤ `within_s` after the previous;
    `window`: ≥ `count` matching events (or `distinct` values of a field) from first to last ≤ `within_s` (0: any time);
    `sequence`: events that match `steps` one after the other, the last ≤ `within_s` after the one before;
    `absence`: `opens` with no `closes` within `within_s`, paused between `pauses` and `resumes`;
    `regress`: the value of `field` goes back in `order`, from what `before` says, else from the last that was told;
    `advance`: a phase is left forwards in less than `share` of its `within_by_phase`;
    `compound`: signals `of` several kinds, each ≤ `within_s` after the previous, as one incident.
    An episode is about the fields named in `group_by`; fields in `loose` may be unknown on either side of a wait.
    """

    id: str = Field(description="stable id, e.g. `rage_click`")
    version: int = Field(1, ge=1, description="raise when the meaning changes")
    polarity: Literal["friction", "delight"] = Field("friction", description="painful or pleasant")
    stated: bool = Field(False, description="the customer said it, rather than did it")
    pattern: Pattern = Field(description="how events make an episode")
    when: tuple[Match, ...] = Field((), description="events that count (each, burst, window, regress)")
    where: tuple[Compare, ...] = Field((), description="any of these boundaries must hold, too")
    unless: tuple[Match, ...] = Field((), description="events that never count and never open")
    suffices: tuple[Match, ...] = Field((), description="events that make an episode alone (burst, absence)")
    steps: tuple[tuple[Match, ...], ...] = Field(
        (), description="events in this order (sequence), or that must come right before `opens` (absence)"
    )
    breaks: tuple[Match, ...] = Field((), description="events that break the order of `steps`, or begin `order` anew")
    returns: str = Field("", description="field that must be the same on the first and last step, not between")
    opens: tuple[Match, ...] = Field((), description="events that open the wait (absence)")
    closes: tuple[Match, ...] = Field((), description="events that end the wait (absence)")
    closes_session: tuple[Match, ...] = Field((), description="events that end the wait at once, unmet (absence)")
    settles: tuple[Match, ...] = Field((), description="events that end the signal once it stands, beside `closes`")
    restarts: bool = Field(False, description="a further opening event starts the clock anew (absence)")
    any_contact: bool = Field(False, description="any contact moment of the account starts the clock anew (absence)")
    once: bool = Field(False, description="an episode's subject opens only once, ever (absence)")
    pauses: tuple[Match, ...] = Field((), description="events that stop the clock (absence)")
    resumes: tuple[Match, ...] = Field((), description="events that start the clock again (absence)")
    group_by: tuple[str, ...] = Field((), description="fields that make the subject of an episode")
    loose: tuple[str, ...] = Field((), description="further such fields that match when either side has none (absence)")
    needs: tuple[str, ...] = Field((), description="fields that must not be empty")
    distinct: str = Field("", description="count different values of this field (window)")
    same: str = Field("", description="count equal values of this field (window); others in between break the run")
    other_s: float = Field(0.0, ge=0, description="… unless another value lasted no longer than this")
    rewrites_s: float = Field(
        0.0, ge=0, description="an event on the same page so soon after the one before is that one (window, sequence)"
    )
    redirects_s: float = Field(
        0.0, ge=0, description="an event that another page follows so soon was only passed through (window, sequence)"
    )
    near_px: float = Field(0.0, ge=0, description="same `element`, or `x`, `y` no further from the previous (burst)")
    spares_repetition: bool = Field(
        False,
        description="clicks on controls made to be used again and again (`+`, Next, switches) never count (burst)",
    )
    field: str = Field("", description="property that holds the ordered value (regress)")
    before: str = Field("", description="property that says the value it had, where the sender tells it (regress)")
    order: tuple[str | tuple[str, ...], ...] = Field(
        (), description="values, first to last (regress); a list in a place: values of one rank"
    )
    count: int = Field(1, ge=1, description="how many make an episode (burst, window), or different rules (compound)")
    within_s: float = Field(0.0, ge=0, description="longest gap, window or the deadline, inclusive")
    target: str = Field("", description="target of the touchpoint's type that replaces `within_s` where it is stated")
    working_time: bool = Field(
        False, description="the clock runs only while the owner of the touchpoint's type works (absence)"
    )
    within_by_phase: dict[str, float] = Field({}, description="phase → what replaces `within_s` in it")
    share: float = Field(1.0, gt=0, description="less than this share of the phase's time (advance)")
    at_least_s: float = Field(0.0, ge=0, description="a shorter dwell is bookkeeping, not haste (advance)")
    of: tuple[tuple[SignalMatch, ...], ...] = Field(
        (), description="alternatives; of one, every kind of signal must be there (compound)"
    )
    joins_by: tuple[str, ...] = Field((), description="signals join when any of these fields is equal (compound)")
    adopts: bool = Field(False, description="its parts name it as their case (compound)")
    severity: Severity = Field(description="how painful or pleasant")
    explanation: Text = Field(
        description="in words, one text or one for each language (`{en: …, nl: …}`); {count}, {times}, {element}, "
        "{page}, {score}, {waited}, {subject}, {title}, {name}, "
        "{fields}, {value}, {before}, {parts}"
    )
    explanations: dict[str, str] = Field({}, description="language → `explanation`, where that is given per language")
    effort: Literal["quick", "medium", "long"] = Field("medium", description="to mend it, when the type does not say")
    fed_by: tuple[Capability, ...] = Field(
        (), description="what a source must tell, any of it, for the rule to find anything; none: other signals"
    )
    variants: tuple[Variant, ...] = Field((), description="ways in which it can fire; none: as written")
    tests: tuple[GoldenTest, ...] = Field((), description="both sides of every boundary")

    @model_validator(mode="before")
    @classmethod
    def _names_no_vendor(cls, given: Any) -> Any:
        if isinstance(given, dict) and "sources" in given:
            raise ValueError(
                "`sources` named vendors; say what feeds the rule instead, in `fed_by`: "
                f"{', '.join(CAPABILITIES)}; without it the rule is taken to be fed by anything"
            )
        return given

    @model_validator(mode="before")
    @classmethod
    def _by_language(cls, given: Any) -> Any:
        return by_language(given, "explanation", "explanations")

    @model_validator(mode="after")
    def _explained(self) -> Rule:
        known = _OF_A_COMPOUND if self.pattern == "compound" else tuple(HOLES)
        for language, text in {"en": self.explanation, **self.explanations}.items():
            if odd := [hole for hole in holes_of(text) if hole not in known]:
                raise ValueError(
                    f"`explanation` names `{{{odd[0][:80]}}}`; with pattern `{self.pattern}` there are "
                    f"{', '.join(f'{{{name}}}' for name in known)}"
                )
            if odd := sorted({*holes_of(text)} - {*holes_of(self.explanation)}):
                raise ValueError(
                    f"`explanation` in `{language}` names `{{{odd[0]}}}`, which the English one does not: what is "
                    "stored is what the English one names"
                )
        return self

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        for one in self.ways():
            lacking = [name for name in _REQUIRED[one.pattern] if not getattr(one, name)]
            if lacking:
                raise ValueError(f"pattern `{one.pattern}` needs {', '.join(f'`{name}`' for name in lacking)}")
        return self

    def ways(self) -> tuple[Rule, ...]:
        """The rule's variants, each as a rule of its own with the same id; the rule itself when it has none."""
        if not self.variants:
            return (self,)
        shared = {name: getattr(self, name) for name in self.model_fields_set} | {"variants": (), "tests": ()}
        return tuple(Rule.model_validate(_instead(shared, variant.instead)) for variant in self.variants)


def _instead(shared: dict[str, Any], instead: dict[str, Any]) -> dict[str, Any]:
    """The fields of a variant; one with an explanation of its own has none of the rule's."""
    own: dict[str, Any] = {"explanations": {}} if "explanation" in instead else {}
    return shared | own | instead


_REQUIRED: dict[Pattern, tuple[str, ...]] = {
    "each": ("when",),
    "burst": ("when", "within_s"),
    "window": ("when",),
    "sequence": ("steps", "within_s"),
    "absence": ("opens", "within_s"),
    "regress": ("when", "field", "order"),
    "advance": ("within_by_phase",),
    "compound": ("of", "within_s"),
}
