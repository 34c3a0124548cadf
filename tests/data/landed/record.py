"""Writes `backup.tar.xz` and `figures.json`: what a version leaves in a data folder, and the map that it shows.

Run it from a checkout of the last landed version, with that checkout's packages, once it has landed, into a folder of
its own, and name that folder in `LANDED`; the one before goes, unless what is stored has changed since:

    python /path/to/tests/data/landed/record.py /path/to/tests/data/landed/COMMIT

A small feed goes through all senders' protocols; one person is erased, a note is written on an incident. Then
`touchline backup` takes the folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

TOUCHPOINTS = """
SELECT event_id AS id, account_id, person_id, account_method, touchpoint_type, phase, persona, segment, subject,
  toString(occurred_at) AS occurred, if(has_emotion, round(emotion, 6), -9) AS felt
FROM touchpoints FINAL ORDER BY id
"""
ACCOUNTS = """
SELECT account_id AS id, phase, high_water_phase, segment, touchpoints, on_map_touchpoints, people, name
FROM account_journeys FINAL WHERE touchpoints > 0 ORDER BY id
"""
CELLS = """
SELECT concat(phase, '/', touchpoint_type) AS id, sum(volume) AS volume FROM journey_minutes FINAL GROUP BY id
HAVING volume > 0 ORDER BY id
"""
SIGNALS = "SELECT signal_id AS id, account_id, rule, polarity FROM signals FINAL ORDER BY id"
FIGURES = {"touchpoints": TOUCHPOINTS, "accounts": ACCOUNTS, "cells": CELLS, "signals": SIGNALS}
EVENTS, SEED = 200, 9


def figures(client: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """Of each kind, by id."""
    found = {}
    for kind, sql in FIGURES.items():
        rows = [dict(row) for row in client.query(sql).named_results()]
        found[kind] = {str(row.pop("id")): row for row in rows}
    return found


def main(target: Path) -> None:
    kit = "tests.faults.kit."
    system_of = import_module(f"{kit}system").System
    with tempfile.TemporaryDirectory() as scratch:
        system = system_of(Path(scratch) / "data")
        with system:
            load = import_module(f"{kit}campaign").load_of("landed", SEED, events=EVENTS)
            with import_module(f"{kit}driver").sending(load, system, 500.0) as running:
                assert {answer.status for answer in running.finish()} == {200}
            settled = import_module(f"{kit}lag").wait_idle
            settled(system)
            with import_module("services.cli.context").Target(system.data).store() as client:
                rows = client.query("SELECT payload FROM histories FINAL ORDER BY event_id").result_rows
                (event_id,) = client.query("SELECT event_id FROM signals FINAL ORDER BY event_id").result_rows[0]
            aliases = [name for (payload,) in rows for name in json.loads(payload)["touchpoint"].get("aliases", ())]
            mail = next(name for name in aliases if name.startswith("email:"))
            assert system.cli("erase", mail).returncode == 0
            note = {"action_id": "n1", "at": "2026-11-30T00:00:00Z", "by": "Olaf", "verb": "note", "text": "called",
                    "events": [event_id]}  # fmt: skip
            key = (system.data / "secrets" / "operators").read_text().strip()
            answer = import_module("httpx").post(f"{system.ready['gateway_url']}/v1/touchline/actions", json=note,
                                                 headers={"authorization": f"Bearer {key}"})  # fmt: skip
            assert answer.status_code == 200
            settled(system)
            with import_module("services.cli.context").Target(system.data).store() as client:
                shown = figures(client)
            backup = Path(scratch) / "backup"
            taken = system.cli("backup", str(backup))
            assert taken.returncode == 0, taken.stderr
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        told = {"commit": commit.stdout.strip(), **shown}
        (target / "figures.json").write_text(json.dumps(told, indent=0, sort_keys=True) + "\n")
        with tarfile.open(target / "backup.tar.xz", "w:xz", preset=9) as archive:
            archive.add(backup, "backup")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
