"""Five hundred pages of a headless agent and what else is no customer's, through a running Touchline: sent = kept,
kept = shown + left out, each page says how many and why, and a change of the settings holds for what is stored."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from services.gateway.signatures import Signed, prove
from streams.connectors.registry import CONNECTORS
from tests.integration.test_up import run, running

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.slow]
SHIPPED = Path(__file__).parents[2] / "infra" / "blueprints"
WITHIN_S = 180.0
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
HEADLESS = BROWSER.replace("Chrome/", "HeadlessChrome/")
OURS = "acme.example"
NOW = datetime.now(UTC)
REFUSED = {"categoryPreferences": {"Advertising": False, "Analytics": False, "Functional": False}}
Message = dict[str, Any]


def page(
    name: str, number: int, who: Message, *, host: str = "www.acme.example", agent: str = BROWSER, **more: Any
) -> Message:
    """A view of the prices, some minutes ago."""
    context = {"userAgent": agent, "page": {"url": f"https://{host}/pricing", "path": "/pricing"}} | more
    at = NOW - timedelta(minutes=30, seconds=-number)
    return {
        "type": "page",
        "messageId": f"{name}-{number}",
        "name": "Pricing",
        "timestamp": at.isoformat(),
        "context": context,
        **who,
    }


def person(number: int, domain: str) -> Message:
    return {"userId": f"{domain}-{number}", "anonymousId": f"{domain}-a{number}"}


def mail(number: int, domain: str) -> Message:
    return {"traits": {"email": f"u{number}@{domain}"}}


#: By who they are: what is sent.
SENT: dict[str, list[Message]] = {
    "headless": [page("bot", n, {"anonymousId": f"bot-{n % 25}"}, agent=HEADLESS) for n in range(500)],
    "localhost": [page("local", n, {"anonymousId": "dev"}, host="localhost:3000") for n in range(30)],
    "staging": [page("qa", n, {"anonymousId": "qa"}, host="staging.acme.example") for n in range(20)],
    "own": [page("own", n, person(n % 3, OURS), **mail(n % 3, OURS)) for n in range(15)],
    "agent": [page("agent", n, person(7 + n % 2, OURS), **mail(7 + n % 2, OURS)) for n in range(10)],
    "declined": [
        page("no", n, person(n % 4, "shy.example"), **mail(n % 4, "shy.example"), consent=REFUSED) for n in range(12)
    ],
    "customers": [
        page("customer", n, person(n % 8, f"c{n % 4}.example"), **mail(n % 8, f"c{n % 4}.example")) for n in range(40)
    ],
}
#: What each of them counts as, before anything is configured, and with the settings below.
AT_FIRST = {
    "headless": "bot",
    "localhost": "internal",
    "staging": "internal",
    "declined": "declined",
    "own": "customer",
    "agent": "internal",
    "customers": "customer",
}
SETTINGS = "traffic:\n  own_domains: [acme.example]\n  internal_hosts: [localhost]\n"
THEN = AT_FIRST | {"own": "internal", "staging": "customer"}


def by_kind(kinds: dict[str, str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for who, messages in SENT.items():
        found[kinds[who]] += len(messages)
    return dict(found)


def send(url: str, data: Path) -> None:
    """All of it, in batches of 50; first the helpdesk says who its agents are."""
    agents = [{"id": str(n), "email": f"u{n}@acme.example", "role": "agent"} for n in (7, 8)]
    secret = (data / "secrets" / "support").read_text().strip().encode()
    webhook = CONNECTORS["zendesk"].webhook
    assert webhook is not None
    for agent in agents:
        body = orjson.dumps(
            {
                "type": "zen:event-type:user.created",
                "id": f"z{agent['id']}",
                "time": NOW.isoformat(),
                "detail": agent,
                "event": {},
            }
        )
        headers = prove(webhook.scheme, secret, Signed(b"POST", (b"",), {}, body), datetime.now(UTC))
        assert httpx.post(f"{url}/zendesk/support", content=body, headers=headers).status_code == 200
    key = (data / "secrets" / "web").read_text().strip()
    messages = [message for of in SENT.values() for message in of]
    for begin in range(0, len(messages), 50):
        answer = httpx.post(f"{url}/v1/batch", json={"batch": messages[begin : begin + 50]}, auth=(key, ""))
        assert answer.status_code == 200


def until(look: Callable[[], dict[str, int]], expected: dict[str, int]) -> None:
    """Waits for it; everything is in the end where it belongs."""
    deadline = time.monotonic() + WITHIN_S
    while (found := look()) != expected:
        assert time.monotonic() < deadline, f"{found} instead of {expected}"
        time.sleep(1)


def kept(data: Path) -> dict[str, int]:
    """What is stored of the website, by kind, as `touchline sources ls` says."""
    lines = [json.loads(line) for line in run(data, "sources", "ls").stdout.splitlines()]
    web = next(line for line in lines if line["source"] == "web")
    others = dict(web["not_of_customers"])
    return {"customer": web["stored_touchpoints"] - sum(others.values()), **others}


def shown(page_url: str, traffic: str = "") -> tuple[int, dict[str, int]]:
    """What the map counts of the last day, and what it says it leaves out."""
    query = {"window": "24h"} | ({"traffic": traffic} if traffic else {})
    answer = httpx.get(f"{page_url}/api/map", params=query).raise_for_status().json()
    return answer["totals"]["touchpoints"], {each["traffic"]: each["touchpoints"] for each in answer["left_out"]}


def check(ready: dict[str, Any], data: Path, kinds: dict[str, str]) -> None:
    expected = by_kind(kinds)
    until(lambda: kept(data), expected)
    left = {kind: number for kind, number in expected.items() if kind != "customer"}
    until(lambda: shown(ready["dashboard_url"])[1], left)
    counted, _ = shown(ready["dashboard_url"])
    assert counted == expected["customer"]
    everything, out = shown(ready["dashboard_url"], "all")
    assert (everything, out) == (sum(expected.values()), {})
    text = httpx.get(f"{ready['dashboard_url']}/map?window=24h").raise_for_status().text
    (line,) = re.findall(r'<p class="legend left-out">(.*?)</p>', text)
    numbers = [int(found) for found in re.findall(r">(\d+) ", line)]
    assert sorted(numbers) == sorted(left.values())
    (click,) = re.findall(r'<a href="([^"]*traffic=all[^"]*)">Count them</a>', line)
    assert "Left out" not in httpx.get(f"{ready['dashboard_url']}{click}".replace("&amp;", "&")).raise_for_status().text


def test_sent_is_kept_and_kept_is_shown_or_left_out(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as (_, ready):
        send(ready["gateway_url"], data)
        check(ready, data, AT_FIRST)
    shutil.copytree(SHIPPED, data / "journey")
    with (data / "journey" / "default.yaml").open("a") as blueprint:
        blueprint.write(f"\n{SETTINGS}")
    with (data / "touchline.yaml").open("a") as config:
        config.write("\njourney:\n  blueprint: journey/default.yaml\n")
    with running(data) as (_, ready):
        done = run(data, "remap")
        assert done.returncode == 0, done.stdout + done.stderr
        check(ready, data, THEN)
