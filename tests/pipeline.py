"""The real attribution, journey and refold over topics that are lists and a store that is a dict; time is a seed.

A scheduler picks, at random, who moves next: a record may wait long in any topic, the sink may lag, links may
arrive late at the leader. What is stored at the end is what a reader would see.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.facts import FACTS, AccountFact, Correction, Fact, SignalFact, Tombstone, TouchpointFact
from schemas.links import LINKS, Carried, Erasure, Link
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint, Recall, Refold
from streams.connectors.registry import systems_of
from streams.identity.directories import Directories
from streams.identity.erasures import Ledger, sweep
from streams.identity.knowledge import Knowledge
from streams.identity.late_erasures import spread
from streams.journey.compiled import CompiledBlueprint
from streams.journey.corrections import Stored
from streams.journey.leaving import Left, unread
from streams.processors.attributor import Attributor
from streams.processors.clock import Watermark
from streams.processors.draining import Drained
from streams.processors.history import Copies
from streams.processors.journey import Journey, Parts
from streams.processors.links import published
from streams.processors.memory import Memory
from streams.processors.recalled import Reattribute
from streams.processors.refold import Refolds
from streams.processors.shell import Done, Record, Stage
from streams.runtime.metrics import NoMetrics
from streams.runtime.outbox import Output
from streams.runtime.writer import Position, partition_of

PARTITIONS = 2
PATIENCE_LOOKS = 100
ERASURE_KEY = b"a key of sixteen bytes or more"
_RESOLVED = ("touchpoints.clean.v1", "touchpoints.recalled.v1")


@dataclass
class Store:
    """ReplacingMergeTree as a dict: of each key the row with the highest revision, the later one of equals."""

    touchpoints: dict[tuple[str, str], TouchpointFact | Tombstone] = field(default_factory=dict)
    #: As the map has them: by time, too.
    places: dict[tuple[datetime, str, str], TouchpointFact | Tombstone] = field(default_factory=dict)
    signals: dict[tuple[str, str], SignalFact] = field(default_factory=dict)
    accounts: dict[str, AccountFact] = field(default_factory=dict)
    corrections: dict[str, Correction] = field(default_factory=dict)

    def apply(self, fact: Fact) -> None:
        if isinstance(fact, (TouchpointFact, Tombstone)):
            at = fact.occurred_at if isinstance(fact, Tombstone) else fact.input.touchpoint.occurred_at
            _replace(self.places, (at, fact.account_id, fact.event_id), fact)
            if not (isinstance(fact, Tombstone) and fact.is_kept):
                _replace(self.touchpoints, (fact.account_id, fact.event_id), fact)
        elif isinstance(fact, SignalFact):
            _replace(self.signals, (fact.account_id, fact.signal_id), fact)
        elif isinstance(fact, AccountFact):
            _replace(self.accounts, fact.account_id, fact)
        elif isinstance(fact, Correction):
            self.corrections[fact.correction_id] = fact

    def visible(self) -> dict[str, TouchpointFact]:
        """Touchpoints by event id; an event seen twice is a failure."""
        found: dict[str, TouchpointFact] = {}
        for fact in self.places.values():
            if isinstance(fact, TouchpointFact):
                assert fact.event_id not in found, f"{fact.event_id} is visible twice"
                found[fact.event_id] = fact
        return found


def _replace(rows: dict[Any, Any], key: object, row: Any) -> None:
    known = rows.get(key)
    if known is None or row.revision >= known.revision:
        rows[key] = row


class Topics:
    """Topics as lists of lists; every put is acked at once."""

    def __init__(self) -> None:
        self.logs: dict[tuple[str, int], list[bytes]] = {}

    def put(self, outputs: Sequence[Output]) -> list[asyncio.Future[Position]]:
        return [self._append(*output) for output in outputs]

    async def acked(self, outputs: Sequence[Output], futures: list[asyncio.Future[Position]]) -> list[Position]:
        return [future.result() for future in futures]

    async def deliver(self, outputs: Sequence[Output], *, at_once: bool = False) -> list[Position]:
        return [future.result() for future in self.put(outputs)]

    def _append(self, topic: str, key: str, item: bytes) -> asyncio.Future[Position]:
        partition = 0 if topic.startswith("identity") else partition_of(key, PARTITIONS)
        log = self.logs.setdefault((topic, partition), [])
        log.append(b"[" + item + b"]")
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        future.set_result((partition, len(log) - 1))
        return future


class Died(Exception):
    """A worker is killed."""


class Dying(Topics):
    """Topics of a worker that is killed while it sends: only its first outputs arrive."""

    def __init__(self, topics: Topics, most: int) -> None:
        self.logs = topics.logs
        self._left = most

    def put(self, outputs: Sequence[Output]) -> list[asyncio.Future[Position]]:
        arrived = outputs[: self._left]
        self._left -= len(arrived)
        futures = super().put(arrived)
        if len(arrived) < len(outputs):
            raise Died
        return futures


class Links:
    """The links reader without Kafka: it applies what the links topic holds when someone waits for it."""

    def __init__(self, topics: Topics, directories: Directories, sent: int = 0) -> None:
        """A worker starts: what follows from the links before `sent` is told, what follows from the rest is due."""
        self.directories = directories
        self.knowledge = Knowledge(directories.in_order, Ledger(ERASURE_KEY))
        self.recalls: list[Recall] = []
        self.carried: dict[str, int] = {}
        self.sent = sent
        self._topics = topics
        told = [link for offset in range(sent) for link in self._read(offset)]
        self.knowledge.load(told, sent)
        self._apply(len(self._log))

    async def wait_for(self, position: int) -> None:
        self._apply(min(position, len(self._log)))

    def _read(self, offset: int) -> list[Link | Erasure]:
        found = LINKS.validate_json(self._log[offset])
        self.carried.update({link.how: offset + 1 for link in found if isinstance(link, Carried)})
        links = [link for link in found if not isinstance(link, Carried)]
        current = self.knowledge.graph.kept.current
        return [link if isinstance(link, Erasure) else current(link, self.directories) for link in links]

    def told(self) -> None:
        """The recalls that were due are on their way: the leader commits."""
        self.sent = self.knowledge.position

    @property
    def _log(self) -> list[bytes]:
        return self._topics.logs.get(("identity.links.v1", 0), [])

    def _apply(self, until: int) -> None:
        while self.knowledge.position < until:
            offset = self.knowledge.position
            for link in self._read(offset):
                take = self.knowledge.erase if isinstance(link, Erasure) else self.knowledge.apply
                self.recalls += take(link, offset + 1)  # type: ignore[arg-type]
                late = [] if isinstance(link, Erasure) or offset < self.sent else spread(self.knowledge, link)
                self._topics.put([published(one) for one in late])
            self.knowledge.position = offset + 1


class Histories:
    """What streams.processors.history.Histories reads, from the dict."""

    def __init__(self, store: Store, directories: Directories) -> None:
        self._store, self._directories = store, directories

    async def existing(self, accounts: Sequence[str]) -> set[str]:
        await asyncio.sleep(0)
        return {account for account, _ in self._store.touchpoints if account in set(accounts)}

    async def read(self, accounts: Sequence[str]) -> dict[str, Stored]:
        await asyncio.sleep(0)
        found = {account: Stored() for account in accounts}
        for (account, _), row in list(self._store.touchpoints.items()):
            if account in found:
                self._take_in(found[account], row)
        for (account, _), signal in list(self._store.signals.items()):
            if account in found and not signal.withdrawn:
                found[account].signals[signal.signal_id] = signal
        for account, own in list(self._store.accounts.items()):
            if account in found:
                stored = found[account]
                stored.account_digest, stored.phase, stored.segment = own.digest, own.phase, own.segment
                stored.blueprint_version, stored.blueprint_digest = own.blueprint_version, own.blueprint_digest
                stored.max_revision = max(stored.max_revision, own.revision)
        return found

    async def large(self, accounts: Sequence[str], most: int) -> set[str]:
        rows = Counter(account for account, _ in self._store.touchpoints)
        return {account for account in accounts if rows[account] > most}

    async def read_large(self, account_id: str) -> Stored:
        return (await self.read([account_id]))[account_id]

    async def known(self, items: Iterable[AttributedTouchpoint]) -> dict[tuple[str, str], Stored]:
        found: dict[tuple[str, str], Stored] = {}
        for item in items:
            row = self._store.touchpoints.get((item.account_id, item.event_id))
            if row is not None:
                self._take_in(found.setdefault((item.account_id, item.event_id), Stored()), row)
        return found

    async def copies(self, events: Iterable[str]) -> Copies:
        await asyncio.sleep(0)
        wanted, found = set(events), Copies()
        for (_, event_id), row in self._store.touchpoints.items():
            if event_id in wanted and isinstance(row, TouchpointFact):
                found.items.append(self._directories.attributed(row.input))
            elif event_id in wanted and isinstance(row, Tombstone):
                found.leave(event_id, row.mapping)
        return found

    async def overdue(self, as_of: datetime, most: int = 1_000) -> list[str]:
        return []

    def _take_in(self, stored: Stored, row: TouchpointFact | Tombstone) -> None:
        stored.max_revision = max(stored.max_revision, row.revision)
        if isinstance(row, Tombstone):
            stored.gone[row.event_id] = Left(row.knowledge, row.mapping)
        else:
            stored.items[row.event_id] = self._directories.attributed(row.input)
            stored.touchpoint_digests[row.event_id] = row.digest


class Progress:
    """The sink's progress over the facts lists."""

    def __init__(self) -> None:
        self.applied = [0] * PARTITIONS

    def has(self, partition: int, offset: int) -> bool:
        return self.applied[partition] >= offset

    async def reached(self, partition: int, offset: int) -> None:
        while not self.has(partition, offset):
            await asyncio.sleep(0)


