"""A mapping's events as functions: message in, touchpoint out. Compiled once; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from schemas.actions import Action
from schemas.errors import UnmappableEvent, shown
from schemas.mapping import EventRule, IdRule, Mapping, Telling, ValueRule
from schemas.touchpoints import CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.generic.conditions import Test, all_hold, any_holds
from streams.connectors.generic.looking import Seen, look, revealed
from streams.connectors.generic.values import Reader, ident, reader, text_with_holes, time_of
from streams.connectors.results import Ignored, Message
from streams.connectors.web.surveys import SCALES
from streams.identity.aliases import Kind, alias, ordered
from streams.identity.placeholders import is_placeholder

Fields = dict[str, Any]
Part = Callable[[Seen], Fields]
OUTCOMES = ("open", "won", "lost")
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
#: The channel of an action, where the mapping names none.
_CHANNELS = {"ticket": "support", "support": "support", "deal": "crm", "crm": "crm", "lifecycle": "crm"}
_CHANNELS |= {"survey": "survey"}
#: How a change of one property is told everywhere: rules and phases watch it in this form.
_CHANGES: dict[Action, str] = {"deal_stage_changed": "dealstage", "lifecycle_changed": "lifecyclestage"}


def reading_of(mapping: Mapping) -> Callable[[Message, Message, RawRequest], CleanTouchpoint | Ignored]:
    """The mapping as a connector's `map`."""
    ignored = [(all_hold(rule.when), Ignored(rule.reason)) for rule in mapping.ignore]
    events = [_event(whole(mapping, rule)) for rule in mapping.events]
    unknown = _unknown(mapping)

    def read(message: Message, envelope: Message, request: RawRequest) -> CleanTouchpoint | Ignored:
        seen = Seen(message, envelope, request)
        for holds, result in ignored:
            if holds(seen):
                return result
        for holds, given in events:
            if holds(seen):
                return given(seen)
        return unknown(seen)

    return read


def whole(mapping: Mapping, rule: EventRule) -> EventRule:
    """An event with what is said for all: its own field wins, properties are put together."""
    own = rule.model_fields_set
    taken = {name: getattr(mapping.shared, name) for name in mapping.shared.model_fields_set - own}
    if "properties" in own:
        taken["properties"] = {**mapping.shared.properties, **rule.properties}
    return rule.model_copy(update=taken)


def _unknown(mapping: Mapping) -> Callable[[Seen], Ignored]:
    tests = [test for when in (*(e.when for e in mapping.events), *(i.when for i in mapping.ignore)) for test in when]
    paths = tuple(dict.fromkeys(test.path for test in tests))[:3]
    looks = [(path, look(path)) for path in paths]

    def unknown(seen: Seen) -> Ignored:
        if mapping.unmatched == "ignore":
            return Ignored("unmatched")
        there = ", ".join(f"`{path}` is {_what(path, find(seen))}" for path, find in looks)
        raise UnmappableEvent(f"no event of the mapping fits: {there}; add one, or an `ignore` rule", "unknown_type")

    return unknown


def _what(path: str, found: list[object]) -> str:
    return revealed((path,), found[0]) if found else "not there"


def _event(rule: EventRule) -> tuple[Test, Callable[[Seen], CleanTouchpoint]]:
    fits, spoilt = all_hold(rule.when), any_holds(rule.unless)
    parts = (_heading(rule), _people(rule), _words(rule), _score(rule), _properties(rule))

    def given(seen: Seen) -> CleanTouchpoint:
        found: Fields = {}
        for part in parts:
            found |= part(seen)
        return CleanTouchpoint(**found)

    return (lambda seen: fits(seen) and not spoilt(seen)), given


def _heading(rule: EventRule) -> Part:
    name, identity, channel = text_with_holes(rule.name), _identity(rule.id), text_with_holes(rule.channel)
    usual = _CHANNELS.get(rule.action.partition("_")[0], "web")
    time = rule.time
    if time is None:
        raise ValueError("an event needs `time`")
    when = time_of(time)

    def heading(seen: Seen) -> Fields:
        own, occurred_at, request = identity(seen), when(seen), seen.request
        return {
            "event_id": reading.event_id(request.source, own),
            "vendor_event_id": own,
            "source": request.source,
            "vendor": request.vendor,
            "vendor_type": name(seen) or rule.action,
            "action": rule.action,
            "occurred_at": occurred_at,
            "received_at": request.received_at,
            "clock_suspect": reading.is_suspect(occurred_at, request.received_at),
            "channel": channel(seen).lower() or usual,
            "backfill": request.backfill,
        }

    return heading


def _identity(rule: IdRule) -> Callable[[Seen], str]:
    if not rule.paths:
        without = frozenset(rule.without)
        return lambda seen: reading.content_id(seen.message, without)
    looks = [(path, look(path)) for path in rule.paths]

    def identity(seen: Seen) -> str:
        found = [reading.ident({path: next(iter(find(seen)), None)}, path) for path, find in looks]
        missing = [f"`{path}`" for (path, _), value in zip(looks, found, strict=True) if not value]
        if missing:
            raise UnmappableEvent(f"{', '.join(missing)} is missing: it is the event's id", "missing_field")
        # of several the lengths stand before them, so that `a:b` and `c` are not `a` and `b:c`
        return found[0] if len(found) == 1 else ":".join([*found, ",".join(str(len(one)) for one in found)])

    return identity


