"""The message format Segment and RudderStack share: identify, track, page, screen, group, alias.

When it happened is told in `clock`. Where a message has neither a stamp nor a `messageId`, the `sentAt` that gave its
time is part of its identity; `received_at` never is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, NamedTuple, get_args

from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest, Scalar
from schemas.traffic import Device
from streams.connectors import reading
from streams.connectors.agents import MAX_AGENT_CHARS, agent_of
from streams.connectors.reading import MAX_ID_CHARS, MAX_TEXT_CHARS, first_text, ident, member, text
from streams.connectors.results import Message
from streams.connectors.web.circumstances import consent_of, said_of
from streams.connectors.web.clock import Moment, moment
from streams.connectors.web.events import Event, page_event, track_event
from streams.connectors.web.traits import company_traits, person_traits
from streams.connectors.web.visits import Visit, circumstances, of_page
from streams.identity.aliases import NOBODY, alias, is_email, ordered, placeholder_among
from streams.identity.placeholders import is_placeholder

Kind = Literal["track", "identify", "page", "screen", "group", "alias", "delete"]
KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_PATH_KINDS = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"}
#: Fields that say how a message travelled, not what happened.
TRANSPORT = frozenset({"sentAt", "_metadata", "receivedAt", "request_ip", "writeKey", "rudderId", "retryCount"})

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_STATUS = ("status_code", "statusCode", "http_status")
#: Channels that say no more than that it is a page.
_UNSAID = ("web", "browser")
_COUNTRIES = ("country", "country_code", "countryCode")
_TAGS = ("tag", "tag_name", "tagName")
#: `<input>` elements nobody types into.
_PUSHED = frozenset({"button", "checkbox", "image", "radio", "reset", "submit"})


class _Parts(NamedTuple):
    """The places fields of one message are looked for."""

    kind: Kind
    context: dict[str, Any]
    traits: dict[str, Any]
    context_traits: dict[str, Any]
    properties: dict[str, Any]
    page: dict[str, Any]
    user_id: str
    anonymous_id: str
    on_phone: bool


def touchpoint(message: Message, envelope: Message, request: RawRequest) -> CleanTouchpoint:
    """One message in our words; raises UnmappableEvent for what cannot be a touchpoint."""
    parts = _parts(message, envelope, request)
    when = moment(message, envelope, request)
    agent = agent_of(text(parts.context.get("userAgent"), MAX_AGENT_CHARS))
    vendor_event_id = _message_id(message, envelope, parts.kind, when.stamped_by)
    event = _event(message, parts)
    refs = _account_refs(message, parts)
    came = of_page(parts.page, parts.properties, parts.context)
    known = _known(parts.anonymous_id, parts.user_id, _stated(parts, "email"), _stated(parts, "phone"))
    return CleanTouchpoint(
        event_id=reading.event_id(request.source, vendor_event_id),
        source=request.source,
        vendor=request.vendor,
        vendor_type=f"{parts.kind}:{event.name}" if event.name else parts.kind,
        vendor_event_id=vendor_event_id,
        action=event.action,
        occurred_at=when.occurred_at,
        received_at=request.received_at,
        clock_suspect=reading.is_suspect(when.occurred_at, request.received_at),
        aliases=_aliases(message, parts, known),
        account_refs=refs,
        person_traits=_person_traits(parts),
        account_traits=_account_traits(parts),
        channel=_channel(message, parts, event, came),
        session_id=_session_id(parts),
        page=_page(parts),
        element=event.element,
        subject=event.subject,
        title=event.title,
        text=event.text,
        score=event.score,
        score_kind=event.score_kind,
        properties=_properties(message, parts, event, when, known),
        url_host=_url_host(parts),
        agent=agent.name,
        agent_kind=agent.kind,
        device=agent.device or _device(parts),
        visit=circumstances(came, agent.browser, first_text((member(parts.context, "location"),), _COUNTRIES)),
        flags=said_of(
            request,
            parts.context,
            parts.properties,
            test=parts.context.get("test") is True,
            consent=consent_of(parts.context),
        ),
        backfill=request.backfill,
    )


def address(message: Message, envelope: Message) -> str:
    """The visitor's network address, as the sender saw it."""
    for place in (message, envelope):
        context = place.get("context")
        found = context.get("ip") if isinstance(context, dict) else None
        if isinstance(found, str) and found:
            return found
    found = message.get("request_ip")
    return found if isinstance(found, str) else ""