class FixedClock(Watermark):
    """Silence counts up to one moment only: the timers' part is tested elsewhere."""

    def __init__(self, as_of: datetime) -> None:
        super().__init__()
        self._fixed = as_of

    def as_of(self) -> datetime:
        return self._fixed


class Pipeline:
    """Everything between clean touchpoints and the store."""

    #: Whether links come from others, too; those of erasures do.
    follows = False
    #: How much the worker may keep; replaced by tests of that.
    make_memory = staticmethod(lambda stored: Memory(1_000, 100_000, stored))

    def __init__(
        self,
        blueprint: CompiledBlueprint,
        as_of: datetime,
        seed: int,
        directories: Directories | None = None,
        mappings: Mapping[str, int] | None = None,
    ) -> None:
        """`mappings`: of the version that runs, by source."""
        self._mappings = mappings or {}
        self.random = random.Random(seed)
        self.topics, self.store, self.progress = Topics(), Store(), Progress()
        self.links = Links(self.topics, directories or Directories(systems=systems_of()))
        self.histories = Histories(self.store, self.links.directories)
        self._blueprint, self._as_of = blueprint, as_of
        self.offsets: dict[tuple[str, int], int] = {}
        self._open: set[asyncio.Task[object]] = set()
        self._unfinished: dict[asyncio.Task[object], tuple[tuple[str, int], int]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._erasures = 0
        self._start()

    def _start(self) -> None:
        outbox: Any = self.topics
        stage = Stage("test", outbox, NoMetrics(), _die)
        parts = Parts(
            stage=stage,
            blueprint=self._blueprint,
            memory=self.make_memory(self.progress.has),
            histories=self.histories,  # type: ignore[arg-type]
            progress=self.progress,  # type: ignore[arg-type]
            watermark=FixedClock(self._as_of),
            partitions=PARTITIONS,
            mappings=self._mappings,
        )
        self.journey = Journey(parts)
        ends = {p: len(self.topics.logs.get(("journey.facts.v1", p), [])) for p in range(PARTITIONS)}
        self.journey.assigned(ends)
        self.memory = parts.memory
        self._handlers: dict[str, Any] = self._resolving(self.links, self.topics) | {
            "touchpoints.attributed.v1": self.journey
        }
        refolds = Refolds(parts, debounce_s=0.0, meter=NoMetrics())
        self._tasks = [asyncio.ensure_future(refolds.run()), asyncio.ensure_future(self.journey.run())]

    def _resolving(self, links: Any, outbox: Any) -> dict[str, Any]:
        stage = Stage("test", outbox, NoMetrics(), _die)
        by = Attributor(stage, links)
        return {"touchpoints.clean.v1": Drained(stage, by), "touchpoints.recalled.v1": Reattribute(stage, by)}

    async def restart(self) -> None:
        """The journey worker dies; what it had not acked comes again, what it knew is gone."""
        unfinished = dict(self._unfinished)
        await self.close()
        self._unfinished.clear()
        for slot, read in list(self.offsets.items()):
            acked = min([start for other, start in unfinished.values() if other == slot], default=read)
            self.offsets[slot] = self.random.randint(max(acked - 3, 0), acked)
        self._start()

    async def restart_resolver(self) -> None:
        """The resolver dies, perhaps while it sends: recalls it had not told come again, and what it had not acked."""
        pending = sorted(slot for slot in self._pending() if slot[0] in _RESOLVED)
        if pending:
            slot = self.random.choice(pending)
            record = Record(self.topics.logs[slot][self.offsets.get(slot, 0)], (*slot, self.offsets.get(slot, 0)))
            dying = self._resolving(self.links, Dying(self.topics, self.random.randint(0, 2)))
            with contextlib.suppress(Died):
                (await dying[slot[0]].handle([record])).close()
        self.links = Links(self.topics, self.links.directories, self.links.sent)
        for slot, read in list(self.offsets.items()):
            if slot[0] in _RESOLVED:
                self.offsets[slot] = self.random.randint(max(read - 3, 0), read)
        self._handlers |= self._resolving(self.links, self.topics)

    async def ask(self, refolds: Iterable[Refold]) -> None:
        """Put an operator's requests on the accounts' topic."""
        for refold in refolds:
            item = refold.encoded()
            self.topics.put([("touchpoints.attributed.v1", refold.account_id, item)])

    async def withdraw_unread(self, events: Iterable[str], mapping: int) -> None:
        """What `touchline remap` does, when all has run through, with events that the newest mapping does not tell."""
        gone = set(events)
        rows = [row for row in self.store.touchpoints.values() if isinstance(row, TouchpointFact)]
        told = [unread(row.account_id, row.event_id, mapping) for row in rows if row.event_id in gone]
        self.topics.put([("touchpoints.attributed.v1", w.account_id, w.encoded()) for w in told])

    async def restart_with(self, blueprint: CompiledBlueprint) -> None:
        """The journey worker is stopped, and started with another blueprint."""
        self._blueprint = blueprint
        await self.restart()

    async def feed(self, touchpoints: Sequence[CleanTouchpoint]) -> None:
        """Put touchpoints on the clean topic, in this order."""
        for touchpoint in touchpoints:
            item = touchpoint.changed(scoped=True)  # whatever ids they have: the mapper makes no others
            self.topics.put([("touchpoints.clean.v1", touchpoint.event_id, item.encoded())])

    async def erase(self, erasure: Erasure) -> None:
        """Put an erasure on the links topic; it is read when something else is, or sooner."""
        self.topics.put([("identity.links.v1", erasure.link_id, erasure.changed(scoped=True).encoded())])
        self._erasures += 1

    async def sweep(self) -> None:
        """What `touchline erase` does once all has run through: look what is stored, and call it back."""
        await self.links.wait_for(1 << 40)
        rows = [row.input for row in self.store.touchpoints.values() if isinstance(row, TouchpointFact)]
        knowledge = self.links.knowledge
        recalls = sweep(rows, knowledge.ledger, knowledge.position)
        self.topics.put([("touchpoints.attributed.v1", r.account_id, r.encoded()) for r in recalls])

    async def run(self, *, restarts: int = 0, resolver_restarts: int = 0) -> None:
        """Until nothing moves."""
        moves: list[Callable[[], Any]] = [self._consume, self._sink, self._recall, self._breathe]
        moves += [self._follow] if self._erasures or self.follows else []
        quiet = 0
        while quiet < 12:
            if restarts and self.random.random() < 0.02:
                restarts -= 1
                await self.restart()
            if resolver_restarts and self.random.random() < 0.05:
                resolver_restarts -= 1
                await self.restart_resolver()
            moved = await self.random.choice(moves)()
            quiet = 0 if moved or self._busy() else quiet + 1

    async def close(self) -> None:
        for task in [*self._tasks, *self._open]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._open, return_exceptions=True)
        self._open.clear()

    def _busy(self) -> bool:
        return bool(self._open or self.memory.dirty or self.links.recalls or self._pending() or self._unstored())

    def _pending(self) -> list[tuple[str, int]]:
        return [
            slot
            for slot, log in self.topics.logs.items()
            if slot[0] in self._handlers and self.offsets.get(slot, 0) < len(log)
        ]

    async def _consume(self) -> bool:
        pending = self._pending()
        if not pending:
            return False
        slot = self.random.choice(sorted(pending))
        start = self.offsets.get(slot, 0)
        end = min(start + self.random.randint(1, 4), len(self.topics.logs[slot]))
        records = [Record(self.topics.logs[slot][o], (slot[0], slot[1], o)) for o in range(start, end)]
        done = await self._handled(self._handlers[slot[0]].handle(records))
        self.offsets[slot] = end
        task: asyncio.Task[object] = asyncio.ensure_future(done)
        self._open.add(task)
        self._unfinished[task] = (slot, start)
        task.add_done_callback(self._finished)
        return True

    async def _handled(self, handling: Coroutine[Any, Any, Done]) -> Done:
        """A worker whose memory is full takes nothing before the sink has moved."""
        task, looks = asyncio.ensure_future(handling), 0
        while not task.done():
            await asyncio.sleep(0)
            looks += 1
            if looks > PATIENCE_LOOKS:
                await self._sink()
        return task.result()

    def _finished(self, task: asyncio.Task[object]) -> None:
        self._open.discard(task)
        if not task.cancelled():
            self._unfinished.pop(task, None)

    async def _sink(self) -> bool:
        moved = False
        for partition in range(PARTITIONS):
            log = self.topics.logs.get(("journey.facts.v1", partition), [])
            end = min(self.progress.applied[partition] + self.random.randint(0, 6), len(log))
            for value in log[self.progress.applied[partition] : end]:
                for fact in FACTS.validate_json(value):
                    self.store.apply(fact)
            moved = moved or end > self.progress.applied[partition]
            self.progress.applied[partition] = end
        return moved

    def _unstored(self) -> bool:
        ends = [len(self.topics.logs.get(("journey.facts.v1", p), [])) for p in range(PARTITIONS)]
        return any(applied < end for applied, end in zip(self.progress.applied, ends, strict=True))

    async def _recall(self) -> bool:
        if not self.links.recalls:
            return False
        recall = self.links.recalls.pop(0)
        self.topics.put([("touchpoints.attributed.v1", recall.account_id, recall.encoded())])
        if not self.links.recalls and self.random.random() < 0.5:  # it may die before it commits
            self.links.told()
        return True

    async def _follow(self) -> bool:
        """Read the links though nobody waits for them."""
        before = self.links.knowledge.position
        await self.links.wait_for(1 << 40)
        return self.links.knowledge.position > before

    async def _breathe(self) -> bool:
        await asyncio.sleep(0.001)
        return False


def _die(why: str) -> None:
    raise AssertionError(why)
