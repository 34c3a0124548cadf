"""A source that talks nonsense is set aside; its neighbours go on, nothing is lost or doubled, whatever is killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.config import KafkaConfig
from schemas.parking import PARKED, STANDINGS, Backlog, Parked, ReadProgress, Standing
from schemas.touchpoints import CLEAN, DEAD, RAW, RawRequest
from streams.processors import backlogs, parking_worker
from streams.processors.attribute import Attribute
from streams.processors.backlogs import Trial, Waiting, is_due, pause_before_trial
from streams.processors.mapper import Mapper
from streams.processors.parking_worker import ParkingWorker
from streams.processors.shell import Record, Stage
from streams.runtime.fuse import FuseBlown, SourceFuses
from streams.runtime.metrics import Metrics
from streams.runtime.outbox import Output
from streams.runtime.standings import Standings, said
from streams.runtime.writer import partition_of
from tests.attributing import AsRead

NOW = datetime.now(UTC)
KAFKA = KafkaConfig()
STANDINGS_LOG = ("sources.standings.v1", 0)


def request(source: str, number: int, *, is_good: bool) -> RawRequest:
    message = {"type": "page" if is_good else "teleport", "messageId": f"{source}-{number}", "anonymousId": "a"}
    body = json.dumps({"batch": [message | {"timestamp": "2026-11-28T10:00:00Z"}]})
    return RawRequest(
        request_id=f"r-{source}-{number}", source=source, vendor="segment", received_at=NOW, path="/v1/batch", body=body
    )


# -- the fuse


def test_a_source_blows_its_own_fuse_and_nobody_elses() -> None:
    fuses = SourceFuses()
    for _ in range(SourceFuses.SOURCE_MINIMUM - 1):
        fuses.note("noisy", 1, 1)
        fuses.note("web", 1, 0)
    with pytest.raises(FuseBlown, match="20 of the last 20 items were refused"):
        fuses.note("noisy", 1, 1)
    fuses.note("web", 1, 0)
    fuses.forget("noisy")
    fuses.note("noisy", 1, 1)  # counted from the beginning


def test_invented_names_do_not_fill_the_memory() -> None:
    fuses = SourceFuses()
    for number in range(3 * SourceFuses.MOST_SOURCES):
        fuses.note(f"s{number}", 1, 1)
    assert len(fuses._fuses) <= SourceFuses.MOST_SOURCES


# -- trials


def test_trials_wait_longer_each_time_and_a_mended_source_starts_again() -> None:
    pauses = [pause_before_trial(tries).total_seconds() for tries in range(8)]
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    standing = Standing(source="web", state="parked", since=NOW)
    waiting = Waiting("web", 0, 0)
    assert not is_due(standing, waiting, NOW + timedelta(seconds=29))
    assert is_due(standing, waiting, NOW + timedelta(seconds=30))
    waiting.tried(standing, NOW + timedelta(seconds=30))
    assert not is_due(standing, waiting, NOW + timedelta(days=1)), "nothing came since"
    waiting.add([parked(request("web", 1, is_good=True), 0)], 0, NOW)
    assert not is_due(standing, waiting, NOW + timedelta(seconds=89))
    assert is_due(standing, waiting, NOW + timedelta(seconds=90))
    soon = standing.changed(since=NOW + timedelta(minutes=10))
    assert backlogs.tries_of(soon, waiting) == 1
    assert backlogs.tries_of(standing.changed(since=NOW + timedelta(hours=3)), waiting) == 0


def test_a_trial_asks_the_newest_and_wants_more_than_what_sets_aside() -> None:
    waiting = Waiting("web", 0, 0)
    waiting.add((parked(request("web", n, is_good=False), n) for n in range(500)), 0, NOW)
    assert verdict(waiting) == ""
    waiting.add((parked(request("web", n, is_good=n % 2 == 0), n) for n in range(500, 550)), 0, NOW)
    assert verdict(waiting) == "", "every second one would set it aside again"
    waiting.add((parked(request("web", n, is_good=n % 10 != 0), n) for n in range(550, 600)), 0, NOW)
    assert verdict(waiting) == "a trial could read 45 of the newest 50 messages"
    assert verdict(Waiting("web", 0, 0)) == ""


def verdict(waiting: Waiting) -> str:
    found = Trial()
    for item in waiting.newest:
        found.add(Mapper().read(item.request, item.origin, item.index))
    return found.verdict


def test_what_is_kept_for_a_trial_is_bounded_in_bytes() -> None:
    waiting, large = Waiting("web", 0, 0), request("web", 0, is_good=True).changed(body="x" * (3 << 20))
    waiting.add((parked(large, offset) for offset in range(9)), 0, NOW)
    assert (len(waiting.newest), waiting.requests) == (1, 9)
    waiting.add((parked(request("web", n, is_good=True), n) for n in range(9, 99)), 0, NOW)
    assert len(waiting.newest) == backlogs.TRIAL_REQUESTS


def parked(one: RawRequest, offset: int, index: int = 0) -> Parked:
    return Parked(request=one, topic="touchpoints.raw.v1", partition=0, offset=offset, index=index)


def test_what_is_parked_twice_counts_once() -> None:
    waiting = Waiting("web", 0, 0)
    items = [parked(request("web", n, is_good=True), n // 2, n % 2) for n in range(10)]
    waiting.add(items[6:], 0, NOW)  # a process ended before it could commit what it set aside while it read,
    waiting.add(items, 1, NOW)  # and the next one sets all of it aside
    waiting.add([parked(request("web", 99, is_good=True), 5)], 2, NOW)
    assert waiting.requests == 11
    waiting.read(items[6:] + items, 2, NOW)
    assert (waiting.requests, waiting.report().is_waiting) == (1, True)


def test_what_retention_took_is_told() -> None:
    told = Backlog(source="web", position=10, end=90, requests=30, oldest_at=NOW, lost=2)
    waiting = Waiting.of(told, 0, first=25)
    waiting.add((parked(request("web", n, is_good=True), n) for n in range(13)), 0, NOW)
    assert (waiting.position, waiting.counted(), waiting.report().lost) == (25, 17, 19)
    assert waiting.counted() == 0
    assert Waiting.of(told, 0, first=10).counted() == 0


# -- the stage and the leader, over lists in the place of Kafka


class Died(BaseException):
    """`kill -9`, here."""


@dataclass
class Topics:
    """Topics as lists of records, and the worker that writes them; it may die between two writes."""

    logs: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    deaths_after: int = -1

    def log(self, topic: str, partition: int) -> list[bytes]:
        return self.logs.setdefault((topic, partition), [])

    def put(self, outputs: Sequence[Output]) -> list[None]:
        for topic, key, item in outputs:
            if self.deaths_after == 0:
                raise Died
            self.deaths_after -= 1
            partition = 0 if topic == "sources.standings.v1" else partition_of(key, KAFKA.partitions)
            self.log(topic, partition).append(b"[" + item + b"]")
        return [None for _ in outputs]

    async def acked(self, outputs: Sequence[Output], put: list[None]) -> None:
        await asyncio.sleep(0)

    async def deliver(self, outputs: Sequence[Output], *, at_once: bool = False) -> None:
        self.put(outputs)
        await asyncio.sleep(0)


class Consumer:
    """What a ParkingWorker uses of a consumer without a group."""

    def __init__(self, topics: Topics) -> None:
        self._topics, self._at = topics, dict[TopicPartition, int]()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self._at = dict.fromkeys(places, 0)

    def unsubscribe(self) -> None:
        self._at.clear()

    def assignment(self) -> Set[TopicPartition]:
        return self._at.keys()

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self._topics.log(*place)) for place in places}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._at[place] = offset

    async def position(self, place: TopicPartition) -> int:
        return self._at[place]

    async def getmany(self, *places: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        await asyncio.sleep(0)
        found = {}
        for place in places or tuple(self._at):
            log, first = self._topics.log(*place), self._at[place]
            records = [
                SimpleNamespace(topic=place.topic, partition=place.partition, offset=n, value=value, timestamp=n * 1000)
                for n, value in enumerate(log[first : first + max_records], first)
            ]
            if records:
                found[place] = records
                self._at[place] = records[-1].offset + 1
        return found


class Worker:
    """One attribute process: its partition of the raw topic, what it knows of the standings, perhaps the lead."""

    def __init__(self, system: System, partition: int) -> None:
        self.system, self.partition = system, partition
        self.metrics = Metrics()
        fuses = SourceFuses()
        self.standings, self.read_up_to = Standings(fuses.forget), 0
        outbox: Any = system.topics
        self.stage = Stage("attribute", outbox, self.metrics, pytest.fail)
        self.handler = Attribute(self.stage, AsRead(), Mapper(), self.standings, fuses)
        self.worker: ParkingWorker | None = None

    def learn(self, most: int | None = None) -> None:
        """Read on in the standings; at its start a worker reads them all."""
        log = self.system.topics.log(*STANDINGS_LOG)
        end = len(log) if most is None else min(self.read_up_to + most, len(log))
        for value in log[self.read_up_to : end]:
            self.standings.learn_record(value)
        self.read_up_to = end

    async def take(self, records: int) -> bool:
        """Handle some raw records, then commit."""
        log = self.system.topics.log("touchpoints.raw.v1", self.partition)
        first = self.system.committed[self.partition]
        found = [
            Record(value, ("touchpoints.raw.v1", self.partition, n))
            for n, value in enumerate(log[first : first + records], first)
        ]
        if found:
            await (await self.handler.handle(found))
            self.system.committed[self.partition] = first + len(found)
        return bool(found)

    async def tend(self) -> bool:
        """A round of the leader."""
        if self.worker is None:
            self.worker = ParkingWorker(
                KAFKA, self.standings, Mapper(), AsRead(), self.stage, self.metrics, lambda: self.system.now
            )
            await self.worker.begin()
        return await self.worker.work()


class System:
    """Two workers over one set of topics; one of them is the leader."""

    def __init__(self, seed: int) -> None:
        self.random, self.topics, self.now = random.Random(seed), Topics(), NOW
        self.committed = dict.fromkeys(range(KAFKA.partitions), 0)
        self.workers = [self.start(partition) for partition in range(KAFKA.partitions)]
        self.leads = 0
        self.deaths = 0

    def start(self, partition: int) -> Worker:
        worker = Worker(self, partition)
        worker.learn()
        return worker

    def send(self, requests: Sequence[RawRequest]) -> None:
        for one in requests:
            partition = partition_of(one.request_id, KAFKA.partitions)
            self.topics.log("touchpoints.raw.v1", partition).append(RAW.dump_json([one]))

    def resume(self, source: str) -> None:
        """What `touchline sources resume` writes."""
        self.topics.put([said(Standing(source=source, state="resuming", since=self.now, cause="asked for"))])

    async def step(self) -> bool:
        """Somebody does something; perhaps it dies on the way."""
        number = self.random.randrange(len(self.workers))
        worker = self.workers[number]
        self.topics.deaths_after = self.random.randint(0, 12) if self.deaths and self.random.random() < 0.3 else -1
        try:
            move = self.random.randrange(3)
            if move == 0:
                return await worker.take(self.random.randint(1, 40))
            if move == 1:
                before = worker.read_up_to
                worker.learn(self.random.randint(1, 5))
                return worker.read_up_to > before
            return number == self.leads and await worker.tend()
        except Died:
            self.deaths -= 1
            self.workers[number] = self.start(number)
            self.leads = self.random.randrange(len(self.workers))
            for each in self.workers:
                each.worker = None
            return True
        finally:
            self.topics.deaths_after = -1

    async def settle(self) -> None:
        """Until nothing moves."""
        quiet = 0
        while quiet < 200:
            quiet = 0 if await self.step() else quiet + 1

    # -- what came of it

    def items(self, topic: str) -> Iterator[bytes]:
        for (name, _), log in sorted(self.topics.logs.items()):
            if name == topic:
                yield from log

    def events(self) -> Counter[str]:
        values = self.items("touchpoints.attributed.v1")
        return Counter(one.vendor_event_id for value in values for one in _clean(value))

    def letters(self) -> Counter[str]:
        """Id of each letter → how often it was written."""
        return Counter(
            one.letter_id for value in self.items("touchpoints.dead.v1") for one in DEAD.validate_json(value)
        )

    def parked(self) -> list[Parked]:
        return [one for value in self.items("touchpoints.parked.v1") for one in PARKED.validate_json(value)]

    def last(self, source: str) -> tuple[str, int]:
        """Where a source stands, and what waits of it, as the log says."""
        standings = Standings()
        for value in self.topics.log(*STANDINGS_LOG):
            standings.learn_record(value)
        backlog = standings.backlogs.get(source)
        state = standings.of[source].state if source in standings.of else "flowing"
        return state, backlog.requests if backlog else 0


def _clean(value: bytes) -> list[Any]:
    return CLEAN.validate_json(value)


@pytest.fixture(autouse=True)
def _lists_for_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SourceFuses, "SOURCE_MINIMUM", 20)
    monkeypatch.setattr(SourceFuses, "SOURCE_WINDOW", 40)
    monkeypatch.setattr(parking_worker, "PUBLISH_EVERY_S", 0.0)
    monkeypatch.setattr(parking_worker, "RECORDS_AT_ONCE", 5)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return made(1, monkeypatch)


def made(seed: int, monkeypatch: pytest.MonkeyPatch) -> System:
    found = System(seed)
    monkeypatch.setattr(parking_worker, "broadcast_consumer", lambda kafka, client_id: Consumer(found.topics))
    return found


async def test_neighbours_go_on_and_what_is_refused_is_bounded(system: System) -> None:
    mixed = [each for n in range(400) for each in (request("noisy", n, is_good=False), request("web", n, is_good=True))]
    system.send(mixed)
    await system.settle()
    assert system.events() == Counter(f"web-{n}" for n in range(400))
    assert len(system.letters()) < 100
    assert system.last("noisy") == ("parked", 400 - len(system.letters()))
    (cause,) = {standing.cause for standing in system.workers[0].standings.aside}
    assert "items were refused; the last: unknown_type" in cause


async def test_resumed_by_hand_everything_is_read_once_and_has_the_letters_it_would_have_had(system: System) -> None:
    system.send([request("noisy", n, is_good=n % 3 == 0) for n in range(300)])
    await system.settle()
    assert system.last("noisy")[0] == "parked"
    system.resume("noisy")
    await system.settle()
    assert system.last("noisy") == ("flowing", 0)
    assert system.events() == Counter(f"noisy-{n}" for n in range(0, 300, 3))
    assert system.letters() == Counter(unparked_letters(300))
    system.send([request("noisy", n, is_good=True) for n in range(300, 320)])
    kept = len(system.parked())
    await system.settle()
    assert len(system.parked()) == kept and system.events()["noisy-319"] == 1


def unparked_letters(count: int) -> list[str]:
    """Ids of the letters of the same requests in a system that sets nothing aside."""
    offsets, found = Counter[int](), list[str]()
    for number in range(count):
        one = request("noisy", number, is_good=number % 3 == 0)
        partition = partition_of(one.request_id, KAFKA.partitions)
        reading = Mapper().read(one, ("touchpoints.raw.v1", partition, offsets[partition]), 0)
        offsets[partition] += 1
        found += [letter.letter_id for letter in reading.letters]
    return found


async def test_a_mended_sender_is_resumed_by_itself(system: System) -> None:
    system.send([request("noisy", n, is_good=False) for n in range(200)])
    await system.settle()
    for _ in range(5):
        system.now += timedelta(minutes=20)
        await system.settle()
    assert system.last("noisy")[0] == "parked", "nothing has changed"
    system.send([request("noisy", n, is_good=True) for n in range(200, 260)])
    await system.settle()
    assert not system.events()
    system.now += timedelta(minutes=20)
    await system.settle()
    assert system.last("noisy") == ("flowing", 0)
    assert len(system.events()) == 60 and len(system.letters()) == 200


@pytest.mark.parametrize("seed", range(6))
async def test_whoever_dies_nothing_is_lost_and_nothing_is_another(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written twice it may be, with one id: what is read of Kafka downstream is the same."""
    system = made(seed, monkeypatch)
    system.deaths = 25
    for part in range(6):
        numbers = range(part * 60, part * 60 + 60)
        system.send([request("noisy", n, is_good=n % 3 == 0) for n in numbers])
        system.send([request("web", n, is_good=True) for n in numbers])
        for _ in range(60):
            await system.step()
        if part % 2:
            system.resume("noisy")
    system.resume("noisy")
    await system.settle()
    while system.last("noisy")[0] != "flowing":
        system.resume("noisy")
        await system.settle()
    assert system.deaths < 15
    good = {f"noisy-{n}" for n in range(0, 360, 3)} | {f"web-{n}" for n in range(360)}
    assert set(system.events()) == good
    assert len(system.letters()) == 240
    assert system.last("noisy") == ("flowing", 0)


