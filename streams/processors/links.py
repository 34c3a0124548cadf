"""The broadcast of links: every attribute worker reads the whole topic and applies it in its one order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.links import LINKS, AnyLink, Carried, Erasure, Link
from schemas.metrics import MetricName
from schemas.topics import TopicName
from schemas.touchpoints import Recall
from streams.identity.directories import Directories
from streams.identity.edges import Seen
from streams.identity.erasures import Ledger
from streams.identity.knowledge import Knowledge
from streams.identity.late_erasures import spread
from streams.identity.proposals import Proposal
from streams.identity.stored import stored
from streams.processors.turns import Turn
from streams.runtime.decode import decode
from streams.runtime.idle_polling import REST_MS
from streams.runtime.kafka import GroupProgress, broadcast_consumer, group_consumer, producer
from streams.runtime.lineage import Lineage, Mark
from streams.runtime.log_guard import LogGuard, OnBroken, guard
from streams.runtime.metrics import Meter
from streams.runtime.outbox import Outbox, Output, slices

TOPIC: TopicName = "identity.links.v1"
RECALL_GROUP = "touchline-recall"
FORGET_EVERY_S = 5.0
#: So often the leader looks whether it still is, and others whether they are.
REST_S = 0.25
#: What the leader sends at once; the rest waits, and what lives goes between.
SENT_AT_ONCE = 200
#: So long the links may be behind before a probe calls that unhealthy.
BEHIND_S = 10.0
ASKED_AT_MOST = 20
POLL_MS = 500
FILLER = b"nothing"
#: Positions that may have been used after the last one that was committed.
FILLED_BEYOND = 1_000
SHOWN_EVERY = 1_000
"""Records of a start after which its probe says another figure."""
_KNOWN: MetricName = "touchline_links_known"
_OFFSET: MetricName = "touchline_links_offset"
_TANGLED: MetricName = "touchline_identity_tangled_aliases"
_LIMITED: MetricName = "touchline_identity_limited"
_log = logging.getLogger("touchline.links")


class LinksReader:
    """Keeps `knowledge` up to date, and what follows from each link until someone has sent it."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        kafka: KafkaConfig,
        meter: Meter,
        on_broken: OnBroken,
        directories: Directories | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """`on_broken` hears when the log no more holds what was read. `ledger`: with its key, empty."""
        self.directories = directories or Directories()
        self.knowledge = Knowledge(self.directories.in_order, ledger)
        self.lineages: dict[TopicPartition, Lineage] = {}
        self._on_broken = on_broken
        self.recalls: deque[Recall] = deque()
        self.repairs: deque[tuple[int, Link | Erasure]] = deque()
        self._kafka = kafka
        self._meter = meter
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)
        self._consumer: Any = None
        self._moved = asyncio.Condition()
        self.carried: dict[str, int] = {}
        """How far it is with ids of before, and the position that says so."""
        self.reading = "the links topic"
        self._level_at = time.monotonic()
        self._warned_of = 0

    async def start(self) -> None:
        """Connect and read everything that is there now."""
        self._consumer = broadcast_consumer(self._kafka, "touchline-links")
        guard(self._consumer, self._on_broken, self.lineages)
        await self._consumer.start()
        self._consumer.assign([self._partition])
        await self._consumer.seek_to_beginning(self._partition)
        sent, given_out = await self._all_sent()
        await self._fill_up_to(given_out)
        end = (await self._consumer.end_offsets([self._partition]))[self._partition]
        gc.disable()  # hundreds of thousands of objects that stay: looking for garbage among them doubles the time
        try:
            await self._load(min(end, sent) if end else 0)
            while await self._consumer.position(self._partition) < end:
                await self._read()
        finally:
            gc.enable()
        self.knowledge.position = max(self.knowledge.position, end)
        _log.info("links known", extra={"links": len(self.knowledge.graph), "offset": end})

    async def _all_sent(self) -> tuple[int, int]:
        """Up to where somebody has sent what follows from the links, and the highest position known to have been used.

        0 when Kafka does not say in time.
        """
        progress = GroupProgress(self._kafka, RECALL_GROUP)
        try:
            for _ in range(ASKED_AT_MOST):
                try:
                    sent, mark = (await progress.marks()).get(self._partition, (0, Mark()))
                    return sent, max(sent, mark.back.expected if mark.back is not None else 0)
                except KafkaError:  # a coordinator that just started needs some seconds
                    await progress.close()
                    await asyncio.sleep(0.5)
            return 0, 0
        finally:
            await progress.close()

    async def _fill_up_to(self, position: int) -> None:
        """Fill a log that lost its tail up with empty records: what is known is named by positions in it.

        Else the next links would have the numbers of others, and what was decided with those would stand against them.
        """
        end = (await self._consumer.end_offsets([self._partition]))[self._partition]
        if end >= position:
            return
        _log.error("the links topic had lost its tail; it is filled up", extra={"end": end, "to": position})
        sender = producer(self._kafka, "touchline-links-filler")
        await sender.start()
        try:
            sends = [
                await sender.send(self._partition.topic, b"[]", key=FILLER, partition=0)
                for _ in range(position - end + FILLED_BEYOND)
            ]
            await asyncio.gather(*sends)
        finally:
            await sender.stop()

    async def _load(self, until: int) -> None:
        """Read the records before `until`, whose consequences are sent, and derive what they say at once."""
        kept: list[tuple[bytes | None, int]] = []
        while until and await self._consumer.position(self._partition) < until:
            for records in (await self._consumer.getmany(self._partition, timeout_ms=500)).values():
                kept += ((record.value, record.offset + 1) for record in records if record.offset < until)
        if until:  # a poll may have brought more, and what follows from that is not sent
            self._consumer.seek(self._partition, until)

        def links() -> Iterator[Link | Seen | Erasure]:
            # decoded as they are taken in: as objects all would take gigabytes
            for number, (value, position) in enumerate(kept):
                if not number % SHOWN_EVERY:
                    self.reading = f"reading links, {position:,} of {until:,}"
                quickly = None if self.directories.renamed else stored(value or b"[]")
                yield from quickly if quickly is not None else (link for _, link in self._decoded(value, position))

        await asyncio.to_thread(self.knowledge.load, links(), until)

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        while True:
            try:
                await self._read(REST_MS)
            except KafkaError as error:
                _log.warning("links cannot be read: %s", error)
                await asyncio.sleep(0.5)

    async def stop(self) -> None:
        """Safe to call twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def wait_for(self, position: int) -> None:
        """Return once the links up to `position` (offset + 1) are known."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.knowledge.position >= position)

    async def news(self, than: int | None, patience_s: float) -> None:
        """Return once more is known than up to `than`, at the latest after `patience_s`; None: nothing is news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s), self._moved:
                await self._moved.wait_for(lambda: than is not None and self.knowledge.position > than)

    def forget(self, position: int) -> None:
        """What follows from links up to `position` has been sent."""
        news = self.knowledge.proposals.news
        while self.recalls and self.recalls[0].knowledge <= position:
            self.recalls.popleft()
        for waiting in (self.repairs, news):
            while waiting and waiting[0][0] <= position:
                waiting.popleft()

    def checks(self) -> tuple[bool, dict[str, object]]:
        """Whether the links are known as far as they are written, or were a moment ago; and what a probe answers."""
        end = (self._consumer.highwater(self._partition) if self._consumer is not None else None) or 0
        behind = max(end - self.knowledge.position, 0)
        now = time.monotonic()
        self._level_at = self._level_at if behind else now
        found: dict[str, object] = {"links_behind": behind, "tangled_aliases": self.knowledge.graph.tangled}
        unread = len(self.knowledge.ledger.unread)
        if unread:
            found["erasures_without_key"] = f"{unread} cannot be heeded: `privacy.key` is missing or another one"
        found |= {"limits": {limit: count for limit, count in self.knowledge.limited().items() if count}}
        return now - self._level_at < BEHIND_S and not unread, found

    async def _read(self, wait_ms: int = POLL_MS) -> None:
        batches = await self._consumer.getmany(self._partition, timeout_ms=wait_ms)
        turn = Turn()
        for records in batches.values():
            for record in records:
                await self._apply(record.key, record.value, record.offset + 1, turn)
            await self._announce()

    async def _announce(self) -> None:
        """Whoever waits for what is known now may go on."""
        tangled = self.knowledge.graph.tangled
        self._meter.set(_KNOWN, len(self.knowledge.graph))
        self._meter.set(_OFFSET, self.knowledge.position)
        self._meter.set(_TANGLED, tangled)
        for limit, count in self.knowledge.limited().items():
            self._meter.set(_LIMITED, count, limit=limit)
        if tangled > 2 * self._warned_of:
            self._warned_of = tangled
            _log.warning("identities are tangled", extra={"aliases": tangled})
        async with self._moved:
            self._moved.notify_all()
        await asyncio.sleep(0)

    def _decoded(self, value: bytes | None, position: int) -> list[tuple[int, Link | Erasure]]:
        found = decode(value or b"[]", LINKS)
        if found.refused:
            _log.error("links that cannot be read", extra={"offset": position - 1, "refused": len(found.refused)})
        links = [(index, link) for index, link in found.items if not isinstance(link, Carried)]
        self.carried.update({link.how: position for _, link in found.items if isinstance(link, Carried)})
        return [(index, self._current(link)) for index, link in links]

    def _current(self, link: Link | Erasure) -> Link | Erasure:
        return link if isinstance(link, Erasure) else self.knowledge.graph.kept.current(link, self.directories)

    async def _apply(self, key: bytes | None, value: bytes | None, position: int, turn: Turn) -> None:
        """Take in a record's links, however long that takes; its position counts once all of them are known."""
        if value is None and key is not None:
            self._emptied(key.decode(errors="replace"), position)
        for _, link in self._decoded(value, position):
            if isinstance(link, Erasure):
                self.recalls.extend(self.knowledge.erase(link, position))
                continue
            better = self.knowledge.outdone(link)
            if better is not None:
                self.repairs.append((position, better))
            self.recalls.extend(self.knowledge.apply(link, position, is_last=False))
            if self.knowledge.ledger:  # whoever taught it may not have known yet who was erased
                self.repairs.extend((position, one) for one in spread(self.knowledge, link))
            await turn.give_way()
        self.knowledge.position = max(self.knowledge.position, position)

    def _emptied(self, link_id: str, position: int) -> None:
        """The record of a link was emptied because of an erasure; one that is from later is published again."""
        since = self.knowledge.told_since.get(link_id)
        if since is not None:
            self.repairs.append((position, since))


