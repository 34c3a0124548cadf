"""`touchline demo` with all its real parts: the map says what the story knows it sent, also when it is sent twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from services.demo.memory import Memory
from services.demo.story import Story, Truth, story, truth
from tests.analyst import ANSWERS, Books, comparable, questions

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
CLI = [sys.executable, "-m", "services.cli.main"]
DAYS = 5
VISIBLE_WITHIN_S = 120.0
STOPPED_WITHIN_S = 20.0

#: Whether somebody still waits for an answer depends on the hour at which the demo begins.
MAY_BE_NONE = {"From a ticket to its first answer": 2}
FIGURES = """
SELECT
    (SELECT count() FROM bi.touchpoints) AS touchpoints,
    (SELECT uniqExact(account_id) FROM bi.accounts WHERE account_id LIKE 'crm:%' AND account_name != '') AS companies,
    (SELECT count() FROM bi.accounts WHERE is_identified AND account_id NOT LIKE 'crm:%') AS elsewhere,
    (SELECT count() FROM bi.accounts WHERE NOT is_identified) AS strangers,
    (SELECT count() FROM bi.signals WHERE rule = 'ticket_reopened') AS reopened_tickets,
    (SELECT count() FROM bi.signals WHERE rule = 'low_score') AS detractors,
    (SELECT count() FROM bi.signals WHERE rule = 'promoter') AS promoters,
    (SELECT count() FROM bi.touchpoints WHERE vendor_type = 'track:Contract Signed') AS contracts_signed,
    (SELECT count() FROM bi.touchpoints WHERE touchpoint_type = 'unmapped') AS unmapped,
    (SELECT count() FROM bi.touchpoints WHERE NOT has(splitByChar(':', account_id), 'anon')) AS attributed
"""


@contextmanager
def playing(data: Path) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]:
    """A demo without a live part, and its JSON lines up to the end of the history; stopped afterwards."""
    ports = ["--gateway-port", "0", "--dashboard-port", "0", "--speed", "0"]
    command = [*CLI, "demo", "--data", str(data), "--days", str(DAYS), "--json", *ports]
    log = data.parent / "demo.log"
    with (
        log.open("a") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            assert all(lines), log.read_text()
            yield process, [json.loads(line) for line in lines]
        finally:
            process.terminate()
            process.wait(60)


def figures(sql_url: str) -> dict[str, int]:
    port = int(sql_url.rpartition(":")[2])
    client = clickhouse_connect.get_client(host="127.0.0.1", port=port, username="reader", database="bi")
    try:
        found = client.query(FIGURES)
        return dict(zip(found.column_names, map(int, found.result_rows[0]), strict=True))
    finally:
        client.close()


def settled(sql_url: str, facts: Truth) -> dict[str, int]:
    """The figures once they agree with the story, or as they are when the time is over."""
    deadline = time.monotonic() + VISIBLE_WITHIN_S
    while (found := figures(sql_url)) and differences(found, facts) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def differences(found: dict[str, int], facts: Truth) -> dict[str, tuple[int, int]]:
    """Figure → (on the map, in the story), where they differ. Everything has a place, and every account its record."""
    wanted = {name: getattr(facts, name) for name in Truth.__slots__ if name != "poison"}
    wanted |= {"unmapped": 0, "elsewhere": 0}
    return {name: (found[name], value) for name, value in wanted.items() if found[name] != value}


def answered_as_counted(sql_url: str, token: str) -> None:
    """The twelve questions of the page, asked by a reader, against the same counted from the rows: each tells much."""
    port = int(sql_url.rpartition(":")[2])
    internal = clickhouse_connect.get_client(host="127.0.0.1", port=port, username="internal", password=token)
    reader = clickhouse_connect.get_client(host="127.0.0.1", port=port, username="reader", database="bi")
    asked, books = questions(), Books(internal)
    assert list(asked) == list(ANSWERS)
    says_nothing = []
    for name, sql in asked.items():
        found, wanted = comparable(reader.query(sql).result_rows), comparable(ANSWERS[name](books))
        assert len(found) == len(wanted), name
        for shown, counted in zip(found, wanted, strict=True):
            assert shown == pytest.approx(counted, abs=1e-6), name
        says_nothing += [] if tells(wanted, MAY_BE_NONE.get(name)) else [name]
    assert says_nothing == []
    reader.close()
    internal.close()


def tells(answer: list[list[Any]], may_be_none: int | None = None) -> bool:
    """Whether an analyst learns something of it: it has several rows, and no column of nothing but zeros or blanks."""
    columns = enumerate(zip(*answer, strict=True))
    return len(answer) > 1 and all(any(column) for number, column in columns if number != may_be_none)


def remembered(data: Path) -> Story:
    memory = Memory.model_validate_json((data / "demo.json").read_text())
    return story(memory.seed, memory.end, memory.days)


def test_the_map_shows_what_was_sent_and_sending_it_again_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with playing(data) as (process, lines):
        ready, history = lines
        facts = truth(remembered(data))
        assert (ready["step"], history["step"]) == ("ready", "history")
        assert (history["sent"], history["poison"]) == (facts.touchpoints + facts.poison, facts.poison)
        first = settled(ready["sql_url"], facts)
        assert differences(first, facts) == {}
        answered_as_counted(ready["sql_url"], (data / "secrets" / "clickhouse").read_text().strip())
        assert first["attributed"] > 0.95 * facts.touchpoints
        letters = subprocess.run([*CLI, "dlq", "ls", "--data", str(data)], capture_output=True, text=True, check=True)
        assert len(letters.stdout.splitlines()) == facts.poison
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert time.monotonic() - began_s < STOPPED_WITHIN_S

    memory = Memory.model_validate_json((data / "demo.json").read_text())
    assert memory.sent
    (data / "demo.json").write_text(memory.model_copy(update={"sent": False}).model_dump_json())
    with playing(data) as (_, lines):
        assert lines[1]["sent"] == facts.touchpoints + facts.poison
        assert settled(lines[0]["sql_url"], facts) == first
        time.sleep(3.0)
        assert figures(lines[0]["sql_url"]) == first
        verified = subprocess.run([*CLI, "verify", "--data", str(data)], capture_output=True, text=True, check=False)
        assert verified.returncode == 0, verified.stdout


def test_an_answer_that_tells_nothing_is_seen() -> None:
    assert tells([["EUR", 4, 8220.0], ["GBP", 2, 900.0]])
    assert not tells([["EUR", 4, 8220.0]]), "one row"
    assert not tells([["", 1, 0.0], ["mobile", 7, 0.0]]), "nothing but zeros"
    assert not tells([])
    assert tells([["high", 0], ["low", 0]], may_be_none=1) and not tells([["high", 0], ["low", 0]], may_be_none=0)


def test_a_figure_that_is_off_is_seen() -> None:
    facts = truth(story(7, datetime(2026, 11, 20, 12, tzinfo=UTC), DAYS))
    found = {name: getattr(facts, name) for name in Truth.__slots__} | {"unmapped": 0, "elsewhere": 0}
    assert differences(found, facts) == {}
    assert differences(found | {"companies": 39}, facts) == {"companies": (39, 40)}
