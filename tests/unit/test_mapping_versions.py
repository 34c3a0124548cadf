"""A mended mapping reads stored requests anew: of two readings of one receipt only the newer one is left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.touchpoints import RECALLED, AttributedTouchpoint, Attribution, CleanTouchpoint, RawRequest, Withdraw
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.journey import account as account_module
from streams.journey import corrections as corrections_module
from streams.journey.corrections import Stored
from streams.journey.fold import merged
from streams.journey.leaving import Left
from streams.processors import journey as journey_module
from streams.processors.conclusion import concluded
from streams.processors.memory import Dirty
from streams.processors.readings import Readings
from tests.journeys import AS_OF, touchpoint
from tests.pipeline import Pipeline
from tests.unit.test_pipeline_convergence import BLUEPRINT, oracle, stored, streams

VISITS = [
    touchpoint("e1", 0, "page_view", aliases=("anonymous:a1",), page="/pricing"),
    touchpoint("e2", 60, "page_view", aliases=("anonymous:a1",), page="/demo"),
    touchpoint("e3", 4_000, "page_view", aliases=("anonymous:a1",), page="/docs"),
]


def read_anew(old: CleanTouchpoint, **mended: Any) -> CleanTouchpoint:
    """The same request as the next mapping reads it."""
    return old.changed(mapping=old.mapping + 1, read_anew=True, **mended)


def later(old: CleanTouchpoint, seconds: int = 7_200) -> CleanTouchpoint:
    return read_anew(old, occurred_at=old.occurred_at + timedelta(seconds=seconds))


def of_account(old: CleanTouchpoint, account: str = "crm:1") -> CleanTouchpoint:
    return read_anew(old, account_refs=(account,), aliases=())


def played(
    parts: list[list[CleanTouchpoint]], seed: int, *, restarts: int = 0, gone: Iterable[str] = ()
) -> dict[str, tuple[object, ...]]:
    """What is stored after each part has run through, under the newer version, which makes nothing of what is `gone`.

    One part: what the old version read is still under way when the new one begins.
    """

    async def play() -> dict[str, tuple[object, ...]]:
        pipeline = Pipeline(BLUEPRINT, AS_OF, seed, mappings={"web": 2})
        try:
            for part in parts:
                await pipeline.feed(part)
                await asyncio.wait_for(pipeline.run(restarts=restarts), 30)
            await pipeline.withdraw_unread(gone, 2)
            await asyncio.wait_for(pipeline.run(restarts=restarts), 30)
            return stored(pipeline)
        finally:
            await pipeline.close()

    with patch.object(journey_module, "ROWS_EVERY_S", 0.0), patch.object(account_module, "TAIL", 4):
        return asyncio.run(play())


@st.composite
def mended(draw: st.DrawFn) -> tuple[list[CleanTouchpoint], list[CleanTouchpoint]]:
    """Events as they were read first; and some of them read anew: at another time, another account's, or just so."""
    stream = draw(streams())
    news = []
    for event in draw(st.lists(st.sampled_from(stream), min_size=1, max_size=5, unique_by=lambda e: e.event_id)):
        how = draw(st.sampled_from(["time", "account", "words", "same"]))
        seconds = draw(st.integers(1, 50_000))
        if how == "time":
            news.append(later(event, seconds))
        elif how == "account" and not event.account_refs:
            news.append(read_anew(event, account_refs=(draw(st.sampled_from(["crm:1", "crm:4"])),)))
        else:
            news.append(read_anew(event, **({"title": "read anew"} if how == "words" else {})))
    repeated = draw(st.lists(st.sampled_from(news), max_size=2))
    return stream, draw(st.permutations([*news, *repeated]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(readings=mended(), seed=st.integers(0, 10_000), restarts=st.integers(0, 2))
def test_what_is_read_anew_ends_where_reading_it_so_at_first_would(
    readings: tuple[list[CleanTouchpoint], list[CleanTouchpoint]], seed: int, restarts: int
) -> None:
    stream, news = readings
    by_id = {event.event_id: event for event in news}
    taught_by = [*stream, *news]  # what the first reading taught is still known
    final = [by_id.get(event.event_id, event) for event in stream]
    assert played([stream, news], seed, restarts=restarts) == oracle(final, taught_by=taught_by)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(readings=mended(), seed=st.integers(0, 10_000), restarts=st.integers(0, 2), data=st.data())
def test_both_readings_may_be_under_way_at_once(
    readings: tuple[list[CleanTouchpoint], list[CleanTouchpoint]], seed: int, restarts: int, data: st.DataObject
) -> None:
    stream, news = readings
    by_id = {event.event_id: event for event in news}
    final = [by_id.get(event.event_id, event) for event in stream]
    mixed = data.draw(st.permutations([*stream, *news]))
    assert played([mixed], seed, restarts=restarts) == oracle(final, taught_by=mixed)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(readings=mended(), seed=st.integers(0, 10_000), restarts=st.integers(0, 2), data=st.data())
def test_what_the_newer_mapping_makes_nothing_of_leaves(
    readings: tuple[list[CleanTouchpoint], list[CleanTouchpoint]], seed: int, restarts: int, data: st.DataObject
) -> None:
    stream, news = readings
    by_id = {event.event_id: event for event in news}
    gone = set(data.draw(st.lists(st.sampled_from(sorted({e.event_id for e in stream} - by_id.keys() | {"none"})))))
    final = [by_id.get(event.event_id, event) for event in stream if event.event_id not in gone]
    late = [event for event in stream if event.event_id in gone][:2]  # older copies that come after all
    found = played([[*stream, *news], late], seed, restarts=restarts, gone=gone)
    assert found == oracle(final, taught_by=[*stream, *news])


def left_after(then: list[list[CleanTouchpoint]], *, worker_starts_again: bool) -> list[str]:
    """The touchpoints that stand when, once the newer mapping made nothing of the second visit, each of `then` came."""

    async def play() -> list[str]:
        pipeline = Pipeline(BLUEPRINT, AS_OF, 1, mappings={"web": 2})
        try:
            await pipeline.feed(VISITS)
            await pipeline.run()
            await pipeline.withdraw_unread(["e2"], 2)
            await pipeline.run()
            if worker_starts_again:
                await pipeline.restart()
                pipeline.offsets |= {slot: len(log) for slot, log in pipeline.topics.logs.items()}
            pipeline.memory.read_elsewhere.clear()  # it is bounded
            for part in then:
                await pipeline.feed(part)
                await pipeline.run()
            return sorted(pipeline.store.visible())
        finally:
            await pipeline.close()

    with patch.object(journey_module, "ROWS_EVERY_S", 0.0):
        return asyncio.run(play())


@pytest.mark.parametrize("worker_starts_again", [True, False])
def test_an_older_copy_that_comes_to_an_account_in_memory_stays_away(worker_starts_again: bool) -> None:
    """A resolver that starts again attributes its last records once more: the copy comes after its own withdrawal."""
    brings_it_into_memory, copy = VISITS[2:], VISITS[1:2]
    assert left_after([brings_it_into_memory, copy], worker_starts_again=worker_starts_again) == ["e1", "e3"]


@pytest.mark.parametrize("worker_starts_again", [True, False])
def test_a_still_newer_mapping_brings_back_what_had_left(worker_starts_again: bool) -> None:
    """It knows no more links than were known when it left: that alone does not make it a copy of what is stored."""
    third = read_anew(read_anew(VISITS[1]))
    assert left_after([[third]], worker_starts_again=worker_starts_again) == ["e1", "e2", "e3"]


async def test_a_move_of_the_older_reading_does_not_take_the_newer_one_away() -> None:
    """An older copy was sent to attribution before the newer reading came: only the older one is in its new account."""
    known = Attribution(person_id="p1", account_id="domain:acme.com", method="email_domain", confidence=0.9)
    newer = AttributedTouchpoint(touchpoint=read_anew(VISITS[1]), attribution=known, knowledge=14)
    entry = Dirty(asyncio.get_running_loop().create_future())
    moved = Withdraw(account_id=known.account_id, event_id="e2", to_account_id="crm:1", knowledge=23, cause="moved")
    entry.withdraw(moved)
    found = concluded(known.account_id, BLUEPRINT, entry, Stored({"e2": newer}, touchpoint_digests={"e2": 1}), AS_OF)
    assert found.live is not None and found.live.journey.state.touchpoints == 1
    (back,) = (RECALLED.validate_json(b"[" + item + b"]")[0] for _, _, item in found.recalled)
    assert (back.item, back.knowledge, back.refused) == (newer, 23, False)
    assert Left(23, 2).takes(newer)


def test_what_was_read_anew_moves_with_the_rest() -> None:
    """Its withdrawal says which reading moves."""
    known = touchpoint("e9", 9_000, "identify", aliases=("anonymous:a1", "email:ann@acme.com"))
    news = read_anew(VISITS[1], title="read anew")
    final = [VISITS[0], news, VISITS[2], known]
    assert played([VISITS, [news], [known]], 1) == oracle(final)


def test_without_looking_once_both_are_stored_both_would_be_seen() -> None:
    """Known bad: nobody looks for newer readings of what the old version read."""

    async def forgets(self: Readings, items: object, stored: object) -> None:
        return None

    part = [of_account(VISITS[1]), *VISITS]
    assert played([part], 1) == played([VISITS, part[:1]], 1)
    with patch.object(Readings, "settle", forgets), pytest.raises(AssertionError, match="visible twice"):
        played([part[:1], VISITS], 1)


@pytest.mark.parametrize("mend", [later, of_account, read_anew])
def test_an_older_reading_that_comes_again_changes_nothing(mend: Any) -> None:
    news = [mend(VISITS[1])]
    assert played([VISITS, news, VISITS], 1) == played([VISITS, news], 1)


def test_without_withdrawing_it_is_visible_in_both_accounts() -> None:
    """Known bad: the account of the older reading is not told."""

    async def forgets(self: Readings, about: object, coming: object) -> None:
        return None

    with patch.object(Readings, "call_back", forgets), pytest.raises(AssertionError, match="visible twice"):
        played([VISITS, [of_account(VISITS[1])]], 1)


def test_without_a_tombstone_it_is_visible_at_both_times() -> None:
    """Known bad: the row at the old time stays."""
    with (
        patch.object(corrections_module, "_moved_in_time", lambda *_: []),
        pytest.raises(AssertionError, match="visible twice"),
    ):
        played([VISITS, [later(VISITS[1])]], 1)


def test_of_two_readings_of_one_receipt_the_newer_mapping_stands_whatever_the_order() -> None:
    known = Attribution(account_id="crm:1", method="explicit", confidence=1.0)
    old = AttributedTouchpoint(touchpoint=VISITS[0], attribution=known)
    new = AttributedTouchpoint(touchpoint=read_anew(VISITS[0], title="A"), attribution=known)
    first = AttributedTouchpoint(
        touchpoint=VISITS[0].changed(received_at=VISITS[0].received_at - timedelta(hours=1)), attribution=known
    )
    assert merged(old, new).touchpoint == merged(new, old).touchpoint == new.touchpoint
    assert merged(first, new).touchpoint == merged(new, first).touchpoint == first.touchpoint


@pytest.mark.parametrize(
    ("received_under", "reads", "is_anew"), [(1, 1, False), (1, 2, True), (2, 2, False), (2, 3, True)]
)
def test_a_touchpoint_says_which_mapping_read_it_and_whether_an_older_one_may_have(
    received_under: int, reads: int, is_anew: bool
) -> None:
    connector = replace(CONNECTORS["segment"], mapping=reads)
    body = '{"type": "track", "event": "Asked", "messageId": "m1", "userId": "u1", "timestamp": "2024-10-04T00:00:00Z"}'
    request = RawRequest(
        request_id="1", source="web", vendor="segment", received_at=AS_OF, body=body, mapping=received_under
    )
    (result,) = connector.read(request)
    assert isinstance(result, Mapped)
    assert (result.touchpoint.mapping, result.touchpoint.read_anew) == (reads, is_anew)


def test_what_an_earlier_version_wrote_was_read_by_the_first_mapping() -> None:
    request = RawRequest(request_id="1", source="web", vendor="x", received_at=AS_OF, body="{}")
    old = orjson.loads(request.encoded())
    assert "mapping" not in old and RawRequest.of(old).mapping == 1
    item = orjson.loads(VISITS[0].encoded())
    assert item.keys().isdisjoint(("mapping", "read_anew"))
    assert CleanTouchpoint.of(item) == VISITS[0]
