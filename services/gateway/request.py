"""What the gateway needs to know of one HTTP request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.connectors.spec import Connector


@dataclass(slots=True)
class Request:
    """`source` and `connector` are filled in once the sender is known; they decide metrics and the answer's shape."""

    method: str
    path: str
    raw_path: bytes
    query: str
    headers: Mapping[bytes, bytes]
    scheme: str = "http"
    server: tuple[str, int | None] = ("127.0.0.1", None)
    body: bytes = b""
    source: str = "unknown"
    connector: Connector | None = None

    @classmethod
    def of(cls, scope: Any) -> Request:
        """From an ASGI scope. Of a repeated header the last value counts."""
        return cls(
            method=scope["method"],
            path=scope["path"],
            raw_path=(scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0],
            query=scope["query_string"].decode("latin-1"),
            headers=dict(scope["headers"]),
            scheme=scope.get("scheme", "http"),
            server=scope.get("server") or ("127.0.0.1", None),
        )

    @property
    def known_source(self) -> str:
        """The source, once it is known; before, empty."""
        return "" if self.source == "unknown" else self.source

    def header(self, name: bytes) -> str:
        """A header as text, empty when absent."""
        return self.headers.get(name, b"").decode("latin-1")