async def test_a_park_that_commits_first_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: what is committed before it is parked is lost when the process dies between the two."""

    async def eager(worker: Worker, records: int) -> bool:
        first = worker.system.committed[worker.partition]
        log = worker.system.topics.log("touchpoints.raw.v1", worker.partition)
        found = log[first : first + records]
        worker.system.committed[worker.partition] = first + len(found)
        origin = ("touchpoints.raw.v1", worker.partition)
        await (await worker.handler.handle([Record(value, (*origin, n)) for n, value in enumerate(found, first)]))
        return bool(found)

    monkeypatch.setattr(Worker, "take", eager)
    with pytest.raises(AssertionError):
        await test_whoever_dies_nothing_is_lost_and_nothing_is_another(3, monkeypatch)


async def test_a_replay_that_tells_before_it_delivers_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: a position that is published before what was read is in Kafka."""

    async def eager(worker: ParkingWorker, waiting: Waiting, end: int) -> None:
        told, waiting.position = waiting.position, end
        await worker._publish(at_once=True)
        waiting.position = told
        await original(worker, waiting, end)

    original = ParkingWorker._replay
    monkeypatch.setattr(ParkingWorker, "_replay", eager)
    with pytest.raises(AssertionError):
        for seed in range(12):
            await test_whoever_dies_nothing_is_lost_and_nothing_is_another(seed, monkeypatch)


