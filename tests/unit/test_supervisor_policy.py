"""Restart policy, child specs and the data folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from services.supervisor.folder import DataFolder, Run, birth, clear_stale, read_run
from services.supervisor.restart_policy import MAX_DELAY_S, RestartPolicy
from services.supervisor.spec import ChildSpec, checked


def test_delays_double_and_are_bounded() -> None:
    policy = RestartPolicy()
    delays = [policy.died(at_s).delay_s for at_s in range(8)]
    assert delays == [0.25, 0.5, 1, 2, 4, 8, MAX_DELAY_S, MAX_DELAY_S]


def test_more_than_three_deaths_a_minute_is_a_crash_loop() -> None:
    policy = RestartPolicy()
    assert [policy.died(at_s).crash_loop for at_s in (0, 10, 20, 30)] == [False, False, False, True]
    assert policy.crash_loop(59)
    assert not policy.crash_loop(60)


def test_who_had_run_steadily_is_started_again_at_once_however_often_it_is_ended() -> None:
    policy = RestartPolicy()
    decisions = [policy.died(10.0 * n, ready_for_s=8.0) for n in range(20)]
    assert {decision.delay_s for decision in decisions} == {0.25}
    assert decisions[-1].crash_loop, "it is told all the same"
    assert [policy.died(200.0 + n).delay_s for n in range(4)] == [0.5, 1, 2, 4]


def test_one_death_now_and_then_starts_again_at_once() -> None:
    policy = RestartPolicy()
    decisions = [policy.died(61.0 * n) for n in range(20)]
    assert {(d.delay_s, d.crash_loop) for d in decisions} == {(0.25, False)}


def test_children_wait_only_for_those_before_them() -> None:
    first, second = ChildSpec("a", ("x",)), ChildSpec("b", ("x",), after=("a",))
    assert checked([first, second]) == (first, second)
    with pytest.raises(ValueError, match=r"b: .*\['a'\]"):
        checked([second, first])
    with pytest.raises(ValueError, match="a: named twice"):
        checked([first, first])


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    owner, other = DataFolder(tmp_path), DataFolder(tmp_path)
    assert owner.take().stopped
    owner.save(Run(pid=4711))
    with pytest.raises(ConfigurationError, match=r"in use by another `touchline up` \(pid 4711\)"):
        other.take()
    owner.release()
    owner.release()
    other.take()
    other.release()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        DataFolder(tmp_path / "file" / "data").take()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"unknown": 1}'])
def test_a_broken_run_file_is_no_run(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    assert read_run(tmp_path) == Run()


def test_picked_ports_are_kept_and_taken_ones_are_refused(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    port = folder.port("gateway", 0, "--gateway-port")
    assert folder.port("gateway", 0, "--gateway-port") == port != folder.port("kafka", 0, "")
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(ConfigurationError, match=f"port {port} for gateway is in use; .* --gateway-port"):
            folder.port("gateway", port, "--gateway-port")
        assert folder.port("gateway", 0, "--gateway-port") != port
    (tmp_path / "ports.json").write_text("broken")
    assert folder.port("gateway", 0, "")
    assert json.loads((tmp_path / "ports.json").read_text())


def test_children_of_a_killed_run_are_ended_but_never_a_later_namesake() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stale:
        born = birth(stale.pid)
        assert born > 0
        clear_stale(Run(pids={"sink": stale.pid}, births={"sink": born + 1}), wait_s=0.0)
        assert stale.poll() is None
        clear_stale(Run(pids={"sink": stale.pid}, births={"sink": born}), wait_s=0.0)
        assert stale.wait(5) == -9
    assert birth(stale.pid) == 0
    assert birth(os.getpid()) > 0
