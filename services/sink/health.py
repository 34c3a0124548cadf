"""What the sink knows about itself, for /healthz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from streams.runtime.log_guard import LogGuard
from streams.runtime.metrics_server import Checks


@dataclass(slots=True)
class SinkHealth:
    """Kept up to date by the sink's loop; `report` is the truth at the moment of asking."""

    clock: Callable[[], datetime]
    waiting_for: str = "Kafka"
    waiting_since: datetime | None = None
    last_error: str = ""
    last_stored_at: datetime | None = None
    fuse: str = ""
    lost_records: int = 0
    restarted_topics: int = 0
    guard: LogGuard | None = None
    little_space: Callable[[], str] = str
    """Says how little disk space ClickHouse has left; empty: enough, or not known."""

    def wait(self, what: str, error: str) -> bool:
        """Something is away; True when this is news."""
        news = self.waiting_since is None or self.waiting_for != what
        if news:
            self.waiting_for, self.waiting_since = what, self.clock()
        self.last_error = error
        return news

    def go_on(self) -> float | None:
        """It is back: seconds waited, None when nothing was away."""
        if self.waiting_since is None:
            return None
        waited_s = (self.clock() - self.waiting_since).total_seconds()
        self.waiting_since, self.last_error = None, ""
        return waited_s

    def report(self) -> tuple[bool, Checks]:
        """Able to store now? And why (not)."""
        checks: dict[str, object] = {"lost_records": self.lost_records, "restarted_topics": self.restarted_topics}
        if self.last_stored_at is not None:
            checks["last_stored_s_ago"] = round((self.clock() - self.last_stored_at).total_seconds(), 1)
        if self.guard is not None and (went_back := self.guard.returns):
            checks["went_back"] = went_back
        if self.waiting_since is not None:
            since = self.waiting_since.isoformat(timespec="seconds")
            checks["waiting"] = f"waiting for {self.waiting_for} since {since}"
            checks["error"] = self.last_error[:300]
        if words := self.little_space():
            checks["disk"] = words
        if self.fuse:
            checks["fuse"] = f"stopped: {self.fuse}; fix the cause and restart, nothing was committed since"
        return self.waiting_since is None and not self.fuse, checks
