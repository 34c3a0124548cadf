"""What stands between a sender and the gateway, and does to its first requests what networks and proxies do."""

from __future__ import annotations

import http.client
import http.server
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["503", "503 with Retry-After", "429", "reset", "cut answer", "none"]
"""`reset`: the connection is reset before anything is passed on. `cut answer`: it is passed on and taken, and the
connection is closed in the middle of the answer, so that the sender cannot know."""
FAULTS: tuple[Fault, ...] = ("503", "503 with Retry-After", "429", "reset", "cut answer")
_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass
class BadNetwork:
    """`left` requests that carry events are still to be hurt; `hurt` have been."""

    fault: Fault
    left: int
    hurt: int = 0
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, method: str, path: str) -> Fault:
        """What is done to this request."""
        with self._lock:
            if method != "POST" or path.startswith("/v1/m") or not self.left:
                return "none"
            self.left -= 1
            self.hurt += 1
            return self.fault


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _any(self) -> None:
        body = self._body()
        fault = self.server.network.takes(self.command, self.path)
        if fault == "reset":
            return self._break()
        if fault in ("503", "503 with Retry-After", "429"):
            return self._answer(int(fault[:3]), {"Retry-After": "1"} if fault != "503" else {}, b"busy")
        status, headers, answer = self._passed_on(body)
        if fault == "cut answer":
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer) + 9}\r\n\r\n".encode() + answer[:1])
            self.close_connection = True  # as a proxy that goes away does: no reset, which some tell apart
            return None
        return self._answer(status, headers, answer)

    do_GET = do_POST = do_OPTIONS = do_HEAD = _any

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        skipped = ("transfer-encoding", "content-length", "connection")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in skipped}
        sending = http.client.HTTPConnection(*self.server.gateway, timeout=20)
        try:
            sending.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
            got = sending.getresponse()
            return got.status, dict(got.getheaders()), got.read()
        finally:
            sending.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        told = {name.lower(): value for name, value in headers.items()}
        if origin := self.headers.get("Origin"):  # else a page could not tell a 503 from a broken connection
            told |= {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}
        self.send_response(status)
        for name, value in told.items():
            if name not in ("content-length", "date", "server", "connection"):
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _break(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, network: BadNetwork, gateway: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.network, self.gateway = network, gateway

    def handle_error(self, *_: Any) -> None:
        """A broken connection is what is wanted."""


@contextmanager
def bad_network(gateway: str, fault: Fault, times: int) -> Iterator[BadNetwork]:
    """A proxy before the gateway at this address; its own is `url`."""
    network, parts = BadNetwork(fault, times), urlsplit(gateway)
    with _Server(network, (parts.hostname or "", parts.port or 80)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        network.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield network
        finally:
            server.shutdown()
            thread.join()
