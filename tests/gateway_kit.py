"""A gateway without Kafka: a writer that remembers, or fails as told; and one that really listens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from schemas.config import Config, GatewayConfig, SecretRef, SourceConfig
from schemas.errors import TransientError
from schemas.topics import TopicName
from schemas.touchpoints import RawRequest
from services.common.connection import Bounds
from services.gateway.app import Gateway
from services.gateway.bootstrap import build
from services.gateway.connection import BOUNDS, settings
from services.gateway.signatures import Signed, prove
from streams.connectors.crm import hubspot
from streams.connectors.schemes import Scheme
from streams.connectors.support import zendesk
from streams.runtime.writer import Position
from tests.listening import served

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REF = (SecretRef(env="UNUSED"),)
SECRETS = {
    "web": (b"WK",),
    "product": (b"RK", b"RK2"),
    "crm": (b"old", b"new"),
    "support": (b"Z",),
    "operators": (b"OK",),
    "app": (b"phc_x",),
}
VENDOR_OF = {
    "web": "segment",
    "product": "rudderstack",
    "crm": "hubspot",
    "support": "zendesk",
    "operators": "touchline",
    "app": "posthog",
}
MESSAGE = {"type": "track", "event": "A", "userId": "u", "messageId": "m", "timestamp": "2026-11-21T10:00:00Z"}


class FakeWriter:
    """Acks at once (`ack`), never (`hang`), with an error (`fail`), or is not there (`away`)."""

    def __init__(self, behaviour: str = "ack") -> None:
        self.behaviour = behaviour
        self.items: list[RawRequest] = []
        self.actions: list[tuple[TopicName, str, bytes]] = []
        self.waiting: list[asyncio.Future[Position]] = []

    def put(self, topic: TopicName, key: str, item: bytes) -> asyncio.Future[Position]:
        if self.behaviour == "away":
            raise TransientError("Kafka is away")
        if topic == "touchpoints.raw.v1":
            taken = RawRequest.decoded(item)
            assert key == taken.request_id
            self.items.append(taken)
        else:
            self.actions.append((topic, key, item))
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        if self.behaviour == "ack":
            future.set_result((0, len(self.items)))
        elif self.behaviour == "fail":
            future.set_exception(OSError("broken"))
            future.exception()
        else:
            self.waiting.append(future)
        return future


def config(**gateway: Any) -> Config:
    sources = tuple(
        SourceConfig(
            name=name, vendor=vendor, secrets=REF, public_base_url="https://gw.example" if name == "crm" else ""
        )
        for name, vendor in VENDOR_OF.items()
    )
    return Config(gateway=GatewayConfig(**gateway), sources=sources)


def gateway(writer: FakeWriter | None = None, **settings: Any) -> tuple[Gateway, FakeWriter]:
    writer = writer or FakeWriter()
    return build(config(**settings), secrets=SECRETS, writer=writer, clock=lambda: NOW), writer


def client(app: Gateway) -> httpx.AsyncClient:
    """A client of the app itself; redirects are never followed."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080")


def hubspot_headers(
    body: bytes, *, secret: bytes = b"new", at: datetime = NOW, path: str = "/hubspot/crm"
) -> dict[str, str]:
    return proof(hubspot.SCHEME, secret, Signed(b"POST", (b"https://gw.example" + path.encode(),), {}, body), at)


def zendesk_headers(body: bytes, *, secret: bytes = b"Z", at: datetime = NOW) -> dict[str, str]:
    return proof(zendesk.SCHEME, secret, Signed(b"POST", (b"",), {}, body), at)


def proof(scheme: Scheme, secret: bytes, unsigned: Signed, at: datetime) -> dict[str, str]:
    """The headers a sender proves itself with."""
    return {name.decode(): value.decode() for name, value in prove(scheme, secret, unsigned, at).items()}


@contextmanager
def listening(
    writer: FakeWriter | None = None, bounds: Bounds = BOUNDS, sdk_files: dict[str, dict[str, bytes]] | None = None
) -> Iterator[tuple[str, FakeWriter]]:
    """A gateway on a free port in a thread, for SDKs that know only URLs."""
    writer = writer or FakeWriter()
    app = build(config(), secrets=SECRETS, writer=writer, sdk_files=sdk_files)
    with served(settings(app, bounds, port=0)) as port:
        yield f"http://127.0.0.1:{port}", writer
