"""What is configured as a receiver's address leads no channel into this machine or its network.

Every channel of the registry, every spelling. A listener stands on both loopback addresses, and every connection that
the process opens is written down: to a private address there is none.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import ValidationError

from schemas.alerting import AlertsConfig
from schemas.errors import ConfigurationError
from services.alerting.channels.outcome import Outcome, Sender
from services.alerting.channels.registry import KINDS, senders
from services.alerting.outgoing import Outgoing
from tests.receivers import receiver
from tests.unit.test_alert_channels import message

PUBLIC: Final = "93.184.215.14"
CHANNELS: Final = ("slack", "slack_bots", "email", "webhooks", "teams", "alertmanager", "pagerduty", "opsgenie")
BY_URL: Final = tuple(name for name in CHANNELS if name != "email")
_TLS: Final = ssl.create_default_context()
LOOPBACK: Final = (
    "127.0.0.1",
    "127.1",
    "127.8.8.8",
    "localhost",
    "localhost.",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "0.0.0.0",
    "0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::1]",
)
ELSEWHERE: Final = (
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
)
REFUSED: Final = ("private address", "no address", "no URL that can be called")
TRICKS: Final = (
    "http://93.184.215.14@127.0.0.1:{port}/",
    "http://user:word@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@receiver.example/",
    "http://receiver.example\\@127.0.0.1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ⓛocalhost:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://127.0.0.1:{port}\r\nhost: receiver.example\r\n\r\n/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:0/",
)


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Where the process connected to. The internet is not reached."""
    made: list[str] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        made.append(str(address[0]))
        if address[0] == PUBLIC:
            raise ConnectionRefusedError("nobody is called in tests")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    yield made
    assert set(made) <= {PUBLIC}


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a listener on both loopback addresses to which nobody may speak."""
    heard: list[object] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    number = int(server.sockets[0].getsockname()[1])
    six = await asyncio.start_server(speak, "::1", number) if socket.has_dualstack_ipv6() else None
    yield number
    await asyncio.sleep(0)
    server.close()
    if six is not None:
        six.close()
    assert heard == []


def channel(kind: str, folder: Path, url: str, host: str, port: int, allowed: tuple[str, ...] = ()) -> Sender:
    """One channel that is to call a URL; mail goes to the same host. Raises ValidationError, ConfigurationError."""
    secrets = {"url": url, "key": "k" * 32, "token": "xoxb-1", "hook": "whsec_" + base64.b64encode(b"k" * 32).decode()}
    for name, text in secrets.items():
        (folder / name).write_bytes(text.encode())
        (folder / name).chmod(0o600)
    ref = {name: {"file": str(folder / name)} for name in secrets}
    mail = {
        "host": host.strip("[]"),
        "port": port,
        "security": "none",
        "sender": "a@us.example",
        "to": ["b@us.example"],
    }
    given: dict[str, dict[str, Any]] = {
        "slack": {"url": ref["url"]},
        "slack_bots": {"url": url, "token": ref["token"], "room": "C0123456789"},
        "email": mail,
        "webhooks": {"url": url, "secrets": [ref["hook"]]},
        "teams": {"url": ref["url"]},
        "alertmanager": {"urls": [url]},
        "pagerduty": {"url": url, "routing_key": ref["key"]},
        "opsgenie": {"url": url, "key": ref["key"]},
    }
    config = AlertsConfig.model_validate({kind: [{"name": "one", **given[kind]}]})
    return senders(config, Outgoing(allowed, timeout_s=5, tls=_TLS))["one"]


async def tried(kind: str, folder: Path, url: str, host: str, port: int) -> Outcome | None:
    """What became of a message; None: the configuration was refused."""
    try:
        sender = channel(kind, folder, url, host, port)
    except (ValidationError, ConfigurationError):
        return None
    return await sender.send(message())


def answered(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[str]:
    """The answers of the name server, in turn, the last one for ever. Returns who was asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        found = rounds[min(len(asked), len(rounds) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    return asked


def test_every_channel_is_tried() -> None:
    assert len(CHANNELS) == len(KINDS)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", CHANNELS)
async def test_no_spelling_of_a_private_address_is_called(kind: str, scheme: str, port: int, tmp_path: Path) -> None:
    for host in (*LOOPBACK, *ELSEWHERE):
        outcome = await tried(kind, tmp_path, f"{scheme}://{host}:{port}/hook", host, port)
        assert outcome is None or outcome.kind == "retry", host
        assert outcome is None or any(why in outcome.words for why in REFUSED), host


@pytest.mark.parametrize("kind", BY_URL)
async def test_no_trick_of_a_url_is_taken_in(kind: str, port: int, tmp_path: Path) -> None:
    for trick in TRICKS:
        outcome = await tried(kind, tmp_path, trick.format(port=port), "127.0.0.1", port)
        assert outcome is None or (outcome.kind == "retry" and not outcome.in_doubt), trick


@pytest.mark.parametrize("kind", CHANNELS)
async def test_a_name_that_is_answered_otherwise_a_moment_later_gains_nothing(
    kind: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    """The connection goes to the address that was checked, and nobody asks for the name again."""
    asked = answered(monkeypatch, [PUBLIC], ["127.0.0.1"])
    sender = channel(kind, tmp_path, f"https://rebind.example:{port}/hook", "rebind.example", port)
    if kind == "email":
        sender._channel = sender._channel.model_copy(update={"security": "starttls"})  # type: ignore[attr-defined]
    outcome = await sender.send(message())
    assert (outcome.kind, asked, opened) == ("retry", ["rebind.example"], [PUBLIC])
    asked.clear()
    answered(monkeypatch, [PUBLIC, "127.0.0.1"])
    outcome = await sender.send(message())
    assert "private address" in outcome.words


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", BY_URL)
async def test_no_redirect_is_followed(kind: str, status: int, port: int, tmp_path: Path, opened: list[str]) -> None:
    async with receiver((status, {"location": f"http://127.0.0.1:{port}/"}, b"")) as first:
        sender = channel(kind, tmp_path, first.url, "", first.port, ("127.0.0.1",))
        outcome = await sender.send(message())
        assert (len(first.got), outcome.kind in ("retry", "final")) == (1, True)
    assert opened == ["127.0.0.1"]
    opened.clear()
