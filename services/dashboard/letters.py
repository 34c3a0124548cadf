"""The newest dead letters: what could never be read, by source and reason, with a sample; and those with an id."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from schemas.config import KafkaConfig
from schemas.touchpoints import DEAD, DeadLetter
from streams.runtime.decode import decode
from streams.runtime.follower import Follower

NEWEST = 500
SAMPLE_CHARS = 600


@dataclass(frozen=True, slots=True)
class LetterView:
    """A letter as it is shown. `sample`: the beginning of its bytes; empty where they are no text."""

    letter_id: str
    stage: str
    reason: str
    source: str
    message: str
    sample: str
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Refusals:
    """The letters of one source, stage and reason; `last` is the newest of them."""

    count: int
    since: datetime
    last: LetterView


class Letters:
    """Kept in memory, so many as `NEWEST`. A letter that comes twice is one."""

    def __init__(self) -> None:
        self._letters: OrderedDict[str, DeadLetter] = OrderedDict()

    def learn(self, key: str, value: bytes | None) -> None:
        """A record of the topic; what another version wrote is left out."""
        for _, letter in decode(value or b"[]", DEAD).items:
            self._letters.pop(letter.letter_id, None)
            self._letters[letter.letter_id] = letter
        while len(self._letters) > NEWEST:
            self._letters.popitem(last=False)

    async def run(self, kafka: KafkaConfig) -> None:
        """Follow the topic until cancelled."""
        await Follower(kafka, "touchpoints.dead.v1", self.learn, "touchline-dashboard-letters", newest=NEWEST).run()

    def refusals(self) -> tuple[Refusals, ...]:
        """What was refused, whose newest comes first."""
        found: dict[tuple[str, str, str], list[DeadLetter]] = {}
        for letter in self._letters.values():
            found.setdefault((letter.source, letter.stage, letter.reason), []).append(letter)
        found_last = [_refusals(letters) for letters in found.values()]
        return tuple(sorted(found_last, key=lambda one: one.last.failed_at, reverse=True))

    def of(self, source: str, stage: str, reason: str) -> tuple[DeadLetter, ...]:
        """The letters that are kept of these, the oldest first."""
        mine = (
            each for each in self._letters.values() if (each.source, each.stage, each.reason) == (source, stage, reason)
        )
        return tuple(sorted(mine, key=lambda one: one.failed_at))

    def mentioning(self, text: str, length: int) -> tuple[LetterView, ...]:
        """The newest letters with this id, or with it in what was sent."""
        return tuple(
            _view(letter)
            for letter in sorted(self._letters.values(), key=lambda one: one.failed_at, reverse=True)
            if text and (letter.letter_id == text or text in letter.original)
        )[:length]


def _refusals(letters: list[DeadLetter]) -> Refusals:
    last = max(letters, key=lambda letter: (letter.failed_at, letter.letter_id))
    return Refusals(len(letters), min(letter.failed_at for letter in letters), _view(last))


def _view(letter: DeadLetter) -> LetterView:
    sample = letter.original if letter.encoding == "utf-8" else ""
    cut = sample[:SAMPLE_CHARS] + ("…" if len(sample) > SAMPLE_CHARS else "")
    found_last = (letter.letter_id, letter.stage, letter.reason, letter.source, letter.message)
    return LetterView(*found_last, cut, letter.failed_at)
