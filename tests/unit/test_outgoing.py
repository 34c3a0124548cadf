"""Nothing private is called unless the configuration names it: the listener hears nothing, not even a connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from schemas.base import EPOCH
from services.alerting.outgoing import MAX_ANSWER_BYTES, Away, Outgoing, Refused, is_public
from tests.receivers import Receiver, receiver

LOOPBACK = ("127.0.0.0/8", "::1")
SPELLINGS = (
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "0.0.0.0",
)


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_this_machine_is_called(host: str) -> None:
    async with receiver() as heard:
        with pytest.raises((Refused, Away)):
            await Outgoing().post(f"http://{host}:{heard.port}/", b"{}", {})
        with pytest.raises((Refused, Away)):
            await Outgoing().post(f"https://{host}:{heard.port}/", b"{}", {})
        assert heard.connections == 0


async def test_what_is_allowed_is_called() -> None:
    async with receiver() as heard:
        answer = await Outgoing(LOOPBACK).post(f"{heard.url}/x?y=1", b"body", {"content-type": "text/plain"})
        assert (answer.status, answer.text) == (200, "ok")
        (request,) = heard.got
        assert (request.path, request.body) == ("/x?y=1", b"body")
        assert request.headers["host"] == f"127.0.0.1:{heard.port}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True),
    ],
)
def test_what_is_public(address: str, expected: bool) -> None:
    assert is_public(ip_address(address)) is expected


def answering(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[str]:
    """`getaddrinfo` that answers otherwise each time it is asked. Returns who asked."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        addresses = rounds[min(len(asked), len(rounds) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    return asked


async def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ["93.184.215.14", "127.0.0.1"])
    with pytest.raises(Refused, match="allow_private"):
        await Outgoing().address("rebind.example", 443)


async def test_a_name_is_asked_once_and_the_checked_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it asked again for the connection, it would be answered with an address that nobody checked."""
    async with receiver() as checked, receiver(port=0) as other:
        asked = answering(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        answer = await Outgoing(("127.0.0.1",)).post(f"http://rebind.example:{checked.port}/", b"", {})
        assert answer.status == 200
        assert asked == ["rebind.example"]
        assert checked.got[0].headers["host"] == f"rebind.example:{checked.port}"
        assert other.connections == 0


async def test_a_public_address_is_not_called_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ["93.184.215.14"])
    with pytest.raises(Refused, match="without TLS"):
        await Outgoing().address("plain.example", 80, in_the_open=True)
    assert await Outgoing().address("plain.example", 443) == "93.184.215.14"


async def test_redirects_are_not_followed() -> None:
    async with receiver() as secret, receiver((302, {"location": secret.url}, b"")) as first:
        answer = await Outgoing(LOOPBACK).post(first.url, b"", {})
        assert answer.status == 302
        assert secret.connections == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as proxy, receiver() as meant:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        await Outgoing(LOOPBACK).post(meant.url, b"", {})
        assert (proxy.connections, len(meant.got)) == (0, 1)


async def test_a_receiver_that_does_not_answer_is_not_waited_for() -> None:
    async with receiver(slow_s=30) as slow:
        with pytest.raises(Away, match="no answer within"):
            await Outgoing(LOOPBACK, timeout_s=0.2).post(slow.url, b"", {})


async def test_an_endless_answer_is_cut() -> None:
    async with receiver((500, {}, b"x" * 10 * MAX_ANSWER_BYTES)) as talker:
        answer = await Outgoing(LOOPBACK).post(talker.url, b"", {})
        assert (answer.status, len(answer.text)) == (500, 300)


@pytest.mark.parametrize(("text", "least", "most"), [("7", 7, 7), ("junk", None, None), ("", None, None)])
async def test_the_pause_a_receiver_asks_for(text: str, least: float | None, most: float | None) -> None:
    async with receiver((429, {"retry-after": text} if text else {}, b"")) as busy:
        found = (await Outgoing(LOOPBACK).post(busy.url, b"", {})).retry_after_s
    assert found is None if least is None or most is None else found is not None and least <= found <= most


async def test_the_pause_may_be_a_date() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    async with receiver((503, {"retry-after": until}, b"")) as busy:
        found = (await Outgoing(LOOPBACK).post(busy.url, b"", {})).retry_after_s
    assert found is not None
    assert 500 < found <= 600


async def test_nobody_there_is_away() -> None:
    async with receiver() as gone:
        port = gone.port
    with pytest.raises(Away):
        await Outgoing(LOOPBACK).post(f"http://127.0.0.1:{port}", b"", {})
    assert isinstance(Outgoing().tls, ssl.SSLContext)
    assert isinstance(gone, Receiver)


@pytest.mark.parametrize("trusted", [True, False])
async def test_until_when_a_certificate_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    """One that is not trusted, or has ended, is good until long ago; a private address is asked only if it may be."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=page.example"]
    command += ["-addext", "subjectAltName=DNS:page.example", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(cert, key)
    calls = Outgoing(LOOPBACK, tls=ssl.create_default_context(cafile=str(cert) if trusted else None))

    async def address(self: Outgoing, host: str, port: int) -> str:
        return "127.0.0.1"

    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=shown)
    port = server.sockets[0].getsockname()[1]
    with monkeypatch.context() as patched:
        patched.setattr(Outgoing, "address", address)
        until = await calls.certificate_until(f"https://page.example:{port}")
    server.close()
    days = (until - datetime.now(UTC)).total_seconds() / 86_400
    assert 1.9 < days < 2.1 if trusted else until == EPOCH
    with pytest.raises(Refused):
        await Outgoing().certificate_until(f"https://127.0.0.1:{port}")
