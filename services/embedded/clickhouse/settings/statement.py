"""Settings of one statement: what each role runs under, and what a reader may set for a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.embedded.clickhouse.errors import READONLY, ClickHouseError
from services.embedded.clickhouse.roles import Role
from services.embedded.clickhouse.settings.process import WarehouseSettings
from services.embedded.clickhouse.settings.shares import READERS, SERVICES, of_this_machine

# A reader's statement stops at its next block while one of a service or a later one of readers runs, but never longer
# than this: so the map has the processor when it asks, and readers go on, slower, under services that never rest.
# Blocks are small, as nobody stops within one.
_GIVES_WAY_MS: Final = "200"
_BLOCK_ROWS: Final = "2048"
# A block of a join can take a second, and nobody waits in the middle of one. Threads of readers' statements are nicer,
# where the process may make them usual again (CAP_SYS_NICE); elsewhere ClickHouse passes over it.
_NICER: Final = "10"
# ClickHouse's setting: a name that is both a column and an alias is the column.
COLUMNS_FIRST: Final = "prefer_column_name_to_alias"
OVERFLOW: Final = "result_overflow_mode"
_OF_RESULT: Final = frozenset(["max_result_bytes", "max_result_rows"])
# A reader may ask for less of these, never for more.
READER_LIMITS: Final = _OF_RESULT | frozenset(["max_execution_time", "max_memory_usage", "max_threads"])
# What a reader may set for one request: how values are read and written, and what SQL leaves to taste. Each is named:
# `output_format_schema` writes a file, `format_template_row` reads one. The last row is for dbt: it sends these to
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


# Without them the answer would hold what was filtered out, and with them a text of the reader's is put into the reading
# of tables beneath the views.
_FILTERS: Final = frozenset(["additional_table_filters", "additional_result_filter"])


def reader_settings(asked: Mapping[str, str], limits: Mapping[str, str]) -> dict[str, str]:
    """Of the settings a reader sent, those that hold; the others are passed over, as clients send many of their own.

    No answer is cut without a word. JDBC's `setMaxRows` (Metabase: 2,000 or 10,000) asks for that, and gets all rows:
    it stops reading by itself and says so, where a cut here would look like the whole. For the same reason a filter is
    not passed over: it raises ClickHouseError 164.
    """
    if filters := _FILTERS.intersection(asked):
        raise ClickHouseError.made(READONLY, f"reader: The setting {min(filters)} is not allowed: use WHERE")
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


def base_settings(role: Role, process: WarehouseSettings) -> dict[str, str]:
    """What every statement of a role runs under, before its own settings."""
    limits = process.limits
    common = {"max_threads": str(process.max_threads)}
    if role is Role.INTERNAL:
        # an answer means that the rows are in a part on disk; views show what their owner may see
        return common | {
            "async_insert": "0",
            "priority": str(SERVICES),
            "default_normal_view_sql_security": "DEFINER",
            "default_view_definer": "default",
        }
    return common | {
        "max_execution_time": str(limits.reader_max_execution_s),
        "max_result_rows": str(limits.reader_max_result_rows),
        "max_result_bytes": str(limits.reader_max_result_bytes),
        # the one limit that holds at each allocation: workloads stop a query only after it has taken too much, and
        # limits of users do not tell readers from services
        "max_memory_usage": str(process.sql.one_reader_bytes),
        "priority": str(READERS),
        "max_threads": str(of_this_machine(process.max_threads).threads),
        "max_block_size": _BLOCK_ROWS,
        "low_priority_query_wait_time_ms": _GIVES_WAY_MS,
        "os_threads_nice_value_query": _NICER,
        COLUMNS_FIRST: "1",
    }
