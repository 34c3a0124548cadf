"""Facts in, conversations out: read, judge, save, commit, in that order.

An account is judged a moment after its last fact, so that what is read anew is not sent in halves; and again when time
alone changes something: an incident is over, a silence has lasted, a source is heard again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas.base import EPOCH
from schemas.facts import FACTS, Fact, TouchpointFact
from schemas.incidents import ACTIONS, Desk, Notice, Past, Ward
from schemas.metrics import MetricName
from schemas.policies import LEVELS
from schemas.touchpoints import CleanTouchpoint
from services.alerting.deliveries import Deliveries
from services.alerting.desks import Desks
from streams.incidents.actions import ActionLog
from streams.incidents.intake import Lens, Recent, pruned, taken_in
from streams.incidents.judging import Watch
from streams.incidents.lateness import after_look
from streams.incidents.messages import Places
from streams.incidents.rhythm import Rhythms
from streams.incidents.subjects import SOURCE, TYPE
from streams.incidents.threads import WITHDRAW_AFTER, AtOnce, Manner, Route, View, judged, look_again_at, moved
from streams.incidents.type_desks import Check, looked
from streams.runtime.decode import decode
from streams.runtime.failpoints import hit
from streams.runtime.metrics import Meter

STAGE: Final = "alerts"
POLL_MS = 200
MAX_RECORDS = 200
FEW_RECORDS: Final = 10
GATHER_S: Final = 0.3
#: The first gives what came before the rest began, the second what came in it.
LAST_LOOKS_MS: Final = (1, 20)
SETTLE: Final = timedelta(seconds=1)
SETTLE_AT_MOST: Final = timedelta(seconds=5)
LOOK_BACK: Final = timedelta(days=1)
"""How far a first start reads back: nobody is notified of what happened then, and may still be going on."""
_WARD_EVERY: Final = timedelta(seconds=20)
_PRUNE_EVERY: Final = timedelta(minutes=10)
_OPEN: MetricName = "touchline_alerts_open"
_log = logging.getLogger("touchline.alerts")


class Watcher(ConsumerRebalanceListener):  # type: ignore[misc]
    """Keeps the desks of the partitions of a consumer (no auto-commit) until `stopping`."""

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        consumer: Any,
        desks: Desks,
        lens: Lens,
        deliveries: Deliveries,
        *,
        route: Route,
        manner: Manner = AtOnce(),  # noqa: B008 - it holds nothing
        places: Places,
        rhythms: Rhythms,
        meter: Meter,
        clock: Callable[[], datetime],
        aside: Callable[[], Set[str]] = frozenset,
        withdraw_after: timedelta = WITHDRAW_AFTER,
    ) -> None:
        """`aside`: the sources whose requests are kept unread now."""
        self._withdraw_after = withdraw_after
        self._consumer, self._desks, self._lens, self._deliveries = consumer, desks, lens, deliveries
        self._route, self._manner, self._places, self._rhythms = route, manner, places, rhythms
        self._meter, self._clock, self._aside = meter, clock, aside
        self._recent = Recent()
        self._look_at: dict[str, datetime] = {}
        self._first_fact_at: dict[str, datetime] = {}
        self._fresh: set[TopicPartition] = set()
        self._warded_at = self._pruned_at = EPOCH
        self.log = ActionLog()
        self._owners: Mapping[str, str] = {}
        self.held = 0
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Until `stopping`. Raises KafkaError: a fresh process does again what is not committed."""
        while not self.stopping.is_set():
            read = await self._read()
            if self._fresh:
                await self._take_over()
                continue
            if await self._look():
                hit("alerts_after_judging")
            await self._desks.save()
            if any(self._desks.noticed):
                hit("alerts_after_saving")
            await self._commit(read)

    async def _read(self) -> dict[TopicPartition, int]:
        """Take facts in; how far each partition was read. With few come those of the next moment: commits cost more."""
        read: dict[TopicPartition, int] = {}
        for wait_ms in (POLL_MS, *LAST_LOOKS_MS):
            found = await self._consumer.getmany(timeout_ms=wait_ms, max_records=MAX_RECORDS)
            if self._fresh:
                break
            for partition, records in found.items():
                for record in records:
                    self._take(record.value, partition.partition)
                read[partition] = records[-1].offset + 1
            self._count(found)
            if wait_ms == POLL_MS:
                if not 0 < sum(map(len, found.values())) <= FEW_RECORDS:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(GATHER_S):
                        await self.stopping.wait()
        return read

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to hand over: what is not committed comes again."""
        self._desks.forget(place.partition for place in revoked)
        self._fresh -= set(revoked)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Their desks are read before their facts."""
        self._fresh |= set(assigned)

    @property
    def is_watching(self) -> bool:
        return bool(self._desks.wards) and not self._fresh

    def listened(self, heard: Mapping[str, datetime], now: datetime) -> None:
        """When each source was last heard. One that is set aside is silent because we do not read it."""
        if not any(policy.sources for policy in self._lens.blueprint.policies):
            return
        aside = self._aside()
        known = (name.removeprefix(SOURCE) for name in self._desks.of if name.startswith(SOURCE))
        gone = {source: now for source in known if source not in self._rhythms.names}
        for source, at in (gone | dict(heard)).items():
            desk = self._desks.get(SOURCE + source)
            after = after_look(desk, source, self._rhythms.of(source), at, now)
            if after is not desk and not (source in aside and not desk.parts):
                self._desks.put(after)
                self._look_at[after.account_id] = EPOCH

    def measured(self, checks: Mapping[str, Sequence[Check]], now: datetime) -> None:
        """What policies judge of each touchpoint type, by its id; of a type that is not named nothing is judged."""
        open_now = {name.removeprefix(TYPE) for name in self._desks.of if name.startswith(TYPE)}
        for name in sorted(open_now | checks.keys()):
            kind = self._lens.types.get(name)
            desk = self._desks.get(f"{TYPE}{name}")
            after = looked(desk, kind, checks.get(name, ()), now) if kind is not None else desk.changed(parts={})
            if after is not desk:
                self._desks.put(after)
                self._look_at[after.account_id] = EPOCH

    def owned(self, owners: Mapping[str, str]) -> None:
        """Account → who owns it in the CRM, as it was last asked."""
        self._owners = owners

    def acted(self, key: str, value: bytes | None) -> None:
        """A record of the log of actions: remember what people did, and look again at whom it may be about."""
        for _, action in decode(value or b"[]", ACTIONS).items:
            self.log.learn(action)
            self._look_again(action.events)

    def _look_again(self, events: Iterable[str]) -> None:
        wanted = set(events)
        for account_id, desk in self._desks.of.items():
            if any(not wanted.isdisjoint(thread.events) for thread in desk.threads):
                self._look_at[account_id] = EPOCH

    async def _take_over(self) -> None:
        fresh = sorted(self._fresh)
        await self._desks.load([place.partition for place in fresh], self._clock())
        for place in fresh:
            committed = await self._consumer.committed(place)
            if committed is None:
                since_ms = int((self._clock() - LOOK_BACK).timestamp() * 1000)
                at = (await self._consumer.offsets_for_times({place: since_ms}))[place]
                committed = at.offset if at else (await self._consumer.end_offsets([place]))[place]
            self._consumer.seek(place, committed)
        self._fresh -= set(fresh)
        now = self._clock()
        for account_id in self._desks.of:
            self._look_at.setdefault(account_id, now + SETTLE)
        _log.info("watching", extra={"partitions": len(self._desks.wards), "accounts": len(self._desks.of)})

    def _take(self, value: bytes, partition: int) -> None:
        decoded = decode(value, FACTS)
        if decoded.refused:  # the sink puts these into the dead letters
            _log.warning("facts of another version are left out", extra={"items": len(decoded.refused)})
        now = self._clock()
        for _, fact in decoded.items:
            if isinstance(fact, TouchpointFact):
                self._heard(partition, fact.input.touchpoint)
            self._learn(fact, now)

    def _learn(self, fact: Fact, now: datetime) -> None:
        account_id = getattr(fact, "account_id", "")
        if not account_id:
            return
        desk = self._desks.get(account_id)
        after = taken_in(desk, fact, self._lens, self._recent, now)
        if after is desk:
            return
        self._desks.put(after)
        first = self._first_fact_at.setdefault(account_id, now)
        self._look_at[account_id] = min(now + SETTLE, first + SETTLE_AT_MOST)

    def _heard(self, partition: int, touchpoint: CleanTouchpoint) -> None:
        """A source that is late is heard up to what it has come to; what it sends as history says nothing of that."""
        ward = self._desks.wards.get(partition)
        if ward is None:
            return
        if touchpoint.source not in ward.sources:
            self._desks.put_ward(ward.changed(sources=ward.sources | {touchpoint.source: touchpoint.received_at}))
            ward = self._desks.wards[partition]
        at = min(touchpoint.ordered_at, touchpoint.received_at)
        if not (touchpoint.backfill or touchpoint.read_anew) and at > ward.heard.get(touchpoint.source, EPOCH):
            ward.heard[touchpoint.source] = at  # saved now and then: once an event would be too much

    async def _look(self) -> bool:
        """Judge whom it is time for. Whether people are to be notified."""
        is_news, now = False, self._clock()
        for account_id in [name for name, at in self._look_at.items() if at <= now]:
            del self._look_at[account_id]
            self._first_fact_at.pop(account_id, None)
            is_news |= await self._judge(account_id, now)
        if now - self._warded_at >= _WARD_EVERY:
            self._warded_at = now
            for ward in list(self._desks.wards.values()):
                self._desks.put_ward(ward.changed(until=now, heard=dict(ward.heard)))
            self._count_open()
        if now - self._pruned_at >= _PRUNE_EVERY:
            self._pruned_at = now
            for desk in list(self._desks.of.values()):
                self._desks.put(pruned(desk, now))
            self._desks.tidy()
            self._desks.drop_pasts(now)
        return is_news

    async def _judge(self, account_id: str, now: datetime) -> bool:
        desk = self._desks.get(account_id)
        for other in sorted(self._desks.neighbours(desk)):
            desk, there = moved(desk, self._desks.get(other))
            self._desks.put(there)
        view = self._view(account_id, now)
        after = judged(desk, view)
        made = _new(desk, after)
        after = without_idle(after)
        for past in _pasts(desk, after):
            self._desks.put_past(past)
        self._desks.put(after)  # before anything is waited for: channels change desks, too
        again_at = look_again_at(after, view)
        if again_at is not None:
            self._look_at[account_id] = again_at
        for notice in made:
            await self._deliveries.noticed(notice, now)
        return bool(made)

    def _view(self, account_id: str, now: datetime) -> View:
        wards = self._desks.wards
        ward = wards.get(self._desks.partition(account_id)) or Ward(
            partition=0, blueprint_digest=0, since=now, until=now
        )
        heard: dict[str, datetime] = {}
        sources: dict[str, datetime] = {}
        for one in wards.values():
            heard |= {name: max(at, heard.get(name, at)) for name, at in one.heard.items()}
            sources |= {name: min(at, sources.get(name, at)) for name, at in one.sources.items()}
        return View(
            self._lens,
            now,
            Watch(ward.since, sources),
            self._route,
            self._manner,
            log=self.log,
            places=self._places,
            heard=heard,
            aside=self._aside(),
            rhythms=self._rhythms,
            owners=self._owners,
            withdraw_after=self._withdraw_after,
        )

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        due = {place: offset for place, offset in offsets.items() if place in self._consumer.assignment()}
        if not due:
            return
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError):
            return  # the partitions moved; what was done is done again by others, and changes nothing

    def _count(self, found: dict[TopicPartition, Any]) -> None:
        for place, records in found.items():
            self._meter.inc("touchline_stage_records_total", len(records), stage=STAGE)
            end = self._consumer.highwater(place) or 0
            lag = max(0, end - records[-1].offset - 1)
            name = f"{place.topic}/{place.partition}"
            self._meter.set("touchline_consumer_lag_records", lag, stage=STAGE, partition=name)

    def _count_open(self) -> None:
        threads = [thread for desk in self._desks.of.values() for thread in desk.threads]
        self.held = sum(thread.state == "held" for thread in threads)
        self._meter.set("touchline_alerts_held", self.held)
        for level in LEVELS:
            count = sum(thread.state == "told" and thread.level == level for thread in threads)
            self._meter.set(_OPEN, count, level=level)


