"""PostHog's real SDKs, unchanged: each event arrives once and is understood, and the browser's calls no other host."""

from __future__ import annotations

import sys
import time

import pytest

from services.gateway import events
from services.gateway.answers import Answer
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Ignored, Mapped
from streams.connectors.ways import Reply
from tests.gateway_kit import FakeWriter, listening
from tests.sdk_kit import node_modules, run, site, touchpoints

CALLS = {"track:Quote Requested", "$set", "$groupidentify", "$create_alias", "$exception"}
PYTHON = """
import sys
from posthog import Posthog
sdk = Posthog("phc_x", host=sys.argv[1], capture_mode=sys.argv[2], gzip=sys.argv[3] == "gzip", max_retries=1)
sdk.capture("Quote Requested", distinct_id="u1", properties={"plan": "pro"}, groups={"company": "acme"})
sdk.set(distinct_id="u1", properties={"email": "ann@acme.example", "title": "CTO"})
sdk.group_identify("company", "acme", {"name": "Acme", "domain": "acme.example"}, distinct_id="u1")
sdk.alias("an1", "u1")
try:
    raise ValueError("boom")
except ValueError as error:
    sdk.capture_exception(error, distinct_id="u1")
sdk.shutdown()
"""
NODE = """
const {PostHog} = require("posthog-node");
(async () => {
  const sdk = new PostHog("phc_x", {host: process.argv[1]});
  sdk.capture({distinctId: "u1", event: "Quote Requested", properties: {plan: "pro"}, groups: {company: "acme"}});
  sdk.identify({distinctId: "u1", properties: {email: "ann@acme.example", title: "CTO"}});
  sdk.groupIdentify({groupType: "company", groupKey: "acme", distinctId: "u1",
    properties: {name: "Acme", domain: "acme.example"}});
  sdk.alias({distinctId: "u1", alias: "an1"});
  sdk.captureException(new Error("boom"), "u1");
  await sdk.shutdown();
})();
"""
NODE_V1 = f"process.env.POSTHOG_CAPTURE_MODE = 'v1';{NODE}"
PAGE = """<button id="buy">Buy now</button><button id="dead">Nothing</button>
<form id="demo" onsubmit="return false"><input id="mail" name="mail"><button id="send">Send</button></form>
<script src="/posthog-js/dist/array.full.no-external.js"></script><script>
posthog.init("phc_x", {api_host: "GATEWAY", opt_out_useragent_filter: true, defaults: "2025-11-30"});
posthog.group("company", "acme", {name: "Acme", domain: "acme.example"});
posthog.capture("Quote Requested", {plan: "pro"});
posthog.identify("u1", {email: "ann@acme.example", title: "CTO"});
posthog.alias("an1");
</script>"""
VISIT = """
import shutil, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as tools:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    browser = tools.chromium.launch(
        executable_path=path, args=["--no-sandbox"], proxy={"server": "http://127.0.0.1:9", "bypass": "127.0.0.1"})
    page = browser.new_page()
    page.on("request", lambda request: print(request.url.split("/")[2]))
    page.goto(sys.argv[1])
    page.wait_for_timeout(1500)
    page.click("#buy")
    for _ in range(4):
        page.click("#dead", delay=10)
    page.fill("#mail", "typed@acme.example")
    page.click("#send")
    page.evaluate("setTimeout(() => {throw new TypeError('nope')}, 10)")
    page.wait_for_timeout(5000)
    page.goto("about:blank")
    page.wait_for_timeout(500)
    browser.close()
"""


def assert_understood(writer: FakeWriter) -> None:
    """Every call once, with ids, traits and account where the SDK was given them."""
    found = touchpoints(writer)
    by_type = {"$set" if one.vendor_type == "$identify" else one.vendor_type: one for one in found}
    assert set(by_type) == CALLS and len({one.event_id for one in found}) == len(found) == len(CALLS)
    assert {"email:ann@acme.example", "user:u1"} == set(by_type["$set"].aliases)
    assert by_type["$set"].person_traits == {"title": "CTO"}
    quote = by_type["track:Quote Requested"]
    assert (quote.properties["plan"], quote.account_refs, quote.aliases) == ("pro", ("group:acme",), ("user:u1",))
    group = by_type["$groupidentify"]
    assert (group.action, group.account_refs, group.aliases) == ("group", ("group:acme",), ("user:u1",))
    assert group.account_traits == {"name": "Acme", "domain": "acme.example"}
    assert {"user:u1", "anonymous:an1"} <= set(by_type["$create_alias"].aliases)
    assert by_type["$create_alias"].properties["given_up"] == "user:an1"
    assert by_type["$exception"].text == "boom"
    assert all(abs((one.received_at - one.occurred_at).total_seconds()) < 60 for one in found)


@pytest.mark.parametrize("packed", ["gzip", "plain"])
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_python(version: str, packed: str) -> None:
    with listening() as (url, writer):
        run(sys.executable, "-c", PYTHON, url, version, packed)
        time.sleep(0.2)
    assert_understood(writer)
    assert {item.path for item in writer.items} == {"/batch/" if version == "v0" else "/i/v1/analytics/events"}


@pytest.mark.node
@pytest.mark.parametrize(("script", "path"), [(NODE, "/batch/"), (NODE_V1, "/i/v1/analytics/events")], ids=["v0", "v1"])
def test_node(script: str, path: str) -> None:
    with listening() as (url, writer):
        run("node", "-e", script, url, cwd=node_modules().parent)
    assert_understood(writer)
    assert {item.path for item in writer.items} == {path}


@pytest.mark.node
@pytest.mark.browser
def test_browser() -> None:
    with listening() as (url, writer), site(PAGE.replace("GATEWAY", url)) as address:
        done = run(sys.executable, "-c", VISIT, address)
    hosts = set(done.split())
    assert hosts == {url.split("/")[2], address.split("/")[2]}
    results = [result for item in writer.items for result in CONNECTORS["posthog"].read(item)]
    assert {one.reason for one in results if isinstance(one, Ignored)} <= {"page_left"}
    found = [one.touchpoint for one in results if isinstance(one, Mapped)]
    assert len(found) + sum(isinstance(one, Ignored) for one in results) == len(results)
    assert len({one.event_id for one in found}) == len(found)
    told = {(one.vendor_type, one.action) for one in found}
    assert told >= {
        ("$pageview", "page_view"),
        ("$groupidentify", "group"),
        ("$identify", "identify"),
        ("$create_alias", "alias"),
        ("track:Quote Requested", "custom"),
        ("$autocapture", "click"),
        ("$autocapture", "form_touched"),
        ("$autocapture", "form_submitted"),
        ("$rageclick", "click"),
        ("$dead_click", "click"),
        ("$exception", "client_error"),
    }
    identified = next(one for one in found if one.vendor_type == "$identify")
    before = next(one for one in found if one.vendor_type == "$groupidentify")
    assert {"user:u1", "email:ann@acme.example", *before.aliases} == set(identified.aliases)
    assert {one.element for one in found if one.vendor_type in ("$rageclick", "$dead_click")} >= {"dead"}
    assert not any("typed@acme.example" in str(one) for one in found)


def test_the_once_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: a gateway that answers 202 gets everything again from this SDK."""

    def accepted(reply: Reply) -> Answer:
        return Answer(202, reply.body)

    monkeypatch.setattr(events, "replied", accepted)
    with listening() as (url, writer):
        run(sys.executable, "-c", PYTHON, url, "v0", "plain")
    with pytest.raises(AssertionError):
        assert_understood(writer)
