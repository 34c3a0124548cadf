"""What the ledger of erasures costs: a look at everything (`erase --again`), and a start of a resolver that knows many.

    python -m benchmarks.erasing                       # 1,000,000 touchpoints, 200,000 people: some minutes
    python -m benchmarks.erasing --touchpoints 100000

Fills a ClickHouse of its own in a temporary folder. Prints one JSON object a line: seconds of CPU of the command and
of ClickHouse, and by how much the command grew. `found` are the touchpoints of those who were erased.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.processes import cpu_s
from schemas.base import EPOCH
from schemas.links import Erasure
from services.cli.privacy import store
from services.sink.migrate import migrate
from streams.identity.erasures import EVER, Ledger
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


def ledger_of(people: int) -> Ledger:
    """So many erased people, each by two ids."""
    ledger = Ledger(KEY)
    for number in range(people):
        names = (f"email:p{number}@acme.example", f"anonymous:a{number}")
        marks = tuple(map(ledger.mark, names))
        key = {"key_id": ledger.key_id, "evidence": "", "source": "", "scoped": True}
        ledger.take(Erasure.model_validate({"erasure_id": str(number), "before": EVER, "marks": marks, **key}))
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


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touchpoints", type=int, default=1_000_000, help="stored")
    given = parser.parse_args()
    people = given.touchpoints // EVENTS_A_PERSON
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
