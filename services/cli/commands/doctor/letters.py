"""Dead letters: how many, from which stage, why, and whose."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from schemas.touchpoints import DeadLetter
from services.cli.commands.doctor.check import Check, Place

NEWEST = 20_000
"""So many records of a partition are looked at: the command must not take minutes."""
SHOWN = 8


def dead_letters(place: Place) -> Iterator[Check]:
    """By stage, reason and source."""
    if "touchpoints.dead.v1" in place.kafka.topics:
        from services.common.dead_letters import find, wanted

        yield from letters_of(asyncio.run(find(place.config.kafka, wanted(), newest=NEWEST)))


def letters_of(letters: Iterable[DeadLetter]) -> Iterator[Check]:
    """One finding a kind, the most frequent first; pure. A letter written twice counts once."""
    counts: Counter[tuple[str, str, str]] = Counter()
    newest: dict[tuple[str, str, str], datetime] = {}
    for letter in {letter.letter_id: letter for letter in letters}.values():
        kind = (letter.stage, letter.reason, letter.source)
        counts[kind] += 1
        newest[kind] = max(letter.failed_at, newest.get(kind, letter.failed_at))
    for (stage, reason, source), count in counts.most_common(SHOWN):
        at = newest[stage, reason, source].isoformat(timespec="seconds")
        detail = f"{count} of `{source or 'no source'}` at {stage}: {reason}, the newest at {at}"
        options = f"--stage {stage} --reason {reason}"
        yield Check(
            "dead letters", "warning", detail, f"`touchline dlq ls {options}`; mend the cause, `dlq replay {options}`"
        )
    if len(counts) > SHOWN:
        left = sum(counts.values()) - sum(count for _, count in counts.most_common(SHOWN))
        yield Check("dead letters", "warning", f"{left} of {len(counts) - SHOWN} other kinds", "`touchline dlq ls`")
    if not counts:
        yield Check("dead letters", "ok", "none")
