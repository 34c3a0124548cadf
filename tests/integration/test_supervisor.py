"""The supervisor over fake children: what dies comes back, and nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.cli.backup.holding import back_after_s, held
from services.cli.backup.manifest import BackupRefused
from services.supervisor.folder import DataFolder, Run, birth, read_run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc, as the supervisor does")
NAMES = {"store", "worker", "edge"}


@contextmanager
def supervised(data: Path, *endings: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.supervised", str(data), *endings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def said_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "all ready\n"


def alive(run: Run) -> set[str]:
    return {name for name, pid in run.pids.items() if birth(pid) == run.births[name]}


def came_back(before: Run, now: Run) -> bool:
    anew = all(now.pids.get(name, before.pids[name]) != before.pids[name] for name in NAMES)
    return anew and alive(now) == NAMES and set(now.states.values()) == {"ready", "done"}


def test_a_killed_child_comes_back(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        before = read_run(tmp_path)
        assert alive(before) == NAMES
        for name in NAMES:
            os.kill(before.pids[name], signal.SIGKILL)
        wait_until(lambda: came_back(before, read_run(tmp_path)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert "was ended by SIGKILL; starting again in 0.25 s" in process.stderr.read()


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_says_so(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        left = read_run(tmp_path)
        process.kill()
        process.wait(5)
        wait_until(lambda: alive(left) == set())
    assert not read_run(tmp_path).stopped
    with supervised(tmp_path) as process:
        said_ready(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert read_run(tmp_path).stopped


def test_a_child_which_is_not_tied_to_its_parent_does_outlive_it() -> None:
    """The control: without the tie the test above would find a survivor."""
    sleeper = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], stdout=-3, stderr=-3)"
    code = f"import subprocess, sys; print({sleeper}.pid)"
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert birth(pid) > 0
    os.kill(pid, signal.SIGKILL)


def test_all_children_are_gone_after_a_stop_and_stores_go_last(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        run = read_run(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert alive(run) == set()
    assert set(read_run(tmp_path).states.values()) == {"stopped"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_at_any_moment_of_the_start_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    for state in ("waiting", "starting", "ready"):
        data = tmp_path / state
        with supervised(data) as process:
            seen: dict[int, int] = {}

            def reached(data: Path = data, state: str = state, seen: dict[int, int] = seen) -> bool:
                run = read_run(data)
                seen.update({pid: run.births[name] for name, pid in run.pids.items()})
                return run.states.get("worker") == state

            wait_until(reached)
            process.send_signal(number)
            assert process.wait(15) == 0
            seen.update({pid: read_run(data).births[name] for name, pid in read_run(data).pids.items()})
        run = read_run(data)
        assert run.stopped and set(run.states.values()) == {"stopped"}, (state, run.states)
        assert not [pid for pid, born in seen.items() if birth(pid) == born]


@contextmanager
def hangup(disposition: signal.Handlers) -> Iterator[None]:
    """What a child inherits for SIGHUP; these tests may themselves run under `nohup`."""
    before = signal.signal(signal.SIGHUP, disposition)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_is_an_orderly_stop_too(tmp_path: Path) -> None:
    with hangup(signal.SIG_DFL), supervised(tmp_path) as process:
        said_ready(process)
        process.send_signal(signal.SIGHUP)
        assert process.wait(10) == 0
    assert set(read_run(tmp_path).states.values()) == {"stopped"}


def test_under_nohup_it_goes_on(tmp_path: Path) -> None:
    with hangup(signal.SIG_IGN), supervised(tmp_path) as process:
        said_ready(process)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)  # were it the second to end it, it would stop at once
        assert process.wait(10) == 0
        assert process.stderr is not None and "stopping at once" not in process.stderr.read()


def test_a_second_one_on_the_same_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        with supervised(tmp_path) as second:
            assert second.wait(10) == 1
            assert second.stderr is not None
            assert f"in use by another `touchline up` (pid {process.pid})" in second.stderr.read()
        assert alive(read_run(tmp_path)) == NAMES


def test_where_nobody_reads_what_it_says_it_still_restarts_and_stops(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        assert process.stderr is not None
        process.stderr.close()
        before = read_run(tmp_path)
        os.kill(before.pids["worker"], signal.SIGKILL)
        wait_until(lambda: "worker" in alive(now := read_run(tmp_path)) and now.pids["worker"] != before.pids["worker"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not alive(before)


def test_a_refused_configuration_ends_the_start_with_its_words(tmp_path: Path) -> None:
    with supervised(tmp_path, "store=78") as process:
        assert process.wait(10) == 78


def test_a_child_that_never_gets_ready_ends_the_start_and_is_named(tmp_path: Path) -> None:
    with supervised(tmp_path, "worker=3") as process:
        assert process.wait(20) == 2
        assert process.stderr is not None
        text = process.stderr.read()
    assert "worker      ended with exit code 3; starting again in 0.25 s" in text
    assert "crash loop, see" in text
    assert "not ready within 5 s: worker" in text


def test_output_goes_to_the_logs_and_not_to_the_terminal(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        assert (tmp_path / "logs" / "prepare.log").read_text() == "prepared\n"
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert process.stderr is not None
        assert "prepared" not in process.stderr.read()


def test_a_backup_holds_all_but_the_edge_and_everything_comes_back(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        before = read_run(tmp_path)
        with held(tmp_path):
            assert alive(read_run(tmp_path)) == {"edge"}
            assert [name for name in NAMES if birth(before.pids[name])] == ["edge"]
        assert back_after_s(tmp_path)
        now = read_run(tmp_path)
        assert alive(now) == NAMES and now.pids["edge"] == before.pids["edge"]
        os.kill(now.pids["worker"], signal.SIGKILL)  # what came back is watched like what was there
        wait_until(lambda: read_run(tmp_path).pids.get("worker", 0) not in (0, now.pids["worker"]))


WAIT = "time.sleep(600)"
HOLD = "import sys, time; from pathlib import Path; from services.supervisor.hold import ask; ask(Path(sys.argv[1])); "


def test_what_a_killed_backup_held_comes_back(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        with subprocess.Popen([sys.executable, "-c", HOLD + WAIT, str(tmp_path)]) as asker:
            wait_until(lambda: read_run(tmp_path).held_for == asker.pid)
            asker.kill()
        wait_until(lambda: alive(read_run(tmp_path)) == NAMES)


def test_who_is_stopped_while_held_stops(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        with held(tmp_path):  # what stands still by now stands still to the end
            process.terminate()
            assert process.wait(10) == 0
        assert back_after_s(tmp_path) is None


def test_a_picture_beside_a_fresh_start_is_not_used(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        said_ready(process)
        with pytest.raises(BackupRefused, match="started or stopped in the meantime"), held(tmp_path):
            process.terminate()
            process.wait(10)
            DataFolder(tmp_path).save(Run(pid=process.pid + 1))
