"""The contracts of the hops: what was written before is read, what is left out filled in, nothing hangs on bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import orjson
import pytest

from schemas.base import Codec, Item
from schemas.facts import FACTS, Fact, ProposalFact
from schemas.touchpoints import (
    ACCOUNT_INPUTS,
    CLEAN,
    RAW,
    AccountInput,
    AttributedTouchpoint,
    Attribution,
    CleanTouchpoint,
    RawRequest,
)
from streams.journey.blueprints import load
from streams.journey.facts import digest_of, placed_digest
from streams.journey.fold import fold, merged, sorted_history
from streams.runtime.decode import decode, items_bytes
from tests.data.before import recorded
from tests.store_facts import account_fact

CODECS: dict[str, Codec[Any]] = {
    "touchpoints.clean.v1": CLEAN,
    "touchpoints.attributed.v1": ACCOUNT_INPUTS,
    "journey.facts.v1": FACTS,
}
AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
PLAIN = CleanTouchpoint(
    event_id="e",
    source="web",
    vendor="segment",
    vendor_type="page",
    action="page_viewed",
    occurred_at=AT,
    received_at=AT,
)


def records(topic: str) -> Iterator[bytes]:
    """As an earlier version wrote them, with every field."""
    for name, _, values in recorded()["logs"]:
        if name.endswith(topic):
            yield from (value.encode() for value in values if value)


@pytest.mark.parametrize("topic", CODECS)
def test_what_an_earlier_version_wrote_is_read_and_written_anew_it_is_shorter_and_the_same(topic: str) -> None:
    codec, seen, shorter = CODECS[topic], 0, 0
    for record in records(topic):
        items = codec.validate_json(record)
        anew = codec.dump_json(items)
        assert codec.validate_json(anew) == items and len(anew) <= len(record)
        for item, told in zip(items, items_bytes(record), strict=True):
            fields, before = item.fields(), orjson.loads(told)
            assert _known(fields, before) == _known(before, fields)
            seen += 1
        shorter += len(anew) < len(record)
    assert seen > 20 and shorter > 20


def _known(before: Any, now: Any) -> Any:
    """What the earlier version wrote of the fields that there are; the kinds of nested items go without saying."""
    if isinstance(before, dict) and isinstance(now, dict):
        return {name: _known(before[name], now[name]) for name in now.keys() & before.keys()}
    if isinstance(before, list):
        return [_known(one, other) for one, other in zip(before, now, strict=True)]
    return before


def test_records_of_both_forms_in_any_order_make_one_history() -> None:
    """Among them are two readings of one receipt that nothing but their content tells apart."""
    longs = [told for record in records("touchpoints.attributed.v1") for told in items_bytes(record)]
    pairs = [(told, item.encoded()) for told in longs for item in ACCOUNT_INPUTS.validate_json(b"[" + told + b"]")]
    touchpoints = [pair for pair in pairs if b'"kind":"touchpoint"' in pair[0]][:150]
    twin = AttributedTouchpoint.decoded(touchpoints[0][0])
    twin = twin.changed(touchpoint=twin.touchpoint.changed(title="another reading"))
    touchpoints.append((orjson.dumps(twin.fields()), twin.encoded()))
    draw, histories = random.Random(7), []
    for _ in range(4):
        drawn = [draw.choice(pair) for pair in draw.sample(touchpoints, len(touchpoints))]
        found = [AttributedTouchpoint.decoded(told) for told in drawn]
        histories.append(sorted_history(found))
    assert all(history == histories[0] for history in histories) and len(histories[0]) > 50
    blueprint = load()
    placed = [fold(history[:60], blueprint, AT).placed.values() for history in histories]
    digests = [[placed_digest(each, 1) for each in those] for those in placed]
    assert digests[0] and all(those == digests[0] for those in digests)


def test_equal_items_may_be_written_differently_so_ties_are_broken_by_values() -> None:
    """A default is left out where it is the very object. One who compared bytes would see two touchpoints here."""
    attribution = Attribution(account_id="crm:1", method="explicit", confidence=1.0)
    usual = AttributedTouchpoint(touchpoint=PLAIN, attribution=attribution)
    read = AttributedTouchpoint(touchpoint=PLAIN.changed(channel="".join(["w", "eb"])), attribution=attribution)
    assert usual == read and usual.encoded() != read.encoded()
    assert merged(usual, read) == merged(read, usual) == usual


@pytest.mark.parametrize("text", ["2026-03-02T10:00:00+02:00", "2026-03-02T08:00:00Z", "2026-03-02T08:00:00"])
def test_times_are_in_utc_however_they_were_written(text: str) -> None:
    for found in (
        RawRequest.of({**_REQUEST, "received_at": text}),
        RawRequest(**{**_REQUEST, "received_at": _at(text)}),
    ):
        assert found.received_at == AT and found.received_at.tzinfo is UTC
    touchpoint = PLAIN.changed(valid_from=_at(text))
    assert touchpoint.valid_from == AT and touchpoint.valid_from.tzinfo is UTC


_REQUEST: dict[str, Any] = {"request_id": "r", "source": "web", "vendor": "segment", "received_at": AT, "body": "{}"}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b'"x":' + b"[" * 100_000 + b"]" * 100_000, "no JSON array: maximum recursion depth"),
        (b'"received_at":"0001-01-01T00:00:00+14:00"', "date value out of range"),
        (b'"mapping":"three"', "mapping: Expected `int`"),
        (b'"body":"\\ud800"', ""),
        (b'"backfill":1', "backfill"),
    ],
)
def test_one_that_cannot_be_read_costs_no_other(damage: bytes, said: str) -> None:
    good = RawRequest.of(_REQUEST).encoded()
    bad = good[:-1] + b"," + damage + b"}"
    found = decode(b"[" + good + b"," + bad + b"]", RAW)
    if found.items:
        assert [index for index, _ in found.items] == [0] and said in found.refused[0].message
    else:  # the whole record cannot be taken apart
        assert said in found.refused[0].message


def test_what_it_says_of_a_nested_field_names_it() -> None:
    bad = (
        AttributedTouchpoint(touchpoint=PLAIN, attribution=Attribution(account_id="a", method="m", confidence=1.0))
        .encoded()
        .replace(b'"action":"page_viewed"', b'"action":7')
    )
    (refused,) = decode(b"[" + bad + b"]", ACCOUNT_INPUTS).refused
    assert refused.message.startswith("touchpoint.action: ")


def test_the_kind_of_an_item_is_its_tag() -> None:
    for kind in (*get_args(Fact), *get_args(AccountInput)):
        assert kind.__struct_config__.tag == kind.kind and kind.__struct_config__.tag_field == "kind"


def test_fields_has_what_is_left_out() -> None:
    found = PLAIN.fields()
    assert found.keys() == set(CleanTouchpoint.__struct_fields__)
    assert (found["channel"], found["aliases"], found["occurred_at"]) == ("web", [], "2026-03-02T08:00:00Z")
    assert "channel" not in orjson.loads(PLAIN.encoded())


def test_no_item_is_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        PLAIN.title = "x"  # type: ignore[misc]


def test_digests_of_before_hold() -> None:
    """They are stored with the rows; another one would have every account written anew."""
    account = account_fact()
    assert digest_of(account.transitions) and repr(account.opportunities[0]).startswith("Opportunity(opportunity_id=")


def test_items_hold_no_reference_to_what_holds_them() -> None:
    """So that the garbage collector may leave them out."""
    assert all(not kind.__struct_config__.gc for kind in (Item, ProposalFact, CleanTouchpoint))
