"""When an event happened: what the caller chose, else the sender's clock, corrected where it shows to be wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.touchpoints import CleanTouchpoint
from streams.connectors.registry import CONNECTORS
from tests.unit.test_connectors import NOW, mapped, touchpoint
from tests.unit.test_mapping_versions import VISITS, played

CALLED = "2026-11-22T11:00:00Z"
CHOSEN = "2026-03-02T09:00:00Z"
PAGE = {"origin": "https://shop.example"}
BROWSER = {"library": {"name": "analytics.js", "version": "npm:next-1.84.3"}}
SERVER = {"library": {"name": "analytics-python", "version": "2.4.0"}}
SDKS = ("segment", "rudderstack")


def read(
    vendor: str = "segment", *, sent: datetime | str | None = NOW, batch: bool = False, **more: Any
) -> CleanTouchpoint:
    """A call, as it is understood. `at`, `path`, `backfill`, `headers` are its request's, the rest the message's."""
    request = {name: more.pop(name) for name in ("at", "path", "backfill", "headers") if name in more}
    body: dict[str, Any] = {"type": "track", "event": "A", "userId": "u", "messageId": "m", **more}
    stamp = {} if sent is None else {"sentAt": sent if isinstance(sent, str) else sent.isoformat()}
    body = {"batch": [body], **stamp} if batch else {**body, **stamp}
    return touchpoint(mapped(vendor, body, **{"path": "/v1/batch" if batch else "/v1/track", **request})[0])


def seen(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- what the caller chose ------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", SDKS)
@pytest.mark.parametrize("sent", [NOW, NOW + timedelta(hours=3), NOW - timedelta(hours=3), None, "no time"])
def test_a_chosen_time_counts_beside_the_time_of_the_call(vendor: str, sent: datetime | str | None) -> None:
    one = read(vendor, sent=sent, timestamp=CHOSEN, originalTimestamp=CALLED)
    assert one.occurred_at == seen(CHOSEN) and one.properties == {}


def test_the_time_of_the_call_counts_where_none_was_chosen() -> None:
    assert read(originalTimestamp=CALLED).occurred_at == seen(CALLED)
    assert read(originalTimestamp=CALLED, timestamp="").occurred_at == seen(CALLED)
    assert read(originalTimestamp=CALLED, timestamp="yesterday").occurred_at == seen(CALLED)
    assert read(originalTimestamp=CALLED, timestamp=CALLED).occurred_at == seen(CALLED)
    assert read(timestamp=CHOSEN).occurred_at == seen(CHOSEN)


def test_reading_anew_keeps_the_id() -> None:
    assert read(originalTimestamp=CALLED).event_id == read(originalTimestamp=CALLED, timestamp=CHOSEN).event_id
    assert read().mapping == CONNECTORS["segment"].mapping and read().read_anew


# --- a fast clock -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", SDKS)
@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("field", ["timestamp", "originalTimestamp"])
@pytest.mark.parametrize("fast", [timedelta(minutes=1, seconds=1), timedelta(hours=7), timedelta(days=4_000)])
def test_a_clock_ahead_of_the_receipt_is_moved_back(vendor: str, batch: bool, field: str, fast: timedelta) -> None:
    stated = NOW + fast - timedelta(seconds=30)
    one = read(vendor, batch=batch, sent=NOW + fast, **{field: stated.isoformat()})
    assert one.occurred_at == NOW - timedelta(seconds=30) and not one.clock_suspect
    assert one.properties == {"clock_corrected": True, "stated_at": stated.isoformat()}


def test_a_minute_is_no_wrong_clock() -> None:
    for off in (timedelta(minutes=1), timedelta(minutes=-1), timedelta(0)):
        one = read(sent=NOW + off, timestamp=CALLED)
        assert (one.occurred_at, one.properties) == (seen(CALLED), {})


def test_what_would_fall_out_of_time_is_kept_and_suspect() -> None:
    one = read(sent=datetime(2099, 1, 1, tzinfo=UTC), timestamp="1971-01-01T00:00:00Z")
    assert one.occurred_at.year == 1971 and "clock_corrected" not in one.properties


def test_a_message_without_a_stamp_happened_when_it_was_sent() -> None:
    assert read(sent=NOW + timedelta(hours=2)).occurred_at == NOW
    assert read(sent=NOW - timedelta(hours=2)).occurred_at == NOW - timedelta(hours=2)
    assert read(sent=None).occurred_at == NOW


def test_a_meeting_that_is_planned_is_no_fast_clock() -> None:
    one = read(timestamp="2026-11-23T09:00:00Z")
    assert one.occurred_at == seen("2026-11-23T09:00:00Z") and one.clock_suspect


# --- one behind ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", SDKS)
@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("context", [{}, SERVER, BROWSER, {"library": "odd"}])
def test_the_same_body_delivered_two_hours_late_keeps_its_times(vendor: str, batch: bool, context: Any) -> None:
    how = {"batch": batch, "sent": NOW, "timestamp": "2026-11-22T11:59:58Z", "context": context}
    first, late = read(vendor, **how), read(vendor, at=NOW + timedelta(hours=2), **how)
    assert first.occurred_at == late.occurred_at == seen("2026-11-22T11:59:58Z")
    assert first.properties == {} and late.properties == {"sent_late_s": 7_200}
    assert first.event_id == late.event_id and not late.clock_suspect


def test_a_pages_slow_clock_is_moved_on() -> None:
    slow = timedelta(hours=3)
    how: dict[str, Any] = {"sent": NOW - slow, "context": BROWSER, "headers": PAGE}
    one = read(timestamp=(NOW - slow - timedelta(seconds=5)).isoformat(), **how)
    assert one.occurred_at == NOW - timedelta(seconds=5) and one.properties["clock_corrected"] is True


KEPT: dict[str, dict[str, Any]] = {
    "no page": {"headers": {}},
    "another SDK": {"context": SERVER},
    "RudderStack's SDK, which stamps when it queues": {"context": {"library": {"name": "RudderLabs JavaScript SDK"}}},
    "the same SDK's elder": {"context": {"library": {"name": "analytics.js", "version": "4.1.0"}}},
    "an import": {"path": "/v1/import", "batch": True},
    "a back-fill": {"backfill": True},
    "more than a day": {"sent": NOW - timedelta(hours=24, seconds=1)},
}


@pytest.mark.parametrize("why", KEPT)
def test_other_senders_that_look_slow_are_kept_and_flagged(why: str) -> None:
    how: dict[str, Any] = {"sent": NOW - timedelta(hours=3), "context": BROWSER, "headers": PAGE, **KEPT[why]}
    one = read(timestamp=CALLED, **how)
    assert one.occurred_at == seen(CALLED) and one.properties["sent_late_s"] in (10_800, 86_401)


def test_what_we_say_ourselves_is_not_pushed_out_by_many_properties() -> None:
    one = read(sent=NOW - timedelta(hours=3), timestamp=CALLED, properties={f"p{n}": n for n in range(40)})
    assert len(one.properties) == 30 and one.properties["sent_late_s"] == 10_800


# --- a resend, whose clock is read again --------------------------------------------------------------------


def test_of_two_copies_the_one_received_first_stands_in_any_order() -> None:
    """A fast clock is read off each copy by itself, a little otherwise each time; the event still has one time."""
    first, again = (
        VISITS[1],
        VISITS[1].changed(
            received_at=VISITS[1].received_at + timedelta(minutes=9),
            occurred_at=VISITS[1].occurred_at + timedelta(minutes=2),
        ),
    )
    expected = played([VISITS], 1)
    for parts in (
        [[*VISITS, again]],
        [[VISITS[0], again, VISITS[2]], [first]],
        [[again], [*VISITS]],
        [VISITS, [again]],
    ):
        assert played(parts, 1) == expected
