"""A service as the supervisor starts one: `serve` answers its probe, `end CODE` ends."""

from __future__ import annotations

import http.server
import os
import sys
from collections.abc import Sequence


class _Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        print("asked")


def main(arguments: Sequence[str]) -> int:
    """From arguments to an exit code."""
    if arguments[0] == "end":
        return int(arguments[1])
    http.server.HTTPServer(("127.0.0.1", int(os.environ["TOUCHLINE_OPS_PORT"])), _Ready).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
