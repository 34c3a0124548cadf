"""PagerDuty's Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview.

`POST /v2/enqueue` with `routing_key`, `event_action`, `dedup_key` (255 characters at most) and a `payload` whose
`summary` has 1,024 at most; 202 is success. One incident is one `dedup_key`: what grows is triggered again.
"""

from __future__ import annotations

from typing import Any, Literal

import orjson

from schemas.incidents import Message
from schemas.policies import Level
from services.alerting.channels import words
from services.alerting.channels.outcome import Outcome, posted
from services.alerting.outgoing import Outgoing

_PATH = "/v2/enqueue"
_SUMMARY, _DETAIL = 1_024, 4_000
_SEVERITIES: dict[Level, str] = {"severe": "critical", "high": "error", "watch": "warning"}
Action = Literal["trigger", "resolve"]


def body(message: Message, routing_key: str, action: Action) -> dict[str, Any]:
    """The event as PagerDuty documents it."""
    links = [{"href": link, "text": said} for said, link in words.acts(message)]
    event = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"touchline:{message.incident_id}",
    }
    if action == "resolve":
        return event
    details = {**dict(words.facts(message)), **dict(words.rest(message)), "Message": words.plain(message)}
    payload = {
        "summary": words.title(message)[:_SUMMARY],
        "source": message.account_id,
        "severity": "info" if message.kind == "test" else _SEVERITIES[message.level],
        "timestamp": message.since.isoformat(),
        "component": message.touchpoint,
        "group": message.department,
        "class": message.policy,
        "custom_details": {name: value[:_DETAIL] for name, value in details.items()},
    }
    shown = {name: value for name, value in payload.items() if value}
    return (
        event
        | {"payload": shown, "links": links, "client": "Touchline"}
        | ({"client_url": message.link} if message.link else {})
    )


class PagerDuty:
    """One service of PagerDuty. Its key says which."""

    kind = "pagerduty"

    def __init__(self, name: str, url: str, routing_key: str, per_minute: int, outgoing: Outgoing) -> None:
        self.name, self.per_minute = name, per_minute
        self._url, self._key, self._outgoing = url.rstrip("/") + _PATH, routing_key, outgoing

    async def send(self, message: Message) -> Outcome:
        """Trigger, or resolve what is over; a test is resolved at once, so that nobody is paged for long."""
        outcome = await self._enqueue(message, "resolve" if message.is_over else "trigger")
        if message.kind == "test" and outcome.kind == "sent":
            return await self._enqueue(message, "resolve")
        return outcome

    async def _enqueue(self, message: Message, action: Action) -> Outcome:
        content = orjson.dumps(body(message, self._key, action))
        return await posted(self._outgoing, self._url, content, {"content-type": "application/json"}, (self._key,))
