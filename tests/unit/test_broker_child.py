import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from services.embedded.kafka.child import BoundedLog, Child, die_with_parent

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a service of the Linux kernel")


@pytest.fixture
def log(tmp_path: Path) -> BoundedLog:
    return BoundedLog(tmp_path / "logs" / "child.log", max_bytes=1000)


def _alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def _gone(pid: int, within_s: float = 5) -> bool:
    deadline = time.monotonic() + within_s
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(pid)


def test_the_log_is_bounded(log: BoundedLog, tmp_path: Path) -> None:
    for number in range(500):
        log.write(b"line %d\n" % number)
    log.close()
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "logs").iterdir()}
    assert sizes.keys() == {"child.log", "child.log.1"}
    assert max(sizes.values()) <= 1000
    assert log.tail().endswith("line 499")


def test_exit_code_and_output(log: BoundedLog, tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "print('last words'); raise SystemExit(3)"], log)
    assert child.wait(10) == 3
    assert log.tail() == "last words"
    assert (tmp_path / "logs" / "child.log").read_text() == "last words\n"


def test_stop_may_be_called_twice(log: BoundedLog) -> None:
    child = Child(SLEEP, log)
    assert child.wait(0.01) is None
    assert child.stop(5) == -signal.SIGTERM
    assert child.stop(5) == -signal.SIGTERM


def test_a_child_deaf_to_sigterm_is_killed(log: BoundedLog) -> None:
    child = Child([sys.executable, "-c", STUBBORN], log)
    while not log.tail():
        time.sleep(0.01)
    assert child.stop(0.1) == -signal.SIGKILL


def test_the_thread_that_started_it_may_end(log: BoundedLog) -> None:
    children: list[Child] = []
    starter = threading.Thread(target=lambda: children.append(Child(SLEEP, log)))
    starter.start()
    starter.join()
    assert children[0].wait(0.3) is None
    children[0].stop(5)


PARENT = """
import subprocess, sys, time
from services.embedded.kafka.child import die_with_parent
wrap = die_with_parent if sys.argv[1] == "guarded" else list
child = subprocess.Popen(wrap([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]),
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def _orphan_of_a_killed_parent(kind: str) -> int:
    with subprocess.Popen([sys.executable, "-c", PARENT, kind], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    return pid


@linux
def test_a_child_dies_with_its_killed_parent() -> None:
    assert _gone(_orphan_of_a_killed_parent("guarded"))


@linux
def test_known_bad_an_unguarded_child_outlives_its_parent() -> None:
    pid = _orphan_of_a_killed_parent("bare")
    assert not _gone(pid, within_s=0.3)
    os.kill(pid, signal.SIGKILL)


@linux
def test_a_child_whose_parent_died_before_the_guard_was_set_ends_at_once() -> None:
    argv = die_with_parent(["/bin/true"])
    argv[argv.index(str(os.getpid()))] = "1"  # as if we had been another process
    assert subprocess.run(argv, check=False).returncode == 1
