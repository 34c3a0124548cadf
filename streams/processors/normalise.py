"""normalise: vendor requests in, clean touchpoints out; those of a source that is set aside are kept as they are."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.parking import Parked, Standing
from schemas.topics import TopicName
from schemas.touchpoints import RAW, DeadLetter, RawRequest
from streams.connectors.masking import masked
from streams.processors.mapper import Mapper, Reading
from streams.processors.shell import Done, Record, Stage
from streams.runtime.dead import Origin
from streams.runtime.fuse import FuseBlown, SourceFuses
from streams.runtime.outbox import Output
from streams.runtime.standings import Standings, said
from streams.runtime.tally import Tally

INPUT: TopicName = "touchpoints.raw.v1"
PARKED: TopicName = "touchpoints.parked.v1"
_log = logging.getLogger("touchline.normalise")


@dataclass(slots=True)
class Outcome:
    """What some requests came to. `fates`: (source, what became of it) → requests."""

    outputs: list[Output] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    fates: Counter[tuple[str, str]] = field(default_factory=Counter)
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    ignored: Counter[tuple[str, str]] = field(default_factory=Counter)

    def took(self, source: str, reading: Reading, fate: str) -> None:
        """A request was read."""
        self.outputs += reading.outputs
        self.letters += reading.letters
        self.fates[source, fate] += 1
        if touchpoints := reading.touchpoints:
            self.messages[source, "touchpoint"] += touchpoints
        if reading.letters:
            self.messages[source, "dead"] += len(reading.letters)
        for reason, count in reading.ignored.items():
            self.messages[source, "ignored"] += count
            self.ignored[source, reason] += count

    def settled(self, stage: Stage) -> list[Output]:
        """All outputs, letters last; and everything is counted."""
        messages = self.messages.total() + len([letter for letter in self.letters if not letter.source])
        outputs = self.outputs + stage.refuse(self.letters, messages)
        for (source, reason), count in self.ignored.items():
            stage.ignore(source, reason, count)
        stage.account(self.fates, self.messages)
        return outputs


class Normalise:
    """Maps every request of a record, or parks it. A source of which most is refused is set aside: only it waits."""

    def __init__(
        self,
        stage: Stage,
        mapper: Mapper | None = None,
        standings: Standings | None = None,
        fuses: SourceFuses | None = None,
        tally: Tally | None = None,
    ) -> None:
        """`tally`: counts what becomes a dead letter, for those who ask about sources."""
        self._stage = stage
        self._mapper = mapper or Mapper()
        self._fuses = fuses or SourceFuses()
        self._standings = standings or Standings(self._fuses.forget)
        self._tally = tally

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of raw requests."""
        found = self._stage.read(records, RAW)
        outcome = Outcome(letters=found.letters)
        for request, (origin, index) in zip(found.items, found.origins, strict=True):
            self._take(request, origin, index, outcome)
        outputs = outcome.settled(self._stage) + self._told(outcome.letters)
        return self._stage.outbox.acked(outputs, self._stage.outbox.put(outputs))

    def _told(self, letters: Sequence[DeadLetter]) -> list[Output]:
        if self._tally is None or not letters:
            return []
        for letter in letters:
            self._tally.note(letter.source, letter.reason, masked(letter.message))
        return self._tally.changed()

    def _take(self, request: RawRequest, origin: Origin, index: int, outcome: Outcome) -> None:
        source = request.source
        if self._standings.is_aside(source):
            outcome.outputs.append(parked(request, origin, index))
            outcome.fates[source, "parked"] += 1
            return
        reading = self._mapper.read(request, origin, index)
        outcome.took(source, reading, "read")
        try:
            self._fuses.note(source, reading.messages, len(reading.letters))
        except FuseBlown as blown:
            outcome.outputs.append(said(self._set_aside(source, blown, reading)))

    def _set_aside(self, source: str, blown: FuseBlown, reading: Reading) -> Standing:
        """From now on, here; everywhere once the others have read it."""
        self._fuses.forget(source)
        last = reading.letters[-1] if reading.letters else None
        cause = f"{blown}; the last: {last.reason}: {last.message[:120]}" if last else str(blown)
        _log.warning("a source is set aside", extra={"source": source, "why": cause})
        standing = Standing(source=source, state="parked", since=datetime.now(UTC), cause=cause)
        self._standings.learn([standing])
        return standing


def parked(request: RawRequest, origin: Origin, index: int) -> Output:
    """A request as it is kept, in the one partition of its source."""
    topic, partition, offset = origin
    kept = Parked(request=request, topic=topic, partition=partition, offset=offset, index=index)
    return (PARKED, request.source, kept.encoded())
