"""Answers that are kept for a while."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.dashboard.answer_cache import Lately

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def test_who_asks_while_it_is_asked_for_waits_for_that_answer() -> None:
    asked: list[datetime] = []

    async def ask(now: datetime) -> int:
        asked.append(now)
        await asyncio.sleep(0)
        return len(asked)

    lately = Lately(timedelta(seconds=10), ask)
    found = await asyncio.gather(lately.at(NOON), lately.at(NOON), lately.at(NOON + timedelta(seconds=9)))
    assert list(found) == [1, 1, 1]
    assert await lately.at(NOON + timedelta(seconds=10)) == 2
    assert await lately.at(NOON) == 3, "a clock that was put back keeps nothing for hours"


async def test_a_failure_is_not_remembered() -> None:
    answers: list[int | Exception] = [OSError("away"), 7]

    async def ask(_now: datetime) -> int:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    lately = Lately(timedelta(seconds=10), ask)
    with pytest.raises(OSError, match="away"):
        await lately.at(NOON)
    assert await lately.at(NOON) == 7
