"""The vendors' real SDKs against a listening gateway: each message arrives once, is understood, and none is resent."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.touchpoints import CleanTouchpoint
from services.gateway import address as address_module
from services.gateway import browser, events
from services.gateway.answers import Answer, json_answer
from tests.gateway_kit import listening
from tests.sdk_kit import SEGMENT_FILES, node_modules, run, site, touchpoints, visit

CALLS = {"identify", "track", "page", "group", "alias"}

PYTHON = {
    "segment": """
import sys, segment.analytics as sdk
sdk.write_key, sdk.host, sdk.gzip = "WK", sys.argv[1], True
{calls}
sdk.shutdown()
""",
    "rudderstack": """
import sys
from rudderstack.analytics import Client
sdk = Client("RK", host=sys.argv[1], gzip=True)
{calls}
sdk.flush(); sdk.join()
""",
}
PYTHON_CALLS = """
sdk.identify("u1", {"email": "ann@acme.example", "title": "CTO"})
sdk.track("u1", "Quote Requested", {"plan": "pro"})
sdk.page("u1", "docs", "Pricing", {"path": "/pricing"})
sdk.group("u1", "acme", {"name": "Acme", "domain": "acme.example"})
sdk.alias("an1", "u1")
"""
NODE_CALLS = """
sdk.identify({userId: "u1", traits: {email: "ann@acme.example", title: "CTO"}});
sdk.track({userId: "u1", event: "Quote Requested", properties: {plan: "pro"}});
sdk.page({userId: "u1", name: "Pricing", properties: {path: "/pricing"}});
sdk.group({userId: "u1", groupId: "acme", traits: {name: "Acme", domain: "acme.example"}});
sdk.alias({previousId: "an1", userId: "u1"});
"""
NODE = {
    "segment": """
const {Analytics} = require("@segment/analytics-node");
const sdk = new Analytics({writeKey: "WK", host: process.argv[1]});
%s
sdk.closeAndFlush();
""",
    "rudderstack": """
const module_ = require("@rudderstack/rudder-sdk-node");
const sdk = new (module_.default || module_)("RK", {dataPlaneUrl: process.argv[1], gzip: true});
%s
sdk.flush();
""",
}
BROWSER_CALLS = """
sdk.identify("u1", {email: "ann@acme.example", title: "CTO"});
sdk.track("Quote Requested", {plan: "pro"});
sdk.page("docs", "Pricing", {path: "/pricing"});
sdk.group("acme", {name: "Acme", domain: "acme.example"});
sdk.alias("u1", "an1");
"""
LOADED = """<script src="/@segment/analytics-next/dist/umd/index.js"></script><script>
const sdk = AnalyticsNext.AnalyticsBrowser.load({writeKey: "WK", cdnURL: "GATEWAY"}, OPTIONS);
CALLS
</script>"""
#: As Segment documents it, with the gateway in the place of its own host.
SNIPPET = """<script>
const analytics = window.analytics = [];
for (const method of ["identify", "track", "page", "group", "alias"])
  analytics[method] = (...given) => (analytics.push([method, ...given]), analytics);
analytics.load = (key) => {
  const script = document.createElement("script");
  script.async = true;
  script.dataset.globalSegmentAnalyticsKey = "analytics";
  script.src = "GATEWAY/analytics.js/v1/" + key + "/analytics.min.js";
  document.head.append(script);
};
analytics._writeKey = "WK";
analytics.SNIPPET_VERSION = "5.2.0";
analytics.load("WK");
const sdk = analytics;
CALLS
</script>"""
PAGES = {
    "segment": LOADED.replace("OPTIONS", "{}"),
    "segment, batching": LOADED.replace(
        "OPTIONS",
        "{integrations: {'Segment.io': {deliveryStrategy: {strategy: 'batching', config: {timeout: 500}}}}}",
    ),
    "segment, its snippet": SNIPPET,
    "rudderstack": """<script>window.rudderanalytics = undefined;</script>
