"""Who is sending: the source behind a write key, or behind a webhook's path and signature."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from schemas.config import SourceConfig
from schemas.errors import ConfigurationError, did_you_mean
from services.gateway.answers import Refusal
from services.gateway.request import Request
from streams.connectors.content import at
from streams.connectors.registry import for_source, missing_tenant
from streams.connectors.spec import Connector
from streams.connectors.ways import KeyPlace

NO_SOURCE: Final = "no such source is configured"


@dataclass(frozen=True, slots=True)
class Source:
    """A configured sender with its secrets, its connector, and the files of the SDK that its pages load."""

    config: SourceConfig
    secrets: tuple[bytes, ...]
    connector: Connector
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class Sources:
    """Looks senders up. Raises ConfigurationError when two sources share a write key, or one has no connector."""

    def __init__(
        self,
        configs: tuple[SourceConfig, ...],
        secrets: Mapping[str, tuple[bytes, ...]],
        connectors: Mapping[str, Connector],
        sdk_files: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> None:
        files = sdk_files or {}
        self._by_name = {
            config.name: Source(
                config, secrets[config.name], _connector(config, connectors), files.get(config.name, {})
            )
            for config in configs
        }
        self._keyed = [source for source in self._by_name.values() if source.connector.keyed]
        seen: dict[bytes, str] = {}
        for source in self._keyed:
            for secret in source.secrets:
                other = seen.setdefault(secret, source.config.name)
                if other != source.config.name:
                    raise ConfigurationError(
                        f"sources `{other}` and `{source.config.name}` have the same write key; give each its own"
                    )

    def __len__(self) -> int:
        return len(self._by_name)

    def by_key(self, key: bytes) -> Source | None:
        """The source whose write key it is. Every key is compared, in constant time."""
        found = None
        for source in self._keyed:
            for secret in source.secrets:
                if hmac.compare_digest(secret, key):
                    found = source
        return found

    def sdk_files(self) -> Iterator[Mapping[str, bytes]]:
        """The files of every source whose pages load an SDK from here."""
        return (source.files for source in self._by_name.values() if source.files)

    def named(self, name: str) -> Source | None:
        """The source of that name."""
        return self._by_name.get(name)

    def webhook(self, connector: Connector | None, name: str) -> Source:
        """The source a webhook's path names; Refusal 404 when there is none of that connector."""
        source = self._by_name.get(name)
        if source is None:
            raise Refusal(404, "unknown_source", NO_SOURCE, known=f"no source `{name[:60]}` is configured")
        if source.connector is not connector:
            theirs = f"source `{name}` speaks `{source.config.vendor}`"
            was = f"it was called as `{connector.name}`" if connector is not None else ""
            raise Refusal(404, "unknown_source", NO_SOURCE, known=f"{theirs}; {was}")
        return source


def _connector(config: SourceConfig, connectors: Mapping[str, Connector]) -> Connector:
    found = for_source(connectors, config.vendor, config.name)
    if found is None:
        hint = did_you_mean(config.vendor, connectors)
        raise ConfigurationError(f"source `{config.name}`: no connector for `{config.vendor}`{hint}")
    if problem := missing_tenant(found, config):
        raise ConfigurationError(f"source `{config.name}`: {problem}")
    return found


def key_of_header(headers: Mapping[bytes, bytes]) -> bytes:
    """The user name of HTTP Basic; the colon may be missing, as in old Segment clients. Empty when absent."""
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(value.strip(), validate=True).partition(b":")[0]
    except binascii.Error:
        raise Refusal(401, "invalid_key", "failed to read writekey from header") from None


def key_of_bearer(headers: Mapping[bytes, bytes]) -> bytes:
    """The token of `Authorization: Bearer`. Empty when absent."""
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    return value.strip() if scheme.lower() == b"bearer" else b""


def key_of_query(query: str, names: tuple[str, ...]) -> bytes:
    """`?writeKey=…`; the bytes as sent."""
    if not any(name in query for name in names):
        return b""
    pairs = (part.partition("=") for part in query.split("&"))
    return next((unquote_to_bytes(value) for name, _, value in pairs if name in names), b"")


def key_of_body(value: Any, names: tuple[str, ...]) -> bytes:
    """`writeKey` of a JSON body, or of the first object of an array."""
    if isinstance(value, list):
        value = next((one for one in value if isinstance(one, dict)), None)
    found = next((text for name in names if isinstance(text := at(value, name), str) and text), "")
    return found.encode(errors="replace")


#: How a key is read that is known before the body: by its place, in the order they are tried.
HEAD_KEYS: dict[KeyPlace, Callable[[Request, tuple[str, ...]], bytes]] = {
    "bearer": lambda request, names: key_of_bearer(request.headers),
    "basic": lambda request, names: key_of_header(request.headers),
    "query": lambda request, names: key_of_query(request.query, names),
}


def without(query: str, names: tuple[str, ...]) -> str:
    """The query as it may be stored: everything but the key, and what was stored as the body."""
    if not query or not any(name in names for name, _ in parse_qsl(query, True)):
        return query
    return "&".join(part for part in query.split("&") if part.partition("=")[0] not in names)
