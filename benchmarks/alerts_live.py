"""From a sender's 2xx to the message in each channel: `touchline up` with receivers on this machine, all parts real."""

from __future__ import annotations

import asyncio
import base64
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from benchmarks.figures import Say
from tests.alerts_running import up
from tests.receivers import OK, Answer, Receiver, mail_receiver, receiver

HTTP: Final[dict[str, Answer]] = {
    **dict.fromkeys(("slack", "webhook", "alertmanager"), OK),
    **dict.fromkeys(("teams", "pagerduty", "opsgenie"), (202, {}, b"{}")),
    "slack bot": (200, {}, b'{"ok": true, "ts": "1.2"}'),
}
"""Channel → what its receiver answers, as the vendor documents it."""
CHANNELS: Final = (*HTTP, "mail")
PAUSE_S: Final = 0.5
"""Between two complaints: each channel may send ten messages a second here, so that none waits for its turn."""
LAST_S: Final = 60.0
KEY: Final = "bench-key"
_COMPANY = re.compile(rb"company(\d+)\.example")


@dataclass
class Heard:
    """When each company's first message arrived, by channel."""

    at: dict[str, dict[int, float]] = field(default_factory=lambda: {name: {} for name in CHANNELS})

    def note(self, channel: str, text: bytes) -> None:
        for number in _COMPANY.findall(text):
            self.at[channel].setdefault(int(number), time.monotonic())

    def __len__(self) -> int:
        return sum(map(len, self.at.values()))


class _Noted(list[Any]):
    """Requests of a receiver, noted as they come in."""

    def __init__(self, heard: Heard, channel: str) -> None:
        super().__init__()
        self._heard, self._channel = heard, channel

    def append(self, request: Any) -> None:
        self._heard.note(self._channel, request.body)


async def latencies(runs: int, say: Say) -> dict[str, list[float]]:
    """Channel → seconds from the 2xx of each complaint to its message, of those that arrived."""
    heard = Heard()
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True) as name:
        async with AsyncExitStack() as stack:
            file = await _configured(Path(name), heard, stack)
            gateway = await stack.enter_async_context(up(Path(name), file))
            sent = await _complain(gateway, runs)
            say(f"{runs} complaints sent")
            await _all_of(heard, runs * len(CHANNELS))
    return {name: [at - sent[number] for number, at in times.items()] for name, times in heard.at.items()}


async def _configured(folder: Path, heard: Heard, stack: AsyncExitStack) -> Path:
    """Receivers, and a configuration that names them."""
    urls: dict[str, str] = {}
    for name, answer in HTTP.items():
        one: Receiver = await stack.enter_async_context(receiver(answer))
        one.got, urls[name] = _Noted(heard, name), one.url
    mail_port = await stack.enter_async_context(mail_receiver(lambda text: heard.note("mail", text)))
    secrets = {"web": KEY, "slack": urls["slack"], "hook": "whsec_" + base64.b64encode(b"k" * 32).decode()}
    secrets |= {"teams": urls["teams"], "key": "k" * 32, "token": "xoxb-1"}
    for name, text in secrets.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    file = folder / "touchline.yaml"
    file.write_text(yaml.safe_dump(_document(urls, mail_port)))
    return file


def _document(urls: dict[str, str], mail_port: int) -> dict[str, Any]:
    fast = {"per_minute": 600}
    mail = {"name": "mail", "host": "127.0.0.1", "port": mail_port, "security": "none", "sender": "a@touchline.example"}
    return {
        "sources": [{"name": "web", "vendor": "segment", "secrets": [{"file": "web"}]}],
        "alerts": {
            "allow_private": ["127.0.0.1"],
            "slack": [fast | {"name": "slack", "url": {"file": "slack"}}],
            "email": [fast | mail | {"to": ["you@example.com"]}],
            "webhooks": [fast | {"name": "webhook", "url": urls["webhook"], "secrets": [{"file": "hook"}]}],
            "alertmanager": [fast | {"name": "alertmanager", "urls": [urls["alertmanager"]]}],
            "teams": [fast | {"name": "teams", "url": {"file": "teams"}}],
            "pagerduty": [fast | {"name": "pagerduty", "url": urls["pagerduty"], "routing_key": {"file": "key"}}],
            "opsgenie": [fast | {"name": "opsgenie", "url": urls["opsgenie"], "key": {"file": "key"}}],
            "slack_bots": [
                fast | {"name": "bot", "url": urls["slack bot"], "token": {"file": "token"}, "room": "C0123456789"}
            ],
        },
    }


async def _complain(gateway: str, runs: int) -> dict[int, float]:
    """One complaint after the other, each of another customer; when each had its 2xx."""
    sent: dict[int, float] = {}
    async with httpx.AsyncClient() as client:
        for number in range(runs):
            answer = await client.post(f"{gateway}/v1/track", json=_complaint(number), auth=(KEY, ""))
            answer.raise_for_status()
            sent[number] = time.monotonic()
            await asyncio.sleep(PAUSE_S)
    return sent


def _complaint(number: int) -> dict[str, Any]:
    return {
        "messageId": f"m-{number}",
        "userId": f"u-{number}",
        "event": "Complaint Received",
        "timestamp": datetime.now(UTC).isoformat(),
        "context": {"traits": {"email": f"ada@company{number}.example"}},
    }


async def _all_of(heard: Heard, wanted: int) -> None:
    """Until every message is there, or none comes any more."""
    for _ in _seconds(LAST_S):
        if len(heard) >= wanted:
            return
        await asyncio.sleep(0.1)


def _seconds(limit_s: float) -> Iterator[None]:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        yield
