"""Opsgenie's Alert API, which others speak too: https://docs.opsgenie.com/docs/alert-api.

`POST /v2/alerts` with `Authorization: GenieKey …`: a `message` of at most 130 characters, an `alias` of 512 that is the
alert's identity, a `description` of 15,000, `priority` P1 to P5; 202 is success. `POST /v2/alerts/ALIAS/close` ends it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from schemas.incidents import Message
from schemas.policies import Level
from services.alerting.channels import words
from services.alerting.channels.outcome import Outcome, posted
from services.alerting.outgoing import Outgoing

_PATH = "/v2/alerts"
_MESSAGE, _DESCRIPTION, _DETAIL, _TAG = 130, 15_000, 1_000, 50
_PRIORITIES: dict[Level, str] = {"severe": "P1", "high": "P2", "watch": "P3"}


def alias(message: Message) -> str:
    """The same for every message of an incident."""
    return f"touchline-{message.incident_id}"


def body(message: Message) -> dict[str, Any]:
    """The alert as Opsgenie documents it. One that is sent again is counted there, not doubled."""
    details = {name: value[:_DETAIL] for name, value in words.facts(message)}
    return {
        "message": words.title(message)[:_MESSAGE],
        "alias": alias(message),
        "description": words.plain(message)[:_DESCRIPTION],
        "priority": "P5" if message.kind == "test" else _PRIORITIES[message.level],
        "entity": message.account_id,
        "source": "Touchline",
        "tags": [tag[:_TAG] for tag in (message.policy, message.phase, message.department) if tag],
        "details": details,
    }


class Opsgenie:
    """One integration of Opsgenie, or of what speaks as it does."""

    kind = "opsgenie"

    def __init__(self, name: str, url: str, key: str, per_minute: int, outgoing: Outgoing) -> None:
        self.name, self.per_minute = name, per_minute
        self._url, self._key, self._outgoing = url.rstrip("/") + _PATH, key, outgoing

    async def send(self, message: Message) -> Outcome:
        """Open it or send it again; close what is over. A test is opened and closed."""
        if not message.is_over:
            outcome = await self._post("", body(message))
            if outcome.kind != "sent" or message.kind != "test":
                return outcome
        note = {"source": "Touchline", "note": message.remark or words.title(message)}
        return await self._post(f"/{quote(alias(message), safe='')}/close?identifierType=alias", note)

    async def _post(self, path: str, content: dict[str, Any]) -> Outcome:
        headers = {"content-type": "application/json", "authorization": f"GenieKey {self._key}"}
        return await posted(self._outgoing, self._url + path, orjson.dumps(content), headers, (self._key,))