async def test_what_comes_in_is_accounted_for_by_source(system: System) -> None:
    system.send([request("noisy", n, is_good=n % 3 == 0) for n in range(300)])
    await system.settle()
    assert accounted(system) == 300 and system.last("noisy")[1] > 0
    system.resume("noisy")
    await system.settle()
    assert accounted(system) == 300 and system.last("noisy")[1] == 0


def accounted(system: System) -> int:
    """read + replayed + parked now, from what the workers export."""
    total = 0.0
    for worker in system.workers:
        for family in worker.metrics.registry.collect():
            for sample in family.samples:
                fate = sample.labels.get("fate")
                if sample.name == "touchline_source_requests_total" and fate in ("read", "replayed"):
                    total += sample.value
                if sample.name == "touchline_parked_requests":
                    total += sample.value
    return round(total)


def test_the_last_word_in_the_log_counts_and_unknown_items_are_left_out() -> None:
    standings = Standings()
    progress = ReadProgress(partition=0, looked=7, backlogs=(Backlog(source="web", position=3, end=5),))
    standings.learn_record(STANDINGS.dump_json([Standing(source="web", state="parked", since=NOW), progress]))
    standings.learn_record(
        b'[{"kind":"later"},{"kind":"standing","source":"web","state":"unheard_of","since":"2026-11-29"}]'
    )
    assert standings.is_aside("web") and standings.unread_from("web", 0) == 3
    progress = progress.changed(looked=9, backlogs=(Backlog(source="web", position=9),))
    standings.learn_record(STANDINGS.dump_json([Standing(source="web", state="flowing", since=NOW), progress]))
    assert not standings.is_aside("web") and standings.unread_from("web", 0) == 9
    assert standings.unread_from("other", 1) == 0
