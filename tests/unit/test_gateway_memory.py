"""What a request took is given back, however Kafka's absence ends: the gateway must not answer 503 for ever."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from unittest.mock import patch

import pytest

from schemas.config import GatewayConfig, KafkaConfig
from services.gateway import outlet as outlet_module
from services.gateway.access import Source
from services.gateway.answers import Refusal
from services.gateway.intake import Intake
from services.gateway.outlet import Outlet
from services.gateway.request import Request
from services.gateway.trim import WORTH_BYTES, Trim
from streams.connectors.registry import CONNECTORS
from streams.runtime.metrics import NoMetrics
from streams.runtime.writer import Metadata, RecordWriter
from tests.gateway_kit import NOW, FakeWriter, config

SOURCE = Source(config().sources[0], (b"WK",), CONNECTORS["segment"])
REQUEST = Request("POST", "/v1/track", b"/v1/track", "", {})


class Part:
    """A task of the producer's that runs until it is closed."""

    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


class Stuck:
    """An idempotent producer while Kafka is away: no ack comes, and `stop` waits for all of them."""

    def __init__(self) -> None:
        self._sender, self.client = Part(), Part()

    async def start(self) -> None: ...

    async def stop(self) -> None:
        await asyncio.Event().wait()

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int) -> Awaitable[Metadata]:
        return asyncio.get_running_loop().create_future()


async def stuck_request() -> tuple[Intake, Outlet, Stuck]:
    """A request that got its 503 and whose bytes still wait for Kafka."""
    producer = Stuck()
    outlet = Outlet(KafkaConfig(), lambda: producer)
    await outlet._open()
    intake = Intake(GatewayConfig(ack_timeout_s=0.1), outlet, lambda: NOW, NoMetrics())
    with pytest.raises(Refusal) as refused:
        await intake.store(SOURCE, REQUEST, "", "x" * 1000)
    assert refused.value.status == 503
    assert intake.in_flight_bytes > 1000 and intake.oldest_wait_s() > 0
    return intake, outlet, producer


async def test_a_producer_that_is_given_up_gives_back_what_waited_for_it() -> None:
    intake, outlet, producer = await stuck_request()
    with patch.object(outlet_module, "STOP_TIMEOUT_S", 0.1):
        await outlet.close()
    await asyncio.sleep(0)
    assert intake.in_flight_bytes == 0 and intake.oldest_wait_s() == 0
    assert producer._sender.closed and producer.client.closed, "else it would go on sending for ever"


async def test_without_giving_up_what_waits_the_check_fails() -> None:
    """Known bad: only the producer is stopped."""
    intake, outlet, _ = await stuck_request()
    with patch.object(outlet_module, "STOP_TIMEOUT_S", 0.1), patch.object(RecordWriter, "abandon", lambda *_: None):
        await outlet.close()
    await asyncio.sleep(0)
    assert intake.in_flight_bytes > 1000 and intake.oldest_wait_s() > 0


async def test_a_put_that_is_refused_gives_back_what_it_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    intake = Intake(GatewayConfig(), FakeWriter("away"), lambda: NOW, NoMetrics())
    for _ in range(3):
        with pytest.raises(Refusal):
            await intake.store(SOURCE, REQUEST, "", "x")
    assert intake.in_flight_bytes == 0


async def test_a_request_that_waits_for_its_ack_is_held_once() -> None:
    """The producer has its copy; the pieces it was made of are gone, for an ack may take as long as Kafka is away."""
    item = b"x" * 1000
    before = sys.getrefcount(item)
    writer = RecordWriter(Stuck(), lambda _: 1, linger_s=0.0)
    acked = writer.put("touchpoints.raw.v1", "key", item)
    assert sys.getrefcount(item) > before
    await asyncio.sleep(0.05)
    assert sys.getrefcount(item) == before and not acked.done()
    writer.abandon(OSError("given up"))
    assert isinstance(acked.exception(), OSError)


def test_memory_is_given_back_once_when_a_burst_is_over() -> None:
    sizes, given = [0], []
    trim = Trim(lambda: sizes[0], lambda: given.append(sizes[0]))
    for size in (WORTH_BYTES - 1, 0, 0):
        sizes[0] = size
        trim.look()
    assert not given, "that was none"
    for size in (10 * WORTH_BYTES, 8 * WORTH_BYTES, 2 * WORTH_BYTES, 0, 0):
        sizes[0] = size
        trim.look()
    assert given == [0]
