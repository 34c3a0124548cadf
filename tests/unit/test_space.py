"""Free disk space: judged, said, waited for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.errors import StoreFull, StoreUnavailable
from services.cli.commands.doctor.disk import check_of
from services.common.space import LOW_BYTES, SHORT_BYTES, Space, of_clickhouse, of_folder
from services.dashboard.disks import Disks
from services.dashboard.service_status import STATUS_FILE_ENV
from services.embedded.clickhouse.errors import ClickHouseError
from services.embedded.clickhouse.room import check_room
from services.embedded.clickhouse.statement import Statement
from services.sink.health import SinkHealth
from services.sink.space import PARTS, SpaceWatch
from services.supervisor import child as supervised
from services.supervisor.child import Child
from services.supervisor.spec import ChildSpec
from streams.runtime.metrics import Metrics

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOTAL = 100 << 30


@pytest.mark.parametrize(
    ("free", "state"),
    [(LOW_BYTES, "ok"), (LOW_BYTES - 1, "low"), (SHORT_BYTES, "low"), (SHORT_BYTES - 1, "short"), (0, "short")],
)
def test_space_is_judged_by_what_is_free(free: int, state: str) -> None:
    assert Space("x", "/", free, TOTAL).state == state


def test_space_is_said_in_units_that_fit() -> None:
    assert Space("x", "/data", 3 << 29, TOTAL).words == "1.5 GiB of 100.0 GiB free at /data"
    assert Space("x", "/data", 5 << 20, 320 << 20).words == "5 MiB of 320 MiB free at /data"


def test_a_folder_that_is_not_there_yet_lies_where_its_parent_does(tmp_path: Path) -> None:
    space = of_folder(tmp_path / "not" / "yet", "data folder")
    assert (space.path, space.holder, space.total_bytes > 0) == (str(tmp_path), "data folder", True)


def disk_row(path: str, free: int) -> dict[str, object]:
    return {"path": path, "free_space": free, "total_space": TOTAL}


class Rows:
    """A ClickHouse with these disks; None: it is away."""

    def __init__(self, rows: list[dict[str, object]] | None) -> None:
        self.answer = rows

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[dict[str, object]]:
        if self.answer is None:
            raise StoreUnavailable("away")
        return self.answer


def test_the_sink_tells_the_fullest_disk_by_metric_and_health() -> None:
    metrics = Metrics()
    watch = SpaceWatch(Rows([]), metrics)
    health = SinkHealth(lambda: NOW, little_space=lambda: watch.words)
    watch.look([])
    assert "disk" not in health.report()[1]
    watch.look(of_clickhouse([disk_row("/a", 50 << 30), disk_row("/b", 1 << 30)]))
    assert 'touchline_disk_free_bytes{holder="ClickHouse"} 1.073741824e+09' in metrics.render().decode()
    assert str(health.report()[1]["disk"]).startswith("1.0 GiB of 100.0 GiB free at /b: delete what")
    watch.look(of_clickhouse([disk_row("/b", 50 << 30)]))
    assert "disk" not in health.report()[1]


async def test_in_how_many_parts_the_tables_are_is_told() -> None:
    class Store:
        def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[dict[str, object]]:
            return [{"parts": 41}] if sql == PARTS else [disk_row("/a", 50 << 30)]

    metrics = Metrics()
    watching = asyncio.create_task(SpaceWatch(Store(), metrics).run())
    while b"touchline_store_parts 41.0" not in metrics.render():
        await asyncio.sleep(0.005)
    watching.cancel()


async def test_the_page_says_which_disk_fills_and_since_when() -> None:
    rows = Rows([disk_row("/ch", 50 << 30)])
    disks = Disks(rows, {}, lambda: NOW)
    await disks.look()
    assert disks.waiting() == ()
    rows.answer = [disk_row("/ch", 1 << 30)]
    await disks.look()
    (wait,) = disks.waiting()
    assert (wait.service, wait.state, wait.since) == ("disk", "filling up", NOW)
    rows.answer = None  # away: what was seen last holds
    await disks.look()
    assert disks.waiting() == (wait,)
    rows.answer = [disk_row("/ch", 50 << 30)]
    await disks.look()
    assert disks.waiting() == ()


async def test_a_disk_in_the_data_folder_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1 << 20, total=TOTAL))
    rows = Rows([disk_row(f"{tmp_path}/clickhouse/engine/", 1 << 19)])
    disks = Disks(rows, {STATUS_FILE_ENV: str(tmp_path / "status.json")}, lambda: NOW)
    await disks.look()
    (wait,) = disks.waiting()
    assert wait.state == "almost full"
    assert wait.detail.startswith(f"1 MiB of 100.0 GiB free at {tmp_path}:")


def test_doctor_tells_a_short_disk_as_a_problem() -> None:
    assert check_of("disk", Space("x", "/", 1, TOTAL)).state == "problem"
    assert check_of("disk", Space("x", "/", LOW_BYTES - 1, TOTAL)).state == "warning"
    assert check_of("disk", Space("x", "/", LOW_BYTES, TOTAL)).state == "ok"


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("CREATE TABLE a (b UInt8)", True),
        ("alter table a add column c UInt8", True),
        ("INSERT INTO a SELECT 1", True),
        ("TRUNCATE TABLE a", True),
        ("/* room */ DROP TABLE a", False),
        ("SELECT 1", False),
        ("WITH 1 AS x SELECT x", False),
        ("KILL QUERY WHERE query_id = 'a'", False),
    ],
)
def test_what_writes_needs_room(text: str, changes: bool) -> None:
    assert Statement(text.encode()).changes is changes


def test_room_is_asked_for_in_clickhouses_own_words(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(ClickHouseError, match=r"Code: 243\. DB::Exception: .* MiB are needed .*NOT_ENOUGH_SPACE"):
        check_room(tmp_path, 1 << 60)


def test_a_full_store_is_away_for_a_while_and_never_poison() -> None:
    assert issubclass(StoreFull, StoreUnavailable)


async def test_the_broker_is_not_tried_but_waits_for_space_says_so_once_and_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [4 << 20]
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free[0], total=TOTAL))
    monkeypatch.setattr(supervised, "SPACE_EVERY_S", 0.01)
    told: list[tuple[str, str]] = []
    script = "import time; print('{\"ready\": true}', flush=True); time.sleep(60)"
    spec = ChildSpec("kafka", (sys.executable, "-c", script), probe_port=0, space=(tmp_path, 256 << 20))
    child = Child(spec, tmp_path, lambda c, text: told.append((c.state, text)))
    running = asyncio.create_task(child.run({}))
    await asyncio.sleep(0.2)
    assert [state for state, _ in told] == ["no space"], "told once, and nothing was started"
    assert "waits for disk space: 4 MiB of 100.0 GiB free" in told[0][1]
    assert "256 MiB are needed" in told[0][1]
    free[0] = 300 << 20
    await asyncio.wait_for(child.ready.wait(), 10)
    assert (child.state, child.restarts) == ("ready", 0)
    free[0] = 0  # it dies of a full disk: that is no crash
    assert child._process is not None
    child._process.send_signal(signal.SIGKILL)
    for _ in range(500):
        if child.state == "no space":
            break
        await asyncio.sleep(0.01)
    assert (child.state, child.restarts, child.policy.crash_loop(0.0)) == ("no space", 0, False)
    await child.stop(1)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(running, 5)
