"""Links as records: what stands whatever comes later, what compaction may take, and what a start makes of the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.links import LINKS, AnyLink, Decision, Edge, Link, Membership
from schemas.touchpoints import CleanTouchpoint
from streams.identity.knowledge import Knowledge
from streams.runtime.writer import RecordWriter
from tests.journeys import at, touchpoint
from tests.unit.test_resolve_convergence import events, place_of

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Topic:
    """A compacted topic, and the leader: what a worse record took the place of is told again."""

    def __init__(self, *, repairs: bool = True) -> None:
        self.records: list[Link] = []
        self.knowledge = Knowledge()
        self._repairs = repairs

    def tell(self, link: Link) -> None:
        waiting = [link]
        while waiting:
            told = waiting.pop()
            self.records.append(told)
            better = self.knowledge.outdone(told)
            self.knowledge.apply(told, len(self.records))
            waiting += [better] if better is not None and self._repairs else []

    def compacted(self) -> list[Link]:
        last = {link.link_id: n for n, link in enumerate(self.records)}
        return [link for n, link in enumerate(self.records) if last[link.link_id] == n]


def places(knowledge: Knowledge, history: list[CleanTouchpoint]) -> list[Any]:
    return [place_of(knowledge.attribute(event)) for event in history]


def told_by_strangers(history: list[CleanTouchpoint], topic: Topic) -> None:
    """Every link is published, also by workers that do not know of better ones."""
    for event in history:
        for link in Knowledge().learn(event):
            topic.tell(link)


@FEW
@given(history=events(10), data=st.data())
def test_a_start_from_what_compaction_left_knows_the_same(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    topic = Topic()
    told_by_strangers(data.draw(st.permutations([*history, *history])), topic)
    kept = topic.compacted()
    loaded, applied = Knowledge(), Knowledge()
    cut = data.draw(st.integers(0, len(kept)))
    loaded.load(kept[:cut], cut)
    for knowledge, links in ((loaded, kept[cut:]), (applied, kept)):
        for link in links:
            knowledge.apply(link, knowledge.position + 1)
    assert places(loaded, history) == places(applied, history) == places(topic.knowledge, history)
    assert set(loaded.proposals) == set(applied.proposals) == set(topic.knowledge.proposals)


def test_without_repairs_a_start_knows_less() -> None:
    """Known bad: the record with the later evidence comes last, and compaction takes the better one."""
    early = touchpoint("e1", 0, "identify", aliases=("crm_contact:1", "anonymous:a1"))
    late = touchpoint("e2", 9, "identify", aliases=("crm_contact:1", "anonymous:a1"))
    other = touchpoint("e3", 5, "identify", aliases=("crm_contact:2", "anonymous:a1"))
    whose = []
    for repairs in (True, False):
        topic = Topic(repairs=repairs)
        told_by_strangers([early, other, late], topic)
        started = Knowledge()
        started.load(topic.compacted(), len(topic.records))
        whose.append(started.graph.person("anonymous:a1") == topic.knowledge.graph.person("anonymous:a1"))
    assert whose == [True, False]


def decision(verdict: str, seconds: float, event: str = "d") -> Decision:
    fields = {"a": "user:u1", "b": "email:ann@acme.com", "verdict": verdict, "by": "ops", "decided_at": at(seconds)}
    return Decision.model_validate({**fields, "evidence": event, "source": "operators"})


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_the_latest_decision_holds_in_any_order_and_survives_compaction(order: tuple[int, ...]) -> None:
    said = [decision("unlink", 1), decision("link", 5, "d1"), decision("unlink", 5, "d2")]
    topic = Topic()
    for index in order:
        topic.tell(said[index])
    assert len(topic.compacted()) == 3  # who said what stays known
    started = Knowledge()
    started.load(topic.compacted(), 3)
    for knowledge in (topic.knowledge, started):
        assert knowledge.graph.decision("email:ann@acme.com", "user:u1") == said[2]
        assert knowledge.graph.person("user:u1").aliases == ("user:u1",)


def test_links_of_all_kinds_round_trip() -> None:
    stated = Membership(
        alias="user:u1",
        account_id="crm:1",
        how="stated",
        valid_from=at(0),
        valid_to=at(9),
        since=at(1),
        evidence="e",
        source="crm",
    )
    edge = Edge(a="email:a@b.cc", b="user:u1", typed=True, since=at(0), evidence="e", source="web")
    links: list[AnyLink] = [stated, edge, decision("link", 1)]
    assert LINKS.validate_json(LINKS.dump_json(links)) == links
    assert len({link.link_id for link in links}) == 3


class _Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes | None, bytes]] = []

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int) -> Any:
        self.sent.append((key, value))
        future = asyncio.get_running_loop().create_future()
        future.set_result(type("Ack", (), {"offset": len(self.sent) - 1}))
        return future


async def sent(*batches: list[str]) -> list[bytes | None]:
    producer = _Producer()
    writer = RecordWriter(producer, lambda topic: 1)
    for batch in batches:
        for key in batch:
            writer.put("identity.links.v1", key, b"{}")
        await writer.flush()
    return [key for key, _ in producer.sent]


async def test_each_link_is_a_record_of_its_own() -> None:
    """So that compaction drops what a newer one replaces, and an erasure empties theirs and nobody else's."""
    assert await sent(["a", "b"], ["b", "a"], ["a", "a"]) == [b"a", b"b", b"b", b"a", b"a", b"a"]
