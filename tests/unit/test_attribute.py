"""attribute: from requests to attributed touchpoints, whatever one of them does to its neighbours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL

import pytest

from schemas.config import KafkaConfig
from schemas.touchpoints import CLEAN, DEAD, RAW, CleanTouchpoint, RawRequest
from streams.ids import named_id
from streams.minimising.kept import Kept
from streams.processors.attribute import Attribute
from streams.processors.draining import Draining
from streams.processors.mapper import Mapper
from streams.processors.shell import Record, Stage
from streams.processors.turns import Turn
from streams.runtime.dead import letter
from streams.runtime.fuse import SourceFuses
from streams.runtime.metrics import Metrics
from streams.runtime.outbox import Output
from streams.runtime.standings import Standings
from tests.attributing import AsRead
from tests.unit.test_new_connector import Outbox

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Poisoned(AsRead):
    """A mistake of ours that one event sets off."""

    async def attributed(self, touchpoints: Sequence[CleanTouchpoint]) -> list[Output]:
        if any(one.vendor_event_id == "poison" for one in touchpoints):
            raise ZeroDivisionError("by zero")
        return await super().attributed(touchpoints)


def request(*names: str, source: str = "web", kind: str = "page") -> RawRequest:
    batch = [
        {"type": kind, "messageId": name, "anonymousId": f"a-{name}", "timestamp": NOW.isoformat()} for name in names
    ]
    return RawRequest(
        request_id="-".join(names), source=source, vendor="segment", received_at=NOW, path="/v1/batch",
        body=json.dumps({"batch": batch}),
    )  # fmt: skip


def of(outputs: Sequence[Output], topic: str) -> list[bytes]:
    return [value for name, _, value in outputs if name == topic]


async def handled(handler: Attribute, *requests: RawRequest) -> None:
    record = Record(RAW.dump_json(requests), ("touchpoints.raw.v1", 0, 7))
    await asyncio.wait_for(await handler.handle([record]), 5)


def stage_on(outbox: Any, metrics: Metrics) -> Stage:
    return Stage("attribute", outbox, metrics, pytest.fail)


async def test_a_touchpoint_that_cannot_be_attributed_costs_its_request_and_no_other() -> None:
    outbox, metrics = Outbox(), Metrics()
    handler = Attribute(stage_on(outbox, metrics), Poisoned())
    await handled(handler, request("a", "b"), request("poison", "c"), request("d"))
    read = [CleanTouchpoint.decoded(value) for value in of(outbox.outputs, "touchpoints.attributed.v1")]
    assert [one.vendor_event_id for one in read] == ["a", "b", "d"]
    (dead,) = DEAD.validate_json(b"[" + b",".join(of(outbox.outputs, "touchpoints.dead.v1")) + b"]")
    assert (dead.source, dead.reason, dead.message) == ("web", "processing_failed", "ZeroDivisionError: by zero")
    assert RAW.validate_json(f"[{dead.original}]")[0] == request("poison", "c"), "what can be sent again"
    shown = metrics.render().decode()
    assert 'touchline_source_messages_total{fate="touchpoint",source="web"} 3.0' in shown
    assert 'touchline_source_messages_total{fate="dead",source="web"} 1.0' in shown


async def test_who_is_set_aside_is_so_whatever_becomes_of_the_touchpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known here and nowhere else it would wait for ever: only the leader, who reads the standings, resumes it."""
    monkeypatch.setattr(SourceFuses, "SOURCE_MINIMUM", 3)
    outbox, standings = Outbox(), Standings()

    async def dies(*_: object) -> list[Output]:
        raise asyncio.CancelledError

    by = AsRead()
    monkeypatch.setattr(by, "attributed", dies)
    handler = Attribute(stage_on(outbox, Metrics()), by, Mapper(), standings)
    with pytest.raises(asyncio.CancelledError):
        await handled(handler, *(request(str(n), kind="unheard_of") for n in range(6)))
    assert standings.is_aside("web")
    assert len(of(outbox.outputs, "sources.standings.v1")) == 1


async def test_a_large_record_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    async def give_way(_: Turn) -> None:
        asked.append(1)

    monkeypatch.setattr(Turn, "give_way", give_way)
    await handled(Attribute(stage_on(Outbox(), Metrics()), AsRead()), *(request(str(n)) for n in range(9)))
    assert len(asked) == 9


@pytest.mark.parametrize(
    ("topic", "former"),
    [
        ("touchpoints.raw.v1", "normalise"),
        ("t1-touchpoints.raw.v1", "normalise"),
        ("touchpoints.parked.v1", "normalise"),
        ("touchpoints.clean.v1", "resolve"),
        ("touchpoints.recalled.v1", "resolve"),
    ],
)
def test_what_an_earlier_version_refused_has_one_letter_when_it_is_read_again(topic: str, former: str) -> None:
    found = letter("attribute", b"{}", "malformed", "", (topic, 1, 2), 3)
    assert (found.stage, found.letter_id) == ("attribute", named_id(NAMESPACE_URL, f"{former}/{topic}/1/2/3"))
    assert found.letter_id == letter(former, b"{}", "malformed", "", (topic, 1, 2), 3).letter_id


async def test_a_record_left_by_an_earlier_version_that_cannot_be_processed_costs_no_other() -> None:
    outbox, mapper = Outbox(), Mapper()
    draining = Draining(KafkaConfig(), stage_on(outbox, Metrics()), Poisoned(), pytest.fail)  # type: ignore[arg-type]
    left = [mapper.read(request(name), ("touchpoints.raw.v1", 0, 0), 0).touchpoints for name in ("a", "poison", "b")]
    places = [("touchpoints.clean.v1", 0, offset) for offset in range(3)]
    await draining._take([Record(CLEAN.dump_json(one), place) for one, place in zip(left, places, strict=True)])
    read = [CleanTouchpoint.decoded(value) for value in of(outbox.outputs, "touchpoints.attributed.v1")]
    assert [one.vendor_event_id for one in read] == ["a", "b"]
    (dead,) = DEAD.validate_json(b"[" + b",".join(of(outbox.outputs, "touchpoints.dead.v1")) + b"]")
    assert (dead.reason, dead.origin_offset) == ("processing_failed", 1)


def test_what_cannot_be_written_counts_against_its_source() -> None:
    """So a source that sends nothing else is set aside; found in attribution it would only slow the others down."""

    class Unwritable(Kept):
        def reduced(self, touchpoint: CleanTouchpoint, *, is_felt: bool = False) -> CleanTouchpoint:
            return touchpoint.changed(title="\ud800") if touchpoint.vendor_event_id == "bad" else touchpoint

    reading = Mapper(kept=Unwritable()).read(request("bad"), ("touchpoints.raw.v1", 0, 0), 0)
    (dead,) = reading.letters
    assert dead.reason == "processing_failed" and "surrogates" in dead.message and reading.touchpoints == []
    assert len(Mapper(kept=Unwritable()).read(request("good"), ("touchpoints.raw.v1", 0, 0), 0).touchpoints) == 1