def _parts(message: Message, envelope: Message, request: RawRequest) -> _Parts:
    shared, own = member(envelope, "context"), member(message, "context")
    context = {**shared, **own} if shared else own
    parts = _Parts(
        kind=_kind(message, request.path),
        context=context,
        traits=member(message, "traits"),
        context_traits=member(context, "traits"),
        properties=member(message, "properties"),
        page=member(context, "page"),
        user_id=ident(message, "userId"),
        anonymous_id=ident(message, "anonymousId"),
        on_phone=_on_phone(context),
    )
    if not parts.user_id and not parts.anonymous_id:
        raise UnmappableEvent("neither `userId` nor `anonymousId` is given", "no_identity")
    return parts


def _kind(message: Message, path: str) -> Kind:
    """The message's own type, else the one its path implies (`/v1/track`, `/v1/t`)."""
    found = message.get("type")
    if found is None:
        last = path.rstrip("/").rpartition("/")[2]
        found = _PATH_KINDS.get(last, last)
    if isinstance(found, str) and found in KINDS:
        return KINDS[found]
    raise UnmappableEvent(f"`type` must be one of {', '.join(sorted(KINDS))}, not {shown(found)}", "unknown_type")


def _message_id(message: Message, envelope: Message, kind: str, stamped_by: str) -> str:
    found = ident(message, "messageId")
    if found:
        return found
    content = {**message, "type": kind, "context": {**member(envelope, "context"), **member(message, "context")}}
    if stamped_by:
        content["timestamp"] = stamped_by
    return reading.content_id(content, TRANSPORT)


def _event(message: Message, parts: _Parts) -> Event:
    if parts.kind == "track":
        name = text(message.get("event"))
        if not name:
            raise UnmappableEvent(f"`event` must name the event, not {shown(message.get('event'))}", "missing_field")
        return track_event(name, parts.properties)
    if parts.kind in ("page", "screen"):
        return page_event(text(message.get("name")), parts.properties, parts.page)
    if parts.kind in ("identify", "delete"):  # a deletion says who, and that they ask to be erased
        return Event("identify")
    return Event("group" if parts.kind == "group" else "alias")


class _Known(NamedTuple):
    """Who the sender's ids say it is, and the id that names nobody, as it is reported."""

    aliases: tuple[Alias, ...]
    nobody: str


@lru_cache(maxsize=16_384)
def _known(anonymous_id: str, user_id: str, emails: tuple[str, ...], phones: tuple[str, ...]) -> _Known:
    """What one person's ids mean: they come together again and again."""
    found = [
        alias("anonymous", anonymous_id) if anonymous_id else None,
        alias("user", user_id) if user_id else None,
        alias("email", user_id) if "@" in user_id else None,
        *(alias("email", value) for value in emails),
        *(alias("phone", value) for value in phones),
    ]
    return _Known(ordered(found), placeholder_among(anonymous_id, user_id))


def _stated(parts: _Parts, kind: Literal["email", "phone"]) -> tuple[str, ...]:
    """The actor's own; an address among the properties may be a colleague's, so it counts only when alone."""
    # A group's traits speak of the company: its address is nobody's.
    places = (parts.context_traits,) if parts.kind == "group" else (parts.traits, parts.context_traits)
    found = [value for place in places if isinstance(value := place.get(kind), str)]
    if not found and isinstance(value := parts.properties.get(kind), str):
        found = [value]
    bare = [value.strip() for value in found]
    return tuple([value if len(value) <= MAX_ID_CHARS else "" for value in bare])  # a longer one is nobody's


def _aliases(message: Message, parts: _Parts, known: _Known) -> tuple[Alias, ...]:
    if parts.kind != "alias":
        return known.aliases
    return ordered((*known.aliases, _previous(message), _given_up(message)))


def _previous(message: Message) -> Alias | None:
    """The id an alias call gives up: by far most often the anonymous one, else an address."""
    previous = ident(message, "previousId")
    if not previous:
        raise UnmappableEvent("an alias call needs `previousId`", "missing_field")
    return alias("email" if is_email(previous) else "anonymous", previous)


def _given_up(message: Message) -> Alias | None:
    """The user id an alias call may give up; what browsers make for themselves (UUIDs) is nobody's user id."""
    previous = ident(message, "previousId")
    is_other = previous != ident(message, "userId") and "@" not in previous and not _UUID.fullmatch(previous)
    return alias("user", previous) if is_other else None


def _account_refs(message: Message, parts: _Parts) -> tuple[str, ...]:
    """Accounts the message itself names: a CRM id first, then groups."""
    company = parts.traits.get("company")
    places = (parts.properties, parts.traits, parts.context)
    named = [("crm", ident(place, "crm_account_id")) for place in places if "crm_account_id" in place]
    if parts.kind == "group":
        group_id = ident(message, "groupId")
        if not group_id:
            raise UnmappableEvent("a group call needs `groupId`", "missing_field")
        named.append(("group", group_id))
    if "groupId" in parts.context:
        named.append(("group", ident(parts.context, "groupId")))
    if isinstance(company, dict):
        named.append(("group", ident(company, "id")))
    if not named:
        return ()
    kept = [f"{kind}:{value}" for kind, value in named if value and not is_placeholder(value)]
    return tuple(dict.fromkeys(kept))


