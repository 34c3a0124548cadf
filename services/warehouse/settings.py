"""What the embedded ClickHouse needs to know before it starts."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, model_validator

from schemas.base import Strict


class Limits(Strict):
    """Bounds for one request; a reader's are also enforced by the engine."""

    max_body_bytes: int = Field(256 << 20, ge=1 << 10, description="largest body of an internal request, decoded")
    reader_max_body_bytes: int = Field(1 << 20, ge=1 << 10, description="largest body of a reader's request, decoded")
    reader_max_execution_s: int = Field(30, ge=1, description="a reader's query is stopped after this time")
    reader_max_result_rows: int = Field(1_000_000, ge=1, description="a reader's query fails beyond this many rows")
    reader_max_result_bytes: int = Field(256 << 20, ge=1 << 10, description="and beyond this many bytes")
    reader_max_memory_bytes: int = Field(512 << 20, ge=1 << 20, description="memory one query of a reader may use")


class WarehouseSettings(Strict):
    """One embedded ClickHouse: where its data lives, where it listens, how much it may take."""

    data_dir: Path = Field(description="folder this process owns; a second process on it is refused")
    lock_wait_s: float = Field(
        10.0, ge=0, le=300, description="wait this long for a process that is just leaving the folder"
    )
    host: str = Field("127.0.0.1", description="address to listen on; outside loopback a reader password is required")
    port: int = Field(
        0, ge=0, le=65535, description="port to listen on; 0 picks a free one and keeps it across restarts"
    )
    bi_database: str = Field("bi", pattern=r"^[a-z][a-z0-9_]{0,40}$", description="the database readers may read")
    internal_token_file: Path | None = Field(
        None,
        description="file with the internal user's token, made at start if missing; default DATA_DIR/internal.token",
    )
    reader_password_file: Path | None = Field(None, description="file with the reader's password; without it, empty")
    internal_threads: int = Field(8, ge=1, le=64, description="statements of services run at once")
    reader_threads: int = Field(4, ge=1, le=64, description="queries of readers run at once")
    queue_limit: int = Field(256, ge=1, description="requests waiting for a thread before new ones are refused")
    max_memory_bytes: int = Field(1 << 30, ge=64 << 20, description="memory all statements together may use")
    max_threads: int = Field(2, ge=1, le=64, description="processor threads one statement may use")
    limits: Limits = Field(Limits(), description="bounds for one request")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def token_path(self) -> Path:
        return self.internal_token_file or self.data_dir / "internal.token"

    @property
    def engine_dir(self) -> Path:
        return self.data_dir / "engine"

    @model_validator(mode="after")
    def _guarded_outside_loopback(self) -> WarehouseSettings:
        if not self.on_loopback and self.reader_password_file is None:
            raise ValueError(f"`host` {self.host} is not loopback: give `reader_password_file`")
        return self
