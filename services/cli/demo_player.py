"""The demo's feed beside the supervisor: a thread that begins when the addresses are known and ends with its block."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.cli.console import EXIT_OK, EXIT_UNEXPECTED
from services.common.config import load_config
from services.demo.feed import Feed, FeedSettings
from services.demo.memory import Memory
from services.demo.progress import Terminal
from services.supervisor.folder import read_run

_POLL_S = 0.05


@dataclass
class Player:
    """Runs the feed in a thread of its own, beside the supervisor, and ends with the `with` block."""

    data: Path
    memory: Memory
    terminal: Terminal
    emit: Callable[[dict[str, object]], None]
    events_per_s: float | None
    duration_s: float | None
    exit_code: int = EXIT_OK
    everything_runs: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _end: Callable[[], object] = lambda: None

    def __enter__(self) -> Player:
        self._thread = threading.Thread(target=self._run, name="demo-feed", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended by itself
            self._end()
        if self._thread is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        try:
            asyncio.run(self._play())
        except Exception as error:  # whatever ends the feed must be said and end the demo
            self.terminal.done(f"demo        {error}")
            self.exit_code = EXIT_UNEXPECTED
            os.kill(os.getpid(), signal.SIGTERM)

    async def _play(self) -> None:
        loop, feeding = asyncio.get_running_loop(), asyncio.create_task(self._feed())
        self._end = lambda: loop.call_soon_threadsafe(feeding.cancel)
        if self._stop.is_set():
            feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding

    async def _feed(self) -> None:
        settings = await self._settings()
        await Feed(settings, self.terminal, self.emit, self.everything_runs).run()
        if self.duration_s is not None:
            os.kill(os.getpid(), signal.SIGTERM)

    async def _settings(self) -> FeedSettings:
        """What to send where, once the supervisor has said so."""
        while (run := read_run(self.data)).pid != os.getpid() or "gateway_url" not in run.addresses:
            await asyncio.sleep(_POLL_S)
        return FeedSettings(
            data_dir=self.data,
            gateway_url=run.addresses["gateway_url"],
            sources=load_config(self.data / "touchline.yaml").sources,
            memory=self.memory,
            events_per_s=self.events_per_s,
            duration_s=self.duration_s,
        )