class RecallLeader:
    """Exactly one worker sends what follows from links: the one that owns the links partition in the recall group.

    That is recalls, questions that changed, links that a worse record took the place of in the compacted topic, and ids
    that turn out to be an erased person's.
    Its committed offset says up to which link it is all sent, so a crash sends some twice and none never.
    """

    def __init__(self, kafka: KafkaConfig, reader: LinksReader, outbox: Outbox, on_broken: OnBroken) -> None:
        self._reader = reader
        self._on_broken = on_broken
        self._outbox = outbox
        self._kafka = kafka
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)
        self._progress = GroupProgress(kafka, RECALL_GROUP)
        self._sent: int | None = None
        self._consumer: Any = None

    @property
    def is_ours(self) -> bool:
        """Whether this worker is the leader, and has begun."""
        return self._sent is not None

    async def start(self) -> None:
        """Join the group."""
        self._consumer = group_consumer(self._kafka, RECALL_GROUP, role="recall")
        self._guard: LogGuard = guard(self._consumer, self._on_broken, self._reader.lineages)
        self._consumer.subscribe([self._partition.topic])
        await self._consumer.start()

    async def run(self) -> None:
        """Send what is due while this worker is the leader; elsewhere forget what the leader has sent."""
        checked_at = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            try:
                if self._partition in self._consumer.assignment():
                    await self._lead()
                else:
                    self._sent = None
                    if now - checked_at > FORGET_EVERY_S:
                        checked_at = now
                        self._reader.forget((await self._progress.committed(TOPIC)).get(0, 0))
            except KafkaError as error:
                _log.warning("recalls wait for Kafka: %s", error)
                await asyncio.sleep(0.5)
            await self._reader.news(self._sent, REST_S)
            await asyncio.sleep(0.02)  # more of it may come together

    async def stop(self) -> None:
        """Leave the group; safe to call twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
        await self._progress.close()

    async def _lead(self) -> None:
        """Send what follows from links that nobody has sent, then commit how far that is."""
        if self._sent is None:
            self._consumer.pause(self._partition)
            sent = await self._consumer.committed(self._partition) or 0
            await self._guard.check(self._partition, sent)
            self._sent = sent
            self._reader.forget(sent)
        position = self._reader.knowledge.position
        if position > self._sent:
            for outputs in slices(due(self._reader, position), SENT_AT_ONCE):
                await self._outbox.deliver(outputs)
            await self._consumer.commit({self._partition: position})
            self._sent = position
            self._reader.forget(position)


def due(reader: LinksReader, position: int) -> list[Output]:
    """What follows from the links up to `position`: repairs first, then recalls, then questions as they stand now."""
    repairs = {link.link_id: link for at, link in reader.repairs if at <= position}
    recalls = [recall for recall in reader.recalls if recall.knowledge <= position]
    news = {proposal.proposal_id: proposal for at, proposal in reader.knowledge.proposals.news if at <= position}
    return [
        *map(published, repairs.values()),
        *map(_recall, recalls),
        *(_question(proposal, position) for proposal in news.values()),
    ]


def published(link: AnyLink) -> Output:
    """A link as it is published: all that are learned from now on carry their source."""
    return (TOPIC, link.link_id, link.changed(scoped=True).encoded())


def _recall(recall: Recall) -> Output:
    return ("touchpoints.attributed.v1", recall.account_id, recall.encoded())


def _question(proposal: Proposal, position: int) -> Output:
    return ("journey.facts.v1", proposal.proposal_id, proposal.fact(position).encoded())
