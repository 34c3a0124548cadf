"""Whether stages are behind: a look that broke off half way is none, and says nothing of what it did not reach."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.processes import INPUTS
from schemas.topics import TopicName
from services.alerting import hearing
from services.alerting.hearing import StagesBehind

KAFKA = KafkaConfig(bootstrap=("127.0.0.1:9",))


class Broker:
    """Ends and what was done, by topic; breaks off when it comes to `breaks_at`."""

    def __init__(self) -> None:
        self.ends = dict.fromkeys(INPUTS.values(), 0)
        self.done = dict.fromkeys(INPUTS.values(), 0)
        self.breaks_at = ""

    async def end_offsets(self, reader: Any, kafka: KafkaConfig, topic: TopicName) -> dict[int, int]:
        if topic == self.breaks_at:
            raise KafkaError("gone")
        return {0: self.ends[topic]}

    async def committed(self, topic: TopicName) -> dict[int, int]:
        return {0: self.done[topic]}


class HalfKnows(StagesBehind):
    """Known to be bad: it keeps what a look that broke off had seen."""

    broker: Broker

    async def look(self) -> bool:
        is_behind = not self._ends
        for stage, topic in INPUTS.items():
            before = self._ends.get(stage, {})
            self._ends[stage] = await self.broker.end_offsets(None, self._kafka, topic)
            done = await self._groups[stage].committed(topic)
            is_behind |= any(done.get(place, 0) < end for place, end in before.items())
        return is_behind


def looking(kind: type[StagesBehind], broker: Broker, monkeypatch: pytest.MonkeyPatch) -> StagesBehind:
    monkeypatch.setattr(hearing, "end_offsets", broker.end_offsets)
    behind = kind(KAFKA)
    behind._reader = object()
    if isinstance(behind, HalfKnows):
        behind.broker = broker
    for group in behind._groups.values():
        monkeypatch.setattr(group, "committed", broker.committed)
    return behind


async def first_looks(kind: type[StagesBehind], monkeypatch: pytest.MonkeyPatch) -> list[bool | None]:
    """A look that breaks off at the second stage, two whole ones, and one that breaks off with work left, and again."""
    broker, said = Broker(), list[bool | None]()
    behind = looking(kind, broker, monkeypatch)
    first, second, *_ = INPUTS.values()
    for breaks_at in (second, "", ""):
        broker.breaks_at = breaks_at
        said.append(await _look(behind))
    broker.ends[first] = 7
    said.append(await _look(behind))
    broker.breaks_at, broker.ends[first], broker.done[first] = second, 9, 7
    said.append(await _look(behind))
    broker.breaks_at = ""
    said.append(await _look(behind))
    return said


async def _look(behind: StagesBehind) -> bool | None:
    try:
        return await behind.look()
    except KafkaError:
        return None


async def test_a_look_that_broke_off_is_no_knowledge(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await first_looks(StagesBehind, monkeypatch) == [None, True, False, False, None, False]


async def test_and_one_that_takes_it_for_knowledge_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await first_looks(HalfKnows, monkeypatch) == [None, False, False, False, None, True]
