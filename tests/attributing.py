"""Stand-ins for what says whose touchpoints are, in tests of what comes before that."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.touchpoints import CleanTouchpoint
from streams.runtime.outbox import Output


class AsRead:
    """Each touchpoint goes on as it was read, under its first alias."""

    async def attributed(self, touchpoints: Sequence[CleanTouchpoint]) -> list[Output]:
        keyed = [(next(iter(one.aliases), one.event_id), one) for one in touchpoints]
        return [("touchpoints.attributed.v1", key, one.encoded()) for key, one in keyed]
