"""Choosing and checking loopback ports."""

from __future__ import annotations

import random
import socket

# Below the range the kernel takes for outgoing connections, so that a kept port stays free between runs.
_CHOICE = range(20_000, 32_000)
# Another process, the broker, picks there what no start picks here.
CONTROLLERS = range(32_000, 32_700)
_reserved: set[int] = set()


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def reserve(*ports: int) -> None:
    """Somebody will listen on these, but may not do so yet: `pick_free` passes over them from now on."""
    _reserved.update(ports)


def pick_free(among: range = _CHOICE) -> int:
    """Return a free loopback port, and reserve it."""
    candidates = random.sample(among, 200)
    for port in candidates:
        if port not in _reserved and is_free(port):
            reserve(port)
            return port
    raise OSError(f"none of {len(candidates)} loopback ports tried is free")
