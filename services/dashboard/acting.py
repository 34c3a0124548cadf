"""What people do about incidents: an action goes through the gateway into its log, where everybody learns of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote, unquote
from uuid import uuid4

from pydantic import ValidationError
from starlette.responses import Response

from schemas.errors import ConfigurationError
from schemas.incidents import MAX_EVENTS, TRIAL, IncidentAction, Verb
from services.dashboard.answers import Gateway
from services.dashboard.params import one_of, refuse
from streams.connectors.own import touchline

VERBS: tuple[Verb, ...] = ("take", "assign", "note", "silence", "done")
MAX_NAME_CHARS = 80
NAME_COOKIE = "touchline_name"
_A_YEAR_S = 365 * 86_400
SPANS: dict[str, timedelta] = {
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
SPAN_WORDS = {"4h": "4 hours", "1d": "a day", "3d": "3 days", "7d": "a week", "30d": "30 days"}
_audit = logging.getLogger("touchline.audit")


class Act(Protocol):
    """Where actions go."""

    async def __call__(self, action: IncidentAction) -> None:
        """It is in the log once this returns. Raises GatewayAway, ConfigurationError."""


async def not_configured(action: IncidentAction) -> None:
    """Where there is nobody to send as."""
    raise ConfigurationError(
        "taking, notes and the rest need a source with `vendor: touchline` whose secret this process can read"
    )


class ToLog:
    """Actions through a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, action: IncidentAction) -> None:
        await self._gateway.post(touchline.ACTIONS_PATH, action.encoded())


def trial_of(fields: Mapping[str, object], channels: Collection[str], now: datetime) -> IncidentAction:
    """A wish to try a channel, by `channel` and `by`; the alerts process hears of it. Raises BadParameter."""
    channel = one_of("channel", str(fields.get("channel", "")), tuple(channels))
    name = _name("by", fields)
    return IncidentAction(
        action_id=str(uuid4()), at=now, by=name, verb="test", events=(f"{TRIAL}{channel}",), to=channel
    )


def action_of(fields: Mapping[str, object], events: tuple[str, ...], now: datetime) -> IncidentAction:
    """What a form or a program asks for: `verb`, `by`, and `to`, `until` or `text`. Raises BadParameter."""
    verb = one_of("verb", str(fields.get("verb", "")), VERBS)
    made: dict[str, object] = {
        "action_id": str(uuid4()),
        "at": now,
        "by": _name("by", fields),
        "verb": verb,
        "events": events[:MAX_EVENTS],
        "text": str(fields.get("text") or "").strip(),
    }
    if verb == "assign":
        made["to"] = _name("to", fields)
    if verb == "silence":
        made["until"] = _until(str(fields.get("until", "")), now)
    try:
        return IncidentAction.model_validate(made)
    except ValidationError:
        refuse("text", str(made["text"])[:100], "a note of 1 to 2,000 characters")


def written(action: IncidentAction, incident_id: str, account_id: str) -> None:
    """The line of the audit: who did what about which incident; the note itself stays in the log of actions."""
    _audit.info(
        "%s: %s",
        action.verb,
        incident_id,
        extra={"by": action.by, "account": account_id, "to": action.to, "until": str(action.until or "")},
    )


def named(answer: Response, by: str, scheme: str) -> Response:
    """Remembers who this browser's user says to be, so that it need not be written again."""
    name = by.strip()
    if 0 < len(name) <= MAX_NAME_CHARS:
        secure = scheme == "https"
        answer.set_cookie(NAME_COOKIE, quote(name), max_age=_A_YEAR_S, httponly=True, samesite="lax", secure=secure)
    return answer


def remembered_name(cookies: Mapping[str, str]) -> str:
    """Who this browser's user said to be; empty: not known."""
    return unquote(cookies.get(NAME_COOKIE, ""))[:MAX_NAME_CHARS]


def _name(field: str, fields: Mapping[str, object]) -> str:
    name = str(fields.get(field) or "").strip()
    if not 0 < len(name) <= MAX_NAME_CHARS:
        refuse(field, name[:100], f"a name of 1 to {MAX_NAME_CHARS} characters")
    return name


def _until(text: str, now: datetime) -> datetime:
    if text in SPANS:
        return now + SPANS[text]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at <= now:
        refuse("until", text[:100], f"{', '.join(SPANS)}, or a time ahead with its zone: 2026-12-01T08:00:00Z")
    return at
