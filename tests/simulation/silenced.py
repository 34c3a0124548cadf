"""Promises missed and sources gone silent, put into ninety days, and how many of them the policies tell."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.blueprint import Blueprint
from schemas.config import SecretRef, SourceConfig
from schemas.incidents import Desk
from schemas.policies import Measure
from streams.incidents.counts import measured
from streams.incidents.intake import Lens
from streams.incidents.pace import SLOT_S as HEARD_S
from streams.incidents.played import desks_of_figures
from streams.incidents.promises import promises
from streams.incidents.rhythm import MEMORY, SLOTS, Rhythms
from streams.incidents.series import SLOT_S
from streams.incidents.type_desks import desk_id, looked
from tests.simulation.changed import Change, Found, Row, changed, rhythm

QUARTERS: Final = 3_600 // SLOT_S
LOOK_EVERY: Final = 4
"""Slots between two looks: each hour, for the service looks each minute."""
HALF: Final[Mapping[Measure, float]] = {"friction_rate": 0.5, "emotion": 0.6}
MANY: Final = 100
"""Touchpoints in three days; of fewer a rate says little."""
NEAR: Final = timedelta(hours=72)
SILENCE: Final = timedelta(hours=30)
LATER: Final = timedelta(hours=6)
"""What is told so long after a silence ended is about it still."""


def promised(blueprint: Blueprint, seeds: Iterable[int], cells: int = 24) -> Found:
    """Half of the touchpoints hurts for a day; promised is at most one in fifty more than in the worst days."""
    found, known = Found(), {kind.id for kind in blueprint.types}
    for seed in seeds:
        made = [row for row in rhythm(seed, cells) if row["touchpoint_type"] in known]
        rows, changes = changed(made, min(policy.volume for policy in blueprint.policies), seed, HALF)
        asked = [change for change in changes if change.measure == "friction_rate"]
        _judge(found, _told(blueprint, _kinds_apart(rows), asked), asked)
    return found


def _kinds_apart(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Each cell as a type of its own, as rows of quarters of an hour."""
    apart: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cell = (row["touchpoint_type"], row["phase"])
        apart.setdefault(cell, []).append(row | {"slot": row["slot"] * QUARTERS + QUARTERS - 1})
    return apart


def _told(blueprint: Blueprint, apart: Mapping[tuple[str, str], list[Row]], put_in: Sequence[Change]) -> list[Change]:
    told, kinds = [], {kind.id: kind for kind in blueprint.types}
    for cell, rows in apart.items():
        spans = [range(c.since * QUARTERS, c.until * QUARTERS) for c in put_in if c.cell == cell]
        calm = [row for row in rows if not any(row["slot"] in span for span in spans)]
        kind = kinds[cell[0]].model_copy(update={"targets": {"friction_rate": round(_worst(calm) + 0.02, 3)}})
        alone = blueprint.model_copy(update={"types": (kind,)})
        checks = promises(alone, measured(rows, (), alone), {}).get(kind.id, [])
        desk = Desk(account_id=desk_id(kind))
        for slot in range(rows[0]["slot"], rows[-1]["slot"], LOOK_EVERY):
            desk = looked(desk, kind, checks, datetime.fromtimestamp((slot + 1) * SLOT_S, UTC))
        hours = (int(part.opened_at.timestamp()) // 3_600 for part in desk.parts.values())
        told += [Change(cell, "friction_rate", hour, hour) for hour in hours]
    return told


def _worst(rows: Sequence[Row]) -> float:
    """The worst three days of those that nothing was put into: such figures drift."""
    days: dict[int, list[int]] = {}
    for row in rows:
        for day in range(row["slot"] // (24 * QUARTERS), row["slot"] // (24 * QUARTERS) + 3):
            sums = days.setdefault(day, [0, 0])
            sums[0] += row["volume"]
            sums[1] += row["painful"]
    return max((painful / volume for volume, painful in days.values() if volume >= MANY), default=0.3)


def _judge(found: Found, told: Sequence[Change], put_in: Sequence[Change]) -> None:
    def is_about(one: Change, change: Change) -> bool:
        return one.cell == change.cell and change.since <= one.since <= change.until + NEAR // timedelta(hours=1)

    found.put_in += len(put_in)
    found.found += sum(any(is_about(one, change) for one in told) for change in put_in)
    found.told += len(told)
    found.right += sum(any(is_about(one, change) for change in put_in) for one in told)


def late(blueprint: Blueprint, seeds: Iterable[int], days: int = 90) -> Found:
    """Four kinds of sources; each is silent thrice for thirty hours."""
    found, lens = Found(), Lens(blueprint)
    for seed in seeds:
        rng, heard = random.Random(f"late/{seed}"), dict[str, list[int]]()
        begin = datetime(2026, 1, 5, tzinfo=UTC)
        silences = {name: _silences(rng, begin, days) for name in _KINDS}
        for name, kind in _KINDS.items():
            every = (begin + timedelta(seconds=HEARD_S * n) for n in range(days * 86_400 // HEARD_S))
            live = [at for at in every if not any(since <= at < since + SILENCE for since in silences[name])]
            heard[name] = [int(at.timestamp()) // HEARD_S for at in live if kind(at, rng)]
        configured = [SourceConfig(name=name, vendor="segment", secrets=(SecretRef(env="X"),)) for name in _KINDS]
        rows: list[dict[str, Any]] = [{"source": name, "slots": slots, "lag_s": 0.0} for name, slots in heard.items()]
        now, since = begin + timedelta(days=days), begin + MEMORY
        rhythms = Rhythms(sources=configured)
        for desk in desks_of_figures([(SLOTS, {})], [rows], lens, since, now, rhythms):
            name = desk.account_id.partition(":")[2]
            opened = [part.opened_at for part in desk.parts.values()]
            near = [[at for at in opened if begun <= at <= begun + SILENCE + LATER] for begun in silences[name]]
            found.told += len(opened)
            found.right += sum(map(len, near))
            found.found += sum(map(bool, near))
        found.put_in += sum(map(len, silences.values()))
    return found


def _silences(rng: random.Random, begin: datetime, days: int) -> list[datetime]:
    """From a Tuesday's morning on, so that even what rests at weekends is missed; in three different weeks."""
    weeks = rng.sample(range(5, days // 7), 3)
    return [begin + timedelta(weeks=week, days=1, hours=8) for week in weeks]


_KINDS: Final[Mapping[str, Callable[[datetime, random.Random], bool]]] = {
    "page": lambda at, rng: rng.random() < (0.9 if 8 <= at.hour < 18 and at.weekday() < 5 else 0.3),
    "helpdesk": lambda at, rng: 8 <= at.hour < 18 and at.weekday() < 5 and rng.random() < 0.5,
    "export": lambda at, rng: (at.hour, at.minute) == (2, 0),
    "hourly": lambda at, rng: at.minute == 0,
}
"""How a source is heard: by when it is."""
