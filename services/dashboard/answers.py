"""Answers to questions of who is who: a decision is a record for the gateway, like any other event.

So it is acknowledged, kept in Kafka, and replays. Until it has come through the pipeline the page shows it as given.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, get_args

import httpx
import orjson

from schemas.errors import ConfigurationError, TransientError
from schemas.touchpoints import RawRequest
from streams.connectors.own import touchline

Answer = Literal["accept", "reject"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
VERDICTS: dict[tuple[str, Answer], str] = {
    ("same_person", "accept"): "link",
    ("same_person", "reject"): "unlink",
    ("belongs", "accept"): "belongs",
    ("belongs", "reject"): "not_belongs",
    ("same_account", "accept"): "belongs",
    ("same_account", "reject"): "not_belongs",
}
TIMEOUT_S = 15.0
GIVEN_FOR_S = 120.0
MAX_GIVEN = 1_000


class GatewayAway(TransientError):
    """The gateway does not take the decision now."""


class Decide(Protocol):
    """Where decisions go."""

    async def __call__(self, record: Mapping[str, Any]) -> str:
        """The event id, once the record is safe. Raises GatewayAway, ConfigurationError."""


def decision(proposal: Mapping[str, Any], answer: Answer, by: str, at: datetime) -> dict[str, Any]:
    """The record that answers a proposal (a row of the store)."""
    kind = proposal["kind"]
    other = "b" if kind == "same_person" else "account"
    return {
        "kind": "decision",
        "verdict": VERDICTS[kind, answer],
        "a": proposal["a"],
        other: proposal["b"],
        "by": by,
        "at": at.isoformat(),
        "proposal": proposal["proposal_id"],
    }


async def not_configured(record: Mapping[str, Any]) -> str:
    """Where there is nobody to send as."""
    raise ConfigurationError("answers need a source with `vendor: touchline` whose secret this process can read")


class Gateway:
    """The gateway over HTTP, as source `source`."""

    def __init__(self, client: httpx.AsyncClient, url: str, source: str, key: bytes) -> None:
        self._client, self._url, self.source = client, url.rstrip("/"), source
        self._headers = {b"authorization": b"Bearer " + key, b"content-type": b"application/json"}

    async def post(self, path: str, body: bytes) -> None:
        """It is safe once this returns. Raises GatewayAway, ConfigurationError."""
        try:
            answer = await self._client.post(self._url + path, content=body, headers=self._headers)
        except httpx.TransportError as error:
            raise GatewayAway("the gateway does not answer; nothing was decided") from error
        if answer.status_code == 401:
            raise ConfigurationError(f"the gateway does not know the key of source `{self.source}`")
        if answer.status_code != 200:
            raise GatewayAway(f"the gateway answered {answer.status_code}; nothing was decided")


class ToGateway:
    """Decisions through a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, record: Mapping[str, Any]) -> str:
        now = datetime.now(UTC)
        request = RawRequest(request_id="", source=self._gateway.source, vendor="touchline", received_at=now, body="")
        event_id = touchline.touchpoint(dict(record), {}, request).event_id
        await self._gateway.post(touchline.PATH, orjson.dumps(record))
        return event_id


class Given:
    """Answers on their way. Forgotten after two minutes: by then the store knows, or the question is open again."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._answers: OrderedDict[str, tuple[float, Answer]] = OrderedDict()

    def note(self, proposal_id: str, answer: Answer) -> None:
        self._answers[proposal_id] = (self._clock_s(), answer)
        while len(self._answers) > MAX_GIVEN:
            self._answers.popitem(last=False)

    def to(self, proposal_id: str) -> str:
        """The answer given lately; empty when there is none."""
        given_s, answer = self._answers.get(proposal_id, (float("-inf"), ""))
        return answer if self._clock_s() - given_s < GIVEN_FOR_S else ""
