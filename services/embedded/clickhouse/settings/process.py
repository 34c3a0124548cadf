"""Settings of the process: folder, address, limits of requests; set by flags, `touchline.yaml` or the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from schemas.base import Strict
from schemas.config import SqlConfig
from services.common.config import is_loopback


class Limits(Strict):
    """Bounds for one request; a reader's are also enforced by the engine."""

    max_body_bytes: int = Field(256 << 20, ge=1 << 10, description="largest body of an internal request, decoded")
    reader_max_body_bytes: int = Field(1 << 20, ge=1 << 10, description="largest body of a reader's request, decoded")
    reader_max_query_bytes: int = Field(256 << 10, ge=1 << 10, description="largest query of a reader")
    reader_waiting_bytes: int = Field(64 << 20, ge=1 << 20, description="bodies of readers' requests in memory at once")
    waiting_bytes: int = Field(1 << 30, ge=1 << 20, description="bodies of services' requests in memory at once")
    reader_max_execution_s: int = Field(30, ge=1, description="a reader's query is stopped after this time")
    reader_overdue_s: int = Field(
        60, ge=1, description="one that runs so much longer, because it looks at no clock, ends the process"
    )
    reader_max_result_rows: int = Field(1_000_000, ge=1, description="a reader's query fails beyond this many rows")
    reader_max_result_bytes: int = Field(256 << 20, ge=1 << 10, description="and beyond this many bytes")
    head_timeout_s: float = Field(10.0, gt=0, description="a connection without a whole head after this is closed")
    body_timeout_s: float = Field(30.0, gt=0, description="one without a whole body after this, too")
    stall_timeout_s: float = Field(30.0, gt=0, description="and one whose client takes nothing of its answer")


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
    access_file: Path | None = Field(None, description="tokens of the page; each may be a reader's password here")
    keep_free_bytes: int = Field(
        64 << 20,
        ge=1 << 20,
        description="inserts and merges leave this much of the disk free, and are refused beyond it",
    )
    max_threads: int = Field(2, ge=1, le=64, description="processor threads one statement may use")
    limits: Limits = Field(Limits(), description="bounds for one request")
    sql: SqlConfig = Field(SqlConfig(), description="who may call, and what readers and services get")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

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
