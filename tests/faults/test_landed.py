"""A folder of a landed version, opened whole by this one: the same map, and nothing comes back or is doubled.

Recorded by `tests/data/landed/record.py`, which is run again when a version has landed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.cli.context import Target
from tests.data.landed import LANDED, MENDED, landed_figures, restored
from tests.data.landed.record import figures
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.system import System

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.clickhouse]


def shown(system: System) -> dict[str, Any]:
    with Target(system.data).store() as client:
        return figures(client)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", LANDED)
def test_a_folder_of_a_landed_version_shows_the_same_map(version: str, tmp_path: Path) -> None:
    expected = landed_figures(version)
    recorded = expected.pop("signals")
    with System(restored(version, tmp_path)) as system:
        wait_idle(system)
        for then in ("opened", "replayed from the beginning"):
            found = shown(system)
            signals = found.pop("signals")
            assert found == expected, then
            assert recorded.items() <= signals.items(), "those of silence may be due since; none is gone"
            if then == "opened":
                recorded = {name: one for name, one in recorded.items() if one["rule"] not in MENDED.get(version, ())}
                assert system.cli("replay", "--from-beginning").returncode == 0
                wait_idle(system)
        verified = system.cli("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
