"""One HTTP question to a child, without an HTTP library: the supervisor stays small."""

from __future__ import annotations

import asyncio
import contextlib

PROBE_TIMEOUT_S = 2.0


async def http_status(port: int, path: str = "/healthz", host: str = "127.0.0.1") -> int | None:
    """The status of GET `path`; None when nobody answers."""
    with contextlib.suppress(OSError, TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await _get(host, port, path)
    return None


async def _get(host: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
