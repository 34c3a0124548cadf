"""The alerts service on a real Kafka: told once, told again after a crash with the same id, never of history."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.facts import SignalFact
from schemas.incidents import DELIVERIES, Delivery, IncidentAction
from schemas.processes import INPUTS
from services.alerting.hearing import StagesBehind
from services.alerting.main import Health
from streams.runtime.decode import decode
from streams.runtime.kafka import broadcast_consumer, group_consumer, producer
from streams.runtime.topics_admin import ensure_topics
from streams.runtime.writer import partition_of
from tests.alerts_running import serving
from tests.listening import free_port
from tests.receivers import OK, Receiver, alertmanager_of, receiver, until

pytestmark = [pytest.mark.kafka]
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
FACTS = "journey.facts.v1"


class Ground:
    """A topic prefix, a configuration with one webhook, and the service as a process."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str) -> None:
        self.folder = folder
        self.kafka = KafkaConfig(bootstrap=(bootstrap,), topic_prefix=prefix)
        (folder / "secret").write_text(SECRET)
        (folder / "secret").chmod(0o600)

    def configure(self, **alerts: Any) -> None:
        base: dict[str, Any] = {"allow_private": ["127.0.0.1"], "in_doubt_s": 2, "timeout_s": 2}
        kafka = {"bootstrap": list(self.kafka.bootstrap), "topic_prefix": self.kafka.topic_prefix}
        away = {"url": "http://127.0.0.1:9"}  # people are told, whether or not ClickHouse is there
        document = {"kafka": kafka, "clickhouse": away, "alerts": base | alerts}
        (self.folder / "touchline.yaml").write_text(yaml.safe_dump(document))

    def hook(self, heard: Receiver) -> dict[str, Any]:
        one = {"name": "hook", "url": heard.url, "secrets": [{"file": str(self.folder / "secret")}], "per_minute": 600}
        return {"webhooks": [one]}

    def service(self) -> AbstractAsyncContextManager[Health]:
        return serving(self.folder / "touchline.yaml")

    @asynccontextmanager
    async def process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The service as a process of its own, which the test may kill."""
        command = [sys.executable, "-m", "services.cli.service", "alerts", "--config", f"{self.folder}/touchline.yaml"]
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def killed_at(self, failpoint: str, *facts: SignalFact) -> None:
        """The service as a process that kills itself at a failpoint, on its way with these facts."""
        command = [sys.executable, "-m", "services.cli.service", "alerts", "--config", f"{self.folder}/touchline.yaml"]
        environment = os.environ | {"TOUCHLINE_FAILPOINT": f"{failpoint}:kill"}
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL, env=environment)
        try:
            await self.facts(*facts)
            assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def send(self, topic: str, key: str, items: Sequence[bytes], single: bool = False) -> None:
        writer = producer(self.kafka, "test")
        await writer.start()
        try:
            place = 0 if single else partition_of(key, self.kafka.partitions)
            value = b"[" + b",".join(items) + b"]"
            await writer.send_and_wait(self.kafka.topic_prefix + topic, value, key=key.encode(), partition=place)
        finally:
            await writer.stop()

    async def facts(self, *facts: SignalFact) -> None:
        await self.send(FACTS, facts[0].account_id, [fact.encoded() for fact in facts])

    async def deliveries(self) -> list[Delivery]:
        reader = broadcast_consumer(self.kafka, "test")
        reader.subscribe([self.kafka.topic_prefix + "alerts.deliveries.v1"])
        await reader.start()
        try:
            found: list[Delivery] = []
            for _ in range(20):
                for records in (await reader.getmany(timeout_ms=300)).values():
                    found += [item for record in records for _, item in decode(record.value, DELIVERIES).items]
                if found:
                    break
            return found
        finally:
            await reader.stop()


@pytest.fixture
async def ground(tmp_path: Path, kafka_bootstrap: str, topic_prefix: str) -> Ground:
    made = Ground(tmp_path, kafka_bootstrap, topic_prefix)
    await ensure_topics(made.kafka)
    return made


def failed(event: str = "e1", *, ago_s: float = 0.0, account: str = "crm:1", **fields: Any) -> list[SignalFact]:
    """A reopened ticket and the failed moment of truth it is."""
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    base: dict[str, Any] = {
        "account_id": account,
        "revision": 1,
        "rule_version": 1,
        "polarity": "friction",
        "severity": 0.7,
        "event_id": event,
        "person_id": "p",
        "touchpoint_type": "support_ticket",
        "phase": "enablement",
        "opened_at": at,
        "closed_at": at,
        "evidence": (event,),
        "evidence_count": 1,
        "explanation": "the ticket was reopened",
    }
    root = SignalFact(signal_id=f"r-{event}", rule="ticket_reopened", **(base | fields))
    tag = SignalFact(
        signal_id=f"m-{event}", rule="moment_of_truth_failed", **(base | fields | {"parts": (root.signal_id,)})
    )
    return [root, tag]


def told(heard: Receiver) -> list[tuple[str, str]]:
    """(kind, id) of what arrived."""
    return [(json.loads(r.body)["data"]["kind"], json.loads(r.body)["data"]["notice_id"]) for r in heard.got]


async def test_told_once_whatever_is_replayed_and_people_are_heard(ground: Ground) -> None:
    async with receiver() as heard:
        ground.configure(**ground.hook(heard))
        async with ground.service():
            facts = failed()
            await ground.facts(*facts)
            await until(lambda: len(heard.got) == 1)
            await ground.facts(*facts)
            await ground.facts(*failed("old", ago_s=90_000, account="crm:2"))
            done = IncidentAction(action_id="a1", at=datetime.now(UTC), by="Ann", verb="done", events=("e1",)).encoded()
            await ground.send("incidents.actions.v1", "a1", [done], single=True)
            await asyncio.sleep(2)
        async with ground.service():
            await ground.facts(*facts)
            again = failed("e2", evidence=("e1", "e2"), ago_s=-1)
            await ground.facts(*again)
            await until(lambda: len(heard.got) == 2)
            await asyncio.sleep(2.5)
        kinds = [kind for kind, _ in told(heard)]
        assert kinds == ["opened", "returned"]
        data = json.loads(heard.got[1].body)["data"]
        assert data["remark"] == "Ann called it done, and it hurts again"
        lines = await ground.deliveries()
        assert [(line.channel, line.outcome) for line in lines] == [("hook", "sent"), ("hook", "sent")]


@pytest.mark.fault
@pytest.mark.parametrize(
    ("failpoint", "arrivals"),
    [
        ("alerts_before_mark", 2),
        pytest.param("alerts_before_send", 1, marks=pytest.mark.slow),
        pytest.param("alerts_after_judging", 1, marks=pytest.mark.slow),
        pytest.param("alerts_after_saving", 1, marks=pytest.mark.slow),
    ],
)
async def test_killed_at_any_step_it_is_told_with_one_id_and_no_storm(
    ground: Ground, failpoint: str, arrivals: int
) -> None:
    async with receiver() as heard:
        ground.configure(**ground.hook(heard))
        await ground.killed_at(failpoint, *failed(ago_s=-30))
        async with ground.service():
            await until(lambda: len(heard.got) == arrivals)
            await asyncio.sleep(3)
        assert len(heard.got) == arrivals
        assert len(set(told(heard))) == 1
        assert len({request.headers["webhook-id"] for request in heard.got}) == 1


@pytest.mark.slow
@pytest.mark.fault
async def test_two_services_share_the_accounts_and_one_takes_over_when_the_other_is_killed(ground: Ground) -> None:
    """Each incident is told by one of them; what comes while one lies dead is told by the other, once."""
    async with receiver() as heard:
        ground.configure(**ground.hook(heard), in_doubt_s=2)
        async with ground.service() as health:
            watcher = health.watcher
            assert watcher is not None
            async with ground.process() as other:
                await until(lambda: len(watcher._desks.wards) == 1 or other.returncode is not None, 60)
                await until(lambda: watcher.is_watching, 60)
                for number in range(8):
                    await ground.facts(*failed(f"e{number}", account=f"crm:{number}"))
                await until(lambda: len(told(heard)) >= 8, 60)
                assert 0 < len(watcher._desks.of) < 8, "both have some of the accounts"
                await asyncio.sleep(2)  # killed between sending and writing that down, it would send once more
                other.kill()
                await other.wait()
                for number in range(8, 16):
                    await ground.facts(*failed(f"e{number}", account=f"crm:{number}"))
                await until(lambda: len(told(heard)) >= 16, 90)
                await asyncio.sleep(2)
        assert len(told(heard)) == len(set(told(heard))) == 16
        assert {kind for kind, _ in told(heard)} == {"opened"}


async def test_a_stage_with_work_that_it_does_not_do_is_seen(ground: Ground) -> None:
    """On real Kafka: not known at first, behind while it has not committed, and not behind afterwards."""
    behind = StagesBehind(ground.kafka)
    try:
        assert await seen(behind), "at the first look it is not known"
        assert not await seen(behind), "nothing was ever sent"
        await ground.send(INPUTS["attribute"], "k", [b"{}"], single=True)
        await seen(behind)
        assert await seen(behind), "what it had at the last look it has not done"
        await behind.close()
        place = TopicPartition(ground.kafka.topic_prefix + INPUTS["attribute"], 0)
        reader = group_consumer(ground.kafka, "touchline-attribute", role="attribute")
        await reader.start()
        try:
            reader.assign([place])
            await reader.commit({place: 1})
        finally:
            await reader.stop()
        assert not await seen(behind), "after a close it goes on by itself"
    finally:
        await behind.close()


async def seen(behind: StagesBehind) -> bool:
    """A look, as the service takes it: a broker that has just started is asked again."""
    while True:
        try:
            return await behind.look()
        except KafkaError:
            await behind.close()
            await asyncio.sleep(0.5)


async def test_a_receiver_that_is_away_or_asks_for_a_pause_misses_nothing(ground: Ground) -> None:
    answers = [(500, {}, b""), (429, {"retry-after": "3"}, b""), OK]
    async with receiver(*answers) as heard:
        ground.configure(**ground.hook(heard))
        loop = asyncio.get_running_loop()
        async with ground.service():
            await ground.facts(*failed())
            await until(lambda: len(heard.got) == 2)
            paused_at = loop.time()
            await until(lambda: len(heard.got) == 3)
            assert loop.time() - paused_at >= 2.5
            await asyncio.sleep(1)
        assert len(set(told(heard))) == 1
        outcomes = [line.outcome for line in await ground.deliveries()]
        assert outcomes == ["retry", "sent"], "a second failure of one message is no news"


async def test_a_message_that_can_never_be_taken_is_given_up_and_said(ground: Ground) -> None:
    async with receiver((410, {}, b"gone")) as heard:
        ground.configure(**ground.hook(heard))
        async with ground.service():
            await ground.facts(*failed())
            await until(lambda: len(heard.got) == 1)
            await asyncio.sleep(1)
        assert len(heard.got) == 1
        assert [line.outcome for line in await ground.deliveries()] == ["gave_up"]


async def test_without_a_channel_the_log_says_it_and_the_delivery_log_that_nobody_was_told(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    ground.configure()
    async with ground.service():
        await ground.facts(*failed())
        await until(lambda: "A moment of truth failed" in caplog.text)
    assert [(line.channel, line.outcome) for line in await ground.deliveries()] == [("", "nobody")]


@pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None, reason="Alertmanager is not installed")
async def test_a_real_alertmanager_groups_sends_and_resolves(ground: Ground) -> None:
    async with receiver() as heard, alertmanager(ground.folder, heard) as url:
        ground.configure(alertmanager=[{"name": "am", "urls": [url], "refresh_s": 1, "per_minute": 600}])
        async with ground.service():
            facts = failed()
            await ground.facts(*facts)
            await until(lambda: len(heard.got) >= 1)
            first = json.loads(heard.got[0].body)
            assert (first["status"], first["alerts"][0]["labels"]["policy"]) == ("firing", "moment_of_truth_failed")
            assert first["alerts"][0]["labels"]["department"] == "Support"
            await ground.facts(*[fact.changed(closed_at=None, revision=2) for fact in facts])
        # without the service nobody says that it goes on: it ends by itself, three refreshes later
        await until(lambda: json.loads(heard.got[-1].body)["status"] == "resolved", 30)


@pytest.mark.fault
@pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None, reason="Alertmanager is not installed")
async def test_an_alertmanager_that_is_killed_learns_again_what_is_open(ground: Ground) -> None:
    async with receiver() as heard:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        ground.configure(alertmanager=[{"name": "am", "urls": [url], "refresh_s": 1, "per_minute": 600}])
        async with ground.service():
            async with alertmanager(ground.folder, heard, port, kill=True):
                await ground.facts(*failed())
                await until(lambda: len(heard.got) >= 1)
            await ground.facts(*failed("e2", account="crm:2"))
            await asyncio.sleep(1)
            before = len(heard.got)
            async with alertmanager(ground.folder, heard, port):
                await until(lambda: incidents_of(heard) == 2, 30)
                await asyncio.sleep(3)  # several refreshes: what it knows is not sent again
                # it forgot whom it had told: the first may be sent once more, and no more than that
                assert len(heard.got) - before <= 2


def incidents_of(heard: Receiver) -> int:
    """How many incidents the people behind an Alertmanager heard of."""
    return len({one["labels"]["incident"] for got in heard.got for one in json.loads(got.body)["alerts"]})


AWAY_S = 600


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(2_000)
async def test_a_receiver_that_is_away_for_ten_minutes_gets_everything_once(ground: Ground) -> None:
    port = free_port()
    ground.configure(**ground.hook(Receiver(port=port)))
    async with ground.service():
        for number in range(20):
            await ground.facts(*failed(f"e{number}", account=f"crm:{number}"))
        await asyncio.sleep(AWAY_S)
        async with receiver(port=port) as heard:
            await until(lambda: len(heard.got) >= 20, 1_000)  # the longest pause is a quarter of an hour
            await asyncio.sleep(3)
            assert len(heard.got) == len(set(told(heard))) == 20


async def test_a_receiver_that_takes_it_and_does_not_say_so_is_not_flooded(ground: Ground) -> None:
    async with receiver(slow_s=30) as heard:
        ground.configure(**ground.hook(heard), in_doubt_s=4, timeout_s=0.5)
        async with ground.service():
            await ground.facts(*failed())
            await until(lambda: len(heard.got) == 1)
            await asyncio.sleep(3)
            assert len(heard.got) == 1
            await until(lambda: len(heard.got) == 2)
            assert len(set(told(heard))) == 1


@asynccontextmanager
async def alertmanager(
    folder: Path, heard: Receiver, port: int | None = None, *, kill: bool = False
) -> AsyncIterator[str]:
    config = {
        "route": {"receiver": "hook", "group_by": ["incident"], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": heard.url, "send_resolved": True}]}],
    }
    (folder / "am.yml").write_text(yaml.safe_dump(config))
    async with alertmanager_of(folder / "am.yml", port, kill=kill) as url:
        yield url
