"""One process that loads the modules of all services and becomes each of them by a fork.

`python -m services.supervisor.fork_server FD MODULE…`, started by `forks.Forks`. In an interpreter of its own a
service spends a second on imports, eight at once on two cores five; a fork takes milliseconds and shares the memory.

Over the socket FD come `Request`s as lines of JSON, each with one descriptor for the child's output. Back go
`{"pid": …}`, in their order, and `{"pid": …, "ended": CODE}`, negative for a signal. While nobody asks, it loads the
next MODULE.

There must be no thread when it forks: modules may start none as they are imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypedDict

import setproctitle

LINE_MAX_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1


class Request(TypedDict):
    """Be `python -m MODULE ARGUMENTS…` in `env`, by `MODULE.main(ARGUMENTS)`, with module `loads` there already."""

    module: str
    arguments: list[str]
    loads: str
    env: dict[str, str]


def serve(link: socket.socket, modules: Sequence[str]) -> Request | None:
    """Answer requests until the other end closes (None). Returns in a forked child too: what it is to do."""
    wake, waker = _wake_on_child_end()
    left = deque(modules)
    gc.disable()  # nothing here becomes garbage, and what is collected is no longer shared
    with contextlib.suppress(ConnectionError):
        while True:
            for pid, code in _ended():
                _tell(link, {"pid": pid, "ended": code})
            readable, _, _ = select.select([link, wake], [], [], 0 if left else None)
            if wake in readable:
                wake.recv(4096)
            if link in readable:
                if (received := _receive(link)) is None:
                    break
                if _forked(link, *received):
                    wake.close()
                    waker.close()
                    return received[0]
            elif not readable:
                _load(left.popleft())
    return None


def _load(module: str) -> None:
    """Import it; one that cannot be is the child's to complain about, in its own log."""
    with contextlib.suppress(Exception):
        importlib.import_module(module)


def _forked(link: socket.socket, request: Request, output: int) -> bool:
    """Fork; True in the child, which by then is like a fresh interpreter in a session of its own."""
    _load(request["module"])
    _load(request["loads"])
    gc.freeze()
    server = os.getpid()
    if pid := os.fork():
        os.close(output)
        _tell(link, {"pid": pid})
        return False
    _die_with(server)
    link.close()
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    sys.argv = [request["module"], *request["arguments"]]
    setproctitle.setproctitle(" ".join([sys.executable, "-m", *sys.argv]))  # it looks for the old environment
    os.environ.clear()
    os.environ.update(request["env"])
    gc.enable()
    return True


def _receive(link: socket.socket) -> tuple[Request, int] | None:
    data, descriptors, _, _ = socket.recv_fds(link, LINE_MAX_BYTES, 1)
    while data and not data.endswith(b"\n"):
        data += link.recv(LINE_MAX_BYTES)
    return (json.loads(data), descriptors[0]) if data else None


def _tell(link: socket.socket, message: dict[str, int]) -> None:
    link.sendall(json.dumps(message).encode() + b"\n")


def _ended() -> Iterator[tuple[int, int]]:
    """The children that have ended since the last look, and how."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])


def _wake_on_child_end() -> tuple[socket.socket, socket.socket]:
    """A socket that becomes readable when a child ends, what `select` can wait for; and the one that signals write."""
    wake, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # an ignored one would not wake
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    return wake, waker


def _die_with(server: int) -> None:
    """As `broker.child.die_with_parent`: the kernel ends us with the process that forked us."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server:
        os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """Serve; in a child, its exit code."""
    descriptor, *modules = arguments
    with socket.socket(fileno=int(descriptor)) as link:
        request = serve(link, modules)
    if request is None:
        return 0
    code: int = importlib.import_module(request["module"]).main(request["arguments"])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
