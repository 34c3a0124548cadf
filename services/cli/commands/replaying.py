"""`touchline replay`: every raw request Kafka still has, or those since a time, sent through the pipeline again.

No figure may change by it: ids come from the events, and everything downstream overwrites by id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from schemas.config import KafkaConfig
from services.cli.commands.resending import Resent, resend


async def replay_raw(
    kafka: KafkaConfig, say: Callable[[str], None], *, since: datetime | None = None, rate_per_s: float = 0.0
) -> dict[str, object]:
    """Send each raw record again that came at `since` or later; what was done. Raises KafkaAway.

    At most `rate_per_s` (0: as fast as Kafka acks).
    """
    done = await resend(
        kafka, lambda kept: kept != b"[]", lambda now: say(_progress(now)), since=since, rate_per_s=rate_per_s
    )
    return {"records": done.sent, "parked_requests_left_out": done.left_out, "duration_s": round(done.passed_s, 3)}


def _progress(now: Resent) -> str:
    left_s = now.passed_s / now.sent * (now.total - now.sent) if now.sent else 0.0
    return f"replay      {now.sent} of {now.total} records, {left_s:.0f} s to go"
