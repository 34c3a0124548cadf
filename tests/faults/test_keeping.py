"""What a source does not keep is in no row and in no file once the log of requests has let go of it; its feeling stays.

The test makes the broker's time run: it gives that log a second, in place of the hours that the receipt names.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.cli.context import Target
from services.common.first_config import write_fresh
from streams.runtime.clickhouse import query_rows
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.system import System
from tests.faults.kit.traces import holding, stored_rows

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.clickhouse]
RAW = "touchpoints.raw.v1"
ROWS = "SELECT touchpoint_type, if(has_emotion, emotion, 0) AS felt, text, page FROM touchpoints FINAL ORDER BY page"
WORDS = "Zandkasteelmoord"
KEEP = "    keep: {text: dropped, title: dropped, page: masked, properties: dropped}\n"


def settle(data: Path) -> None:
    """A fresh configuration whose web pages keep less."""
    config = data / "touchline.yaml"
    write_fresh(config, data)
    before, mark, after = config.read_text().partition("    vendor: segment\n")
    config.write_text(before + mark + KEEP + after)


def send(system: System) -> None:
    """A survey's answer and a page, full of words."""
    key = (system.data / "secrets" / "web").read_text().strip()
    told = {"comment": f"I hate this {WORDS}, it is terrible", "score": 1, "topic": WORDS, "title": f"About {WORDS}"}
    page = {"path": f"/pricing/{WORDS}", "url": f"https://x.example/pricing/{WORDS}?q={WORDS}", "title": WORDS}
    calls: list[tuple[str, dict[str, object]]] = [
        ("track", {"event": "NPS Answered", "properties": told}),
        ("page", {"name": WORDS, "properties": page, "context": {"page": page}}),
    ]
    for kind, fields in calls:
        body = {"messageId": f"keeping-{kind}", "userId": "u1", "timestamp": "2026-11-01T09:00:00Z", **fields}
        answer = httpx.post(f"{system.ready['gateway_url']}/v1/{kind}", json=body, auth=(key, ""))
        assert answer.status_code == 200


async def ages_in_a_second(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    settings = {"retention.ms": "1000", "segment.ms": "1000", "cleanup.policy": "delete"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, RAW, settings)])
    await admin.close()


@pytest.mark.timeout(600)
def test_words_that_are_not_kept_are_nowhere_after_the_stated_time(fresh: Path) -> None:
    fresh.mkdir(parents=True, exist_ok=True)
    settle(fresh)
    with System(fresh) as system:
        send(system)
        wait_idle(system)
        with Target(fresh).store() as client:
            rows = query_rows(client, ROWS)
        assert len(rows) == 2 and {row["text"] for row in rows} == {""}
        assert any(float(str(row["felt"])) < 0 for row in rows), "felt before it went"
        page = next(row for row in rows if row["page"])
        assert page["touchpoint_type"] == "pricing_page" and str(page["page"]).startswith("/pricing/[page-")
        assert stored_rows(system, WORDS) == {}
        topics = {Path(place).name.rpartition("-")[0] for place in holding(fresh, WORDS.encode(), 3)}
        assert topics == {RAW}, "only the log of requests holds the words"

        retention = [json.loads(line) for line in system.cli("retention").stdout.splitlines()]
        assert next(line["gone_after_hours"] for line in retention if line.get("topic") == RAW) == 48
        asyncio.run(ages_in_a_second(Target(fresh).load().kafka.bootstrap[0]))
        until = time.monotonic() + 240
        while holding(fresh, WORDS.encode()):
            assert time.monotonic() < until, holding(fresh, WORDS.encode(), 3)
            time.sleep(2)
        assert system.cli("replay", "--from-beginning").returncode == 0
        wait_idle(system)
        with Target(fresh).store() as client:
            assert query_rows(client, ROWS) == rows, "the feeling and the type stay, though nothing can be read again"
