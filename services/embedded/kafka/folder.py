"""The broker's data folder: who owns it, which cluster it is, which ports its clients know."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.embedded.kafka.errors import DataFolderInUse, DataFolderMismatch, DiskFull, PortInUse
from services.embedded.kafka.lock import FileLock
from services.embedded.kafka.ports import CONTROLLERS, is_free, pick_free
from services.embedded.kafka.settings import KAFKA_VERSION


class Identity(BaseModel):
    """What must survive restarts; kept as broker.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka_version: str = Field(description="Kafka that wrote the folder last.")
    cluster_id: str = Field(description="Kafka's cluster id: 16 bytes, base64url without padding.")
    port: int = Field(description="Port the clients know.")
    controller_port: int = Field(description="Port the node uses to speak to itself.")


class DataFolder:
    """Paths and identity below one data folder. `acquire` before anything else, `release` at the end."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.records = self.root / "kafka"
        self.properties = self.root / "server.properties"
        self.log = self.root / "logs" / "broker.log"
        self._identity = self.root / "broker.json"
        self._pid = self.root / "jvm.pid"
        self._lock = FileLock(self.root / "lock")

    def acquire(self) -> None:
        """Become the only owner, ending a JVM that a killed owner left behind."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not self._lock.acquire(wait=False):
            raise DataFolderInUse(f"{self.root} is in use by another running broker")
        self._end_orphan()

    def release(self) -> None:
        self._lock.release()

    def check_space(self, min_free_bytes: int) -> None:
        """Raise DiskFull when less than `min_free_bytes` are free."""
        free = shutil.disk_usage(self.root).free
        if free < min_free_bytes:
            raise DiskFull(f"{self.root}: {free >> 20} MiB free, the broker needs {min_free_bytes >> 20} MiB")

    def identify(self, wanted_port: int) -> Identity:
        """Load or make the identity, settle the ports, keep both. `wanted_port` 0 means the kept one."""
        kept = self._load()
        port = wanted_port or (kept.port if kept else pick_free())
        if not is_free(port):
            raise PortInUse(f"port {port} on 127.0.0.1 is taken by another program; free it or choose another")
        controller_port = kept.controller_port if kept else 0
        if not controller_port or controller_port == port or not is_free(controller_port):
            controller_port = pick_free(CONTROLLERS)
        identity = Identity(
            kafka_version=KAFKA_VERSION,
            cluster_id=kept.cluster_id if kept else _new_cluster_id(),
            port=port,
            controller_port=controller_port,
        )
        write_atomically(self._identity, identity.model_dump_json(indent=1))
        return identity

    def is_formatted(self, identity: Identity) -> bool:
        """Tell whether Kafka's storage is ready; removes the rest of a format that was cut short."""
        written = self._written_cluster_id()
        if written == identity.cluster_id:
            return True
        if written is not None:
            raise DataFolderMismatch(
                f"{self.records} holds cluster {written}, but broker.json says {identity.cluster_id}"
            )
        if any(path.is_dir() for path in self.records.glob("*")):
            raise DataFolderMismatch(f"{self.records} holds records but its meta.properties is gone")
        shutil.rmtree(self.records, ignore_errors=True)
        return False

    def remember_pid(self, pid: int) -> None:
        write_atomically(self._pid, str(pid))

    def forget_pid(self) -> None:
        self._pid.unlink(missing_ok=True)

    def _load(self) -> Identity | None:
        if not self._identity.exists():
            return None
        try:
            kept = Identity.model_validate_json(self._identity.read_bytes())
        except ValidationError as error:
            raise DataFolderMismatch(f"{self._identity} cannot be read: {error}") from error
        if _numbers(kept.kafka_version) > _numbers(KAFKA_VERSION):
            raise DataFolderMismatch(f"{self.root} was written by Kafka {kept.kafka_version}; this is {KAFKA_VERSION}")
        return kept

    def _written_cluster_id(self) -> str | None:
        try:
            lines = (self.records / "meta.properties").read_text(encoding="latin-1").splitlines()
        except FileNotFoundError:
            return None
        return next((line.partition("=")[2].strip() for line in lines if line.startswith("cluster.id=")), None)

    def _end_orphan(self) -> None:
        """End the JVM of an owner that was killed where the kernel does not do it (not on Linux)."""
        try:
            pid = int(self._pid.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return
        # The number may belong to an innocent process by now: only a command naming our folder is ours.
        if str(self.properties) in _command_line(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while str(self.properties) in _command_line(pid):
                time.sleep(0.02)
        self.forget_pid()


def write_atomically(path: Path, text: str) -> None:
    """Replace the file in one step: a reader, or a crash, sees the old text or the new."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # else a power cut may leave an empty file behind the new name
    fresh.replace(path)


def _new_cluster_id() -> str:
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # A leading dash would look like an option to Kafka's tools.
    return text if not text.startswith("-") else _new_cluster_id()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _command_line(pid: int) -> str:
    """Return the command line of a process, empty when there is none (or only a zombie)."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return shown.stdout.decode(errors="replace")
