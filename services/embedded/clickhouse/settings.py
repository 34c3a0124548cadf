"""What the embedded ClickHouse needs to know before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from schemas.base import Strict
from schemas.config import SqlConfig
from services.common.config import is_loopback

# ClickHouse's setting: a name that is both a column and an alias is the column.
COLUMNS_FIRST: Final = "prefer_column_name_to_alias"
OVERFLOW: Final = "result_overflow_mode"
_OF_RESULT: Final = frozenset(["max_result_bytes", "max_result_rows"])
# A reader may ask for less of these, never for more.
READER_LIMITS: Final = _OF_RESULT | frozenset(["max_execution_time", "max_memory_usage", "max_threads"])
# What a reader may set for one request: how values are read and written, and what SQL leaves to taste. Each is named:
# `output_format_schema` writes a file, `format_template_row` reads one. The last row is for dbt: it says these to
# everybody, and they mean nothing to who cannot write.
READER_SETTINGS: Final = READER_LIMITS | frozenset(
    [
        "session_timezone",
        "date_time_input_format",
        "date_time_output_format",
        "bool_true_representation",
        "bool_false_representation",
        "format_csv_delimiter",
        "output_format_arrow_compression_method",
        "output_format_arrow_low_cardinality_as_dictionary",
        "output_format_arrow_string_as_string",
        "output_format_binary_write_json_as_string",
        "output_format_csv_crlf_end_of_line",
        "output_format_decimal_trailing_zeros",
        "output_format_json_escape_forward_slashes",
        "output_format_json_named_tuples_as_objects",
        "output_format_json_quote_64bit_floats",
        "output_format_json_quote_64bit_integers",
        "output_format_json_quote_decimals",
        "output_format_json_quote_denormals",
        "output_format_native_write_json_as_string",
        "output_format_parquet_compression_method",
        "output_format_parquet_string_as_string",
        "output_format_pretty_color",
        "output_format_pretty_grid_charset",
        "output_format_pretty_max_rows",
        "output_format_pretty_row_numbers",
        "output_format_tsv_crlf_end_of_line",
        "output_format_write_statistics",
        "aggregate_functions_null_for_empty",
        "cast_keep_nullable",
        "cast_string_to_dynamic_use_inference",
        "extremes",
        "group_by_use_nulls",
        "join_use_nulls",
        COLUMNS_FIRST,
        OVERFLOW,  # nothing to us, but not unknown either
        "union_default_mode",
        *("alter_sync", "insert_distributed_sync", "lightweight_deletes_sync", "mutations_sync"),
    ]
)


def reader_settings(asked: Mapping[str, str], limits: Mapping[str, str]) -> dict[str, str]:
    """Of the settings a reader sent, those that hold; the others are passed over, as clients send many of their own.

    No answer is cut without a word. JDBC's `setMaxRows` (Metabase: 2,000 or 10,000) asks for that, and gets all rows:
    it stops reading by itself and says so, where a cut here would look like the whole.
    """
    cuts = asked.get(OVERFLOW, "throw") != "throw"
    return {
        name: value
        for name, value in asked.items()
        if name in READER_SETTINGS - {OVERFLOW}
        and not (cuts and name in _OF_RESULT)
        and (name not in READER_LIMITS or _is_less(value, limits[name]))
    }


def _is_less(value: str, limit: str) -> bool:
    # 0 is ClickHouse's word for "without a limit"
    return value.isascii() and value.replace(".", "", 1).isdigit() and 0 < float(value) <= float(limit)


class Limits(Strict):
    """Bounds for one request; a reader's are also enforced by the engine."""

    max_body_bytes: int = Field(256 << 20, ge=1 << 10, description="largest body of an internal request, decoded")
    reader_max_body_bytes: int = Field(1 << 20, ge=1 << 10, description="largest body of a reader's request, decoded")
    reader_max_query_bytes: int = Field(256 << 10, ge=1 << 10, description="largest query of a reader")
    reader_waiting_bytes: int = Field(64 << 20, ge=1 << 20, description="bodies of readers' requests in memory at once")
    waiting_bytes: int = Field(1 << 30, ge=1 << 20, description="bodies of services' requests in memory at once")
    reader_max_execution_s: int = Field(30, ge=1, description="a reader's query is stopped after this time")
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
