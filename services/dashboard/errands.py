"""What operators do on the page of sources: send a test event, send dead letters again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import orjson

from schemas.errors import ConfigurationError
from schemas.touchpoints import DeadLetter
from services.common.dead_letters import Replayed
from services.dashboard.answers import GatewayAway
from streams.connectors.reading import event_id

FOLLOWED_FOR = timedelta(minutes=15)
TEST_PATH = "/pricing"
_TEST_VISITOR = "touchline-test"


@dataclass(frozen=True, slots=True)
class Trial:
    """A test event that the gateway has taken."""

    event_id: str
    source: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Resent:
    """Letters of one source, stage and reason that were sent again: how many records, and what could not go."""

    at: datetime
    by: str
    records: int
    left: tuple[str, ...]


@dataclass
class Errands:
    """What was done lately. Forgotten with the process: the letters and the events themselves stay where they are."""

    trial: Trial | None = None
    resent: dict[str, Resent] = field(default_factory=dict)
    """By `SOURCE/STAGE/REASON`."""

    def followed(self, now: datetime) -> Trial | None:
        """The test event that is still looked after."""
        return self.trial if self.trial and now - self.trial.sent_at < FOLLOWED_FOR else None


Try = Callable[[datetime], Awaitable[Trial]]
Resend = Callable[[Sequence[DeadLetter]], Awaitable[Replayed]]


async def no_trial(now: datetime) -> Trial:
    """Where there is nobody to send as."""
    raise ConfigurationError("a test event needs a source with `vendor: segment` whose secret this process can read")


async def no_resend(letters: Sequence[DeadLetter]) -> Replayed:
    """Where there is no Kafka to send to."""
    raise ConfigurationError("nothing can be sent again from here: use `touchline dlq replay`")


class TestEvents:
    """Test events through the gateway, as a source that speaks Segment's protocol."""

    __test__ = False  # no test class, whatever its name says

    def __init__(self, client: httpx.AsyncClient, url: str, source: str, key: bytes) -> None:
        self._client, self._url, self._source, self._key = client, url.rstrip("/"), source, key

    async def __call__(self, now: datetime) -> Trial:
        """Send one: a visit of the pricing page, marked as a test. Raises GatewayAway, ConfigurationError."""
        message_id, at = str(uuid4()), now.isoformat()
        context = {"test": True, "page": {"path": TEST_PATH, "title": "Test event"}}
        message = {"type": "page", "name": "Test event", "messageId": message_id, "anonymousId": _TEST_VISITOR}
        body = orjson.dumps({**message, "timestamp": at, "context": context, "properties": {"path": TEST_PATH}})
        headers = {"content-type": "application/json"}
        try:
            auth = httpx.BasicAuth(self._key.decode(), "")
            answer = await self._client.post(f"{self._url}/v1/page", content=body, headers=headers, auth=auth)
        except httpx.TransportError as error:
            raise GatewayAway("the gateway does not answer; nothing was sent") from error
        if answer.status_code == 401:
            raise ConfigurationError(f"the gateway does not know the key of source `{self._source}`")
        if answer.status_code != 200:
            raise GatewayAway(f"the gateway answered {answer.status_code}; nothing was sent")
        return Trial(event_id(self._source, message_id), self._source, now)


@dataclass(frozen=True)
class SourceTools:
    """What the errands need. `secrets_dir`: where the configuration's secrets lie; None: nowhere we may write."""

    send_trial: Try = no_trial
    resend: Resend = no_resend
    secrets_dir: Path | None = None
    names: Collection[str] = ()
