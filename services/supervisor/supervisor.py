"""All children together: start in order, tell how it goes, stop in reverse order within a deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from schemas.errors import ConfigurationError, TouchlineError
from services.supervisor.child import Child
from services.supervisor.folder import DataFolder, Run, birth
from services.supervisor.spec import EDGE, ChildSpec, checked
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import Checks

STOP_DEADLINE_S = 12.0

Say = Callable[[str], None]
"""Takes one status line for people."""


class StartFailed(TouchlineError):
    """Not everything became ready in time; the message has the last log lines of what did not."""


class Supervisor:
    """Owns the children of one `touchline up`. Call `run` from the main thread's event loop, once.

    The kernel ends the children when the thread that started them ends, however it ends.
    """

    def __init__(self, specs: Sequence[ChildSpec], folder: DataFolder, say: Say, metrics: Metrics) -> None:
        self._folder = folder
        self._say = say
        self._metrics = metrics
        self._stop = asyncio.Event()
        self._closing = False
        self._status: dict[str, dict[str, str]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.signal = 0
        self.record = Run(pid=os.getpid(), started_at=datetime.now(UTC).isoformat(timespec="seconds"), stopped=False)
        self.children = {spec.name: Child(spec, folder.logs, self._changed) for spec in checked(specs)}

    async def run(self, on_ready: Callable[[], None], *, start_timeout_s: float) -> None:
        """Start everything, call `on_ready` once when all are ready, watch until `stop` or a signal.

        Raises ConfigurationError (a child refused its configuration) or StartFailed; everything is stopped first.
        """
        self._catch_signals()
        for child in self.children.values():  # from here on, not before: who is stopped earlier has not run
            self._note(child, "")
        self._tasks = [asyncio.create_task(child.run(self.children)) for child in self.children.values()]
        try:
            if await self._all_ready(start_timeout_s):
                on_ready()
                await self._stop.wait()
        finally:
            await self.close()

    def stop(self) -> None:
        """Begin an orderly stop."""
        self._stop.set()

    async def pause(self, holder: int) -> None:
        """Stop all but the edge, in order, for the process `holder`, whom `run.json` then names."""
        await self._stop_waves(lambda wave: wave != EDGE)
        if not self._closing:
            self.record.held_for, self.record.held_s = holder, 0.0
            self._save()

    def resume(self) -> None:
        """Start what `pause` stopped; nothing when everything is to end anyway."""
        self.record.held_for = 0
        if self._closing or self._stop.is_set():
            return
        fresh = [
            Child(child.spec, self._folder.logs, self._changed)
            for child in self.children.values()
            if child.spec.stop_wave != EDGE
        ]
        self.children |= {child.spec.name: child for child in fresh}
        for child in fresh:
            self._note(child, "")
            self._tasks.append(asyncio.create_task(child.run(self.children)))

    async def back(self, began_s: float) -> float:
        """When every child is ready again, or a stop has begun: seconds since `began_s`, which `run.json` then says."""
        told = asyncio.create_task(self._stop.wait())
        ready = asyncio.create_task(self._each_ready())
        try:
            await asyncio.wait([ready, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            told.cancel()
        self.record.held_s = round(time.monotonic() - began_s, 1)
        self._save()
        return self.record.held_s

    def health(self) -> tuple[bool, Checks]:
        """Every child's state; not ok while one is away or in a crash loop."""
        now_s = time.monotonic()
        checks = {
            name: {
                "state": child.state,
                "age_s": round(child.age_s, 1),
                "restarts": child.restarts,
                "crash_loop": child.policy.crash_loop(now_s),
            }
            for name, child in self.children.items()
        }
        ok = all(child.ready.is_set() and not child.policy.crash_loop(now_s) for child in self.children.values())
        return ok, checks

    async def close(self) -> None:
        """Stop all, wave by wave: first the edge, last the stores, so that nobody loses what it writes to."""
        self._closing = True
        await self._stop_waves(lambda _: True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.record.stopped = True
        self._save()

    async def _stop_waves(self, wanted: Callable[[int], bool]) -> None:
        for wave in sorted({child.spec.stop_wave for child in self.children.values()}):
            members = [child for child in self.children.values() if child.spec.stop_wave == wave and wanted(wave)]
            await asyncio.gather(*(child.stop(STOP_DEADLINE_S) for child in members))

    async def _all_ready(self, timeout_s: float) -> bool:
        """True when all are ready, False when told to stop before."""
        ready = asyncio.create_task(self._each_ready())
        told = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([ready, told], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            while not ready.done() and not told.done() and self._lack_space():
                await asyncio.wait([ready, told], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            self._raise_refusal()
            if not ready.done() and not told.done():
                raise StartFailed(self._why_not(timeout_s))
            return not told.done()
        finally:
            ready.cancel()
            told.cancel()
            await asyncio.gather(ready, told, return_exceptions=True)

    def _lack_space(self) -> bool:
        """Whether one waits for disk space: that may take people longer than any start."""
        return any(child.state == "no space" for child in self.children.values())

    async def _each_ready(self) -> bool:
        for child in self.children.values():
            await child.ready.wait()
        return True

    def _raise_refusal(self) -> None:
        for child in self.children.values():
            if child.state == "refused":
                raise ConfigurationError(child.tail() or f"{child.spec.name} refused its configuration")

    def _why_not(self, timeout_s: float) -> str:
        late = [child for child in self.children.values() if not child.ready.is_set()]
        lines = [f"{child.spec.name} ({child.state}):\n{child.tail()}" for child in late if child.state != "waiting"]
        return f"not ready within {timeout_s:g} s: {', '.join(c.spec.name for c in late)}\n" + "\n".join(lines)

    def _changed(self, child: Child, text: str) -> None:
        name = child.spec.name
        if text and not self._closing:
            self._say(f"{name:<11} {text}")
        if child.state == "restarting":
            self._metrics.inc("touchline_service_restarts_total", service=name)
        if child.state == "refused":
            self._stop.set()
        self._note(child, text)

    def _note(self, child: Child, text: str) -> None:
        name, record = child.spec.name, self.record
        record.states[name] = child.state
        if child.pid is None:
            record.pids.pop(name, None)
            record.births.pop(name, None)
        else:
            record.pids[name], record.births[name] = child.pid, birth(child.pid)
            record.ops_ports[name] = child.ops_port
        since = datetime.now(UTC).isoformat(timespec="milliseconds")
        shown = {"done": "ready"}.get(child.state, child.state)
        self._status[name] = {"state": shown, "since": since, "detail": text}
        self._save()

    def _save(self) -> None:
        try:
            self._folder.save(self.record, self._status)
        except OSError as error:  # a full disk must not end what still runs
            self._say(f"supervisor  cannot write its state to {self._folder.path}: {error.strerror}")

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # the terminal is closed; `nohup` means to go on
            loop.add_signal_handler(signal.SIGHUP, self._signalled, signal.SIGTERM)

    def _signalled(self, number: int) -> None:
        if self._stop.is_set() and number == signal.SIGINT:
            self._say("stopping at once")
            for child in self.children.values():
                child.kill()
            return
        self.signal = number
        self._stop.set()
        self._say("stopping; Ctrl-C again to stop at once")
