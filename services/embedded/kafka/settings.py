"""Settings of the embedded broker."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

KAFKA_VERSION = "4.1.0"

MIB = 1024 * 1024


class BrokerSettings(BaseModel):
    """One embedded broker; everything but the data folder has a working default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(description="Folder of the broker's records, identity and logs; made when missing.")
    port: int = Field(0, ge=0, le=65535, description="Loopback port for clients; 0 picks a free one once and keeps it.")
    heap_mb: int = Field(384, ge=192, description="Largest Java heap in MiB.")
    retention_bytes: int = Field(
        256 * MIB, ge=2 * MIB, description="Bytes kept per partition before the oldest segment goes."
    )
    retention_hours: int = Field(168, ge=1, description="Hours a record is kept, whatever its size.")
    segment_bytes: int = Field(
        32 * MIB, ge=MIB, description="Size of one segment file; retention frees whole segments only."
    )
    message_max_bytes: int = Field(
        10 * MIB, ge=1024, description="Largest record batch taken; raw records carry whole requests."
    )
    session_timeout_ms: int = Field(
        1500, ge=1000, description="How long a killed broker's registration blocks its successor."
    )
    min_free_bytes: int = Field(256 * MIB, ge=0, description="Free space below which the broker refuses to start.")
    log_max_bytes: int = Field(
        4 * MIB, ge=4096, description="Size at which the JVM's log file is rotated; one old file is kept."
    )
    start_deadline_s: float = Field(60, gt=0, description="Seconds the JVM may take until it answers.")
    stop_deadline_s: float = Field(10, gt=0, description="Seconds a stop may take before the JVM is killed.")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.segment_bytes < self.message_max_bytes:
            raise ValueError("segment_bytes must be at least message_max_bytes")
        if self.retention_bytes < 2 * self.segment_bytes:
            raise ValueError("retention_bytes must be at least twice segment_bytes")
        if any(character in str(self.data_dir) for character in ",\n\r"):
            raise ValueError("data_dir must not contain a comma or a line break: Kafka reads it as a list")
        return self
