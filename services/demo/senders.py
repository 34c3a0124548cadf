"""Sends requests to the gateway and does not give up on those it may take later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from schemas.config import SourceConfig
from schemas.errors import ConfigurationError, PermanentError
from schemas.incidents import IncidentAction
from services.common.secrets import read_secret
from services.demo.script import Moment, Sender
from services.demo.wire import JSON, Account, Outgoing, requests
from streams.connectors.own.touchline import ACTIONS_PATH

#: Sender → the connector whose protocol it speaks.
VENDOR: dict[Sender, str] = {"web": "segment", "product": "rudderstack", "crm": "hubspot", "support": "zendesk"}
AT_ONCE = 8
LONGEST_WAIT_S = 30.0
_RETRIED = (408, 429, 502, 503, 504)


class Refused(PermanentError):
    """The gateway will never take a request; the message has its answer."""


def accounts(sources: Sequence[SourceConfig], gateway_url: str) -> dict[Sender, Account]:
    """The source each sender sends as. Raises ConfigurationError when a connector has none, or a secret is missing."""
    found: dict[Sender, Account] = {}
    for sender, vendor in VENDOR.items():
        source = next((one for one in sources if one.vendor == vendor), None)
        if source is None:
            raise ConfigurationError(f"the demo needs a source with `vendor: {vendor}` in touchline.yaml")
        base_url = (source.public_base_url or gateway_url).rstrip("/")
        found[sender] = Account(source.name, read_secret(source.secrets[0]), base_url)
    return found


def desk(sources: Sequence[SourceConfig]) -> Account | None:
    """As whom the demo's own people act; None: this configuration has nobody."""
    source = next((one for one in sources if one.vendor == "touchline"), None)
    return Account(source.name, read_secret(source.secrets[0]), "") if source else None


class Senders:
    """The four tools. Cancel `send` to end its waits."""

    def __init__(self, gateway_url: str, accounts: dict[Sender, Account], client: httpx.AsyncClient) -> None:
        self._url = gateway_url
        self._accounts = accounts
        self._client = client
        self._free = asyncio.Semaphore(AT_ONCE)
        self.retries = 0

    async def send(self, moments: Sequence[Moment]) -> int:
        """Deliver all of them, however often it takes; returns how many messages. Raises Refused."""
        outgoing = requests(moments, self._accounts)
        await asyncio.gather(*map(self._deliver, outgoing))
        return sum(request.messages for request in outgoing)

    async def act(self, actions: Sequence[IncidentAction], account: Account | None) -> None:
        """Deliver what people did, one by one and in their order."""
        headers = {**JSON, "authorization": f"Bearer {account.secret.decode()}"} if account else {}
        for action in actions if account else ():
            await self._deliver(Outgoing(ACTIONS_PATH, action.encoded(), 1, lambda _: headers))

    async def _deliver(self, request: Outgoing) -> None:
        async with self._free:
            wait_s = 0.2
            while (asked_s := await self._attempt(request)) is not None:
                self.retries += 1
                await asyncio.sleep(min(max(asked_s, wait_s), LONGEST_WAIT_S))
                wait_s = min(wait_s * 2, 2.0)

    async def _attempt(self, request: Outgoing) -> float | None:
        """None when it is delivered, else the seconds the gateway asks to wait."""
        headers = request.headers(datetime.now(UTC))
        try:
            answer = await self._client.post(self._url + request.path, content=request.body, headers=headers)
        except httpx.TransportError:
            return 0.0
        if answer.status_code == 200:
            return None
        if answer.status_code not in _RETRIED:
            raise Refused(f"{request.path} was answered {answer.status_code}: {answer.text[:200]}", "refused")
        asked = answer.headers.get("retry-after", "")
        return float(asked) if asked.isdigit() else 0.0
