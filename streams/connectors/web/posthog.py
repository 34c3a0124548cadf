"""PostHog's capture API: v0 (`/e/`, `/batch/`) of browsers and servers, and v1 of servers.

A person is known by `distinct_id`, in whose place browsers put a UUID of version 7 until somebody signs in. So such
an id is a browser's wherever it is seen, any other is the sender's own user id; `$identify` and alias calls tie them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson

from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import CleanTouchpoint, RawRequest, Scalar
from schemas.traffic import Consent, Device
from streams.connectors import reading
from streams.connectors.agents import MAX_AGENT_CHARS, agent_of
from streams.connectors.reading import ident, member, text
from streams.connectors.results import Ignored, Message
from streams.connectors.spec import Connector, Docs, Sample, Scope
from streams.connectors.ways import JSON, Answers, Call, Keyed, Reply, Setting
from streams.connectors.web.circumstances import PREFETCH_HEADERS, is_true, said_of
from streams.connectors.web.clock import Moment, by_clock, sending
from streams.connectors.web.events import Event
from streams.connectors.web.posthog_events import MERGES, event_of, told_of
from streams.connectors.web.posthog_people import (
    COMPANY_GROUPS,
    OF_NOBODY,
    account_refs,
    aliases_of,
    given_up,
    stated_addresses,
)
from streams.connectors.web.traits import company_traits, person_traits
from streams.connectors.web.visits import Visit, circumstances, visit
from streams.identity.aliases import NOBODY, ordered, placeholder_among

TRANSPORT = frozenset({"sent_at", "offset", "api_key", "token", "uuid"})
#: SDKs on a customer's device; all others are on servers.
_DEVICES = ("web", "js", "posthog-js", "posthog-ios", "posthog-android", "posthog-react-native", "posthog-flutter")
_MOBILE = _DEVICES[3:]
_DEVICE_TYPES: dict[str, Device] = {"Mobile": "mobile", "Tablet": "tablet", "Desktop": "desktop"}


def touchpoint(message: Message, envelope: Message, request: RawRequest) -> CleanTouchpoint | Ignored:
    """One event."""
    properties = member(message, "properties")
    name = text(message.get("event"))
    if not name:
        raise UnmappableEvent(f"`event` must name the event, not {shown(message.get('event'))}", "missing_field")
    library = _library(properties, request)
    by_server = library not in _DEVICES and not properties.get("$device_id")
    event = event_of(name, properties, by_server=by_server)
    if isinstance(event, Ignored):
        return event
    if name == "$groupidentify" and ident(properties, "$group_type") not in COMPANY_GROUPS:
        return Ignored("other_group")
    aliases = aliases_of(message, properties, library, by_server=by_server)
    when = _moment(message, envelope, properties, request)
    vendor_event_id = _event_id(message, properties)
    said = member(message, "$set_once") | member(properties, "$set_once") | member(message, "$set")
    said |= member(properties, "$set")
    came = _visit(properties)
    agent = agent_of(text(properties.get("$raw_user_agent"), MAX_AGENT_CHARS))
    return CleanTouchpoint(
        event_id=reading.event_id(request.source, vendor_event_id),
        source=request.source,
        vendor=request.vendor,
        vendor_type=name if name.startswith("$") or name == "survey sent" else f"track:{name}",
        vendor_event_id=vendor_event_id,
        action=event.action,
        occurred_at=when.occurred_at,
        received_at=request.received_at,
        clock_suspect=reading.is_suspect(when.occurred_at, request.received_at),
        aliases=ordered([*aliases, *stated_addresses(name, said, properties, aliases)] if aliases else []),
        account_refs=account_refs(name, properties),
        person_traits=person_traits(said) if aliases else {},
        account_traits=company_traits(member(properties, "$group_set")) if name == "$groupidentify" else {},
        channel=_channel(name, library, event, came),
        session_id=text(message.get("session_id")) or text(properties.get("$session_id")),
        page=_page(properties),
        element=event.element,
        subject=event.subject,
        title=event.title,
        text=event.text,
        score=event.score,
        score_kind=event.score_kind,
        properties=_properties(name, message, properties, library, when),
        url_host=reading.host_of(properties.get("$current_url")),
        agent=agent.name,
        agent_kind=agent.kind,
        device=agent.device or _DEVICE_TYPES.get(text(properties.get("$device_type")), ""),
        visit=circumstances(
            came,
            agent.browser or text(properties.get("$browser"), 40),
            properties.get("$geoip_country_code") or properties.get("$geoip_country_name"),
        ),
        flags=said_of(request, properties, consent=_consent(name, properties)),
        backfill=request.backfill or envelope.get("historical_migration") is True,
    )


def _consent(name: str, properties: Message) -> Consent | None:
    if name == "$opt_in":
        return "consented"
    return "declined" if is_true(properties.get("$opt_out")) else None


def address(message: Message, envelope: Message) -> str:
    """The visitor's network address, where a server tells it."""
    properties = message.get("properties")
    return text(properties.get("$ip")) if isinstance(properties, dict) else ""


