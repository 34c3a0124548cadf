"""One child process: start, readiness, output, stop. `restarts` keeps it alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from services.common.space import FIX, MIB, of_folder
from services.embedded.kafka.child import BoundedLog, die_with_parent
from services.embedded.kafka.ports import pick_free
from services.supervisor.probe import http_status
from services.supervisor.restart_policy import RestartPolicy
from services.supervisor.restarts import kept_running
from services.supervisor.spec import ChildSpec
from streams.runtime.metrics_server import OPS_PORT_ENV

State = Literal["waiting", "starting", "ready", "restarting", "no space", "done", "refused", "stopped"]
LOG_MAX_BYTES = 5 * 1024 * 1024
PROBE_EVERY_S = 0.1
SPAWN_WAIT_S = 3.0
SPACE_EVERY_S = 2.0


class Child:
    """Runs `spec` until `stop`. `notify(child, text)` is called when its state changes."""

    def __init__(self, spec: ChildSpec, log_dir: Path, notify: Callable[[Child, str], None]) -> None:
        self.spec = spec
        self.state: State = "waiting"
        self.restarts = 0
        self.pid: int | None = None
        self.ops_port = 0
        self.up = asyncio.Event()  # answers, though perhaps not yet ready
        self.ready = asyncio.Event()
        self.policy = RestartPolicy()
        self._notify = notify
        self.log_path = log_dir / f"{spec.name}.log"
        self._log = BoundedLog(self.log_path, LOG_MAX_BYTES)
        self._process: asyncio.subprocess.Process | None = None
        self.stopping = asyncio.Event()
        self._started_s = time.monotonic()
        self.ready_s = 0.0

    @property
    def age_s(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started_s

    def tail(self) -> str:
        """The last lines it wrote."""
        return self._log.tail()

    async def run(self, others: Mapping[str, Child]) -> None:
        """Keep it running until `stop`; returns early when a job is done or the child refuses its configuration."""
        with contextlib.suppress(TimeoutError):  # a courtesy, no need: a broken page must not keep events out
            async with asyncio.timeout(SPAWN_WAIT_S):
                for name in self.spec.spawn_after:
                    await others[name].up.wait()
        for name in self.spec.after:
            await others[name].ready.wait()
        await kept_running(self)

    async def stop(self, deadline_s: float) -> None:
        """SIGTERM, SIGKILL after the deadline. Safe to call twice."""
        self.stopping.set()
        process = self._process
        if process is not None and process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(deadline_s):
                    await process.wait()
            except TimeoutError:
                self._signal(signal.SIGKILL)
                await process.wait()
        self.change("stopped", "")
        self._log.close()

    def kill(self) -> None:
        """SIGKILL now."""
        self.stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def lacks_space(self) -> str:
        """Why it cannot start; empty when it can."""
        if self.spec.space is None:
            return ""
        folder, needed_bytes = self.spec.space
        try:
            space = of_folder(folder, self.spec.name)
        except OSError:
            return ""  # its own start will say what is wrong
        return "" if space.free_bytes >= needed_bytes else f"{space.words}, {needed_bytes // MIB} MiB are needed"

    async def until_there_is_space(self) -> None:
        """Waits, told once, as long as it takes."""
        if (why := self.lacks_space()) and not self.stopping.is_set():
            self.change("no space", f"waits for disk space: {why}; {FIX}")
        while self.lacks_space() and not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SPACE_EVERY_S):
                    await self.stopping.wait()

    async def live_once(self) -> int:
        """From start to death; the exit code."""
        self._process = process = await self._start()
        self.pid = process.pid
        self.change("starting", "")
        if self.stopping.is_set():  # told to stop while it was being started
            self._signal(signal.SIGKILL)
        tasks = [asyncio.create_task(self._pump(process))]
        if self.spec.probe_port != 0 and not self.spec.job:
            tasks.append(asyncio.create_task(self._probe()))
        try:
            code = await process.wait()
            await asyncio.wait(tasks[:1], timeout=1.0)  # what it said last is what explains its end
            return code
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self) -> asyncio.subprocess.Process:
        self._started_s = time.monotonic()
        self.ops_port = pick_free()
        env = os.environ | self.spec.env | {OPS_PORT_ENV: str(self.ops_port), "PYTHONUNBUFFERED": "1"}
        return await asyncio.create_subprocess_exec(
            *die_with_parent(list(self.spec.argv)),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor only, which stops in order
        )

    async def _pump(self, process: asyncio.subprocess.Process) -> None:
        """Its output → its log; the line that says it is ready is heard on the way."""
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log.write(line + b"\n")
                if self.spec.probe_port == 0 and line.startswith(b'{"ready": true'):
                    self._is_ready()
            rest = rest[-65_536:]
        if rest:
            self._log.write(rest + b"\n")

    async def _probe(self) -> None:
        port = self.spec.probe_port or self.ops_port
        while not self.ready.is_set():
            status = await http_status(port, host=self.spec.probe_host)
            if status is not None:
                self.up.set()
            if status == 200:
                self._is_ready()
            await asyncio.sleep(PROBE_EVERY_S)

    def _is_ready(self) -> None:
        self.ready_s = time.monotonic()
        self.up.set()
        self.ready.set()
        self.change("ready", f"ready {self.age_s:.1f} s")

    def change(self, state: State, text: str) -> None:
        """Another state, which is told."""
        if state in ("restarting", "no space", "done", "refused", "stopped"):
            self.pid = None
        self.state = state
        self._notify(self, text)
