"""While a processor waits for Kafka or reads the links, its probe answers, and says so."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from socket import socket
from typing import Any, NamedTuple

import pytest

from benchmarks.tangles import edges, star
from schemas.config import Config, KafkaConfig
from schemas.links import LINKS
from streams.processors import links as links_stage
from streams.processors import main
from streams.processors.links import LinksReader
from streams.runtime.metrics import Metrics


class Record(NamedTuple):
    value: bytes
    offset: int


class Log:
    """A links topic that holds three records."""

    def __init__(self) -> None:
        self.at = 0

    async def position(self, _: object) -> int:
        return self.at

    async def getmany(self, partition: object, timeout_ms: int) -> dict[object, list[Record]]:
        self.at = 3
        return {partition: [Record(LINKS.dump_json([edge]), n) for n, edge in enumerate(edges(star(3)))]}

    def seek(self, _: object, position: int) -> None:
        self.at = position


async def test_it_says_how_far_the_links_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = LinksReader(KafkaConfig(), Metrics(), lambda broken: None)
    reader._consumer = Log()
    said = list[str]()

    def load(links: Iterable[Any], position: int) -> None:
        said.extend(reader.reading for _ in links)

    monkeypatch.setattr(reader.knowledge, "load", load)
    monkeypatch.setattr(links_stage, "SHOWN_EVERY", 1)
    await reader._load(3)
    assert said == [f"reading links, {n} of 3" for n in (1, 2, 3)]


async def test_it_answers_before_kafka_does(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = list[str]()
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def kafka_is_away(*_: object, **__: object) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answers.append((await reader.read()).decode())
        writer.close()
        raise asyncio.CancelledError

    monkeypatch.setenv("TOUCHLINE_OPS_PORT", str(port))
    monkeypatch.setattr(main, "ensure_topics", kafka_is_away)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    with pytest.raises(asyncio.CancelledError):
        await main._run("attribute", Config(), "")
    assert "503" in answers[0].splitlines()[0]
    assert '"waiting_for":"Kafka"' in answers[0]
