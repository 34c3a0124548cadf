"""What people did about incidents and what they were told, as three topics of Kafka have it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from datetime import datetime

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.config import KafkaConfig
from schemas.incidents import ACTIONS, DELIVERIES, Delivery, IncidentAction, Thread, is_desk
from streams.incidents.actions import ActionLog
from streams.runtime.decode import decode
from streams.runtime.follower import Follower

NEWEST = 5_000
_CLIENT = "touchline-dashboard-board"
_THREADS = TypeAdapter(tuple[Thread, ...])
_log = logging.getLogger(__name__)


class Board:
    """Kept in memory; `version` counts what was learned. A record that comes twice changes nothing."""

    def __init__(self) -> None:
        self.log = ActionLog()
        self.version = 0
        self._threads: dict[str, tuple[Thread, ...]] = {}
        self._lines: deque[Delivery] = deque(maxlen=NEWEST)

    def act(self, action: IncidentAction) -> None:
        """Known at once to whoever did it, before it comes back from Kafka."""
        self.log.learn(action)
        self.version += 1

    def notes(self, events: Iterable[str]) -> list[IncidentAction]:
        """What was done about the incident of this evidence, oldest first."""
        return self.log.about(events)

    def threads(self, account_id: str) -> tuple[Thread, ...]:
        """What people were told about the account's incidents."""
        return self._threads.get(account_id, ())

    def thread(self, thread_id: str) -> Thread | None:
        """One conversation."""
        return next((one for mine in self._threads.values() for one in mine if one.thread_id == thread_id), None)

    def deliveries(self, incident_id: str = "") -> list[Delivery]:
        """Lines of the delivery log, the newest first: of one incident, or all."""
        return [line for line in reversed(self._lines) if incident_id in ("", line.incident_id)]

    def learn_action(self, key: str, value: bytes | None) -> None:
        for _, action in decode(value or b"[]", ACTIONS).items:
            self.act(action)

    def learn_desk(self, account_id: str, value: bytes | None) -> None:
        if not is_desk(account_id):
            return
        before = self._threads.pop(account_id, ())
        try:
            threads = _THREADS.validate_python(orjson.loads(value)[0]["threads"]) if value else ()
        except (ValidationError, ValueError, KeyError, IndexError):
            _log.error("a desk of another version is left out", extra={"account": account_id})
            return
        if threads:
            self._threads[account_id] = threads
        self.version += threads != before

    def learn_delivery(self, key: str, value: bytes | None) -> None:
        for _, line in decode(value or b"[]", DELIVERIES).items:
            self._lines.append(line)
            self.version += 1

    async def run(self, kafka: KafkaConfig) -> None:
        """Follow the topics until cancelled."""
        followers = (
            Follower(kafka, "incidents.actions.v1", self.learn_action, _CLIENT),
            Follower(kafka, "alerts.desks.v1", self.learn_desk, _CLIENT),
            Follower(kafka, "alerts.deliveries.v1", self.learn_delivery, _CLIENT, newest=NEWEST),
        )
        await asyncio.gather(*(follower.run() for follower in followers))


def undelivered(lines: Iterable[Delivery], since: datetime) -> list[Delivery]:
    """What nobody heard of since then: no channel wanted it, or one gave it up."""
    return [line for line in lines if line.at >= since and line.outcome in ("nobody", "gave_up")]
