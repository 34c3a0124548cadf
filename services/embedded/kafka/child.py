"""A child process which dies with its parent and whose output goes to a log of bounded size."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

# prctl survives exec, so a small Python turns into the wanted program. Compared with preexec_fn this is
# safe in a process with threads. The parent may have died before prctl ran, hence the second look.
_DIE_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def die_with_parent(argv: list[str]) -> list[str]:
    """Return `argv` wrapped so that the kernel kills it when the thread that started it ends (Linux)."""
    if not sys.platform.startswith("linux"):
        return argv
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *argv]


class BoundedLog:
    """An append-only log of at most two files of `max_bytes` each, with its last lines at hand."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._max_bytes = path, max_bytes
        self._tail: deque[str] = deque(maxlen=12)
        self._file = path.open("ab", buffering=0)

    def write(self, line: bytes) -> None:
        self._tail.append(line.decode(errors="replace").rstrip()[:500])
        try:
            self._append(line)
        except OSError:
            # On a full disk the log is given up; blocking the JVM on its own stderr would be worse.
            return

    def tail(self) -> str:
        return "\n".join(self._tail)

    def close(self) -> None:
        self._file.close()

    def _append(self, line: bytes) -> None:
        if self._file.tell() + len(line) > self._max_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(line)


class Child:
    """A running program. The thread that starts it also reads its output until it ends:

    the kernel's "parent died" means the *thread* that forked, so a caller's short-lived thread must not.
    """

    def __init__(self, argv: list[str], log: BoundedLog, cwd: Path | None = None) -> None:
        self._log, self._cwd = log, cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._spawned, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._run, args=(argv,), name="broker-output", daemon=True).start()
        self._spawned.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.returncode if self._ended.is_set() else None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait until the program has ended and its output is written; None when the time is over."""
        self._ended.wait(timeout_s)
        return self.exit_code

    def stop(self, deadline_s: float) -> int:
        """SIGTERM, then SIGKILL after the deadline; safe to call twice."""
        self._signal(signal.SIGTERM)
        if self.wait(deadline_s) is None:
            self._signal(signal.SIGKILL)
            self._ended.wait()
        return self._popen.returncode

    @property
    def _popen(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            self._popen.send_signal(number)

    def _run(self, argv: list[str]) -> None:
        try:
            # An own session: Ctrl-C in the terminal reaches only us, and we stop the child in order.
            self._process = subprocess.Popen(
                die_with_parent(argv),
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._failure = error
            return
        finally:
            self._spawned.set()
        with self._process as process:
            assert process.stdout is not None
            for line in process.stdout:
                self._log.write(line)
        self._log.close()
        self._ended.set()
