"""A painful touchpoint comes in through a vendor's protocol, and the routed message goes out: all real parts."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.test_alerts import SECRET
from tests.receivers import Receiver, receiver, until

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
KEY = "web-key-of-the-test"


def written(folder: Path, support: Receiver, sales: Receiver) -> Path:
    """A configuration with two channels, one for each department."""
    for name, text in (("web", KEY), ("hook", SECRET), ("links", "l" * 32)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    hooks = [
        {"name": name, "url": heard.url, "secrets": [{"file": "hook"}]}
        for name, heard in (("support", support), ("sales", sales))
    ]
    document = {
        "sources": [{"name": "web", "vendor": "segment", "secrets": [{"file": "web"}]}],
        "alerts": {
            "allow_private": ["127.0.0.1"],
            "public_url": "https://journey.example.com",
            "links": {"url": "https://in.example.com", "secrets": [{"file": "links"}]},
            "webhooks": hooks,
            "routes": [
                {"departments": ["Support", "Customer success"], "channels": ["support"], "at_least": "high"},
                {"departments": ["Sales"], "channels": ["sales"]},
            ],
        },
    }
    file = folder / "touchline.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


async def track(gateway: str, message_id: str, event: str, at: datetime) -> None:
    body = {
        "messageId": message_id,
        "userId": "u1",
        "event": event,
        "timestamp": at.isoformat(),
        "context": {"traits": {"email": "ada@acme.example", "title": "CFO"}},
    }
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{gateway}/v1/track", json=body, auth=(KEY, ""))
    assert answer.status_code == 200


async def taken(gateway: str, act: str, folder: Path) -> str:
    """Who takes care of the incident after its link was opened, and after its form was sent by Ann."""
    link = act.replace("https://in.example.com", gateway) + "?do=take"
    async with httpx.AsyncClient() as client:
        page = await client.get(link)
        assert (page.status_code, "Your name" in page.text) == (200, True)
        answer = await client.post(link, data={"do": "take", "by": "Ann"})
        assert answer.status_code == 200, answer.text
    command = [sys.executable, "-m", "services.cli.main", "incidents", "ls", "--data", str(folder / "data")]
    listing = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await listing.communicate()
    return str(json.loads(out.splitlines()[0])["taken_by"])


async def test_from_a_vendors_request_to_the_owners_channel(tmp_path: Path) -> None:
    async with receiver() as support, receiver() as sales:
        file = written(tmp_path, support, sales)
        command = [sys.executable, "-m", "services.cli.main", "up", "--data", str(tmp_path / "data"), "--json"]
        command += ["--config", str(file), "--gateway-port", "0", "--dashboard-port", "0"]
        with (tmp_path / "up.log").open("w") as log:
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=log)
        try:
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 120)
            assert line, (tmp_path / "up.log").read_text()
            ready = json.loads(line)
            now = datetime.now(UTC)
            await track(ready["gateway_url"], "m-old", "Complaint Received", now.replace(year=now.year - 1))
            await track(ready["gateway_url"], "m-1", "Complaint Received", now)
            loop = asyncio.get_running_loop()
            sent_at = loop.time()
            await until(lambda: len(support.got) >= 1, 60)
            print(f"from the event's 2xx to the message: {loop.time() - sent_at:.2f} s")
            data = json.loads(support.got[0].body)["data"]
            assert (data["kind"], data["policy"], data["level"]) == ("opened", "complaint", "severe")
            assert data["where"].startswith("https://journey.example.com/accounts/")
            assert data["department"] in ("Support", "Customer success")
            assert await taken(ready["gateway_url"], data["act"], tmp_path) == "Ann"
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 60) == 0
            assert len(support.got) == 1, "what happened a year ago wakes nobody"
            assert sales.got == []
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
