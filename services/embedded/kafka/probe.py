"""One Metadata request in Kafka's protocol: does the broker answer, and does it lead itself?"""

from __future__ import annotations

import socket
import struct

_METADATA, _VERSION, _CORRELATION_ID = 3, 1, 7


def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Tell whether the broker on this loopback port answers and lists at least one live broker."""
    body = struct.pack(">hhihi", _METADATA, _VERSION, _CORRELATION_ID, -1, 0)  # no client id, no topics
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            reply = _read(connection, 12)
    except (OSError, EOFError):
        return False
    _size, correlation_id, brokers = struct.unpack(">iii", reply)
    return bool(correlation_id == _CORRELATION_ID and brokers >= 1)


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data
