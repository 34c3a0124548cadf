"""The vendors' real SDKs against a listening gateway: each message arrives once, is understood, and none is resent."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.touchpoints import CleanTouchpoint
from services.gateway import events
from services.gateway.answers import Answer
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from tests.gateway_kit import FakeWriter, listening

PACKAGES = (
    "@segment/analytics-node@3.1.0",
    "@rudderstack/rudder-sdk-node@3.0.13",
    "@segment/analytics-next@1.84.3",
    "@rudderstack/analytics-js@3.34.1",
    "posthog-node@5.70.0",
    "posthog-js@1.449.2",
)
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
PAGES = {
    "segment": """<script src="/@segment/analytics-next/dist/umd/index.js"></script><script>
fetch("GATEWAY/v1/projects/WK/settings").then(r => r.json()).then(cdnSettings => {
  const [host, protocol] = ["GATEWAY".slice(7) + "/v1", "http"];
  const sdk = AnalyticsNext.AnalyticsBrowser.load({writeKey: "WK", cdnSettings},
    {integrations: {"Segment.io": {apiHost: host, protocol}}});
  CALLS
});</script>""",
    "rudderstack": """<script>window.rudderanalytics = undefined;</script>
<script src="/@rudderstack/analytics-js/dist/npm/legacy/bundled/umd/index.js"></script><script>
const sdk = new rudderanalytics.RudderAnalytics();
sdk.load("RK", "GATEWAY", {configUrl: "GATEWAY"});
CALLS
</script>""",
}


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The SDKs of npm, installed once per machine and version."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchline" / "node-sdks-2"
    folder = cache / "node_modules"
    if not (cache / "complete").exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(cache), *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        if done.returncode:
            pytest.skip(f"npm could not install the SDKs: {done.stderr[-200:]}")
        (cache / "complete").touch()
    return folder


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def touchpoints(writer: FakeWriter) -> list[CleanTouchpoint]:
    results = [result for item in writer.items for result in CONNECTORS[item.vendor].read(item)]
    refused = [result for result in results if not isinstance(result, Mapped)]
    assert not refused, refused
    return [result.touchpoint for result in results if isinstance(result, Mapped)]


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
def test_node(vendor: str, node_modules: Path) -> None:
    with listening() as (url, writer):
        run("node", "-e", NODE[vendor] % NODE_CALLS, url, cwd=node_modules.parent)
    assert_understood(touchpoints(writer))


@contextmanager
def site(node_modules: Path, page: str) -> Iterator[str]:
    """Another origin than the gateway's: one page, and the SDKs' files."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Shop</title>{page}".encode())
            return None

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=node_modules)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


VISIT = """
import shutil, sys, time
from playwright.sync_api import sync_playwright
with sync_playwright() as tools:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    browser = tools.chromium.launch(executable_path=path, args=["--no-sandbox"])
    page = browser.new_page()
    page.on("console", lambda line: print(line.text, file=sys.stderr))
    page.goto(sys.argv[1])
    page.wait_for_timeout(float(sys.argv[2]) * 1000)
    browser.close()
"""


@pytest.mark.node
@pytest.mark.browser
@pytest.mark.parametrize("vendor", sorted(PAGES))
def test_browser(vendor: str, node_modules: Path) -> None:
    with listening() as (url, writer):
        page = PAGES[vendor].replace("CALLS", BROWSER_CALLS).replace("GATEWAY", url)
        with site(node_modules, page) as address:
            run(sys.executable, "-c", VISIT, address, "4")
    assert_understood(touchpoints(writer))


def test_the_once_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: a gateway that answers 202 gets everything again from this SDK."""
    monkeypatch.setattr(events, "replied", lambda reply: Answer(202, reply.body))
    script = PYTHON["rudderstack"].format(calls=PYTHON_CALLS).replace("gzip=True", "gzip=True, max_retries=1")
    with listening() as (url, writer):
        run(sys.executable, "-c", script, url)
    with pytest.raises(AssertionError):
        assert_understood(touchpoints(writer))
