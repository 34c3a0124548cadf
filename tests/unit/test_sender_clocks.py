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


@pytest.mark.parametrize("vendor", SDKS)
@pytest.mark.parametrize(
    "again",
    ["2026-11-22T15:59:00+01:00", "2026-11-22T14:59:00.000001Z", "2026-11-22T14:59:00.4Z", 1795359540000, "1795359540"],
)
def test_the_same_moment_written_otherwise_is_nobodys_choice(vendor: str, again: object) -> None:
    one = read(vendor, sent="2026-11-22T15:00:00Z", originalTimestamp="2026-11-22T14:59:00Z", timestamp=again)
    assert one.occurred_at == seen("2026-11-22T11:59:00Z") and one.properties["clock_corrected"] is True


@pytest.mark.parametrize("vendor", SDKS)
def test_a_server_before_us_says_when_it_received(vendor: str) -> None:
    """An archive, or a forwarder: the clock was off by what it was off there, and nothing is late."""
    archive: dict[str, Any] = {"receivedAt": "2026-11-20T11:00:02Z"}
    kept = read(vendor, sent="2026-11-20T11:00:01Z", timestamp="2026-11-20T11:00:00Z", **archive)
    assert (kept.occurred_at, kept.properties) == (seen("2026-11-20T11:00:00Z"), {})
    fast = read(vendor, sent="2026-11-20T14:00:02Z", originalTimestamp="2026-11-20T14:00:00Z", **archive)
    assert (fast.occurred_at, fast.clock_suspect) == (seen("2026-11-20T11:00:00Z"), False)
    assert read(vendor, sent=None, **archive).occurred_at == seen("2026-11-20T11:00:02Z")
    assert read(vendor, sent=None, receivedAt="2027-01-01T00:00:00Z").occurred_at == NOW
    assert read(vendor, sent=None, receivedAt="soon").occurred_at == NOW


@pytest.mark.parametrize("vendor", SDKS)
@pytest.mark.parametrize("sent", [NOW + timedelta(hours=3), NOW - timedelta(hours=3), None])
@pytest.mark.parametrize("how", [{"path": "/v1/import"}, {"backfill": True}], ids=str)
def test_what_is_imported_keeps_its_times(vendor: str, sent: datetime | None, how: dict[str, Any]) -> None:
    one = read(vendor, sent=sent, batch=True, timestamp=CHOSEN, **how)
    assert one.occurred_at == seen(CHOSEN) and "clock_corrected" not in one.properties


# --- PostHog ----------------------------------------------------------------------------------------------


def posthog(stamp: str = "2026-11-22T14:59:00Z", **around: Any) -> CleanTouchpoint:
    """An event as PostHog's SDKs send it, with `around` beside its batch; `how` is its request's."""
    how = {"path": "/e/", **around.pop("how", {})}
    properties = around.pop("properties", {})
    event = {"event": "a", "distinct_id": "d", "uuid": "u", "timestamp": stamp, "properties": properties}
    event |= around.pop("event", {})
    return touchpoint(mapped("posthog", {"api_key": "k", "batch": [event], **around}, **how)[0])


@pytest.mark.parametrize("ahead", ["2026-11-22T15:00:00Z", "2026-11-22T15:00:00", 1795359600000])
@pytest.mark.parametrize("name", ["sent_at", "created_at"])
def test_posthogs_fast_clock_is_moved_back(name: str, ahead: Any) -> None:
    one = posthog(**{name: ahead})
    assert (one.occurred_at, one.clock_suspect) == (seen("2026-11-22T11:59:00Z"), False)
    assert one.properties == {"clock_corrected": True, "stated_at": "2026-11-22T14:59:00+00:00"}
    assert posthog(event={"timestamp": None, "offset": 5_000}, **{name: ahead}).occurred_at == NOW - timedelta(
        seconds=5
    )


@pytest.mark.parametrize(
    "more",
    [
        {"historical_migration": True},
        {"how": {"backfill": True}},
        {"properties": {"$ignore_sent_at": True}},
        {"event": {"options": {"disable_skew_correction": True}}},
        {"sent_at": "tomorrow"},
        {"sent_at": None},
    ],
    ids=str,
)
def test_posthogs_stamps_that_are_no_clocks_are_kept(more: dict[str, Any]) -> None:
    assert posthog(**{"sent_at": "2026-11-22T15:00:00Z", **more}).occurred_at == seen("2026-11-22T14:59:00Z")


def test_posthogs_late_batch_keeps_its_times() -> None:
    one = posthog("2026-11-22T09:59:00Z", sent_at="2026-11-22T10:00:00Z")
    assert (one.occurred_at, one.properties) == (seen("2026-11-22T09:59:00Z"), {"sent_late_s": 7_200})
    assert posthog("2026-11-22T11:59:00Z", sent_at="2026-11-22T12:00:00Z").properties == {}


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
