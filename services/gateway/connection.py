"""How the gateway's server is set up: senders on the other side of the world have more time than the page's readers."""

from __future__ import annotations

from typing import Any

import uvicorn

from services.common.connection import Bounds, server_settings

#: The time of a body is watched where it is read: its sender gets an answer it understands.
BOUNDS = Bounds(head_s=30.0, body_s=None, idle_s=75.0, connections=4000)


def settings(app: Any, bounds: Bounds = BOUNDS, **more: Any) -> uvicorn.Config:
    """How the gateway's server is set up."""
    return server_settings(app, bounds, lifespan="off", **more)
