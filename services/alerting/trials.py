"""Tries a channel because somebody on the page wants to know whether it works; the answer stands in the delivery log.

The wish comes by the log of actions, which everybody reads from its beginning: what is older than a moment is history,
and of several processes the one that holds the first partition sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from schemas.incidents import ACTIONS, IncidentAction
from services.alerting.channels.outcome import Outcome, Sender
from services.alerting.deliveries import Deliveries
from streams.incidents.messages import trial
from streams.runtime.decode import decode

FRESH: Final = timedelta(minutes=2)
MOST_WAITING: Final = 20
_SAID: Final[Mapping[str, Literal["sent", "gave_up"]]] = {"sent": "sent"}


class Trials:
    """`is_mine`: whether this process is the one that sends."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        deliveries: Deliveries,
        where: str,
        clock: Callable[[], datetime],
        is_mine: Callable[[], bool],
    ) -> None:
        self._senders, self._deliveries, self._where = senders, deliveries, where
        self._clock, self._is_mine = clock, is_mine
        self._wanted: asyncio.Queue[IncidentAction] = asyncio.Queue(MOST_WAITING)

    def learn(self, value: bytes | None) -> None:
        """A record of the log of actions. More wishes than can wait are left out."""
        for _, action in decode(value or b"[]", ACTIONS).items:
            if action.verb == "test" and self._clock() - action.at <= FRESH and not self._wanted.full():
                self._wanted.put_nowait(action)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.step()

    async def step(self) -> None:
        """Wait for a wish, and send once: nothing is tried again."""
        action = await self._wanted.get()
        if not self._is_mine():
            return
        now, sender = self._clock(), self._senders.get(action.to)
        message = trial(self._where, action.by, now)
        outcome = await sender.send(message) if sender else Outcome("final", "no such channel is configured here")
        said = _SAID.get(outcome.kind, "gave_up")
        await self._deliveries.attempted(message, action.to, said, now, 1, outcome.words)
