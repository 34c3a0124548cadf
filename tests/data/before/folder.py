"""Opens a whole data folder of an earlier version with this one, and says what moved on the map. By hand, 5 minutes:

    git worktree add /tmp/old 9d90df7 && make -C /tmp/old setup
    /tmp/old/.venv/bin/touchline demo --data /tmp/old-data --duration 30
    .venv/bin/python -m tests.data.before.folder --old /tmp/old --data /tmp/old-data

The folder itself is not touched. Its copy is worked off by the old version, then opened by this one, which is killed
whole, again and again, while it migrates and carries over; then everything Kafka has is replayed from the beginning.
Then `remap` reads it anew. Maps are compared by what the CRM calls its records: touchpoints, accounts and signals.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clickhouse_connect

from schemas.ids import bare

READY_WITHIN_S = 180
SETTLED_WITHIN_S = 600
KILLS = 6
OURS = Path(__file__).parents[3]
SHOWN = """
SELECT event_id, account_id AS account, person_id AS person, account_method AS method, touchpoint_type AS type, phase,
       persona, segment, subject, toString(occurred_at) AS at, round(ifNotFinite(emotion, -9), 6) AS emotion, friction
FROM touchline.touchpoints FINAL
"""
#: The same of accounts and of the signals that stand; these are told apart by what they are found by.
ALSO_SHOWN = (
    """
    SELECT concat('account ', account_id) AS key, phase, high_water_phase, segment, touchpoints, on_map_touchpoints,
           people, name FROM touchline.account_journeys FINAL WHERE touchpoints > 0
    """,
    """
    SELECT concat('signals of ', rule, ' at ', account_id) AS key, count() AS signals,
           round(sum(severity), 6) AS severity
    FROM touchline.signals FINAL GROUP BY rule, account_id
    """,
)


def main(argv: Sequence[str]) -> int:
    """Returns 1 when something moved."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--old", type=Path, required=True, help="checkout of the earlier version, set up")
    options.add_argument("--data", type=Path, required=True, help="a data folder that it made, stopped")
    options.add_argument("--work", type=Path, default=Path("/tmp/touchline-before"), help="where copies go")
    options.add_argument("--seed", type=int, default=7)
    given = options.parse_args(argv)
    shutil.rmtree(given.work, ignore_errors=True)
    folder = given.work / "folder"
    shutil.copytree(given.data, folder, symlinks=True)
    with running(given.old, folder) as sql_url:
        settle(given.old, folder)
        before = figures(folder, sql_url)
    say(f"the earlier version shows {len(before):,} touchpoints, accounts and kinds of signals")
    share_groups(folder)
    kill_while_it_opens(folder, random.Random(given.seed))
    with running(OURS, folder) as sql_url:
        carried(folder)
        settle(OURS, folder)
        moved = told("opened", before, figures(folder, sql_url))
        replayed = asked(OURS, "replay", "--from-beginning", "--data", str(folder))
        say(replayed.stdout + replayed.stderr)
        settle(OURS, folder)
        moved |= told("replayed from the beginning", before, figures(folder, sql_url))
        remapped = asked(OURS, "remap", "--data", str(folder))
        say(remapped.stdout + remapped.stderr)
        settle(OURS, folder)
        moved |= told("read anew", before, figures(folder, sql_url))
    return int(bool(moved))


def say(what: str) -> None:
    print(what, flush=True)  # noqa: T201 - a command


def asked(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of a version, run to its end."""
    command = [str(checkout / ".venv/bin/touchline"), *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


@contextmanager
def running(checkout: Path, folder: Path) -> Iterator[str]:
    """`touchline up` of a version, ready; stopped in order at the end. Yields where its ClickHouse answers."""
    process = started(checkout, folder)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            raise RuntimeError(f"{checkout} did not get ready in {folder}")
        yield str(json.loads(ready)["sql_url"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(READY_WITHIN_S)


def started(checkout: Path, folder: Path) -> subprocess.Popen[str]:
    ports = [f"--{name}-port=0" for name in ("gateway", "dashboard", "sql")]
    command = [str(checkout / ".venv/bin/touchline"), "up", "--json", "--data", str(folder), *ports]
    log = (folder.parent / "up.log").open("a")
    return subprocess.Popen(
        command, cwd=checkout, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
    )


def settle(checkout: Path, folder: Path) -> None:
    """Until the version itself says that everything adds up, and nothing is on its way."""
    until = time.monotonic() + SETTLED_WITHIN_S
    while (done := asked(checkout, "verify", "--data", str(folder))).returncode:
        if time.monotonic() > until:
            raise RuntimeError(f"verify goes on finding differences: {done.stdout}{done.stderr}")
        time.sleep(3)


def share_groups(folder: Path) -> None:
    """What the changelog asks for: the page and the server speak of one product's groups."""
    config = folder / "touchline.yaml"
    config.write_text(
        config.read_text().replace("    vendor: segment\n", "    vendor: segment\n    directory: product\n")
    )


def kill_while_it_opens(folder: Path, chance: random.Random) -> None:
    """The whole tree is killed at some moment of its start, which goes on where it was."""
    for number in range(KILLS):
        process, lives_s = started(OURS, folder), chance.uniform(1, 30)
        time.sleep(lives_s)
        for pid in (*children(process.pid), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait(READY_WITHIN_S)
        say(f"kill {number + 1} of {KILLS} after {lives_s:.1f} s")


def children(pid: int) -> list[int]:
    """Of a process, and theirs."""
    found = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [below for child in found for below in children(child)]


def carried(folder: Path) -> None:
    """Until no row has an id of before."""
    until = time.monotonic() + SETTLED_WITHIN_S
    while "ids of before are carried over" not in (log := logs(folder)) and '"how": "done"' not in log:
        if time.monotonic() > until:
            say("nothing was said of carrying over")
            return
        time.sleep(2)
    time.sleep(60)  # it looks three times more, half a minute apart


def logs(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in (folder / "logs").glob("attribute*"))


def figures(folder: Path, sql_url: str) -> dict[str, dict[str, Any]]:
    """What the map shows of each touchpoint, by what the CRM calls it."""
    token = (folder / "secrets/clickhouse").read_text().strip()
    with clickhouse_connect.get_client(dsn=sql_url, username="internal", password=token) as client:
        rows = [dict(row) for row in client.query(SHOWN).named_results()]
        others = [dict(row) for query in ALSO_SHOWN for row in client.query(query).named_results()]
    found = {row.pop("event_id"): row | {name: bare(row[name]) for name in ("account", "subject")} for row in rows}
    for row in others:
        what, _, account = row.pop("key").rpartition(" ")
        found[f"{what} {bare(account)}"] = row
    return found


def told(when: str, before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> set[str]:
    """Says which touchpoints, accounts and signals moved, and how; returns them."""
    moved = {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}
    say(f"{when}: {len(now):,} figures, {len(moved):,} of them otherwise than before")
    ways: Counter[str] = Counter()
    for key in sorted(moved):
        old, new = before.get(key), now.get(key)
        fields = [name for name in old if old[name] != new[name]] if old and new else []
        ways[", ".join(fields) or ("new" if new else "gone")] += 1
        if ways.total() <= 10:
            say(f"  {key}: {[(old[f], new[f]) for f in fields] if old and new else new or old}")
    for way, count in ways.most_common():
        say(f"  {count:,} by {way}")
    return moved


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
