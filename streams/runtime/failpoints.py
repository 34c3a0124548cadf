"""Failpoints: named places where a test can kill, fail or delay this process, exactly there.

`TOUCHLINE_FAILPOINT=gateway_after_ack:kill:after=3` kills at the fourth passing; several are separated by commas.
Actions: `kill` (SIGKILL to self), `raise` (RuntimeError), `sleep:<seconds>`. Unset, `hit` costs one dict lookup.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from functools import lru_cache

VARIABLE = "TOUCHLINE_FAILPOINT"


@dataclass(slots=True)
class Failpoint:
    """One armed place; acts on every passing after the first `spare`."""

    name: str
    action: str
    seconds: float = 0.0
    spare: int = 0


def parse(text: str) -> dict[str, Failpoint]:
    """`name:kill|raise|sleep:<seconds>[:after=<k>]`, comma-separated; ValueError names what is wrong."""
    return {point.name: point for point in (_parse_one(part) for part in text.split(",") if part.strip())}


def hit(name: str) -> None:
    """Pass the place `name`; does what was asked for there, by default nothing. Blocks while it sleeps."""
    point = _armed().get(name)
    if point is None:
        return
    if point.spare > 0:
        point.spare -= 1
        return
    if point.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if point.action == "raise":
        raise RuntimeError(f"failpoint {name}")
    time.sleep(point.seconds)


@lru_cache(maxsize=1)
def _armed() -> dict[str, Failpoint]:
    return parse(os.environ.get(VARIABLE, ""))


def _parse_one(text: str) -> Failpoint:
    name, *rest = text.strip().split(":")
    if not name or not rest or rest[0] not in ("kill", "raise", "sleep"):
        raise ValueError(f"{VARIABLE}: `{text}` is not NAME:kill|raise|sleep:<seconds>[:after=<k>]")
    point = Failpoint(name, rest.pop(0))
    if point.action == "sleep":
        point.seconds = float(rest.pop(0)) if rest else 0.0
    for option in rest:
        key, _, value = option.partition("=")
        if key != "after" or not value.isdigit():
            raise ValueError(f"{VARIABLE}: unknown option `{option}`")
        point.spare = int(value)
    return point
