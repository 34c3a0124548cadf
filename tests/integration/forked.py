"""A service for the fork server: `main(["serve"])` answers its probe, `main(["end", CODE])` ends, others tell on it."""

from __future__ import annotations

import http.server
import json
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
    """As every service a fork becomes: from arguments to an exit code."""
    match arguments:
        case ["serve"]:
            http.server.HTTPServer(("127.0.0.1", int(os.environ["TOUCHLINE_OPS_PORT"])), _Ready).serve_forever()
        case ["end", code]:
            return int(code)
        case ["raise"]:
            raise RuntimeError("this is what went wrong")
        case _:
            loaded = [name for name in ("wave", "colorsys") if name in sys.modules]
            env = {name: value for name, value in os.environ.items() if name.startswith("T_")}
            print(json.dumps({"arguments": list(arguments), "env": env, "loaded": loaded, "session": os.getsid(0)}))
    return 0
