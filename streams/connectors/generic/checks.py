"""What a mapping's single fields cannot know of one another, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from schemas.documents import Loc
from schemas.errors import did_you_mean, shown
from schemas.mapping import EventRule, Mapping, NamedScheme, Telling
from schemas.paths import holes, parsed
from streams.connectors import reading
from streams.connectors.generic.compiled import whole
from streams.connectors.schemes import SCHEMES
from streams.connectors.spec import is_secret
from streams.identity.aliases import OBJECT_KINDS, PERSON_KINDS

ACCOUNT_KINDS = ("crm", "group", "org", "domain")
PEOPLE = (*(kind for kind in PERSON_KINDS if kind != "mailbox"), *OBJECT_KINDS)
#: What only Touchline's own dialect may say.
_NOT_HERE = ("decision",)
#: Properties of which an action needs one: else it says nothing.
_NEEDS = {
    "ticket_status": ("current",),
    "deal_stage_changed": ("value", "outcome"),
    "lifecycle_changed": ("value",),
}
Found = tuple[Loc, str]
_HANDSHAKE_PLACE = re.compile(r"\$query\..{1,80}|[^$\[\]*\"]{1,200}")


def problems(mapping: Mapping) -> list[Found]:
    """All that is wrong with a mapping whose fields are sound."""
    found = [*_receive(mapping), *_described(mapping.shared, ("shared",))]
    for loc, name in _headers(mapping.model_dump(exclude={"examples"}), ()):
        if is_secret(name):
            found.append((loc, f"the header `{name}` may hold a secret or an address: it is never kept"))
    for index, rule in enumerate(mapping.events):
        place: Loc = ("events", index)
        found += [*_described(rule, place), *_event(whole(mapping, rule), place)]
        if not rule.when and not rule.unless and index < len(mapping.events) - 1:
            found.append(((*place, "name"), "it takes every message: give it `when`, or put it last"))
    return found


def headers_of(mapping: Mapping) -> tuple[str, ...]:
    """The headers that any path looks at, in the order of the alphabet."""
    return tuple(sorted({name for _, name in _headers(mapping.model_dump(exclude={"examples"}), ())}))


def _headers(value: object, place: Loc) -> Iterator[tuple[Loc, str]]:
    """(where it is named, the header) of every path in a mapping, and of every hole of a text."""
    if isinstance(value, dict):
        yield from (found for key, one in value.items() for found in _headers(one, (*place, key)))
    elif isinstance(value, list | tuple):
        yield from (found for at, one in enumerate(value) for found in _headers(one, (*place, at)))
    elif isinstance(value, str) and value.startswith("$header."):
        yield place, str(parsed(value).steps[0])
    elif isinstance(value, str) and "{$header." in value:
        yield from ((place, str(parsed(one).steps[0])) for one in holes(value) if one.startswith("$header."))


def _receive(mapping: Mapping) -> Iterator[Found]:
    receive, scheme = mapping.receive, mapping.receive.scheme
    if (receive.content == "query") != (receive.methods == ("GET",)):
        yield ("receive", "content"), "`content: query` and `methods: [GET]` belong together"
    for index, shake in enumerate(receive.handshakes):
        for place in filter(None, (*shake.when, shake.echo, shake.proof)):
            if not _HANDSHAKE_PLACE.fullmatch(place):
                stated = (
                    f"no place of a handshake: {shown(place)}; write `$query.challenge`, or fields as `data.challenge`"
                )
                yield ("receive", "handshakes", index), stated
    if isinstance(scheme, NamedScheme) and scheme.name not in SCHEMES:
        yield ("receive", "scheme"), f"unknown scheme `{scheme.name}`{did_you_mean(scheme.name, SCHEMES)}"


def _described(rule: Telling, place: Loc) -> Iterator[Found]:
    yield from _kinds(rule.person.ids, PEOPLE, (*place, "person", "ids"))
    yield from _kinds(rule.account.refs, ACCOUNT_KINDS, (*place, "account", "refs"))
    for part, traits in (("person", rule.person.traits), ("account", rule.account.traits)):
        yield from _sensitive(traits, (*place, part, "traits"))
    yield from _sensitive(rule.properties, (*place, "properties"))


def _kinds(named: Iterable[str], known: tuple[str, ...], place: Loc) -> Iterator[Found]:
    for kind in named:
        if kind not in known:
            yield (*place, kind), f"unknown kind of id `{kind}`{did_you_mean(kind, known)}"


def _sensitive(named: Iterable[str], place: Loc) -> Iterator[Found]:
    for name in named:
        if reading.is_sensitive(name):
            yield (*place, name), f"`{name}` is never kept: it may be an address or a secret; ids go under `person.ids`"


def _event(rule: EventRule, place: Loc) -> Iterator[Found]:
    if rule.action in _NOT_HERE:
        yield (*place, "action"), f"`{rule.action}` can be said by operators alone"
    if rule.time is None:
        yield (*place, "name"), "`time` is missing, here and in `shared`; where the sender tells none: {received: true}"
    elif rule.time.received and not rule.id.paths:
        yield (*place, "name"), "`time: {received: true}` needs an `id` of paths: else a resend would be another event"
    if rule.score is not None and not rule.score_kind:
        yield (*place, "score"), "`score_kind` is missing: nps, csat, ces or rating"
    needed = _NEEDS.get(rule.action, ())
    wanted = " or ".join(f"`properties.{name}`" for name in needed if rule.properties.keys().isdisjoint(needed))
    if rule.action == "survey_answered" and rule.score is None and rule.text is None:
        wanted = "`score` (or `text`)"
    if wanted:
        yield (*place, "action"), f"`{rule.action}` needs {wanted}"
