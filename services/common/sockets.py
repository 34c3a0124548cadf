"""Where a server listens."""

from __future__ import annotations

import socket

from schemas.errors import ConfigurationError


def listen(host: str, port: int, setting: str) -> socket.socket:
    """An open socket; port 0 picks a free one. `setting` is where `host` comes from.

    Raises ConfigurationError for a host that does not exist, OSError for what may pass, such as a taken port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == socket.EAI_NONAME:
            raise ConfigurationError(f"{setting}: no machine is called `{host}`; use 127.0.0.1 or 0.0.0.0") from None
        raise
