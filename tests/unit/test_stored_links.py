"""Links of a record, read quickly: the same as the contract reads, and what is unusual is left to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
import pytest

from benchmarks.tangles import edges, growing
from schemas.links import LINKS, AccountClaim, AnyLink, Edge, Erasure, Link
from streams.identity.edges import Seen
from streams.identity.knowledge import Knowledge
from streams.identity.stored import stored
from tests.journeys import at
from tests.unit.test_tangled_identities import history

CLAIM = AccountClaim(account_id="crm:1", trait="domain", value="acme.com", since=at(0), evidence="e", source="crm")
ENDS = {"kind": "edge", "a": "user:1", "b": "device:1", "scoped": True}
EDGE: dict[str, object] = {**ENDS, "since": "2026-01-01T00:00:00Z", "evidence": "e", "source": "web"}


def as_links(found: Sequence[Link | Seen | Erasure] | None) -> list[Link]:
    links = [one for one in found or [] if not isinstance(one, Erasure)]
    return [one.link().changed(scoped=True) if isinstance(one, Seen) else one for one in links]


def written(links: Iterable[Link]) -> bytes:
    """A record of links as the resolver writes them."""
    told: list[AnyLink] = [link.changed(scoped=True) for link in links]
    return LINKS.dump_json(told)


def test_it_reads_what_the_contract_reads() -> None:
    for seed in range(20):
        record = written([CLAIM, *history(seed)])
        assert as_links(stored(record)) == LINKS.validate_json(record)


def test_fields_that_have_a_default_may_be_missing_and_unknown_ones_are_dropped() -> None:
    record = orjson.dumps([EDGE | {"of_a_later_version": 1}])
    assert as_links(stored(record)) == LINKS.validate_json(record)


UNUSUAL = {
    "no JSON": b"[",
    "no list": b"{}",
    "no item": b"[1]",
    "no kind": b"[{}]",
    "an unknown kind": orjson.dumps([EDGE | {"kind": "later"}]),
    "a number for an alias": orjson.dumps([EDGE | {"a": 1}]),
    "a time without a zone": orjson.dumps([EDGE | {"since": "2026-01-01T00:00:00"}]),
    "a time of another zone": orjson.dumps([EDGE | {"since": "2026-01-01T02:00:00+02:00"}]),
    "a time as a number": orjson.dumps([EDGE | {"since": 1}]),
    "a missing field": orjson.dumps([{k: v for k, v in EDGE.items() if k != "evidence"}]),
    "typed in words": orjson.dumps([EDGE | {"typed": "yes"}]),
    "a claim that is none": orjson.dumps([{"kind": "account", "scoped": True}]),
    "ids of before": orjson.dumps([EDGE | {"scoped": False}]),
    "written before there were others": orjson.dumps([{k: v for k, v in EDGE.items() if k != "scoped"}]),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_is_unusual_is_left_to_the_contract(what: str) -> None:
    assert stored(UNUSUAL[what]) is None


def test_a_start_with_them_knows_what_one_with_links_knows() -> None:
    links = list(edges(growing(50)))
    quick, slow = Knowledge(), Knowledge()
    quick.load(stored(written(links)) or (), 1)
    slow.load(links, 1)
    for edge in edges(growing(50)):
        assert quick.graph.person(edge.b) == slow.graph.person(edge.b)
        assert quick.graph.knows(Edge.model_validate(edge.model_dump()))
