"""What some requests came to: touchpoints to be attributed, letters, requests that are kept, and all of it counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.errors import TransientError
from schemas.parking import Parked
from schemas.topics import TopicName
from schemas.touchpoints import CleanTouchpoint, DeadLetter, RawRequest
from streams.processors.mapper import Reading, failed
from streams.processors.shell import Stage
from streams.runtime.dead import Origin
from streams.runtime.outbox import Output

PARKED: TopicName = "touchpoints.parked.v1"
_log = logging.getLogger("touchline.attribute")


class Attributes(Protocol):
    """What says whose touchpoints are; `Attributor` in a worker."""

    async def attributed(self, touchpoints: Sequence[CleanTouchpoint]) -> list[Output]: ...


@dataclass(slots=True)
class Read:
    """A request that was read. `fate`: `read`, or `replayed` if it had been set aside."""

    request: RawRequest
    origin: Origin
    index: int
    reading: Reading
    fate: str


@dataclass(slots=True)
class Outcome:
    """What some requests came to, in their order."""

    read: list[Read] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    """For what was no request at all."""
    kept: list[Output] = field(default_factory=list)
    """Requests of sources that are set aside."""
    fates: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(source, what became of it) → requests."""

    def took(self, request: RawRequest, origin: Origin, index: int, reading: Reading, fate: str) -> None:
        """A request was read."""
        self.read.append(Read(request, origin, index, reading, fate))
        self.fates[request.source, fate] += 1

    def park(self, request: RawRequest, origin: Origin, index: int) -> None:
        """A request of a source that is set aside."""
        self.kept.append(parked(request, origin, index))
        self.fates[request.source, "parked"] += 1

    async def outputs(self, stage: Stage, by: Attributes) -> list[Output]:
        """All of it as outputs, letters last; and everything is counted."""
        attributed = await self._attributed(by)
        letters = self.all_letters
        messages, ignored = self._counted()
        outputs = [*attributed, *(fact for each in self.read for fact in each.reading.facts), *self.kept]
        outputs += stage.refuse(letters, messages.total() + len([letter for letter in letters if not letter.source]))
        for (source, reason), count in ignored.items():
            stage.ignore(source, reason, count)
        stage.account(self.fates, messages)
        return outputs

    @property
    def all_letters(self) -> list[DeadLetter]:
        """Of records and of requests."""
        return [*self.letters, *(letter for each in self.read for letter in each.reading.letters)]

    async def _attributed(self, by: Attributes) -> list[Output]:
        """All touchpoints at once. A mistake of ours is looked for request by request: it must cost nobody else."""
        try:
            return await by.attributed([t for each in self.read for t in each.reading.touchpoints])
        except TransientError:
            raise
        except Exception:
            _log.exception("touchpoints cannot be attributed; they are tried request by request")
        outputs: list[Output] = []
        for each in self.read:
            try:
                outputs += await by.attributed(each.reading.touchpoints)
            except TransientError:
                raise
            except Exception as error:
                each.reading = failed(each.request, error, each.origin, each.index)
        return outputs

    def _counted(self) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
        """(source, what became of it) → messages; (source, why it was ignored) → messages."""
        messages, ignored = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for each in self.read:
            source, reading = each.request.source, each.reading
            if reading.touchpoints:
                messages[source, "touchpoint"] += len(reading.touchpoints)
            if reading.letters:
                messages[source, "dead"] += len(reading.letters)
            for reason, count in reading.ignored.items():
                messages[source, "ignored"] += count
                ignored[source, reason] += count
        return messages, ignored


def parked(request: RawRequest, origin: Origin, index: int) -> Output:
    """A request as it is kept, in the one partition of its source."""
    topic, partition, offset = origin
    kept = Parked(request=request, topic=topic, partition=partition, offset=offset, index=index)
    return (PARKED, request.source, kept.encoded())
