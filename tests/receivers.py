"""Receivers for the tests of alerts: HTTP that keeps what it got and answers what it is told, on loopback."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from tests.listening import free_port, listens

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"ok")


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are given in turn, the last one for ever; `got` is every request that came in whole."""

    port: int = 0
    answers: list[Answer] = field(default_factory=lambda: [OK])
    got: list[Request] = field(default_factory=list)
    connections: int = 0
    slow_s: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest if one)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.got.append(Request(line.split(" ")[1], headers, body))
            await asyncio.sleep(self.slow_s)
            status, extra, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            lines = [f"HTTP/1.1 {status} x", f"content-length: {len(text)}", "connection: close"]
            lines += [f"{name}: {value}" for name, value in extra.items()]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver(*answers: Answer, slow_s: float = 0.0, port: int = 0) -> AsyncIterator[Receiver]:
    """A running receiver."""
    made = Receiver(answers=list(answers) or [OK], slow_s=slow_s)
    server = await asyncio.start_server(made.serve, "127.0.0.1", port)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


class _Mailbox:
    def __init__(self, got: Callable[[bytes], None]) -> None:
        self._got = got

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        text = message_from_bytes(content, policy=policy.default).get_body(("plain",))
        self._got(text.get_content().encode() if text is not None else b"")
        return "250 taken"


@asynccontextmanager
async def mail_receiver(got: Callable[[bytes], None]) -> AsyncIterator[int]:
    """An SMTP server without TLS; `got` hears the plain text of each mail. Its port."""
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(_Mailbox(got)), "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@asynccontextmanager
async def alertmanager_of(config: Path, port: int | None = None, *, kill: bool = False) -> AsyncIterator[str]:
    """A real Alertmanager with this file, beside which it keeps what it knows; its address. `kill`: how it ends."""
    port = port or free_port()
    command = ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={config.parent}/am"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await until(lambda: listens(port), 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        (process.kill if kill else process.terminate)()
        await process.wait()


async def until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it has happened. Fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.02)
