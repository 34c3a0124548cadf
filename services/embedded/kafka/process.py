"""The broker as a child process: formatted once, started, watched, stopped."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from services.embedded.kafka.child import BoundedLog, Child, die_with_parent
from services.embedded.kafka.errors import StartFailed
from services.embedded.kafka.folder import DataFolder, Identity, write_atomically
from services.embedded.kafka.probe import answers
from services.embedded.kafka.properties import server_properties
from services.embedded.kafka.runtime import JavaRuntime
from services.embedded.kafka.settings import MIB, BrokerSettings

# Less is left than the write that failed would have taken.
_FULL_BYTES = 16 * MIB


class EmbeddedBroker:
    """One Kafka node on one data folder. Blocking; may be driven from any thread.

    After `kill -9` of the JVM or of this process, a new `start` on the same folder continues with every
    acknowledged record, the same cluster id and the same port.
    """

    def __init__(self, settings: BrokerSettings, runtime: JavaRuntime, *, aot_output: Path | None = None) -> None:
        self._settings, self._runtime, self._aot_output = settings, runtime, aot_output
        self._folder = DataFolder(settings.data_dir)
        self._identity: Identity | None = None
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """HOST:PORT for clients; known after `start` and the same after every further one."""
        if self._identity is None:
            raise RuntimeError("the broker was not started")
        return f"127.0.0.1:{self._identity.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the JVM while it runs."""
        return self._child.pid if self._child and self._child.exit_code is None else None

    @property
    def log_path(self) -> Path:
        return self._folder.log

    def start(self) -> str:
        """Start the JVM, wait until it answers a Metadata request and return the bootstrap address.

        Raises ConfigurationError (port, folder), DiskFull or StartFailed; nothing is left running then.
        """
        if self._child is not None:
            raise RuntimeError("the broker was started already")
        self._folder.acquire()
        try:
            self._folder.check_space(self._settings.min_free_bytes)
            self._identity = self._folder.identify(self._settings.port)
            self._prepare(self._identity)
            self._launch(self._identity)
        except BaseException:
            self.stop()
            raise
        return self.bootstrap

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end of the JVM: its exit code, or None when the time is over first."""
        return self._child.wait(timeout_s) if self._child else None

    def stop(self) -> None:
        """Stop in order, kill after the deadline, give the folder free; safe to call twice."""
        if self._child is not None:
            self._child.stop(self._settings.stop_deadline_s)
            self._child = None
            self._folder.forget_pid()
        self._folder.release()

    def explain_exit(self, code: int) -> StartFailed:
        """Return the error that tells why the JVM ended; a full disk comes out as DiskFull instead."""
        self._folder.check_space(_FULL_BYTES)
        tail = self._log.tail() or "(its log is empty)"
        return StartFailed(f"the broker ended with code {code}; {self.log_path} ends:\n{tail}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self, identity: Identity) -> None:
        text = server_properties(self._settings, self._folder.records, identity.port, identity.controller_port)
        write_atomically(self._folder.properties, text)
        if not self._folder.is_formatted(identity):
            self._format(identity.cluster_id)

    def _format(self, cluster_id: str) -> None:
        arguments = ("format", "-t", cluster_id, "-c", str(self._folder.properties))
        command = self._runtime.command("kafka.tools.StorageTool", *arguments, heap_mb=self._settings.heap_mb)
        done = subprocess.run(
            die_with_parent(command), capture_output=True, text=True, check=False, cwd=self._folder.root
        )
        if done.returncode != 0:
            self._folder.check_space(_FULL_BYTES)
            raise StartFailed(f"formatting {self._folder.records} failed:\n{(done.stdout + done.stderr)[-2000:]}")

    def _launch(self, identity: Identity) -> None:
        command = self._runtime.command(
            "kafka.Kafka",
            str(self._folder.properties),
            heap_mb=self._settings.heap_mb,
            aot_output=self._aot_output,
        )
        self._log = BoundedLog(self._folder.log, self._settings.log_max_bytes)
        self._child = Child(command, self._log, cwd=self._folder.root)
        self._folder.remember_pid(self._child.pid)
        deadline = time.monotonic() + self._settings.start_deadline_s
        while not answers(identity.port):
            if (code := self._child.wait(0.02)) is not None:
                raise self.explain_exit(code)
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"no answer within {self._settings.start_deadline_s:g} s; {self.log_path} ends:\n{self._log.tail()}"
                )
