"""`touchline refold` and `touchline remap`: accounts computed anew by their own writers, while the live flow goes on.

The accounts' writers are asked through Kafka, some hundred at a time; what is left to do is read from ClickHouse,
so a run that was broken off is simply started again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from schemas.config import KafkaConfig
from schemas.errors import TransientError
from schemas.topics import TopicName
from schemas.touchpoints import Refold
from services.common.records import producer
from streams.journey.compiled import CompiledBlueprint
from streams.runtime.clickhouse import query_rows
from streams.runtime.kafka import GroupProgress, partitions
from streams.runtime.writer import RecordWriter

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

TOPIC: Final[TopicName] = "touchpoints.attributed.v1"
GROUP: Final = "touchline-journey"
WINDOW: Final = 400
POLL_S: Final = 0.25
SAY_EVERY_S: Final = 5.0
STALLED_AFTER_S: Final = 60.0

Say = Callable[[str], None]
Ask = Callable[[Sequence[Refold]], Awaitable[None]]
"""Sends requests; returns once Kafka has them."""


class NothingMoves(TransientError):
    """The accounts' writers do not do what they were asked."""


class Accounts(Protocol):
    """What ClickHouse knows of accounts; blocks."""

    def others(self, digest: int, most: int) -> list[str]:
        """Accounts whose rows another blueprint made, in order of their ids."""

    def count_others(self, digest: int) -> int:
        """How many there are."""


