"""Polars and DuckDB over what the SQL endpoint gives as Arrow and as Parquet.

`tests/integration/test_frames.py` starts it. Needs Polars, DuckDB, pyarrow and clickhouse-connect, and none of
Touchline's. Arguments: host and port of the endpoint. Prints as JSON, way → `{"rows": number, "pain": sum,
"days": number, "types": {column: type}}`.
"""

from __future__ import annotations

import io
import json
import sys
import urllib.request
from typing import Any

import clickhouse_connect
import duckdb
import polars
import pyarrow  # type: ignore[import-untyped]

SQL = "SELECT event_id, occurred_at, event_date, on_map, phase, importance, emotion, pain, text FROM bi.touchpoints"


def _fetched(host: str, port: str, form: str) -> io.BytesIO:
    url = f"http://{host}:{port}/?user=reader"
    with urllib.request.urlopen(url, f"{SQL} FORMAT {form}".encode()) as answer:  # noqa: S310 - loopback
        return io.BytesIO(answer.read())


def _of_polars(frame: polars.DataFrame) -> dict[str, Any]:
    types = {name: str(kind) for name, kind in frame.schema.items()}
    days = frame.group_by("event_date").len().height
    return {"rows": frame.height, "pain": float(frame["pain"].sum()), "days": days, "types": types}


def _of_duckdb(asked: str, **named: Any) -> dict[str, Any]:
    connection = duckdb.connect()
    for name, value in named.items():
        connection.register(name, value)
    found = connection.execute(f"SELECT count(*), sum(pain), count(DISTINCT event_date) FROM {asked}").fetchone()
    types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {asked}").fetchall()}
    assert found is not None
    return {"rows": found[0], "pain": float(found[1]), "days": found[2], "types": types}


def main(host: str, port: str) -> int:
    """Ask in each way, print."""
    client = clickhouse_connect.get_client(host=host, port=int(port), username="reader", database="bi")
    arrow = client.query_arrow(SQL)
    parquet = _fetched(host, port, "Parquet")
    told = {
        "polars of query_arrow": _of_polars(polars.DataFrame(polars.from_arrow(arrow))),
        "duckdb of query_arrow": _of_duckdb("found", found=arrow),
        "polars of Parquet": _of_polars(polars.read_parquet(parquet)),
        "polars of ArrowStream": _of_polars(polars.read_ipc_stream(_fetched(host, port, "ArrowStream"))),
        "pyarrow of Arrow": _of_duckdb("found", found=pyarrow.ipc.open_file(_fetched(host, port, "Arrow")).read_all()),
    }
    print(json.dumps(told))
    client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
