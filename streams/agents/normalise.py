"""normalise: vendor requests in, clean touchpoints out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from schemas.config import AttributionConfig
from schemas.errors import shown
from schemas.facts import IgnoredFact
from schemas.topics import TopicName
from schemas.touchpoints import RAW, DeadLetter, RawRequest
from streams.agents.shell import Done, Record, Stage
from streams.connectors.registry import CONNECTORS, for_source
from streams.connectors.results import Ignored, Refused
from streams.connectors.spec import Connector
from streams.emotion.feeling import felt
from streams.resolve.aliases import strongest
from streams.resolve.directories import Directories
from streams.resolve.networks import Networks
from streams.transport.dead import Origin, letter
from streams.transport.outbox import Output

INPUT: TopicName = "touchpoints.raw.v1"
OUTPUT: TopicName = "touchpoints.clean.v1"
IGNORED: TopicName = "journey.facts.v1"


class Normalise:
    """Maps every request of a record; what a vendor mapping refuses becomes a dead letter, its neighbours go on."""

    def __init__(
        self,
        stage: Stage,
        networks: Networks | None = None,
        connectors: Mapping[str, Connector] = CONNECTORS,
        directories: Directories | None = None,
    ) -> None:
        self._stage = stage
        self._connectors = connectors
        self._networks = networks or Networks(AttributionConfig())
        self._directories = directories or Directories()

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of raw requests."""
        found = self._stage.read(records, RAW)
        outputs: list[Output] = []
        for request, (origin, index) in zip(found.items, found.origins, strict=True):
            self._map(request, index, origin, outputs, found.letters)
        outputs += self._stage.refuse(found.letters, len(outputs) + len(found.letters))
        return self._stage.outbox.acked(outputs, self._stage.outbox.put(outputs))

    def _map(
        self, request: RawRequest, index: int, origin: Origin, outputs: list[Output], letters: list[DeadLetter]
    ) -> None:
        connector = for_source(self._connectors, request.vendor, request.source)
        if connector is None:
            known = ", ".join(sorted(self._connectors))
            message = f"no connector `{request.vendor}` for the source `{request.source}`; known: {known}"
            letters.append(_refused(request, request.body, "unknown_vendor", message, origin, index))
            return
        ignored: Counter[str] = Counter()
        for position, result in enumerate(connector.read(request)):
            place = index * 100_000 + position
            if isinstance(result, Refused):
                letters.append(_refused(request, result.original, result.reason, result.message, origin, place))
            elif isinstance(result, Ignored):
                ignored[result.reason] += 1
            elif unclear := self._directories.unclear(result.touchpoint):
                whole = connector.original(request, result.index)
                letters.append(_refused(request, whole, "unclear_directory", _whose(unclear), origin, place))
            else:
                located = self._networks.located(result.touchpoint, result.address)
                touchpoint = felt(self._directories.touchpoint(located))
                key = strongest(touchpoint.aliases) or next(iter(touchpoint.account_refs), touchpoint.event_id)
                outputs.append((OUTPUT, key, touchpoint.encoded()))
        for reason, messages in ignored.items():
            self._stage.ignore(request.source, reason, messages)
            outputs.append((IGNORED, request.source, _ignored(request, reason, messages)))


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
        "normalise", original.encode(), reason, message, origin, index, source=request.source, vendor=request.vendor
    )
    return found.model_copy(update={"received_at": request.received_at})