def without_idle(desk: Desk) -> Desk:
    """Without notices that no channel waits for any more."""
    threads = tuple(
        thread
        if all(_is_under_way(notice) for notice in thread.notices)
        else thread.changed(notices=tuple(notice for notice in thread.notices if _is_under_way(notice)))
        for thread in desk.threads
    )
    return desk if threads == desk.threads else desk.changed(threads=threads)


def _is_under_way(notice: Notice) -> bool:
    return any(sending.state in ("due", "trying") for sending in notice.sendings)


def _pasts(before: Desk, after: Desk) -> Iterator[Past]:
    """What is to be kept of conversations that changed."""
    known = {thread.thread_id: thread for thread in before.threads}
    for thread in after.threads:
        last = thread.last
        if last is not None and known.get(thread.thread_id) != thread:
            yield Past(
                incident_id=thread.thread_id,
                account_id=after.account_id,
                headline=last.headline,
                policy=last.policy,
                level=thread.level,
                touchpoint=last.touchpoint,
                department=last.department,
                owners=last.owners,
                opened_at=thread.opened_at,
                ended_at=thread.ended_at,
                state=thread.state,
                events=thread.events[:5],
            )


def _new(before: Desk, after: Desk) -> list[Notice]:
    known = {notice.message.notice_id for thread in before.threads for notice in thread.notices}
    return [notice for thread in after.threads for notice in thread.notices if notice.message.notice_id not in known]
