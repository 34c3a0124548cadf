"""Alertmanager's API v2, POST /api/v2/alerts: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml.

An alert's identity is its labels. `endsAt` is always given: while an incident is open it is sent again and again, three
refreshes ahead; without the word of this service it ends by itself. Every replica gets it; they agree among themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from schemas.incidents import Message
from schemas.policies import LEVELS, Level
from services.alerting.channels import words
from services.alerting.channels.outcome import Outcome, posted
from services.alerting.outgoing import Outgoing

_PATH = "/api/v2/alerts"
_AHEAD = 3
_TEST_LASTS_S = 60.0


def _now() -> datetime:
    return datetime.now(UTC)


def alert(message: Message, level: Level, ends_at: datetime) -> dict[str, Any]:
    """One alert. What differs from one sending to the next stands in the annotations."""
    labels = {
        "alertname": "TouchlineIncident",
        "incident": message.incident_id,
        "policy": message.policy,
        "severity": level,
        "phase": message.phase,
        "touchpoint": message.touchpoint_type,
        "account_tier": message.tier,
        "department": message.department,
        "moment_of_truth": str(message.moment_of_truth).lower(),
    }
    annotations = {
        "summary": words.title(message),
        "description": words.plain(message),
        "account": message.account,
        "runbook": message.runbook,
        "taken_by": message.taken_by,
        "act": message.act,
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": message.since.isoformat(),
        "endsAt": ends_at.isoformat(),
        **({"generatorURL": message.link} if message.link else {}),
    }


class Alertmanager:
    """All replicas of one Alertmanager."""

    kind = "alertmanager"

    def __init__(  # noqa: PLR0913 - the replicas and how they are reached
        self,
        name: str,
        urls: Sequence[str],
        per_minute: int,
        refresh_s: float,
        outgoing: Outgoing,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.name, self.per_minute, self.refresh_s = name, per_minute, refresh_s
        self._urls = [url.rstrip("/") + _PATH for url in urls]
        self._outgoing, self._clock = outgoing, clock

    async def send(self, message: Message) -> Outcome:
        """What the message says now; the level it had before, if it changed, ends."""
        now = self._clock()
        ahead = timedelta(seconds=_TEST_LASTS_S if message.kind == "test" else self.refresh_s * _AHEAD)
        is_over = message.is_over
        alerts = [alert(message, message.level, now if is_over else now + ahead)]
        alerts += [alert(message, level, now) for level in LEVELS if message.kind == "grown" and level != message.level]
        return await self._send(alerts)

    async def refresh(self, open_now: Sequence[Message]) -> Outcome:
        """Say that these are still open."""
        ends_at = self._clock() + timedelta(seconds=self.refresh_s * _AHEAD)
        return await self._send([alert(message, message.level, ends_at) for message in open_now])

    async def _send(self, alerts: list[dict[str, Any]]) -> Outcome:
        """Sent when any replica took it: it passes it on to the others, and so does the next refresh."""
        content, headers = orjson.dumps(alerts), {"content-type": "application/json"}
        outcomes = await asyncio.gather(*(posted(self._outgoing, url, content, headers) for url in self._urls))
        failed = [f"replica {n}: {one.words}" for n, one in enumerate(outcomes) if one.kind != "sent"]
        said = "; ".join(failed)[:200]
        if len(failed) < len(outcomes):
            return Outcome("sent", f"{len(outcomes) - len(failed)} of {len(outcomes)} took it. {said}".strip())
        return Outcome(outcomes[0].kind, said, outcomes[0].after_s)
