"""Rows of a request into a table, so that an answer means they are stored.

chdb's streamed insert (`send_insert`) and its `FROM INFILE` end well though nothing was stored: what goes wrong once
the rows have been parsed (a full disk, too many parts, a violated constraint) is told to nobody, and `send_insert`
counts the rows as written all the same. `INSERT … SELECT` waits for its parts and tells what went wrong. So the rows
are selected, from a file in memory.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

from services.warehouse.statement import Insert


def insert_rows(connection: Connection, insert: Insert) -> Any:
    """What chdb says of the statement. Returns once the rows are in parts on disk; raises what kept them out."""
    with _file(insert.data) as path:
        # the columns and types are those of the insert, whatever the format tells of its own
        rows = f"SELECT * FROM file('{path}', '{insert.format}')"
        return connection.query(f"{insert.head}\n{rows}", "Null")


@contextmanager
def _file(data: memoryview) -> Iterator[str]:
    """The path of an open file with `data`: in memory on Linux, elsewhere one that has no name any more."""
    if sys.platform == "linux":
        with open(os.memfd_create("insert"), "wb", buffering=0) as file:
            _write(file.fileno(), data)
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            _write(file.fileno(), data)
            yield f"/dev/fd/{file.fileno()}"


def _write(handle: int, data: memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.lseek(handle, 0, os.SEEK_SET)
