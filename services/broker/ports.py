"""Choosing and checking loopback ports."""

from __future__ import annotations

import random
import socket

# Below the range the kernel takes for outgoing connections, so that a kept port stays free between runs.
_CHOICE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def pick_free(*taken: int) -> int:
    """Return a free loopback port that is none of `taken`."""
    candidates = random.sample(_CHOICE, 200)
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    raise OSError(f"none of {len(candidates)} loopback ports tried is free")
