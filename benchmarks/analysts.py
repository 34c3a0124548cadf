"""What the views of analysts cost over a million touchpoints: each by itself, and all of them as nightly files.

By the processor, as the machine may have other work: seconds of CPU of the ClickHouse that answers, and its largest
size meanwhile. The nightly files are written whole, once more with nothing changed, and once more by a process that is
killed half way and started again; what it leaves must be the same files. A store that was filled once can be kept:
`python -m benchmarks.analysts --keep FOLDER`.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from benchmarks.figures import QUICK, Figure, Pace, Say
from benchmarks.kept_store import kept_store
from benchmarks.pages import QUICK_TOUCHPOINTS, TOUCHPOINTS, on_a_store
from schemas.config import ClickHouseConfig
from services.cli.exporting.parquet import Export
from services.sink.blueprints import TABLE, TYPES, row
from services.sink.views import load_views
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse

BUDGET_S: Final = {"accounts": 0.5}
"""Views that tools ask all the time."""
_TICK: Final = os.sysconf("SC_CLK_TCK")
_KILLED_AFTER: Final = 40
"""Files of the export that is killed."""
# What `pages.fill` leaves empty: a visit a person and day, its circumstances, tickets, words, what a CRM says.
_WORDS: Final = """
CREATE TABLE wordy AS touchpoints;
INSERT INTO wordy WITH toUInt32(cityHash64(event_id, 'told')) AS n SELECT t.* REPLACE(
    if(person_id = '', '', concat(person_id, '-', toString(toDate(minute)))) AS session_id,
    multiIf(
        n % 100 < 55, 'page_view', n % 100 < 57, 'ticket_created', n % 100 < 59, 'ticket_replied_by_agent',
        n % 100 < 61, 'ticket_status', n % 100 < 63, 'deal_stage_changed', n % 100 < 64, 'crm_record', 'element_clicked'
    ) AS action,
    multiIf(
        n % 100 BETWEEN 57 AND 60 OR n % 100 IN (55, 56), concat('ticket:', toString(n % 20011)),
        n % 100 IN (61, 62), concat('deal:', toString(n % 5003)), n % 100 = 63, concat('company:', account_id), ''
    ) AS subject,
    multiIf(
        n % 100 IN (59, 60), if(n % 3 = 0, '{"current":"open"}', '{"current":"solved","priority":"high"}'),
        n % 100 IN (61, 62), concat('{"value":"stage-', toString(n % 6), '"}'),
        n % 100 = 63, concat(
            '{"property":"', ['hubspot_owner_id', 'annualrevenue', 'country'][n % 3 + 1], '","value":"',
            ['71000001', '1250000', 'Belgium'][n % 3 + 1], '"}'
        ),
        '{"button":"save","plan":"team"}'
    ) AS properties,
    if(n % 100 IN (55, 56, 57), concat('It stopped again, and I wait for ', toString(n % 97), ' minutes.'), '') AS text,
    if(n % 100 < 63, ['desktop', 'mobile', 'tablet'][n % 3 + 1], '') AS device,
    if(n % 100 < 55, concat('/page/', toString(n % 400)), '') AS page,
    if(n % 100 < 55, 'www.example.com', '') AS url_host,
    if(n % 100 < 8, ['www.google.com', 'www.linkedin.com'][n % 2 + 1], '') AS referrer_host,
    if(n % 100 < 5, concat('campaign-', toString(n % 12)), '') AS utm_campaign,
    if(n % 100 < 5, 'newsletter', '') AS utm_source
) FROM (SELECT * FROM touchpoints FINAL) AS t;
EXCHANGE TABLES wordy AND touchpoints;
DROP TABLE wordy SYNC;
INSERT INTO histories (account_id, event_id, revision, is_deleted, occurred_at, received_at, knowledge, digest, payload)
SELECT account_id, concat('named-', person_id), 1, 0, max(occurred_at), max(received_at), 0, 0, concat(
    '{"touchpoint":{"person_traits":{"name":"Somebody","title":"Planner"}},"attribution":{"person_id":"', person_id,
    '"}}'
) FROM touchpoints FINAL WHERE person_id != '' GROUP BY account_id, person_id;
INSERT INTO incidents (account_id, incident_id, revision, event_id, level, severity, what, touchpoint_type, phase,
    evidence, people, signs, pain, opened_at, pained_at, over_at, taken_by)
SELECT account_id, concat('i-', event_id), 1, event_id, 'high', pain, 'It hurt', touchpoint_type, phase,
    [event_id], 1, 1, pain, occurred_at, occurred_at, occurred_at + toIntervalDay(cityHash64(event_id) % 20),
    if(cityHash64(event_id) % 3 = 0, 'Cy', '')
