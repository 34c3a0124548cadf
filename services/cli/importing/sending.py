"""Batches of records to the gateway: several under way, in order of acknowledgement, for as long as it takes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx

from schemas.errors import ConfigurationError, PermanentError

PATH = "/v1/touchline"
AT_ONCE = 4
BATCH_RECORDS = 500
BATCH_BYTES = 512 * 1024
LONGEST_WAIT_S = 30.0
TIMEOUT_S = 30.0
_RETRIED = (408, 429, 502, 503, 504)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Encoded records, and the last line of the file they reach."""

    records: tuple[bytes, ...]
    last_line: int

    @property
    def body(self) -> bytes:
        return b'{"records":[' + b",".join(self.records) + b"]}"


class Batcher:
    """Collects records until a batch is full."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._bytes = 0
        self.last_line = 0

    def add(self, record: bytes, line: int) -> Batch | None:
        """The batch this record fills, if it does."""
        self._records.append(record)
        self._bytes += len(record)
        self.last_line = line
        return self.take() if len(self._records) >= BATCH_RECORDS or self._bytes >= BATCH_BYTES else None

    def take(self) -> Batch | None:
        """What there is; None when there is nothing."""
        if not self._records:
            return None
        batch = Batch(tuple(self._records), self.last_line)
        self._records, self._bytes = [], 0
        return batch


class Sender:
    """Posts as one source. `say` hears once of a gateway that is away."""

    def __init__(self, client: httpx.AsyncClient, url: str, key: bytes, say: Say) -> None:
        self._client = client
        self._url = url.rstrip("/") + PATH
        self._headers = {b"authorization": b"Bearer " + key, b"content-type": b"application/json"}
        self._say = say
        self._is_away = False

    async def send_all(self, batches: AsyncIterator[Batch], on_acked: Callable[[Batch], None]) -> None:
        """Every batch; `on_acked` hears of a batch when it and all before it are safe. Raises PermanentError."""
        under_way: deque[tuple[Batch, asyncio.Task[None]]] = deque()
        try:
            async for batch in batches:
                under_way.append((batch, asyncio.create_task(self.send(batch.body))))
                while len(under_way) >= AT_ONCE:
                    await _acked(under_way, on_acked)
            while under_way:
                await _acked(under_way, on_acked)
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def send(self, body: bytes) -> None:
        """Until the gateway has it. Raises ConfigurationError when it does not know the key, else PermanentError."""
        wait_s = 0.2
        while (asked_s := await self._attempt(body)) is not None:
            if not self._is_away:
                self._say(f"{self._url} does not take records now; trying again until it does")
            self._is_away = True
            await asyncio.sleep(min(max(asked_s, wait_s), LONGEST_WAIT_S))
            wait_s = min(wait_s * 2, 5.0)
        self._is_away = False

    async def _attempt(self, body: bytes) -> float | None:
        """None when it is delivered, else the seconds the gateway asks to wait."""
        try:
            answer = await self._client.post(self._url, content=body, headers=self._headers)
        except httpx.TransportError:
            return 0.0
        if answer.status_code == 200:
            return None
        if answer.status_code in _RETRIED:
            asked = answer.headers.get("retry-after", "")
            return float(asked) if asked.isdigit() else 0.0
        if answer.status_code == 401:
            raise ConfigurationError(
                f"{self._url} does not know the source's key; was it started with this configuration?"
            )
        raise PermanentError(f"{self._url} answered {answer.status_code}: {answer.text[:200]}", "refused")


async def _acked(under_way: deque[tuple[Batch, asyncio.Task[None]]], on_acked: Callable[[Batch], None]) -> None:
    batch, task = under_way[0]
    await task
    under_way.popleft()
    on_acked(batch)