def _people(rule: Telling) -> Part:
    ids = [(cast(Kind, kind), ident(value, f"person.ids.{kind}")) for kind, value in rule.person.ids.items()]
    refs = [(kind, ident(value, f"account.refs.{kind}")) for kind, value in rule.account.refs.items()]
    person, account = _traits(rule.person.traits), _traits(rule.account.traits)

    def people(seen: Seen) -> Fields:
        company = account(seen)
        stated = company.pop("domain", "").split()
        domain = " ".join(dict.fromkeys(found for one in stated if (found := reading.domain_of(one))))
        return {
            "aliases": ordered(alias(kind, value) for kind, read in ids if (value := read(seen))),
            "account_refs": tuple(ref for kind, read in refs if (ref := _ref(kind, read(seen)))),
            "person_traits": person(seen),
            "account_traits": company | ({"domain": domain} if domain else {}),
        }

    return people


def _ref(kind: str, value: str) -> str:
    value = reading.domain_of(value) if kind == "domain" else value
    return f"{kind}:{value}" if value and not is_placeholder(value) else ""


def _traits(rules: dict[str, ValueRule]) -> Callable[[Seen], dict[str, str]]:
    readers = {name: reader(rule) for name, rule in rules.items()}
    return lambda seen: {name: text for name, read in readers.items() if (text := reading.text(read(seen)))}


def _words(rule: Telling) -> Part:
    def of(value: ValueRule | None) -> Reader:
        return reader(value) if value is not None else lambda seen: None

    session, element, title, text, page = (
        of(one) for one in (rule.session, rule.element, rule.title, rule.text, rule.page)
    )
    subject = text_with_holes(rule.subject)
    return lambda seen: {
        "session_id": reading.text(session(seen)),
        "element": reading.text(element(seen)),
        "title": reading.text(title(seen)),
        "text": reading.text(text(seen), reading.MAX_TEXT_CHARS),
        "page": reading.path_of(page(seen)),
        "subject": subject(seen),
    }


def _score(rule: Telling) -> Part:
    if rule.score is None or not rule.score_kind:
        return lambda seen: {}
    read, kind, paths = reader(rule.score), rule.score_kind, rule.score.path
    low, high = SCALES[kind]
    lowest, highest = rule.scale or (low, high)

    def score(seen: Seen) -> Fields:
        value = read(seen)
        if value is None:
            return {}
        found = reading.number(value)
        if found is None or not lowest <= found <= highest:
            given = f"`score` is {revealed(paths, value)}, but {kind} is a number of {lowest:g}–{highest:g}"
            raise UnmappableEvent(f"{given}; set `scale`, or name words under `values`", "wrong_value")
        scaled = low + (found - lowest) * (high - low) / (highest - lowest)
        return {"score": round(scaled, 3), "score_kind": kind}

    return score


def _properties(rule: EventRule) -> Part:
    readers = {name: reader(value) for name, value in rule.properties.items()}
    settle = _SETTLED.get(rule.action)

    def properties(seen: Seen) -> Fields:
        found: dict[str, Scalar] = {}
        for name, read in readers.items():
            if (value := read(seen)) is not None:
                found[name] = value
        return {"properties": reading.scalars(settle(rule, found) if settle is not None else found)}

    return properties


def _status(rule: EventRule, values: dict[str, Scalar]) -> dict[str, Scalar]:
    """A ticket's statuses in our words; another is refused, for no rule would know it."""
    for name in ("current", "previous"):
        if name in values:
            word = reading.text(values[name]).lower()
            if word not in STATUSES:
                given = f"`properties.{name}` is {shown(values[name])}, but a status is one of {', '.join(STATUSES)}"
                raise UnmappableEvent(f"{given}; say under its `values` what the word means", "wrong_value")
            values[name] = word
    if "current" not in values:
        raise UnmappableEvent("`properties.current` is empty: it is the ticket's status", "missing_field")
    return values


def _change(rule: EventRule, values: dict[str, Scalar]) -> dict[str, Scalar]:
    """A stage as HubSpot's are told: without blanks, in lower case."""
    value = "".join(reading.text(values.get("value")).lower().split())
    if not value:
        raise UnmappableEvent("`properties.value` is empty: it is the stage", "missing_field")
    return {"property": _CHANGES[rule.action], **values, "value": value}


def _deal_change(rule: EventRule, values: dict[str, Scalar]) -> dict[str, Scalar]:
    """A deal's stage, its outcome, or both: of an own pipeline's stage nobody knows whether it is won."""
    outcome = reading.text(values.get("outcome")).lower()
    if outcome and outcome not in OUTCOMES:
        given = f"`properties.outcome` is {shown(values['outcome'])}, but an outcome is one of {', '.join(OUTCOMES)}"
        raise UnmappableEvent(f"{given}; say under its `values` what the word means", "wrong_value")
    has_stage = values.get("value") not in (None, "")
    changed = _change(rule, values) if has_stage or not outcome else values
    return changed | ({"outcome": outcome} if outcome else {})


_SETTLED: dict[Action, Callable[[EventRule, dict[str, Scalar]], dict[str, Scalar]]] = {
    "ticket_status": _status,
    "deal_stage_changed": _deal_change,
    "lifecycle_changed": _change,
}