def _account_traits(parts: _Parts) -> dict[str, str]:
    if parts.kind == "group":
        place = parts.traits
    else:
        company = parts.traits.get("company") or parts.context_traits.get("company")
        if isinstance(company, str):
            return {"name": company.strip()[:200]} if company.strip() else {}
        place = company if isinstance(company, dict) else {}
    return company_traits(place)


def _person_traits(parts: _Parts) -> dict[str, str]:
    # a group's traits speak of the company
    return person_traits(*(() if parts.kind == "group" else (parts.traits,)), parts.context_traits)


def _channel(message: Message, parts: _Parts, event: Event, came: Visit) -> str:
    """What the sender says (`properties.channel`, RudderStack's `channel`), else how a page's visitor came."""
    stated = (text(parts.properties.get("channel"), 40) or text(message.get("channel"), 40)).lower()
    if stated and not (event.action == "page_view" and stated in _UNSAID):
        return stated
    if parts.kind == "screen":
        return stated or "mobile"
    return (came.channel if event.action == "page_view" else "") or stated or "web"


def _properties(message: Message, parts: _Parts, event: Event, when: Moment, known: _Known) -> dict[str, Scalar]:
    """What the sender says, and first what we say ourselves of how it came about."""
    ours = {**when.notes, **_circumstances(parts, event)}
    if known.nobody:
        ours[NOBODY] = known.nobody
    if parts.kind == "alias" and (given_up := _given_up(message)):
        ours["given_up"] = given_up
    if not ours:
        return reading.scalars(parts.properties)
    return dict(islice((ours | reading.scalars(parts.properties) | ours).items(), reading.MAX_PROPERTIES))


def _circumstances(parts: _Parts, event: Event) -> dict[str, Scalar]:
    """What rules ask and the sender did not say in our words: how it was answered, by a link, on a phone, on what."""
    found: dict[str, Scalar] = {}
    properties = parts.properties
    if properties and "status" not in properties and (status := first_text((properties,), _STATUS)):
        found["status"] = status
    if parts.kind in ("page", "screen") and "navigation" not in properties and _by_link(parts):
        found["navigation"] = "link"
    if parts.on_phone and "device" not in properties:
        found["device"] = "mobile"
    if event.action == "click" and "element_type" not in properties and (kind := _element_type(parts)):
        found["element_type"] = kind
    return found


def _element_type(parts: _Parts) -> str:
    """The clicked element's tag; an input that is pushed like a button is no input."""
    tag = first_text((parts.properties,), _TAGS).lower()
    kind = first_text((parts.properties,), ("input_type", "type")).lower()
    return "button" if tag == "input" and kind in _PUSHED else tag


def _by_link(parts: _Parts) -> bool:
    """The page before was one of the same site."""
    places = (parts.properties, parts.page)
    here = first_text(places, ("url",), MAX_TEXT_CHARS).partition("://")[2]
    if not here:
        return False
    there = first_text(places, ("referrer",), MAX_TEXT_CHARS).partition("://")[2]
    return here.partition("/")[0] == there.partition("/")[0]


def _on_phone(context: dict[str, Any]) -> bool:
    hints, device = context.get("userAgentData"), context.get("device")
    kind = device.get("type") if isinstance(device, dict) else ""
    return (isinstance(hints, dict) and hints.get("mobile") is True) or kind in ("ios", "android", "mobile")


def _device(parts: _Parts) -> Device:
    device = parts.context.get("device")
    if isinstance(device, dict) and reading.text(device.get("type")).lower() == "tablet":
        return "tablet"
    return "mobile" if parts.on_phone else ""


def _session_id(parts: _Parts) -> str:
    stated = text(parts.context.get("sessionId")) or text(parts.properties.get("session_id"))
    session = parts.context.get("session")
    return stated or (text(session.get("id")) if isinstance(session, dict) else "")


def _page(parts: _Parts) -> str:
    page, properties = parts.page, parts.properties
    return (
        reading.path_of(page.get("path"))
        or reading.path_of(properties.get("path"))
        or reading.path_of(page.get("url"))
        or reading.path_of(properties.get("url"))
        or reading.path_of(properties.get("page_location"))
    )


def _url_host(parts: _Parts) -> str:
    page, properties = parts.page, parts.properties
    return (
        reading.host_of(page.get("url"))
        or reading.host_of(properties.get("url"))
        or reading.host_of(properties.get("page_location"))
    )
