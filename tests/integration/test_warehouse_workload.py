"""What holds all readers together to so much memory is there at every start, not only at the first one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clickhouse_fixture import warehouse

pytestmark = pytest.mark.clickhouse


def test_readers_are_held_also_after_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        with warehouse(tmp_path) as (running, _):
            client = running.client()
            assert client.command("SELECT count() FROM system.workloads WHERE name = 'readers'") == 1
            assert client.command("SELECT count() FROM system.resources WHERE name = 'memory'") == 1
            client.close()
