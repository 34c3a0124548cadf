"""The feed: waits for the gateway, sends the history in order of time, then goes on live until it is cancelled."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

import httpx
from pydantic import Field

from schemas.base import Strict
from schemas.config import SourceConfig
from services.demo.care import care
from services.demo.live import as_told, live, steady
from services.demo.memory import Memory, remember
from services.demo.progress import Terminal, history_line
from services.demo.script import Moment
from services.demo.senders import Senders, accounts, desk
from services.demo.story import Story, story, truth

WINDOW = 300
"""Moments sent at once; over four tools their order does not matter within it."""
HISTORY_PER_S = 1_500.0
RAMP_S = 6.0
"""The rate grows for so long: the first figures appear before the crowd comes."""
_LINE_EVERY_S, _LIVE_LINE_EVERY_S = 2.0, 60.0

Emit = Callable[[dict[str, object]], None]
"""Takes one JSON object for programs."""


class FeedSettings(Strict):
    """What a feed is told."""

    data_dir: Path = Field(description="folder that remembers the story")
    gateway_url: str = Field(description="where to send")
    sources: tuple[SourceConfig, ...] = Field(description="the configured senders")
    memory: Memory = Field(description="which story")
    events_per_s: float | None = Field(None, ge=0, description="rate of the live part; 0: none, None: the story's")
    duration_s: float | None = Field(None, ge=0, description="length of the live part; None: for ever")


class Feed:
    """One run of the demo's senders."""

    def __init__(
        self, settings: FeedSettings, terminal: Terminal, emit: Emit, everything_runs: threading.Event
    ) -> None:
        self._settings = settings
        self._everything_runs = everything_runs
        self._terminal = terminal
        self._emit = emit
        self.live_sent = 0

    async def run(self) -> None:
        """History, then live. Raises Refused, ConfigurationError; cancel it to stop."""
        settings, memory = self._settings, self._settings.memory
        known = accounts(settings.sources, settings.gateway_url)
        told = await asyncio.to_thread(story, memory.seed, memory.end, memory.days)
        async with httpx.AsyncClient(timeout=20.0) as client:
            await _until_healthy(client, settings.gateway_url)
            senders = Senders(settings.gateway_url, known, client)
            if memory.sent:
                self._terminal.say(f"history     is there already, up to {memory.end:%d %b %H:%M} UTC")
            else:
                await self._history(senders, told)
                await senders.act(care(told, known["web"].source, memory.end), desk(settings.sources))
                remember(settings.data_dir, memory.model_copy(update={"sent": True}))
            if settings.events_per_s != 0:
                await self._live(senders, told)

    async def _history(self, senders: Senders, told: Story) -> None:
        began_s, sent, total = time.monotonic(), 0, len(told.moments)
        for window in _windows(told.moments):
            sent += await senders.send(window)
            took_s = time.monotonic() - began_s
            self._terminal.progress(history_line(sent, total, took_s), _LINE_EVERY_S)
            await asyncio.sleep(max(due_s(sent) - took_s, 0))
            began_s += await self._until_everything_runs()
        took_s = time.monotonic() - began_s
        facts = truth(told)
        self._terminal.done(
            f"{history_line(sent, total, took_s)} in {took_s:.0f} s: {facts.companies} companies, {facts.poison} "
            "messages that nobody can read (touchline dlq ls, with this --data)"
        )
        self._emit({"step": "history", "sent": sent, "poison": facts.poison, "took_s": round(took_s, 2)})

    async def _until_everything_runs(self) -> float:
        """Seconds waited: after the first window the starting processors need the machine more than we do."""
        began_s = time.monotonic()
        while not self._everything_runs.is_set():
            await asyncio.sleep(0.05)
        return time.monotonic() - began_s

    async def _live(self, senders: Senders, told: Story) -> None:
        settings, started = self._settings, datetime.now(UTC)
        rate = settings.events_per_s
        words = "as many events as in the history, more in the first minutes"
        self._terminal.say(f"live        {words if rate is None else f'about {rate:g} events a second'} from now on")
        pace = as_told(told, settings.memory.days) if rate is None else steady(rate)
        for moment in live(told, settings.memory.seed, started, pace):
            due_s = (moment.occurred_at - started).total_seconds()
            if settings.duration_s is not None and due_s > settings.duration_s:
                break
            await asyncio.sleep((moment.occurred_at - datetime.now(UTC)).total_seconds())
            self.live_sent += await senders.send([moment])
            self._terminal.progress(f"live        {self.live_sent:,} events sent", _LIVE_LINE_EVERY_S)
        self._emit({"step": "live", "sent": self.live_sent})


def due_s(sent: int) -> float:
    """Seconds after which so many messages of the history may have been sent."""
    if sent <= HISTORY_PER_S * RAMP_S / 2:
        return sqrt(2 * RAMP_S * sent / HISTORY_PER_S)
    return RAMP_S / 2 + sent / HISTORY_PER_S


def _windows(moments: tuple[Moment, ...]) -> Iterator[tuple[Moment, ...]]:
    for start in range(0, len(moments), WINDOW):
        yield moments[start : start + WINDOW]


async def _until_healthy(client: httpx.AsyncClient, gateway_url: str) -> None:
    """Wait until the gateway takes events."""
    while True:
        try:
            if (await client.get(f"{gateway_url}/health")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
