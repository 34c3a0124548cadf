"""Late truth in bulk: one claim that moves a large account, and thousands of claims at once, beside live traffic."""

from __future__ import annotations

import base64
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from benchmarks.figures import Figure, Pace, Say
from benchmarks.window import Bench, Window, bench

LIVE_RATE_PER_S: Final = 200
PEOPLE: Final = 500
BATCH: Final = 100
TIMEOUT_S: Final = 900.0
POLL_S: Final = 0.5
MOVED: Final = "bench-moved.com"

Message = dict[str, Any]


def run(pace: Pace, say: Say) -> list[Figure]:
    """Both cases on one installation, each with its time and the freshness of live traffic meanwhile."""
    temporary = tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True)
    with temporary as folder, bench(Path(folder), pace) as found:
        late = _Late(found, say)
        return [*late.one_large(pace.late_touchpoints), *late.many_claims(pace.late_claims)]


class _Late:
    """Sends history, then the truth, and watches the touchpoints go where they belong."""

    def __init__(self, found: Bench, say: Say) -> None:
        self._found, self._say = found, say

    def one_large(self, touchpoints: int) -> list[Figure]:
        """Everyone of one domain browsed for long; then an account claims the domain."""
        self._send(_browsing(touchpoints))
        self._until(f"domain:{MOVED}", touchpoints)
        truth = [_group("moved", MOVED, "u0")]
        return self._measured(
            f"one claim moves {touchpoints:,} touchpoints", truth, "account_id LIKE 'group:%:moved'", touchpoints
        )

    def many_claims(self, claims: int) -> list[Figure]:
        """As many companies browsed twice; then their accounts come all at once, each with its domain."""
        self._send(_visit(n, again) for again in (0, 1) for n in range(claims))
        self._until_where("startsWith(account_id, 'domain:claimed')", 2 * claims)
        truth = [_group(f"claimed{n}", f"claimed{n}.com", f"claimed-{n}") for n in range(claims)]
        return self._measured(
            f"{claims:,} accounts claim their domains at once",
            truth,
            "account_id LIKE 'group:%:claimed%'",
            2 * claims,
        )

    def _measured(self, what: str, truth: Sequence[Message], where: str, wanted: int) -> list[Figure]:
        """Seconds from the truth's last 2xx until all is where it belongs, under live traffic."""
        moved_s: list[float] = []

        def tell() -> None:
            time.sleep(self._found.pace.settle_s)
            self._send(truth)
            began = time.monotonic()
            self._until_where(where, wanted)
            moved_s.append(time.monotonic() - began)

        telling = threading.Thread(target=tell)
        telling.start()
        windows = [self._live()]
        while telling.is_alive():
            windows.append(self._live())
        telling.join()
        marks = sorted(mark for window in windows for mark in window.freshness_s)
        value = ", ".join(f"p{p} {marks[int((len(marks) - 1) * p / 100)]:.2f} s" for p in (50, 95, 99))
        self._say(f"  {what}: {moved_s[0]:.1f} s; live at {LIVE_RATE_PER_S}/s meanwhile: {value}")
        return [
            Figure("late truth", f"{what}: told → all moved", f"{moved_s[0]:.1f} s", "60 s"),
            Figure("late truth", f"freshness at {LIVE_RATE_PER_S}/s during it", value, "p95 2 s"),
        ]

    def _live(self) -> Window:
        return self._found.run(self._found.load(LIVE_RATE_PER_S), probe=True, only_own=True)

    def _until(self, account_id: str, wanted: int) -> None:
        self._until_where(f"account_id = '{account_id}'", wanted)

    def _until_where(self, where: str, wanted: int) -> None:
        until = time.monotonic() + TIMEOUT_S
        count = f"SELECT count() AS n FROM bi.touchpoints WHERE {where} AND on_map"
        while (shown := int(self._found.system.rows(count)[0]["n"])) < wanted:
            if time.monotonic() > until:
                raise TimeoutError(f"{shown} of {wanted} touchpoints where {where} after {TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    def _send(self, messages: Iterator[Message] | Sequence[Message]) -> None:
        auth = base64.b64encode(f"{self._found.system.secrets['web']}:".encode()).decode()
        with httpx.Client(base_url=self._found.system.url, timeout=30) as client, ThreadPoolExecutor(4) as pool:
            post: Callable[[list[Message]], httpx.Response] = lambda batch: client.post(  # noqa: E731
                "/v1/batch",
                content=orjson.dumps({"batch": batch, "sentAt": datetime.now(UTC).isoformat()}),
                headers={"Authorization": f"Basic {auth}"},
            )
            for answer in pool.map(post, _batches(messages)):
                answer.raise_for_status()


def _batches(messages: Iterator[Message] | Sequence[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    for message in messages:
        batch.append(message)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _browsing(touchpoints: int) -> Iterator[Message]:
    for n in range(touchpoints):
        yield _page(f"moved-{n}", f"u{n % PEOPLE}", f"p{n % PEOPLE}@{MOVED}")


def _visit(company: int, again: int) -> Message:
    return _page(f"claimed-{company}-{again}", f"claimed-{company}", f"buyer@claimed{company}.com")


def _page(message_id: str, user_id: str, email: str) -> Message:
    return {
        "type": "page",
        "messageId": message_id,
        "userId": user_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "context": {"traits": {"email": email}, "page": {"path": "/pricing"}},
    }


def _group(account: str, domain: str, user_id: str) -> Message:
    return {
        "type": "group",
        "messageId": f"group-{account}",
        "groupId": account,
        "userId": user_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "traits": {"domain": domain, "name": account.title()},
    }
