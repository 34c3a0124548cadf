"""Children by fork: the supervisor's end of the `fork_server`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence

from services.broker.child import die_with_parent
from services.supervisor.fork_server import LINE_MAX_BYTES, Request

_SERVER = "services.supervisor.fork_server"


class Forked:
    """A child as `asyncio.subprocess.Process` shows one, as far as the supervisor looks."""

    def __init__(self, pid: int, output: _Output) -> None:
        self.pid = pid
        self.stdout = output.reader
        self._output = output
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        """Raises ProcessLookupError when it is gone."""
        os.kill(self.pid, number)

    def end(self, code: int) -> None:
        """It has ended, with this code."""
        self._ended.set_result(code)

    def lose(self) -> None:
        """It was ended from outside, and what it may still have said is of no interest."""
        self.end(-signal.SIGKILL)
        self._output.close()


class _Output:
    """The reading end of a child's output."""

    def __init__(self, transport: asyncio.ReadTransport, reader: asyncio.StreamReader) -> None:
        self.reader = reader
        self.close = transport.close

    @classmethod
    async def of(cls, descriptor: int) -> _Output:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
        )
        return cls(transport, reader)


class _Asked:
    """A request on its way: where the child's output will be read, and who waits for the child."""

    def __init__(self, output: _Output) -> None:
        self.output = output
        self.child: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()

    def lose(self) -> None:
        """There will be no child."""
        self.output.close()
        if not self.child.done():
            self.child.set_exception(ConnectionError("the fork server ended"))


class Forks:
    """Starts the server when it is first needed and again when it is gone; its children go with it.

    `modules`: what the server loads while nobody asks for a child.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = tuple(modules)
        self._one_at_a_time = asyncio.Lock()
        self._server: asyncio.subprocess.Process | None = None
        self._link: socket.socket | None = None
        self._listening: asyncio.Task[None] | None = None
        self._asked: _Asked | None = None
        self._children: dict[int, Forked] = {}

    async def fork(self, request: Request) -> Forked:
        """A child that does it. Raises ConnectionError when the server ends meanwhile; the next one gets a new one."""
        ours, its = os.pipe()
        try:
            output = await _Output.of(ours)
            async with self._one_at_a_time:
                link = self._link or await self._start()
                self._asked = _Asked(output)
                await _send(link, json.dumps(request).encode() + b"\n", its)
                return await self._asked.child
        finally:
            os.close(its)

    async def close(self) -> None:
        """End the server, and with it what is left of its children."""
        if self._server is not None and self._server.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._server.send_signal(signal.SIGKILL)
            await self._server.wait()
        if self._listening is not None:
            await self._listening

    async def _start(self) -> socket.socket:
        link, its = socket.socketpair()
        link.setblocking(False)
        with its:
            self._server = await asyncio.create_subprocess_exec(
                *die_with_parent([sys.executable, "-m", _SERVER, str(its.fileno()), *self._modules]),
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        self._link = link
        self._listening = asyncio.create_task(self._listen(link))
        return link

    async def _listen(self, link: socket.socket) -> None:
        rest = b""
        with contextlib.suppress(ConnectionError):
            while data := await asyncio.get_running_loop().sock_recv(link, LINE_MAX_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._heard(**json.loads(line))
        self._lost(link)

    def _heard(self, pid: int, ended: int | None = None) -> None:
        if ended is not None:
            self._children.pop(pid).end(ended)
        elif self._asked is not None:
            child = self._children[pid] = Forked(pid, self._asked.output)
            if not self._asked.child.done():  # whoever asked may have been told to stop
                self._asked.child.set_result(child)
            self._asked = None

    def _lost(self, link: socket.socket) -> None:
        """The server is gone, and the kernel ends its children with it."""
        link.close()
        self._link = None
        if self._asked is not None:
            self._asked.lose()
            self._asked = None
        for child in self._children.values():
            child.lose()
        self._children.clear()


async def _send(link: socket.socket, line: bytes, descriptor: int) -> None:
    sent = socket.send_fds(link, [line], [descriptor])
    await asyncio.get_running_loop().sock_sendall(link, line[sent:])
