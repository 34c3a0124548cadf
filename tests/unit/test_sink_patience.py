"""A ClickHouse that hangs is told by the sink's /healthz while it does, and forgotten when it answers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from services.sink import loop
from services.sink.health import SinkHealth
from services.sink.loop import SinkLoop
from streams.runtime.metrics import NoMetrics


async def test_a_store_that_hangs_is_told_while_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "PATIENCE_S", 0.01)
    nobody: Any = None
    health = SinkHealth(lambda: datetime.now(UTC))
    sink = SinkLoop(nobody, nobody, nobody, topics={}, meter=NoMetrics(), health=health)
    answer = Event()
    step = asyncio.create_task(sink._patiently(lambda: answer.wait(30)))
    try:
        async with asyncio.timeout(10):
            while health.report()[0]:
                await asyncio.sleep(0.005)
        assert "waiting for ClickHouse since" in str(health.report()[1]["waiting"])
    finally:
        answer.set()
    assert await step
    assert health.report()[0]