<script src="/@rudderstack/analytics-js/dist/npm/legacy/bundled/umd/index.js"></script><script>
const sdk = new rudderanalytics.RudderAnalytics();
sdk.load("RK", "GATEWAY", {configUrl: "GATEWAY"});
CALLS
</script>""",
}


def kinds(found: list[CleanTouchpoint]) -> set[str]:
    return {one.vendor_type.partition(":")[0] for one in found}


def assert_understood(found: list[CleanTouchpoint]) -> None:
    """Every call once, with ids, traits and account where the SDK was given them."""
    assert len({one.event_id for one in found}) == len(found) == len(CALLS), [one.vendor_type for one in found]
    assert kinds(found) == CALLS
    by_kind = {one.vendor_type.partition(":")[0]: one for one in found}
    assert "email:ann@acme.example" in by_kind["identify"].aliases
    assert by_kind["identify"].person_traits["title"] == "CTO"
    assert by_kind["track"].properties["plan"] == "pro" and "user:u1" in by_kind["track"].aliases
    assert by_kind["page"].action == "page_view"
    assert by_kind["group"].account_refs == ("group:acme",)
    assert by_kind["group"].account_traits == {"name": "Acme", "domain": "acme.example"}
    assert {"user:u1", "anonymous:an1"} <= set(by_kind["alias"].aliases)
    assert all(abs((one.received_at - one.occurred_at).total_seconds()) < 60 for one in found)


@pytest.mark.parametrize("vendor", sorted(PYTHON))
def test_python(vendor: str) -> None:
    with listening() as (url, writer):
        run(sys.executable, "-c", PYTHON[vendor].format(calls=PYTHON_CALLS), url)
        time.sleep(0.2)
    assert_understood(touchpoints(writer))


@pytest.mark.node
@pytest.mark.parametrize("vendor", sorted(NODE))
def test_node(vendor: str) -> None:
    with listening() as (url, writer):
        run("node", "-e", NODE[vendor] % NODE_CALLS, url, cwd=node_modules().parent)
    assert_understood(touchpoints(writer))


@pytest.mark.node
@pytest.mark.browser
@pytest.mark.parametrize("kind", sorted(PAGES))
def test_browser(kind: str, tmp_path: Path) -> None:
    """And nobody else hears of it: every host that the browser calls is ours."""
    files = {"web": sdk_files()} if "snippet" in kind else None
    with listening(sdk_files=files) as (url, writer), site(filled(kind, url)) as address:
        called = visit(tmp_path, f"{address}@4")
    assert_understood(touchpoints(writer))
    assert called == set()


@pytest.mark.node
@pytest.mark.browser
def test_a_gateway_that_cannot_know_its_address_sends_nobody_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_module, "_called", lambda request: "")
    for kind in ("segment", "segment, its snippet"):
        with listening(sdk_files={"web": sdk_files()}) as (url, writer), site(filled(kind, url)) as address:
            assert visit(tmp_path / kind, f"{address}@2") == set()
        assert writer.items == []


@pytest.mark.node
@pytest.mark.browser
def test_the_check_of_hosts_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: settings that name no host of ours, as they once did, send names and addresses to the vendor."""
    monkeypatch.setattr(browser, "json_answer", without_host)
    with listening() as (url, writer), site(filled("segment", url)) as address:
        called = visit(tmp_path, f"{address}@3")
    assert called == {"api.segment.io"} and writer.items == []


def filled(kind: str, url: str) -> str:
    return PAGES[kind].replace("CALLS", BROWSER_CALLS).replace("GATEWAY", url)


def without_host(value: Any) -> Answer:
    del value["integrations"]["Segment.io"]["apiHost"]
    return json_answer(value)


def sdk_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (node_modules() / SEGMENT_FILES).glob("*.js")}


def test_the_once_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: a gateway that answers 202 gets everything again from this SDK."""
    monkeypatch.setattr(events, "replied", lambda reply: Answer(202, reply.body))
    script = PYTHON["rudderstack"].format(calls=PYTHON_CALLS).replace("gzip=True", "gzip=True, max_retries=1")
    with listening() as (url, writer):
        run(sys.executable, "-c", script, url)
    with pytest.raises(AssertionError):
        assert_understood(touchpoints(writer))
