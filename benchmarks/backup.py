"""How long a backup of a data folder takes, and how large it is.

    python -m benchmarks.backup                       # 1,000,000 touchpoints with their histories: some minutes
    python -m benchmarks.backup --touchpoints 100000
    python -m benchmarks.backup --store FOLDER        # of a ClickHouse that is filled and stopped; it is copied first

Fills the ClickHouse of a data folder that is not running and has no Kafka, in a temporary folder (--work for another).
Prints one JSON object a line. `picture_s` is what a running system stands still for beside its stop and start.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.map import _FILL, DAYS
from services.cli.backup import picture
from services.cli.backup.folder import back_up
from services.cli.backup.manifest import read_manifest
from services.cli.backup.restoring import damages, restore
from services.sink.migrate import migrate
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import warehouse
from tests.sink_harness import store_config

#: A payload as large as one of a page view, 900 bytes of JSON that hardly repeats.
_HISTORIES: Final = """
INSERT INTO histories (account_id, event_id, revision, is_deleted, occurred_at, received_at, knowledge, digest, payload)
SELECT account_id, event_id, 1, 0, occurred_at, received_at, 1, cityHash64(event_id), concat(
    '{"touchpoint":{"event_id":"', event_id, '","page":"/', touchpoint_type, '","person_traits":{"id":"', person_id,
    '"},"aliases":["', hex(sipHash128(event_id)), '"],"properties":{"referrer":"https://', phase, '.example/',
    hex(sipHash128(event_id, 2)), '","text":"', repeat(concat(persona, ' ', segment, ' '), 20), '"}}}')
FROM touchpoints WHERE toUInt64(event_id) BETWEEN {first:UInt64} AND {last:UInt64}
"""
_STEP: Final = 250_000


def fill(folder: Path, touchpoints: int) -> None:
    """Touchpoints and histories, evenly over the days before now."""
    with warehouse(folder / "clickhouse") as (clickhouse, _):
        config = store_config(clickhouse.base_url, "touchline", folder / "clickhouse/internal.token")
        migrate(config, clickhouse.token)
        start, step_s = time.time() - DAYS * 86_400, DAYS * 86_400 / touchpoints
        with Store(config, clickhouse.token, timeout_s=600) as store:
            for first in range(0, touchpoints, _STEP):
                count = min(_STEP, touchpoints - first)
                store.command(_FILL, {"start": start, "step_s": step_s, "first": first, "count": count})
                store.command(_HISTORIES, {"first": first, "last": first + count - 1})


def measure(work: Path) -> dict[str, object]:
    """Picture, backup, check and restore of `work/data`, in seconds."""
    began_s = time.monotonic()
    picture.take(work / "data")
    pictured_s = time.monotonic() - began_s
    done = back_up(work / "data", work / "backup", lambda _: None)
    began_s = time.monotonic()
    assert damages(work / "backup", read_manifest(work / "backup")) == []
    checked_s = time.monotonic() - began_s
    restored = restore(work / "backup", work / "again", lambda _: None)
    return {
        "files": done["files"],
        "mb": round(int(str(done["bytes"])) / 1e6, 1),
        "picture_s": round(pictured_s, 3),
        "backup_s": done["duration_s"],
        "check_s": round(checked_s, 1),
        "restore_s": restored["duration_s"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touchpoints", type=int, default=1_000_000, help="stored over 30 days")
    parser.add_argument("--work", type=Path, default=None, help="where the folders go")
    parser.add_argument("--store", type=Path, default=None, help="the folder of a ClickHouse that is filled")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", dir=given.work) as name:
        if given.store is None:
            fill(Path(name) / "data", given.touchpoints)
        else:
            shutil.copytree(given.store, Path(name) / "data" / "clickhouse")
        print(json.dumps({"measure": "backup", "touchpoints": given.touchpoints} | measure(Path(name))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
