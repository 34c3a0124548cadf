"""Numbers and times as senders write them: exact, or refused with their neighbours kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import UnmappableEvent
from schemas.touchpoints import RawRequest
from streams.connectors.reading import stamp
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped, Refused, Result

AT = datetime(2026, 2, 1, 9, 30, tzinfo=UTC)
RECEIVED_AT = AT + timedelta(seconds=3)


def results(*messages: str) -> list[Result]:
    """What becomes of messages in Segment's protocol, given as JSON so that each number is as it was written."""
    body = f'{{"batch": [{", ".join(messages)}]}}'
    request = RawRequest(
        request_id="r", source="web", vendor="segment", received_at=RECEIVED_AT, path="/v1/batch", body=body
    )
    return CONNECTORS["segment"].read(request)


def message(user_id: str, timestamp: str = f'"{AT.isoformat()}"') -> str:
    return f'{{"type": "track", "event": "Report Opened", "userId": {user_id}, "timestamp": {timestamp}}}'


@pytest.mark.parametrize(
    ("written", "alias"),
    [
        ("112", "user:112"),
        ("112.0", "user:112"),
        ("1.12e2", "user:112"),
        ("9007199254740993", "user:9007199254740993"),
        ("18446744073709551615", "user:18446744073709551615"),
        ('"1000000000000000000000000000000"', "user:1000000000000000000000000000000"),
    ],
)
def test_a_number_is_the_id_that_was_written(written: str, alias: str) -> None:
    (found,) = results(message(written))
    assert isinstance(found, Mapped)
    assert found.touchpoint.aliases == (alias,)


@pytest.mark.parametrize("written", ["1000000000000000000000000000000", "9007199254740993.0", "1e30", "1.5", "true"])
def test_a_number_that_is_no_exact_id_is_refused_and_its_neighbours_are_kept(written: str) -> None:
    """Two people whose ids a double cannot tell apart would be one."""
    before, refused, after = results(message("1"), message(written), message("2"))
    assert isinstance(before, Mapped)
    assert isinstance(after, Mapped)
    assert isinstance(refused, Refused)
    assert "`userId`" in refused.message


@pytest.mark.parametrize(
    "written",
    [
        '"2026-02-01T09:30:00Z"',
        '"Sun, 01 Feb 2026 09:30:00 GMT"',
        '"01 Feb 2026 09:30:00 +0000"',
        '"Sun, 01 Feb 2026 10:30:00 +0100"',
        '"Sunday, 01-Feb-26 09:30:00 GMT"',
        "1769938200",
        "1769938200000",
        '"1769938200"',
        '"1769938200000"',
        '"1769938200.000"',
        '"2026-02-01 09:30:00 UTC"',
        '"2026-02-01 09:30:00 +0000"',
        '"2026-02-01T10:30:00+01:00[Europe/Amsterdam]"',
        '"2026-02-01T09:30:00Z[UTC]"',
        '"2026-02-01T08:30:00\u221201:00"',
        '"Sun Feb 01 2026 10:30:00 GMT+0100 (Midden-Europese standaardtijd)"',
        '"Sun Feb  1 09:30:00 2026"',
        '"/Date(1769938200000)/"',
        '"/Date(1769938200000+0100)/"',
        "1769938200000000",
        '"1769938200000000"',
        "1769938200000000000",
        "1.7699382e12",
    ],
)
def test_a_time_in_any_of_the_usual_writings(written: str) -> None:
    (found,) = results(message("1", written))
    assert isinstance(found, Mapped)
    assert found.touchpoint.occurred_at == AT


@pytest.mark.parametrize(
    "written", ['"1969-12-31T23:59:59Z"', '"2100-01-01T00:00:00Z"', "4102444800", '"Thu, 01 Jan 2150 00:00:00 GMT"']
)
def test_a_year_that_no_event_has_is_refused_and_its_neighbours_are_kept(written: str) -> None:
    before, refused, after = results(message("1"), message("2", written), message("3"))
    assert isinstance(before, Mapped)
    assert isinstance(after, Mapped)
    assert isinstance(refused, Refused)
    assert "1970" in refused.message


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "12345",
        "02/01/2026 09:30",
        "01-02-2026 09:30",
        "Invalid Date",
        "0000-00-00 00:00:00",
        "2026-02-30T00:00Z",
        "Sun Foo 01 2026 09:30:00 GMT+0000",
        "/Date(x)/",
        "Sun, 99 Feb 2026 09:30:00 GMT",
        "01 Foo 2026 09:30",
        "17699382001",
        "",
    ],
)
def test_what_is_no_time_is_said_to_be_none(written: str) -> None:
    with pytest.raises(UnmappableEvent, match="not a time"):
        stamp(written, "timestamp")