class StoredAccounts:
    """Accounts as ClickHouse has them. Raises StoreUnavailable."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def others(self, digest: int, most: int) -> list[str]:
        sql = "SELECT account_id FROM account_journeys FINAL WHERE blueprint_digest != {digest:UInt64}"
        return self._ids(sql + " ORDER BY account_id LIMIT {most:UInt32}", {"digest": digest, "most": most})

    def count_others(self, digest: int) -> int:
        sql = "SELECT count() AS n FROM account_journeys FINAL WHERE blueprint_digest != {digest:UInt64}"
        return int(str(query_rows(self._client, sql, {"digest": digest})[0]["n"]))

    def pages(self, size: int) -> Iterator[list[str]]:
        """All accounts, some at a time."""
        page = self._after("", size)
        while page:
            yield page
            page = self._after(page[-1], size)

    def among(self, accounts: Iterable[str]) -> set[str]:
        """Those of the given accounts that there are."""
        sql = "SELECT account_id FROM account_journeys FINAL WHERE account_id IN {accounts:Array(String)}"
        return set(self._ids(sql, {"accounts": list(accounts)}))

    def _after(self, account_id: str, most: int) -> list[str]:
        sql = "SELECT account_id FROM account_journeys FINAL WHERE account_id > {after:String}"
        return self._ids(sql + " ORDER BY account_id LIMIT {most:UInt32}", {"after": account_id, "most": most})

    def count(self) -> int:
        """How many accounts there are."""
        return int(str(query_rows(self._client, "SELECT count() AS n FROM account_journeys FINAL")[0]["n"]))

    def _ids(self, sql: str, parameters: dict[str, Any]) -> list[str]:
        return [str(row["account_id"]) for row in query_rows(self._client, sql, parameters)]


class Writers:
    """The accounts' writers, as Kafka sees them."""

    def __init__(self, kafka: KafkaConfig, sender: Any) -> None:
        self._writer = RecordWriter(
            sender, lambda topic: partitions(kafka, topic), topic_prefix=kafka.topic_prefix, linger_s=0.01
        )
        self._progress = GroupProgress(kafka, GROUP)
        self._asked: dict[int, int] = {}

    async def ask(self, refolds: Sequence[Refold]) -> None:
        """Send requests; returns once Kafka has them."""
        sent = [self._writer.put(TOPIC, r.account_id, r.encoded()) for r in refolds]
        for partition, offset in await asyncio.gather(*sent):
            self._asked[partition] = max(self._asked.get(partition, 0), offset + 1)

    async def done(self) -> None:
        """Until the writers have done all that was asked. Raises NothingMoves."""
        watch = Watch("the journey workers do not go on: do they run?")
        while True:
            committed = await self._progress.committed(TOPIC)
            if all(committed.get(partition, 0) >= end for partition, end in self._asked.items()):
                return
            watch.see(sum(committed.values()))
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Give the connection back."""
        await self._progress.close()


@asynccontextmanager
async def writers(kafka: KafkaConfig) -> AsyncIterator[Writers]:
    """The writers of a running system. Raises KafkaAway."""
    async with producer(kafka) as sender:
        found = Writers(kafka, sender)
        try:
            yield found
        finally:
            await found.close()


@dataclass(slots=True)
class Watch:
    """Raises NothingMoves when a figure has been the same for too long; None: nothing is to move."""

    why: str
    figure: int | None = None
    since: float = field(default_factory=time.monotonic)

    def see(self, figure: int | None) -> None:
        now = time.monotonic()
        if figure is None or figure != self.figure:
            self.figure, self.since = figure, now
        elif now - self.since > STALLED_AFTER_S:
            raise NothingMoves(f"nothing has moved for {STALLED_AFTER_S:.0f} s: {self.why}")


@dataclass(slots=True)
class Pace:
    """Says how it goes, and keeps to `rate_per_s` accounts (0: as fast as the writers go)."""

    name: str
    total: int
    say: Say
    rate_per_s: float = 0.0
    began_s: float = field(default_factory=time.monotonic)
    said_s: float = field(default_factory=time.monotonic)

    def allowed(self, asked: int) -> int:
        """How many more may be asked for now."""
        passed_s = time.monotonic() - self.began_s
        return WINDOW if not self.rate_per_s else max(int(self.rate_per_s * (passed_s + 1)) - asked, 0)

    def early_s(self, done: int) -> float:
        """How long to wait before more may be asked for."""
        due_s = self.began_s + (done / self.rate_per_s if self.rate_per_s else 0.0)
        return max(due_s - time.monotonic(), 0.0)

    def at(self, done: int) -> None:
        """So many are done."""
        now = time.monotonic()
        if now - self.said_s > SAY_EVERY_S and done:
            self.said_s = now
            left_s = (now - self.began_s) / done * (self.total - done)
            self.say(f"{self.name:<11} {done:,} of {self.total:,} accounts, {left_s:.0f} s to go")


async def remap(
    accounts: Accounts, ask: Ask, blueprint: CompiledBlueprint, say: Say, *, rate_per_s: float = 0.0
) -> dict[str, object]:
    """Have every account whose rows another blueprint made folded by this one; what was done. Raises NothingMoves."""
    digest, asked = blueprint.digest, set[str]()
    pace = Pace("remap", await asyncio.to_thread(accounts.count_others, digest), say, rate_per_s)
    cause = f"blueprint version {blueprint.version} applied to history"
    watch = Watch("the journey workers run another blueprint than this one; after an edit they must be restarted")
    while left := await asyncio.to_thread(accounts.others, digest, WINDOW):
        fresh = [account for account in left if account not in asked][: pace.allowed(len(asked))]
        await ask([Refold(account_id=a, cause=cause, blueprint_digest=digest) for a in fresh])
        asked.update(fresh)
        done = len(asked.difference(left))
        pace.at(done)
        watch.see(done if done < len(asked) else None)
        await asyncio.sleep(POLL_S)
    return {"accounts": len(asked), "blueprint_version": blueprint.version, "duration_s": _since(pace)}


async def refold(pages: Iterable[Sequence[str]], there: Writers, pace: Pace, cause: str) -> dict[str, object]:
    """Have these accounts folded anew, a page at a time; what was done. Raises NothingMoves."""
    done = 0
    for page in pages:
        await asyncio.sleep(pace.early_s(done))
        await there.ask([Refold(account_id=account_id, cause=cause) for account_id in page])
        await there.done()
        done += len(page)
        pace.at(done)
    return {"accounts": done, "duration_s": _since(pace)}


def _since(pace: Pace) -> float:
    return round(time.monotonic() - pace.began_s, 3)
