"""Acks go out in the order of offsets, because Faust commits past an event whose successor is acked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.processors.shell import Acks


class Partition:
    """Events of one partition, and the offsets acked so far."""

    def __init__(self) -> None:
        self.acked: list[int] = []

    def event(self, offset: int, partition: int = 0) -> Any:
        message = SimpleNamespace(topic="t", partition=partition, offset=offset, value=b"")
        return SimpleNamespace(message=message, ack=lambda: self.acked.append(offset))


async def test_an_event_is_acked_after_those_before_it() -> None:
    partition, acks = Partition(), Acks(10)
    first, second, third = [await acks.take(partition.event(offset)) for offset in (7, 8, 9)]
    acks.finished(second)
    assert partition.acked == [], "7 is under way: committing past 8 would lose it"
    acks.finished(first)
    assert partition.acked == [7, 8]
    acks.finished(third)
    assert partition.acked == [7, 8, 9]


async def test_partitions_do_not_wait_for_one_another() -> None:
    partition, acks = Partition(), Acks(10)
    await acks.take(partition.event(1, partition=0))
    acks.finished(await acks.take(partition.event(2, partition=1)))
    assert partition.acked == [2]


async def test_after_a_rebalance_only_what_came_again_is_acked() -> None:
    partition, acks = Partition(), Acks(10)
    stale = await acks.take(partition.event(7))
    await acks.take(partition.event(8))
    acks.forget()
    again = await acks.take(partition.event(7))
    acks.finished(stale)
    assert partition.acked == []
    acks.finished(again)
    assert partition.acked == [7]


async def test_faust_would_commit_past_it() -> None:
    """Why: with 7 committed and not acked, 8 acked, Faust says that 9 is next. When this fails, Faust is mended."""
    from faust.transport.consumer import Consumer

    place = ("t", 0)
    consumer: Any = SimpleNamespace(
        _acked={place: [8]}, _acked_index={place: {8}}, _gap={place: None}, _committed_offset={place: 7}
    )
    assert Consumer._new_offset(consumer, place) == 9


async def test_there_is_room_for_so_many_and_a_rebalance_gives_it_back() -> None:
    partition, acks = Partition(), Acks(2)
    first = await acks.take(partition.event(1))
    acks.finished(await acks.take(partition.event(2)))
    third = asyncio.ensure_future(acks.take(partition.event(3)))
    await asyncio.sleep(0)
    assert not third.done(), "2 is done but waits for 1: it still takes its room"
    acks.finished(first)
    acks.finished(await third)
    assert partition.acked == [1, 2, 3]
    for offset in (4, 5):
        await acks.take(partition.event(offset))
    acks.forget()
    await asyncio.wait_for(acks.take(partition.event(4)), 1)
