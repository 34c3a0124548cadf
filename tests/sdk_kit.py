"""Vendors' real SDKs for tests: installed once, run in Python, Node and Chromium, with every host they call."""

from __future__ import annotations

import functools
import http.server
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.touchpoints import CleanTouchpoint
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from tests.gateway_kit import FakeWriter

PACKAGES = (
    "@segment/analytics-node@3.1.0",
    "@rudderstack/rudder-sdk-node@3.0.13",
    "@segment/analytics-next@1.84.3",
    "@rudderstack/analytics-js@3.34.1",
    "posthog-node@5.70.0",
    "posthog-js@1.449.2",
)
SEGMENT_FILES = "@segment/analytics-next/dist/umd"


@functools.cache
def node_modules() -> Path:
    """The SDKs of npm, installed once per machine and version; skips the test where npm cannot."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchline" / "node-sdks-2"
    if not (cache / "complete").exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(cache), *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        if done.returncode:
            pytest.skip(f"npm could not install the SDKs: {done.stderr[-200:]}")
        (cache / "complete").touch()
    return cache / "node_modules"


def run(*command: str, cwd: Path | None = None, timeout_s: float = 60) -> str:
    """Its standard output; fails the test with its standard error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def touchpoints(writer: FakeWriter) -> list[CleanTouchpoint]:
    """What came of all that a gateway took; nothing may have been refused."""
    results = [result for item in writer.items for result in CONNECTORS[item.vendor].read(item)]
    refused = [result for result in results if not isinstance(result, Mapped)]
    assert not refused, refused
    return [result.touchpoint for result in results if isinstance(result, Mapped)]


@contextmanager
def site(page: str) -> Iterator[str]:
    """Another origin than the gateway's: one page, and the SDKs' files."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] not in ("/", "/next"):
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Shop</title>{page if self.path[1:5] != 'next' else ''}".encode())
            return None

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=node_modules())
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def outside() -> Iterator[tuple[str, set[str]]]:
    """A proxy that stands for the rest of the world: nobody answers there, and who was called is written down."""
    called: set[str] = set()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words = self.rfile.readline().decode("latin-1").split()
            if len(words) > 1:
                called.add(words[1].partition("://")[2].partition("/")[0] or words[1])
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", called
        finally:
            server.shutdown()
            thread.join()


_VISIT = """
import shutil, sys
from playwright.sync_api import sync_playwright
proxy, profile, *visits = sys.argv[1:]
with sync_playwright() as tools:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    browser = tools.chromium.launch_persistent_context(
        profile, executable_path=path, args=["--no-sandbox"], proxy={"server": proxy, "bypass": "127.0.0.1"})
    page = browser.pages[0]
    page.on("console", lambda line: print(line.text, file=sys.stderr))
    for visit in visits:
        address, _, wait_s = visit.rpartition("@")
        page.goto(address)
        page.wait_for_timeout(float(wait_s) * 1000)
    browser.close()
"""


def visit(profile: Path, *visits: str, timeout_s: float = 90) -> set[str]:
    """Open `ADDRESS@SECONDS` one after the other in one browser; every host it called outside this machine.

    The browser's own calls home are none of the page's and left out.
    """
    with outside() as (proxy, called):
        run(sys.executable, "-c", _VISIT, proxy, str(profile), *visits, timeout_s=timeout_s)
    return {host for host in called if not host.partition(":")[0].endswith((".google.com", ".googleapis.com"))}
