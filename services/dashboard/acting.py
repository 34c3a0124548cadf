"""What people do about incidents: an action goes through the gateway into its log, where everybody learns of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol, get_args
from uuid import uuid4

from pydantic import ValidationError

from schemas.errors import ConfigurationError
from schemas.incidents import MAX_EVENTS, IncidentAction, Verb
from services.dashboard.answers import Gateway
from services.dashboard.params import one_of, refuse
from streams.connectors.own import touchline

VERBS: tuple[Verb, ...] = get_args(Verb)
MAX_NAME_CHARS = 80
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
