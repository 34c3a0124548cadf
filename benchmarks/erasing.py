"""What the ledger of erasures costs: a look at everything (`erase --again`), taking one person out of the files, and a
start of a resolver that knows many.

    python -m benchmarks.erasing                       # 1,000,000 touchpoints, 200,000 people: some minutes
    python -m benchmarks.erasing --touchpoints 100000
    python -m benchmarks.erasing --store FOLDER        # takes people out of a ClickHouse that is filled: give it a copy
    python -m benchmarks.erasing --start 10000         # a resolver that starts with so many erasures, alone

Fills a ClickHouse of its own in a temporary folder. Prints one JSON object a line: seconds of CPU of the command and
of ClickHouse, and by how much the command grew. `found` are the touchpoints of those who were erased.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, cast

from benchmarks.processes import cpu_s
from schemas.base import EPOCH
from schemas.links import Edge, Erasure
from services.cli.privacy import store
from services.sink.migrate import migrate
from streams.identity.edges import Seen, seen
from streams.identity.erasures import EVER, Ledger
from streams.identity.knowledge import Knowledge
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import warehouse
from tests.sink_harness import store_config

KEY: Final = b"a key of sixteen bytes or more"
EVENTS_A_PERSON: Final = 5
#: A page view as it is stored, with half of its fields: what is looked at stands where it does.
_FILL: Final = """
INSERT INTO histories (account_id, event_id, revision, is_deleted, occurred_at, received_at, knowledge, digest, payload)
SELECT concat('crm:crm:', toString(number % 5000)), toString(generateUUIDv4(number)), 1, 0, now() - number, now(), 1, 1,
  concat('{"kind":"touchpoint","touchpoint":{"event_id":"', toString(number), '","source":"web","vendor":"segment",',
    '"vendor_type":"page","action":"page_view","occurred_at":"2026-11-01T09:00:00Z",',
    '"received_at":"2026-11-01T09:00:01Z","aliases":["email:p', toString(intDiv(number, {each:UInt64})),
    '@acme.example","anonymous:a', toString(intDiv(number, {each:UInt64})), '"],"page":"/pricing","properties":{',
    '"referrer":"https://www.example.com/', hex(sipHash128(number)), '"},"scoped":true},"attribution":{',
    '"person_id":"p","account_id":"crm:crm:1","method":"membership","confidence":1.0},"knowledge":1,"cause":""}')
