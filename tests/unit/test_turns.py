"""Turns on the event loop: long work gives way."""

from __future__ import annotations

import asyncio

import pytest

from schemas.config import KafkaConfig
from schemas.links import LINKS, AnyLink, Edge
from streams.processors import turns
from streams.processors.links import LinksReader
from streams.processors.turns import Turn
from streams.runtime.metrics import Metrics
from tests.journeys import at


async def test_long_work_lets_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", -1.0)
    seen: list[str] = []
    asyncio.get_running_loop().call_soon(seen.append, "another")
    turn = Turn()
    await turn.give_way()
    assert seen == ["another"]


async def test_short_work_goes_on() -> None:
    seen: list[str] = []
    asyncio.get_running_loop().call_soon(seen.append, "another")
    await Turn().give_way()
    assert seen == []


async def test_a_record_counts_as_known_once_all_its_links_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its many links are taken in turns, and whoever looks in between is not told that they are known."""
    monkeypatch.setattr(turns, "TURN_S", -1.0)
    reader = LinksReader(KafkaConfig(), Metrics(), lambda broken: None)
    links: list[AnyLink] = [
        Edge(a=f"email:p{n}@acme.com", b=f"user:u{n}", since=at(n), evidence=f"e{n}", source="web") for n in range(5)
    ]
    taking = asyncio.create_task(reader._apply(None, LINKS.dump_json(links), 7, Turn()))
    positions, known = [], []
    while not taking.done():
        await asyncio.sleep(0)
        positions.append(reader.knowledge.position)
        known.append(len(reader.knowledge.graph))
    assert {1, 3} <= set(known)
    assert {position for position, count in zip(positions, known, strict=True) if count < 5} == {0}
    assert reader.knowledge.position == 7
