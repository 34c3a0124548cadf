"""What hurt accounts as the store keeps it, made into the desks that incidents are found on. Pure; SQL as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from schemas.facts import PhaseChange
from schemas.incidents import Desk, Part
from streams.incidents.intake import Lens, fall, is_fall
from streams.journey.stored import aware, signal_of

Row = Mapping[str, Any]
MINE: Final = " AND account_id IN {accounts:Array(String)}"
"""Ends a condition: of these accounts alone."""
SINCE: Final = """(opened_at >= {since:DateTime64(3, 'UTC')} OR closed_at >= {since:DateTime64(3, 'UTC')}
    OR (is_closed = 0 AND has({waits:Array(String)}, rule)))"""
"""Signals that hurt since then: what still waits does, too."""
SIGNALS: Final = f"""
SELECT * EXCEPT (written_at, is_deleted, explanation_coded) FROM signals FINAL WHERE polarity = 'friction' AND {SINCE}
"""
TOUCHPOINTS: Final = """
SELECT account_id, event_id, touchpoint_type, phase, person_id, title, occurred_at FROM touchpoints FINAL
WHERE touchpoint_type IN {types:Array(String)} AND on_map AND minute >= {since:DateTime64(3, 'UTC')}
"""
ACCOUNTS: Final = "SELECT account_id, name, segment, traits, transitions FROM account_journeys FINAL"


def asked(lens: Lens, since: datetime) -> dict[str, Any]:
    """The parameters of the statements above."""
    return {"since": since, "types": sorted(lens.pains), "waits": sorted(lens.waits)}


def desks_of(
    signals: Iterable[Row], touchpoints: Iterable[Row], accounts: Iterable[Row], lens: Lens, since: datetime
) -> list[Desk]:
    """A desk for each account that something hurt since then; the others are left out."""
    parts: dict[str, dict[str, Part]] = {}
    for row in signals:
        fact = signal_of(row)
        parts.setdefault(fact.account_id, {})[fact.signal_id] = lens.part_of_signal(fact)
    for row in touchpoints:
        part = _touchpoint(row, lens)
        parts.setdefault(str(row["account_id"]), {})[part.part_id] = part
    return [
        Desk(
            account_id=str(row["account_id"]),
            name=str(row["name"]),
            segment=str(row["segment"]),
            tier=str((traits := orjson.loads(str(row["traits"]) or "{}")).get(lens.blueprint.tiers.trait, "")),
            dates=lens.dates_of(traits),
            parts=found,
        )
        for row in accounts
        if (found := parts.get(str(row["account_id"]), {}) | dict(falls_of(row, since)))
    ]


def _touchpoint(row: Row, lens: Lens) -> Part:
    kind, at = lens.types[str(row["touchpoint_type"])], aware(row["occurred_at"])
    return lens.pain(kind, str(row["event_id"]), at, str(row["phase"]), str(row["person_id"]), str(row["title"]))


def falls_of(row: Row, since: datetime) -> Iterator[tuple[str, Part]]:
    """Falls back of the phase that an account's row holds, by the ids of their parts."""
    for one in orjson.loads(str(row["transitions"]) or "[]"):
        move = PhaseChange.of(one)
        if is_fall(move) and move.at >= since:
            yield f"phase:{move.event_id}", fall(f"phase:{move.event_id}", move, 0)
