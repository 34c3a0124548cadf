"""Rows of a request into a table, so that an answer means they are stored.

chdb's streamed insert (`send_insert`) ends well though nothing was stored: what goes wrong once the rows have been
parsed (a full disk, a violated constraint) is reported to nobody, and the rows are counted as written all the same. A
statement that is read whole waits for its parts and reports what went wrong. So the rows are read from a file in
memory.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

from services.embedded.clickhouse.statement import Insert

_SETTINGS: Final = re.compile(r"\bSETTINGS\b", re.I)


def insert_rows(connection: Connection, insert: Insert) -> Any:
    """What chdb says of the statement. Returns once the rows are in parts on disk; raises what kept them out."""
    with _file(insert.data) as path:
        rows = f"FROM INFILE '{path}' FORMAT {insert.format}"
        if _SETTINGS.search(insert.head):  # they would have to stand between the two; this takes a millisecond longer
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
