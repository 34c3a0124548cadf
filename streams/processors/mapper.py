"""What a request becomes: touchpoints, letters for what is refused, counts of what is ignored. Pure.

Requests are read here when they come in, and when a source that was set aside is resumed: with the same outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.config import AttributionConfig
from schemas.errors import shown
from schemas.facts import IgnoredFact
from schemas.topics import TopicName
from schemas.touchpoints import RAW, CleanTouchpoint, DeadLetter, RawRequest
from streams.connectors.registry import CONNECTORS, for_source
from streams.connectors.results import Ignored, Mapped, Refused
from streams.connectors.spec import Connector
from streams.emotion.feeling import felt
from streams.identity.directories import Directories
from streams.identity.networks import Networks
from streams.minimising.kept import Kept
from streams.runtime.dead import STAGE, Origin, letter
from streams.runtime.outbox import Output

IGNORED: TopicName = "journey.facts.v1"
#: Messages of one request have places of their own among the items of a record.
PLACES = 100_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one request. `facts`: one for each kind of message that was ignored."""

    touchpoints: list[CleanTouchpoint] = field(default_factory=list)
    facts: list[Output] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    @property
    def messages(self) -> int:
        """Of all three kinds."""
        return len(self.touchpoints) + len(self.letters) + self.ignored.total()


class Mapper:
    """Maps requests by their connectors; what a mapping refuses becomes a letter, its neighbours go on."""

    def __init__(
        self,
        networks: Networks | None = None,
        connectors: Mapping[str, Connector] = CONNECTORS,
        directories: Directories | None = None,
        kept: Kept | None = None,
    ) -> None:
        """`kept`: what sources keep of the words of their events, if not all."""
        self._connectors = connectors
        self._networks = networks or Networks(AttributionConfig())
        self._directories = directories or Directories()
        self._kept = kept or Kept()

    def read(self, request: RawRequest, origin: Origin, index: int) -> Reading:
        """A request that stood at `index` in the raw record at `origin`. Never raises: our own mistakes are letters."""
        try:
            return self._read(request, origin, index)
        except Exception as error:  # a source that sets off a mistake of ours must cost nobody else
            return failed(request, error, origin, index)

    def _read(self, request: RawRequest, origin: Origin, index: int) -> Reading:
        found = Reading()
        connector = for_source(self._connectors, request.vendor, request.source)
        if connector is None:
            known = ", ".join(sorted(self._connectors))
            message = f"no connector `{request.vendor}` for the source `{request.source}`; known: {known}"
            found.letters.append(_refused(request, request.body, "unknown_vendor", message, origin, index))
            return found
        for position, result in enumerate(connector.read(request)):
            place = index * PLACES + position
            if isinstance(result, Refused):
                found.letters.append(_refused(request, result.original, result.reason, result.message, origin, place))
            elif isinstance(result, Ignored):
                found.ignored[result.reason] += 1
            elif unclear := self._directories.unclear(result.touchpoint):
                whole = connector.original(request, result.index)
                found.letters.append(_refused(request, whole, "unclear_directory", _whose(unclear), origin, place))
            else:
                found.touchpoints.append(self._touchpoint(result))
        for reason, messages in found.ignored.items():
            found.facts.append((IGNORED, request.source, _ignored(request, reason, messages)))
        return found

    def _touchpoint(self, result: Mapped) -> CleanTouchpoint:
        located = self._networks.located(result.touchpoint, result.address)
        scoped = self._directories.touchpoint(located)
        read = felt(scoped)
        touchpoint = self._kept.reduced(read, is_felt=read is not scoped)
        touchpoint.encoded()  # what cannot be written is found here, where it is known whose it is
        return touchpoint


def failed(request: RawRequest, error: Exception, origin: Origin, index: int) -> Reading:
    """A request that a mistake of ours keeps from being processed: all of it becomes a letter."""
    message = f"{type(error).__name__}: {error}"
    whole = RAW.dump_json([request])[1:-1].decode()
    return Reading(letters=[_refused(request, whole, "processing_failed", message, origin, index * PLACES)])


def _ignored(request: RawRequest, reason: str, messages: int) -> bytes:
    fact = IgnoredFact(
        request_id=request.request_id,
        source=request.source,
        reason=reason,
        messages=messages,
        received_at=request.received_at,
    )
    return fact.encoded()


def _whose(name: str) -> str:
    kind, _, value = name.partition(":")
    return f"`{shown(name)}` could be of several directories; write whose it is: `{kind}:DIRECTORY:{value[:80]}`"


def _refused(request: RawRequest, original: str, reason: str, message: str, origin: Origin, index: int) -> DeadLetter:
    found = letter(
        STAGE, original.encode(), reason, message, origin, index, source=request.source, vendor=request.vendor
    )
    return found.model_copy(update={"received_at": request.received_at})
