"""The driver: an open loop of Segment batches on a fixed schedule, in a process of its own.

    python -m benchmarks.load '{"url": "http://127.0.0.1:8080", "key": "…", "run": "r1", "rate_per_s": 1000, …}'

Requests are due by the clock alone; one that a slow gateway holds up does not hold up those behind it.
Prints one JSON line: the `Sent` of the run. Event n of a run has the message id `<run>-<n>`.
"""

from __future__ import annotations

import asyncio
import base64
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import orjson
from pydantic import Field

from schemas.base import Strict

PEOPLE_AN_ACCOUNT = 3
#: A sender's events reach us a moment after they happened, and not in order.
SPREAD_MS = 500
#: As many as a site has: people who went round among a handful would be lost (`page_loop`), not a usual load.
_PAGES = tuple(f"/{part}/{n}" for part in ("pricing", "docs", "product", "blog", "customers") for n in range(12))
_TRACKS = ("Report Viewed", "Dashboard Opened", "Export Finished")


class Load(Strict):
    """One run of the driver."""

    url: str = Field(description="the gateway")
    key: str = Field(description="write key of a Segment source")
    run: str = Field(description="begins every message id; also names the people, see `people`")
    people: str = Field("bench", description="runs with the same word share their people and accounts")
    rate_per_s: float = Field(gt=0, description="events a second")
    seconds: float = Field(0, description="length; 0: one event of each person, once")
    batch: int = Field(20, ge=1, description="events a request")
    accounts: int = Field(1000, ge=1, description="companies")
    new_share: float = Field(0, ge=0, le=1, description="share of the events that are of a person never seen before")
    connections: int = Field(16, ge=1, description="kept alive")
    seed: int = 1


class Sent(Strict):
    """What became of the requests, in the order they were due."""

    started_at_s: float
    ended_at_s: float
    acked_at_s: list[float | None]
    batch: int
    cpu_s: float

    @property
    def acked_events(self) -> int:
        return self.batch * sum(at is not None for at in self.acked_at_s)

    def acked_ids(self, run: str) -> set[str]:
        """The message ids answered with 200."""
        numbers = (n for n, at in enumerate(self.acked_at_s) if at is not None)
        return {f"{run}-{number * self.batch + n}" for number in numbers for n in range(self.batch)}


class Bodies:
    """Request bodies by their number."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._random = random.Random(f"{load.run}/{load.seed}")

    def body(self, request: int, now: datetime) -> bytes:
        """A request's body, sent at `now`."""
        first = request * self._load.batch
        batch = [self._message(first + n, now) for n in range(self._load.batch)]
        return orjson.dumps({"batch": batch, "sentAt": now.isoformat()})

    def _message(self, number: int, now: datetime) -> dict[str, object]:
        happened = now - timedelta(milliseconds=self._random.randrange(SPREAD_MS))
        account, person = self._who(number)
        message: dict[str, object] = {
            "messageId": f"{self._load.run}-{number}",
            "anonymousId": f"{self._load.people}-an-{account}-{person}",
            "userId": f"{self._load.people}-u-{account}-{person}",
            "timestamp": happened.isoformat(),
            "context": {
                "traits": {"email": f"{person}@{self._load.people}{account}.com"},
                "page": {"path": self._random.choice(_PAGES)},
            },
        }
        return message | self._what()

    def _who(self, number: int) -> tuple[int, str]:
        if not self._load.seconds:
            return number // PEOPLE_AN_ACCOUNT % self._load.accounts, f"p{number % PEOPLE_AN_ACCOUNT}"
        account = self._random.randrange(self._load.accounts)
        if self._random.random() < self._load.new_share:
            return account, f"{self._load.run}n{number}"
        return account, f"p{self._random.randrange(PEOPLE_AN_ACCOUNT)}"

    def _what(self) -> dict[str, object]:
        chance = self._random.random()
        if chance < 0.6:
            return {"type": "page", "name": "Visited"}
        if chance < 0.8:
            return {"type": "track", "event": "Element Clicked", "properties": {"element": f"b{int(chance * 1e6)}"}}
        return {"type": "track", "event": self._random.choice(_TRACKS), "properties": {"plan": "team"}}


class Driver:
    """Sends one load."""

    def __init__(self, load: Load) -> None:
        self._load = load
        place = urlsplit(load.url)
        self._host, self._port = place.hostname or "127.0.0.1", place.port or 80
        auth = base64.b64encode(f"{load.key}:".encode()).decode()
        self._head = f"POST /v1/batch HTTP/1.1\r\nHost: gateway\r\nAuthorization: Basic {auth}\r\nContent-Length: "
        self._bodies = Bodies(load)
        self._acked: list[float | None] = []

    async def run(self) -> Sent:
        """Until every request is answered. Raises OSError when the gateway goes away."""
        queue: asyncio.Queue[int | None] = asyncio.Queue()
        senders = [asyncio.create_task(self._sender(queue)) for _ in range(self._load.connections)]
        started_at_s = time.time()
        for number, due_s in self._schedule():
            if (early_s := started_at_s + due_s - time.time()) > 0.002:
                await asyncio.sleep(early_s)
            self._acked.append(None)
            queue.put_nowait(number)
        ended_at_s = time.time()
        for _ in senders:
            queue.put_nowait(None)
        await asyncio.gather(*senders)
        return Sent(
            started_at_s=started_at_s,
            ended_at_s=ended_at_s,
            acked_at_s=self._acked,
            batch=self._load.batch,
            cpu_s=time.process_time(),
        )

    def _schedule(self) -> Iterator[tuple[int, float]]:
        """(request, seconds after the start at which it is due)."""
        load = self._load
        events = load.rate_per_s * load.seconds or load.accounts * PEOPLE_AN_ACCOUNT
        for number in range(int(events // load.batch)):
            yield number, number * load.batch / load.rate_per_s

    async def _sender(self, queue: asyncio.Queue[int | None]) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        while (number := await queue.get()) is not None:
            body = self._bodies.body(number, datetime.now(UTC))
            writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
            if await _status(reader) == 200:
                self._acked[number] = time.time()
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))
    return int(head.split(b" ", 2)[1])


def main() -> None:
    load = Load.model_validate_json(sys.argv[1])
    print(asyncio.run(Driver(load).run()).model_dump_json())


if __name__ == "__main__":
    main()
