"""Coming up while Kafka is away, and giving connections back whatever happens."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.runtime import lifetime
from streams.runtime.lifetime import close_all, started


class Client:
    """A client that starts at the given attempt."""

    def __init__(self, *, starts: bool) -> None:
        self.starts = starts
        self.stopped = 0

    async def start(self) -> None:
        if not self.starts:
            raise KafkaConnectionError("nobody listens")

    async def stop(self) -> None:
        self.stopped += 1


async def close_made_before(*closes: Callable[[], Awaitable[None]]) -> None:
    """The known-bad variant: each closing is made before its task runs."""
    made = [each() for each in closes]
    await asyncio.gather(*(asyncio.wait_for(each, 2) for each in made), return_exceptions=True)


async def stopped_in_the_middle(closing: Awaitable[None]) -> None:
    """Cancelled when it has made its tasks and none of them has begun."""
    task = asyncio.ensure_future(closing)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize(("close", "forgotten"), [(close_all, 0), (close_made_before, 2)])
async def test_a_stop_in_the_middle_of_closing_leaves_nothing_unawaited(
    close: Callable[..., Awaitable[None]], forgotten: int
) -> None:
    clients = Client(starts=True), Client(starts=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        await stopped_in_the_middle(close(*(each.stop for each in clients)))
        gc.collect()
    assert len([each for each in told if "never awaited" in str(each.message)]) == forgotten


async def test_one_that_fails_or_hangs_keeps_no_other_from_closing() -> None:
    good = Client(starts=True)

    async def fails() -> None:
        raise OSError("gone")

    async def hangs() -> None:
        await asyncio.Event().wait()

    await close_all(fails, hangs, good.stop, within_s=0.01)
    assert good.stopped == 1


async def test_a_client_that_did_not_start_is_stopped_and_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "START_RETRY_S", 0.001)
    made = [Client(starts=False), Client(starts=False), Client(starts=True)]
    waiting, heard = iter(made), list[KafkaError]()
    async with started(lambda: next(waiting), asyncio.Event(), heard.append) as client:
        assert client is made[2]
        assert [each.stopped for each in made] == [1, 1, 0]
    assert made[2].stopped == 1
    assert len(heard) == 2


async def test_asked_to_stop_before_kafka_answers_there_is_no_client() -> None:
    stopping = asyncio.Event()

    def waits(_: KafkaError) -> None:
        stopping.set()

    async with started(lambda: Client(starts=False), stopping, waits) as client:
        assert client is None