def _library(properties: Message, request: RawRequest) -> str:
    """The SDK: `$lib`, and in v1, which leaves it out, a header (`posthog-python/7.91.1`)."""
    stated = text(properties.get("$lib")) or request.headers.get("posthog-sdk-info", "").partition("/")[0]
    return stated.lower()


# -- what, when, where


def _event_id(message: Message, properties: Message) -> str:
    """The event's UUID; of senders without one `$insert_id`, else its content."""
    stated = ident(message, "uuid") or ident(properties, "$insert_id")
    return stated or reading.content_id(message, TRANSPORT)


def _moment(message: Message, envelope: Message, properties: Message, request: RawRequest) -> Moment:
    """The event's own stamp; else when it was sent, less what it had waited (`offset`, in ms); else when it came.

    A clock that is ahead is put right by when its batch was sent (`created_at` in v1), unless the sender says that its
    stamps are no clock's, or imports history.
    """
    written = next((one for one in _sent(message, envelope) if one not in (None, "")), None)
    stamp = message.get("timestamp")
    if stamp not in (None, ""):
        stated = reading.stamp(stamp, "timestamp")
    else:
        waited = timedelta(milliseconds=min(abs(reading.number(message.get("offset")) or 0.0), 86_400_000))
        if written is None:
            return Moment(request.received_at - waited)
        stated = reading.stamp(written, "sent_at") - waited
    if not _is_by_clock(message, envelope, properties, request):
        return Moment(stated)
    return by_clock(stated, sending(written), request.received_at)


def _sent(message: Message, envelope: Message) -> tuple[object, ...]:
    return message.get("sent_at"), envelope.get("sent_at"), envelope.get("created_at")


def _is_by_clock(message: Message, envelope: Message, properties: Message, request: RawRequest) -> bool:
    if request.backfill or envelope.get("historical_migration") is True:
        return False
    options = message.get("options")
    skew_counts = not (isinstance(options, dict) and options.get("disable_skew_correction") is True)
    return skew_counts and properties.get("$ignore_sent_at") is not True


def _page(properties: Message) -> str:
    found = next(
        (properties[name] for name in ("$pathname", "$current_url", "$screen_name") if properties.get(name)), ""
    )
    return reading.path_of(found)


def _channel(name: str, library: str, event: Event, came: Visit) -> str:
    if library in _MOBILE or name == "$screen":
        return "mobile"
    return (came.channel if event.action == "page_view" else "") or "web"


def _visit(properties: Message) -> Visit:
    """How the visitor came; in an app of one page the referrer stays, so how it moved counts first."""
    address, referrer = text(properties.get("$current_url"), 2_000), properties.get("$referrer")
    if text(properties.get("navigation_type")) == "pushState":
        referrer = address
    return visit(address, referrer, {}, properties)


def _properties(name: str, message: Message, properties: Message, library: str, when: Moment) -> dict[str, Scalar]:
    """The sender's own; what the SDK adds to each event begins with `$`."""
    without = ("token", "distinct_id", "alias" if name in MERGES else "")
    own = {key: value for key, value in properties.items() if key[:1] != "$" and key not in without}
    found = {**when.notes, **told_of(name, properties)} | (
        given_up(message, properties, library) if name in MERGES else {}
    )
    stated = ident(message, "distinct_id") or ident(properties, "distinct_id")
    if nobody := (stated if stated in OF_NOBODY else placeholder_among(stated, ident(properties, "$device_id"))):
        found[NOBODY] = nobody
    return reading.scalars({**found, **own})


# -- the protocol

V0 = Reply(b'{"status":1}', JSON)
V1 = Reply(b'{"results":{}}', JSON)
"""Events that are not among the results are accepted."""
_NAMES = ("api_key", "token", "properties.token")


def remote_config(key: str, source: str, public_base_url: str) -> dict[str, Any]:
    """What posthog-js loads before it starts: what to capture. Everything that needs PostHog itself is off."""
    return {
        "supportedCompression": ["gzip", "gzip-js"],
        "autocapture_opt_out": False,
        "captureDeadClicks": True,
        "autocaptureExceptions": True,
        "capturePerformance": {"web_vitals": True, "network_timing": False},
        "hasFeatureFlags": False,
        "sessionRecording": False,
        "heatmaps": False,
        "surveys": False,
        "conversations": False,
        "productTours": False,
        "siteApps": [],
        "toolbarParams": {},
        "isAuthenticated": False,
        "defaultIdentifiedOnly": True,
        "elementsChainAsString": False,
    }


