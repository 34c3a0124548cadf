"""Incidents in a real browser, and what is done about them through a real gateway and a real Kafka."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.config import KafkaConfig, SecretRef, SourceConfig
from schemas.incidents import Desk, Thread
from schemas.topics import TopicName
from services.cli.commands.incidents import _known
from services.dashboard.acting import ToLog
from services.dashboard.answers import Gateway
from services.dashboard.board import Board
from streams.runtime.kafka import partitions, producer
from tests.dashboard_fakes import NOW, FakeStore, browser_of
from tests.dashboard_site import Site, site
from tests.integration.test_gateway_kafka import config, process, until_ready
from tests.unit.test_dashboard_app import app_on
from tests.unit.test_page_incidents import FORM, Log, hurt

__all__ = ["site"]
TOPICS: tuple[TopicName, ...] = (
    "touchpoints.raw.v1",
    "sources.standings.v1",
    "incidents.actions.v1",
    "alerts.desks.v1",
    "alerts.deliveries.v1",
)
PICTURES = os.environ.get("TOUCHLINE_PICTURES", "")


@pytest.mark.browser
async def test_an_incident_is_opened_noted_and_taken_in_place_and_closed_by_going_back(site: Site) -> None:  # noqa: F811
    site.store.world = hurt(20)
    site.app.state.act = log = Log()
    page = await site.open("/incidents?window=7d", viewport={"width": 1440, "height": 900})
    await page.locator("#incidents .issue > a").click()
    await page.locator("#incident").wait_for()
    assert page.url.endswith("/incidents/e0?window=7d")
    await page.get_by_label("Your name").fill("Bo")
    await page.get_by_label("Note").fill("called them")
    await page.keyboard.press("Enter")
    await page.get_by_text("Bo wrote").wait_for()
    await page.get_by_role("button", name="Take it").click()
    await page.get_by_text("Bo took it").wait_for()
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/incident.png")
    await page.keyboard.press("Escape")
    await page.wait_for_url("**/incidents?window=7d")
    await page.locator("#incidents").get_by_text("Bo has it").wait_for()
    assert [action.verb for action in log.actions] == ["note", "take"]


@pytest.mark.browser
async def test_without_javascript_an_incident_is_taken_and_silenced(site: Site) -> None:  # noqa: F811
    site.store.world = hurt(20)
    site.app.state.act = log = Log()
    page = await site.open("/incidents/e0", java_script_enabled=False, viewport={"width": 390, "height": 844})
    await page.get_by_label("Your name").fill("Bo")
    await page.get_by_role("button", name="Take it").click()
    await page.wait_for_url("**/incidents/e0")
    assert "Bo took it" in await page.content()
    await page.get_by_label("Silence for").select_option("3d")
    await page.get_by_role("button", name="Silence").click()
    await page.wait_for_url("**/incidents/e0")
    assert "Bo silenced it until" in await page.content()
    assert log.actions[1].until == NOW + timedelta(days=3)


@pytest.mark.kafka
async def test_what_the_page_does_is_what_the_command_and_every_other_page_know(
    kafka_bootstrap: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Form → gateway process → Kafka → the command's log and the board of another page, read from its beginning."""
    operators = SourceConfig(name="operators", vendor="touchline", secrets=(SecretRef(env="OPERATORS_KEY"),))
    monkeypatch.setenv("OPERATORS_KEY", "OK")
    made = config(kafka_bootstrap, topic_prefix)
    made = made.model_copy(update={"sources": (*made.sources, operators)})
    await _topics(made.kafka)
    with process(made) as (_, url):
        async with httpx.AsyncClient(base_url=url) as http:
            await until_ready(http)
            page = app_on(FakeStore(hurt(20)), act=ToLog(Gateway(http, url, "operators", b"OK")))
            for fields in ({"verb": "take"}, {"verb": "note", "text": "called them"}):
                said = await browser_of(page, **FORM).post("/incidents/e0", data={"by": "Bo", **fields})
                assert said.status_code == 303
    thread = Thread(thread_id="told", events=("e0",), opened_at=NOW, state="told", level="high", told_at=NOW)
    await _desk(made.kafka, Desk(account_id="crm:0000", threads=(thread,)))
    desks, log = await _known(made.kafka)
    board = Board()
    following = asyncio.create_task(board.run(made.kafka))
    async with asyncio.timeout(20):
        while len(board.log.about(["e0"])) < 2 or not board.threads("crm:0000"):
            await asyncio.sleep(0.05)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert board.log.about(["e0"]) == log.about(["e0"]) == page.state.desk.reader.board.log.about(["e0"])
    assert sorted(action.verb for action in log.about(["e0"])) == ["note", "take"]
    assert board.threads("crm:0000") == desks["crm:0000"].threads


async def _topics(kafka: KafkaConfig) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(kafka.topic_prefix + name, partitions(kafka, name), 1) for name in TOPICS])
    finally:
        await admin.close()


async def _desk(kafka: KafkaConfig, desk: Desk) -> None:
    sender = producer(kafka, "test-desks")
    await sender.start()
    try:
        topic, value = f"{kafka.topic_prefix}alerts.desks.v1", b"[" + desk.encoded() + b"]"
        await sender.send_and_wait(topic, value, key=desk.account_id.encode(), partition=0)
    finally:
        await sender.stop()