FROM numbers({first:UInt64}, {count:UInt64})
"""
_STEP: Final = 250_000
_STORED: Final = "SELECT count() AS touchpoints, countDistinct(toYYYYMM(minute)) AS months FROM touchpoints"
_PEOPLE: Final = """
SELECT person_id, groupArray(event_id) AS events FROM touchpoints FINAL WHERE person_id != ''
GROUP BY person_id HAVING length(events) BETWEEN 2 AND 2000 ORDER BY length(events), person_id LIMIT 2
"""


def ledger_of(people: int, *, first: int = 0, before: datetime = EVER) -> Ledger:
    """So many erased people, each by two ids."""
    ledger = Ledger(KEY)
    for number in range(first, first + people):
        names = (f"email:p{number}@acme.example", f"anonymous:a{number}")
        marks = tuple(map(ledger.mark, names))
        key = {"key_id": ledger.key_id, "evidence": "", "source": "", "scoped": True}
        ledger.take(Erasure.model_validate({"erasure_id": str(number), "before": before, "marks": marks, **key}))
    return ledger


def measured(what: str, work: Callable[[], int], pid: int = 0) -> dict[str, object]:
    """What some work took."""
    before, server, grown = time.process_time(), cpu_s(pid) if pid else 0.0, _peak_mb()
    found = work()
    return {
        "measure": what,
        "found": found,
        "cpu_s": round(time.process_time() - before, 1),
        "clickhouse_cpu_s": round((cpu_s(pid) if pid else 0.0) - server, 1),
        "grown_mb": round(_peak_mb() - grown),
    }


def take_out(folder: Path, database: str) -> Iterator[dict[str, object]]:
    """One person, and then another: the months that they were in are merged whole each time."""
    with warehouse(folder) as (one, running):
        config = store_config(one.base_url, database, folder / "internal.token")
        migrate(config, one.token)
        with Store(config, one.token, timeout_s=600) as filled:
            (stored,) = filled.rows(_STORED, {})
            for row in filled.rows(_PEOPLE, {}):
                found = store.Found(set(cast(list[str], row["events"])), {"a"}, {str(row["person_id"])})
                began_s = time.monotonic()
                took = measured("one person is taken out of the files", partial(_out, filled, found), running.pid)
                yield stored | {"elapsed_s": round(time.monotonic() - began_s, 1)} | took


def _out(filled: Store, found: store.Found) -> int:
    return store.take_out(filled.client, Ledger(KEY), found, [], lambda _: None)["touchpoints"]


def resolver_start(people: int, erased: int) -> dict[str, object]:
    """A resolver reads so many people's links, half of the erasures are of people that it knows."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    links = (
        Edge(a=f"email:p{number}@acme.example", b=f"anonymous:a{number}", since=at, evidence="e", source="web")
        for number in range(people)
    )
    told = [one.encoded() for one in ledger_of(erased, first=people - erased // 2, before=at - timedelta(days=1))]
    read: Iterable[Seen | Erasure] = chain(map(seen, links), map(Erasure.model_validate_json, told))
    return measured(f"start, {people} links, {erased} erasures", lambda: _load(Knowledge(None, Ledger(KEY)), read))


def _load(knowledge: Knowledge, links: Iterable[Seen | Erasure]) -> int:
    knowledge.load(links, 1)
    return len(list(knowledge.ledger))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touchpoints", type=int, default=1_000_000, help="stored")
    parser.add_argument("--store", type=Path, help="a ClickHouse's folder that is filled, of no running system")
    parser.add_argument("--database", default="touchline", help="of that ClickHouse")
    parser.add_argument("--start", type=int, help="the start of a resolver alone, with so many erasures")
    given = parser.parse_args()
    people = given.touchpoints // EVENTS_A_PERSON
    if given.store or given.start is not None:
        for figures in take_out(given.store, given.database) if given.store else [resolver_start(people, given.start)]:
            print(json.dumps(figures), flush=True)  # noqa: T201
        return
    with (
        tempfile.TemporaryDirectory(prefix="touchline-bench-") as name,
        warehouse(Path(name) / "store") as (one, running),
    ):
        config = store_config(one.base_url, "touchline", Path(name) / "store/internal.token")
        migrate(config, one.token)
        with Store(config, one.token, timeout_s=600) as filled:
            for first in range(0, given.touchpoints, _STEP):
                count = min(_STEP, given.touchpoints - first)
                filled.command(_FILL, {"each": EVENTS_A_PERSON, "first": first, "count": count})
            for erased in (0, 1, people // 10):
                ledger = ledger_of(erased)
                if not erased:  # somebody of whom nothing is left, as after every erasure
                    ledger = Ledger(KEY)
                    gone = (ledger.mark("email:gone@acme.example"),)
                    key = {"key_id": ledger.key_id, "evidence": "", "source": "", "scoped": True}
                    ledger.take(Erasure.model_validate({"erasure_id": "x", "before": EPOCH, "marks": gone, **key}))
                look = measured(
                    f"again, {erased} of {people} people stored and erased",
                    lambda ledger=ledger: sum(1 for _ in store.touchpoints(filled.client, ledger, None)),  # type: ignore[misc]
                    running.pid,
                )
                print(json.dumps({"touchpoints": given.touchpoints} | look), flush=True)  # noqa: T201
    ledger = ledger_of(1_000)
    names = (f"anonymous:{number}" for number in range(given.touchpoints))
    start = measured(f"start, {given.touchpoints} known ids", lambda: sum(map(ledger.names, names)))
    print(json.dumps(start), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
