"""Dead letters: how many, from which stage, why, whose, and since when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from schemas.touchpoints import DeadLetter
from services.cli.commands.doctor.check import Check, Place
from streams.connectors.masking import masked

NEWEST = 20_000
"""So many records of a partition are looked at: the command must not take minutes."""
SHOWN = 8
MOST_WORDS = 200
"""Of what was said of the newest."""


def dead_letters(place: Place) -> Iterator[Check]:
    """By stage, reason and source."""
    if "touchpoints.dead.v1" in place.kafka.topics:
        from services.common.dead_letters import find, wanted

        yield from letters_of(asyncio.run(find(place.config.kafka, wanted(), newest=NEWEST)))


def letters_of(letters: Iterable[DeadLetter]) -> Iterator[Check]:
    """One finding a kind, the most frequent first; pure. A letter written twice counts once."""
    kinds: dict[tuple[str, str, str], list[DeadLetter]] = {}
    for letter in {letter.letter_id: letter for letter in letters}.values():
        kinds.setdefault((letter.stage, letter.reason, letter.source), []).append(letter)
    counts = Counter({kind: len(found) for kind, found in kinds.items()})
    for (stage, reason, source), count in counts.most_common(SHOWN):
        found = kinds[stage, reason, source]
        newest = max(found, key=_failed_at)
        since, last = (at.isoformat(timespec="seconds") for at in (min(map(_failed_at, found)), newest.failed_at))
        detail = f"{count} of `{source or 'no source'}` at {stage}: {reason} since {since}, the newest at {last}"
        options = f"--stage {stage} --reason {reason}"
        fix = f"`touchline dlq ls {options}`; mend the cause, `dlq replay {options}`"
        yield Check("dead letters", "warning", f"{detail}: {masked(newest.message)[:MOST_WORDS]}", fix)
    if len(counts) > SHOWN:
        left = sum(counts.values()) - sum(count for _, count in counts.most_common(SHOWN))
        yield Check("dead letters", "warning", f"{left} of {len(counts) - SHOWN} other kinds", "`touchline dlq ls`")
    if not counts:
        yield Check("dead letters", "ok", "none")


def _failed_at(letter: DeadLetter) -> datetime:
    return letter.failed_at