def remote_script(key: str, source: str, public_base_url: str) -> Reply:
    """The same as the script that some builds load first."""
    given = orjson.dumps({"config": remote_config(key, source, public_base_url), "siteApps": []})
    place = b"window._POSTHOG_REMOTE_CONFIG"
    body = b"%s=%s||{};%s[%s]=%s;" % (place, place, place, orjson.dumps(key), given)
    return Reply(body, b"text/javascript; charset=utf-8", ((b"x-content-type-options", b"nosniff"),))


def flags(key: str, source: str, public_base_url: str) -> dict[str, Any]:
    """No feature flags; older SDKs ask for the configuration in the same call."""
    none = {"flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False}
    return remote_config(key, source, public_base_url) | none


def sample(now: datetime) -> Sample:
    """A page seen by somebody known."""
    event = {
        "event": "$pageview",
        "uuid": f"018f0000-0000-7000-8000-{int(now.timestamp()):012d}",
        "distinct_id": "sample-user",
        "timestamp": (now - timedelta(seconds=2)).isoformat(),
        "options": {},
        "properties": {"$pathname": "/pricing", "title": "Pricing", "$groups": {"company": "sample"}},
    }
    headers = (("posthog-sdk-info", "posthog-js/1.449.2"), ("posthog-attempt", "1"))
    body = orjson.dumps({"created_at": now.isoformat(), "batch": [event]}).decode()
    return Sample(body, path="/i/v1/analytics/events", headers=headers)


def _v0(path: str) -> Call:
    keys = ("body", "query")
    return Call(path, ("POST", "GET"), True, keys=keys, key_names=_NAMES, wrapped_in="data", ok=V0)  # type: ignore[arg-type]


def _asked(path: str) -> Setting:
    return Setting(path, flags, methods=("POST", "GET"), key_names=_NAMES, wrapped_in="data")


CONNECTOR = Connector(
    name="posthog",
    versions=("v0", "v1"),
    ways_in=(
        Keyed(
            (
                *map(_v0, ("/e", "/batch", "/capture", "/track", "/i/v0/e", "/i/v0/ai/batch")),
                Call("/i/v1/analytics/events", batch=True, keys=("bearer",)),
            ),
            settings=(
                Setting("/array/{key}/config", remote_config, unknown=404),
                Setting("/array/{key}/config.js", remote_script, unknown=404),
                _asked("/flags"),
                _asked("/decide"),
            ),
            swallowed=("/s",),
        ),
    ),
    mapping=9,
    keep_headers=("posthog-sdk-info", *PREFETCH_HEADERS),
    map=touchpoint,
    batch_key="batch",
    address=address,
    answers=Answers(ok=V1),
    feeds=(
        *("page_view", "click", "form", "client_error", "product_event", "event"),
        *("survey", "words", "person", "organisation"),
    ),
    ids=Scope(accounts=("group", "crm")),
    docs=Docs(
        title="PostHog's SDKs",
        setup=(
            "Make a project key (any text nobody guesses; SDKs expect `phc_…`) and put it into the source's secret.",
            "Point your SDK at the gateway:\n"
            "   - posthog-python: `Posthog(KEY, host=GATEWAY)`, with or without `capture_mode='v1'`\n"
            "   - posthog-node: `new PostHog(KEY, {host: GATEWAY})`\n"
            "   - posthog-js: `posthog.init(KEY, {api_host: GATEWAY})`, of the build that holds everything: "
            "`import posthog from 'posthog-js/dist/module.full.no-external'`, or `array.full.no-external.js` as a "
            "script of your own. Other builds load dead clicks, exceptions and web vitals later, from the gateway, "
            "which has them not, and do without.",
        ),
        settings="Who is a company's member is told by `group()` or `groupIdentify()` with the person's id, of the "
        f"group types {', '.join(f'`{kind}`' for kind in COMPANY_GROUPS)}. What `$groups` names counts for that event "
        "alone.",
        limits="A body of 4,000 KiB, unpacked. There are no feature flags, recordings, surveys or toolbar: they are "
        "answered as switched off.",
        reads="`$pageview` and `$screen` are views. `$autocapture`, `$rageclick` and `$dead_click` are clicks; "
        "`change` and `submit` within a form are its fields touched and the form sent. `$exception` is an error that "
        "the visitor had; one that a server reports is an event of its own. `$web_vitals` tells slow pages. `survey "
        "sent` is a survey: its score is NPS, CSAT or CES if its name says so, else a rating of 1–5. All other events "
        "that begin with `$` are ignored and counted: page leaves, recordings, heatmaps, flags. Events of your own are "
        "`track:NAME` to the blueprint, as those of Segment. A `distinct_id` that is a UUID of version 7 is a "
        "browser's, all others are your user ids; `$identify` and alias calls tie them; `$set` and `$set_once` tell "
        "address, name, title. What a server sends of nobody (no `distinct_id`, or `group_identify` without one) makes "
        "no person.",
    ),
    sample=sample,
)