FROM touchpoints FINAL WHERE friction > 0
"""


def run(pace: Pace, say: Say) -> list[Figure]:
    """Fills a store, asks each view for all it has, and exports them."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        return measured(Path(name) / "clickhouse", QUICK_TOUCHPOINTS if pace == QUICK else TOUCHPOINTS, say)


def measured(folder: Path, touchpoints: int, say: Say, only: str = "") -> list[Figure]:
    """`folder` may hold a store that an earlier run filled."""
    with (
        kept_store(folder, touchpoints, then=_worded) as (clickhouse, config),
        Store(config, clickhouse.token, timeout_s=1_200) as store,
    ):
        figures = list(_views(store.client, clickhouse, only))
        if not only:
            figures += _exports(store.client, clickhouse, config)
    for figure in figures:
        say(f"  {figure.what}: {figure.value}")
    return figures


def _worded(store: Store) -> None:
    for statement in _WORDS.split(";\n"):
        store.command(statement)
    store.insert(TABLE, TYPES, row(load(), datetime.now(UTC)))


def _views(client: Client, clickhouse: ClickHouse, only: str) -> Iterator[Figure]:
    """Each view whole, twice; the second counts."""
    for view in (each.name for each in load_views()):
        if only not in view:
            continue
        ((rows,),) = client.query(f"SELECT count() FROM bi.{view}").result_rows
        with _spent(clickhouse.pid) as spent:
            client.raw_query(f"SELECT * FROM bi.{view}", fmt="Null")
        budget = f"{BUDGET_S[view]} s" if view in BUDGET_S else ""
        yield Figure("analysts", f"`bi.{view}`, {rows:,} rows", str(spent), budget)


def _exports(client: Client, clickhouse: ClickHouse, config: ClickHouseConfig) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="touchline-files-") as name:
        whole, broken = Path(name) / "whole", Path(name) / "broken"
        for what in ("nightly files, the first time", "the same, nothing changed"):
            with _spent(clickhouse.pid) as spent:
                wrote = sum("wrote" in line for line in _export(client, whole))
            size_mb = sum(path.stat().st_size for path in whole.glob("**/*.parquet")) / 1e6
            yield Figure("analysts", what, f"{wrote} files written, {size_mb:,.1f} MB in all, {spent}")
        killed = _killed_half_way(config, clickhouse.token, broken)
        with _spent(clickhouse.pid) as spent:
            wrote = sum("wrote" in line for line in _export(client, broken))
        same = _sums(broken) == _sums(whole)
        what = f"killed after {killed} files and started again"
        yield Figure("analysts", what, f"{wrote} written, {'the same' if same else 'OTHER'} files, {spent}", "the same")


def _export(client: Client, folder: Path) -> Iterator[dict[str, object]]:
    return Export(client, "bi", folder).run((), lambda line: None)


def _killed_half_way(config: ClickHouseConfig, token: str, folder: Path) -> int:
    """Files of an export whose process was killed while it wrote the next."""
    process = multiprocessing.get_context("spawn").Process(target=_exporting, args=(config, token, folder))
    process.start()
    while len(found := list(folder.glob("**/*.parquet"))) < _KILLED_AFTER and process.is_alive():
        time.sleep(0.02)
    process.kill()
    process.join()
    return len(found)


def _exporting(config: ClickHouseConfig, token: str, folder: Path) -> None:
    with Store(config, token, timeout_s=1_200) as store:
        list(_export(store.client, folder))


def _sums(folder: Path) -> dict[str, str]:
    """File → checksum. Left out: views of another answer each second, and what was begun and not finished."""
    moving = ("accounts", "deal_stages", "freshness", "source_health")
    files = [path for path in folder.glob("**/*.parquet") if path.relative_to(folder).parts[0] not in moving]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


@dataclass(slots=True)
class _Spent:
    cpu_s: float = 0.0
    clock_s: float = 0.0
    most_mb: float = 0.0

    def __str__(self) -> str:
        return f"{self.cpu_s:.2f} s of CPU, {self.clock_s:.1f} s, ClickHouse at most {self.most_mb:,.0f} MB"


@contextmanager
def _spent(pid: int) -> Iterator[_Spent]:
    """What the process uses while the block runs, and its largest size."""
    found, cpu_s, began_s = _Spent(), _cpu_s(pid), time.monotonic()
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # forgets the largest size so far
    yield found
    found.cpu_s, found.clock_s = _cpu_s(pid) - cpu_s, time.monotonic() - began_s
    status = Path(f"/proc/{pid}/status").read_text()
    found.most_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="views whose name has this in it, and no files")
    on_a_store(parser, measured)


if __name__ == "__main__":
    main()
