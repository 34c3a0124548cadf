"""What was sent is taken back: two pains come in through vendors' requests, and so does what disproves each."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest
import yaml

from streams.journey.blueprints import DEFAULT
from tests.alerts_running import up
from tests.gateway_kit import zendesk_headers
from tests.integration.test_alerts import SECRET
from tests.receivers import Receiver, receiver, until

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
KEY: Final = "web-key-of-the-test"
ZENDESK: Final = "the signing secret of the helpdesk"
ANSWER_WITHIN: Final = timedelta(hours=4)
"""The default blueprint's promise of a first answer."""
SOON: Final = timedelta(seconds=8)


def blueprint(folder: Path) -> Path:
    """The default one, in which addresses at `us.example` are our own people's."""
    shutil.copytree(DEFAULT.parent, folder / "blueprints")
    file = folder / "blueprints" / "default.yaml"
    file.write_text(file.read_text() + "\ntraffic:\n  own_domains: [us.example]\n")
    return file


def configuration(folder: Path, heard: Receiver) -> Path:
    """One webhook that gets everything; who has an address at `us.example` is one of our own people."""
    for name, text in (("web", KEY), ("helpdesk", ZENDESK), ("hook", SECRET)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    document = {
        "sources": [
            {"name": "web", "vendor": "segment", "secrets": [{"file": "web"}]},
            {"name": "helpdesk", "vendor": "zendesk", "secrets": [{"file": "helpdesk"}]},
        ],
        "journey": {"blueprint": str(blueprint(folder))},
        "alerts": {
            "allow_private": ["127.0.0.1"],
            "withdraw_after_s": 2,
            "webhooks": [{"name": "hook", "url": heard.url, "secrets": [{"file": "hook"}], "per_minute": 600}],
        },
    }
    file = folder / "touchline.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@asynccontextmanager
async def running(folder: Path, file: Path) -> AsyncIterator[Vendors]:
    async with up(folder, file) as gateway, httpx.AsyncClient(base_url=gateway) as client:
        yield Vendors(client)


class Vendors:
    """What two vendors send."""

    def __init__(self, gateway: httpx.AsyncClient) -> None:
        self._gateway = gateway

    async def segment(self, call: str, **body: Any) -> None:
        answer = await self._gateway.post(f"/v1/{call}", json=body, auth=(KEY, ""))
        assert answer.status_code == 200, answer.text

    async def zendesk(self, change: str, ticket: int, at: datetime, event: dict[str, Any] | None = None) -> None:
        detail = {"id": str(ticket), "subject": "Cannot log in", "status": "OPEN", "requester_id": f"7{ticket}"}
        message = {
            "id": f"{change}-{ticket}",
            "subject": f"zen:ticket:{ticket}",
            "time": at.isoformat(),
            "type": f"zen:event-type:ticket.{change}",
            "zendesk_event_version": "2022-11-06",
            "detail": detail,
            "event": event or {},
        }
        body = orjson.dumps(message)
        headers = zendesk_headers(body, secret=ZENDESK.encode(), at=datetime.now(UTC))
        answer = await self._gateway.post("/zendesk/helpdesk", content=body, headers=headers)
        assert answer.status_code < 300, answer.text


def messages(heard: Receiver, policy: str) -> list[dict[str, Any]]:
    """What arrived about a policy, in order."""
    found = (json.loads(request.body)["data"] for request in heard.got)
    return [one for one in found if one["policy"] == policy]


async def test_a_late_fact_withdraws_what_was_sent(tmp_path: Path) -> None:
    """A complaint turns out to be a colleague's, by an identify; an answer in time arrives after the time was over."""
    async with receiver() as heard, running(tmp_path, configuration(tmp_path, heard)) as vendors:
        now = datetime.now(UTC)
        await vendors.zendesk("created", 1, now - ANSWER_WITHIN + SOON)
        complaint = {"event": "Complaint Received", "timestamp": now.isoformat()}
        await vendors.segment("track", messageId="m1", userId="u1", **complaint)
        await until(lambda: len(messages(heard, "complaint")) == 1)
        await vendors.segment("identify", messageId="m2", userId="u1", traits={"email": "bo@us.example"})
        await until(lambda: len(messages(heard, "complaint")) == 2)
        await vendors.zendesk("created", 2, datetime.now(UTC) + SOON)  # the helpdesk is heard, and not silent
        await until(lambda: len(messages(heard, "moment_of_truth_failed")) == 1)
        reply = {"comment": {"id": "c1", "body": "Try again", "is_public": True, "author": {"is_staff": True}}}
        await vendors.zendesk("comment_added", 1, now - ANSWER_WITHIN / 2, reply)
        await until(lambda: len(messages(heard, "moment_of_truth_failed")) == 2)
        await asyncio.sleep(1)
    for policy in ("complaint", "moment_of_truth_failed"):
        opened, withdrawn = messages(heard, policy)
        assert (opened["kind"], withdrawn["kind"]) == ("opened", "withdrawn")
        assert withdrawn["incident_id"] == opened["incident_id"]
        assert withdrawn["remark"] == "later facts show that it did not happen"
