"""attribute: vendor requests in, attributed touchpoints out; those of a source that is set aside are kept as they are.

A request is mapped, what it says of identities is published as links, and its touchpoints are attributed, all before
its record is acked. The requests of one person come in any order and in any partition, and so they may: every worker
reads all links, in one order (ADR 5).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from schemas.parking import Standing
from schemas.topics import TopicName
from schemas.touchpoints import RAW, DeadLetter, RawRequest
from streams.connectors.masking import masked
from streams.processors.mapper import Mapper, Reading
from streams.processors.outcome import Attributes, Outcome
from streams.processors.shell import Done, Record, Stage
from streams.processors.turns import Turn
from streams.runtime.dead import Origin
from streams.runtime.fuse import FuseBlown, SourceFuses
from streams.runtime.outbox import Output
from streams.runtime.refusal_counts import Tally
from streams.runtime.standings import Standings, said

INPUT: TopicName = "touchpoints.raw.v1"
_log = logging.getLogger("touchline.attribute")


class Attribute:
    """Reads every request of a record, or parks it. A source of which most is refused is set aside: only it waits."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        stage: Stage,
        by: Attributes,
        mapper: Mapper | None = None,
        standings: Standings | None = None,
        fuses: SourceFuses | None = None,
        tally: Tally | None = None,
    ) -> None:
        """`tally`: counts what becomes a dead letter, for those who ask about sources."""
        self._stage = stage
        self._by = by
        self._mapper = mapper or Mapper()
        self._fuses = fuses or SourceFuses()
        self._standings = standings or Standings(self._fuses.forget)
        self._tally = tally

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of raw requests."""
        found = self._stage.read(records, RAW)
        outcome, outputs, turn = Outcome(letters=found.letters), list[Output](), Turn()
        for request, (origin, index) in zip(found.items, found.origins, strict=True):
            outputs += self._take(request, origin, index, outcome)
            await turn.give_way()
        # who is set aside here is so from now on, so that is sent whatever becomes of the touchpoints
        futures = self._stage.outbox.put(outputs)
        rest = await outcome.outputs(self._stage, self._by)
        rest += self._counted(outcome.all_letters)
        futures += self._stage.outbox.put(rest)
        return self._stage.outbox.acked(outputs + rest, futures)

    def _counted(self, letters: Sequence[DeadLetter]) -> list[Output]:
        if self._tally is None or not letters:
            return []
        for letter in letters:
            self._tally.note(letter.source, letter.reason, masked(letter.message))
        return self._tally.changed()

    def _take(self, request: RawRequest, origin: Origin, index: int, outcome: Outcome) -> list[Output]:
        """The standing of its source, if this request changes that."""
        source = request.source
        if self._standings.is_aside(source):
            outcome.park(request, origin, index)
            return []
        reading = self._mapper.read(request, origin, index)
        outcome.took(request, origin, index, reading, "read")
        try:
            self._fuses.note(source, reading.messages, len(reading.letters))
        except FuseBlown as blown:
            return [said(self._set_aside(source, blown, reading))]
        return []

    def _set_aside(self, source: str, blown: FuseBlown, reading: Reading) -> Standing:
        """From now on, here; everywhere once the others have read it."""
        self._fuses.forget(source)
        last = reading.letters[-1] if reading.letters else None
        cause = f"{blown}; the last: {last.reason}: {last.message[:120]}" if last else str(blown)
        _log.warning("a source is set aside", extra={"source": source, "why": cause})
        standing = Standing(source=source, state="parked", since=datetime.now(UTC), cause=cause)
        self._standings.learn([standing])
        return standing
