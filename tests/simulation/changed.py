"""Changes put into the figures of ninety days, and how many of them the policy about what is unusual finds."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from schemas.blueprint import Blueprint
from schemas.facts import TouchpointFact
from schemas.incidents import Desk
from schemas.policies import Measure
from streams.incidents.type_desks import desk_id, looked
from streams.incidents.unusual import HOUR_S, unusual
from streams.journey.compiled import CompiledBlueprint
from tests.simulation.alerted import facts
from tests.simulation.score import stories

Row = dict[str, Any]
Cell = tuple[str, str]
CHANGES: Final = 60
"""Put in, a third of each kind; the others of the ninety days are as they are."""
FIRST_DAY: Final = 35
"""Nothing can be unusual before four weeks are known."""
LASTS_H: Final = 24
WORSE: Final[Mapping[Measure, float]] = {"friction_rate": 0.25, "emotion": 0.6}
"""By so much a change makes it worse: a quarter of the touchpoints, or an emotion lower by so much."""
_OF: Final[Mapping[Measure, str]] = {"emotion": "felt", "volume": "volume", "friction_rate": "volume"}
NEAR_H: Final = 12
"""What is told so long after a change still is about it: the window that is compared reaches back."""


class Change(NamedTuple):
    """What was put in, and when (hours of Unix time)."""

    cell: Cell
    measure: Measure
    since: int
    until: int


@dataclass(slots=True)
class Found:
    """Changes put in and found, incidents told and right."""

    put_in: int = 0
    found: int = 0
    told: int = 0
    right: int = 0


def counted(blueprint: CompiledBlueprint, accounts: int, seed: int = 1) -> list[Row]:
    """Hourly figures of the simulation, as ClickHouse counts them."""
    found: dict[tuple[str, str, int], Row] = {}
    for story in stories(accounts, seed):
        for fact in facts(story, blueprint):
            if isinstance(fact, TouchpointFact) and fact.on_map:
                _count(found, fact)
    return list(found.values())


def rhythm(seed: int, cells: int = 12, days: int = 90) -> list[Row]:
    """Figures of made-up types with a day, a week, good and bad days, and slow drifts: nothing is wrong with them."""
    rng = random.Random(f"rhythm/{seed}")
    first, rows = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) // HOUR_S, list[Row]()
    kinds = ("support_ticket", "pricing_page", "quote_request", "demo_request", "first_invoice", "onboarding")
    for number in range(cells):
        size, pain, mood = rng.choice((6, 20, 80)), rng.uniform(0.01, 0.15), rng.uniform(-0.1, 0.5)
        for day in range(days):
            of_day = rng.gammavariate(12, 1 / 12) * (0.2 if (day % 7) > 4 else 1.0)
            pain = min(0.3, max(0.005, pain * rng.gauss(1, 0.02)))
            mood_of_day = mood + rng.gauss(0, 0.1)
            for hour in range(24):
                mean = size * of_day * (1.0 if 8 <= hour < 18 else 0.1)
                volume = _poisson(rng, mean)
                bad = sum(rng.random() < pain for _ in range(volume))
                row = _empty(kinds[number % len(kinds)], f"phase{number}", first + day * 24 + hour)
                felt = volume // 3
                moods = [max(-1.0, min(1.0, rng.gauss(mood_of_day, 0.5))) for _ in range(felt)]
                row |= {"volume": volume, "painful": bad, "felt": felt, "emotion_sum": sum(moods)}
                row["bad_squares"] = sum(map(_squared, moods))
                row["hurt"] = [rng.randrange(200) for _ in range(bad)]
                row["unhappy"] = [rng.randrange(200) for _ in range(felt // 2)]
                rows += [row] if volume else []
    return rows


def changed(
    rows: Sequence[Row], least: float, seed: int = 1, worse: Mapping[Measure, float] = WORSE
) -> tuple[list[Row], list[Change]]:
    """The figures with changes put in on days with at least so much in six hours; one a cell and fortnight at most."""
    rng = random.Random(f"changes/{seed}")
    first = min(row["slot"] for row in rows) // 24 + FIRST_DAY
    last = max(row["slot"] for row in rows) // 24 - 2
    chosen, taken = list[Change](), set[tuple[Cell, int]]()
    for measure, of in _OF.items():
        places = [place for place, most in _busiest(rows, of).items() if most >= least and first <= place[1] < last]
        rng.shuffle(places)
        for cell, day in places:
            is_near = any((cell, near) in taken for near in range(day - 14, day + 15))
            if not is_near and sum(one.measure == measure for one in chosen) < CHANGES // len(_OF):
                taken.add((cell, day))
                chosen.append(Change(cell, measure, day * 24, day * 24 + LASTS_H))
    return [_worse(row, chosen, rng, worse) for row in rows], chosen


def _busiest(rows: Sequence[Row], of: str) -> dict[tuple[Cell, int], float]:
    """(cell, day) → how much was counted in its busiest six hours, from midnight on."""
    found: dict[tuple[Cell, int], float] = {}
    quarters: dict[tuple[Cell, int], float] = {}
    for row in rows:
        cell, quarter = (row["touchpoint_type"], row["phase"]), row["slot"] // 6
        quarters[cell, quarter] = quarters.get((cell, quarter), 0.0) + row[of]
    for (cell, quarter), count in quarters.items():
        found[cell, quarter // 4] = max(count, found.get((cell, quarter // 4), 0.0))
    return found


def found(rows: Sequence[Row], changes: Sequence[Change], blueprint: Blueprint) -> dict[Measure, Found]:
    """Looked at every hour, as the service does."""
    scores: dict[Measure, Found] = {name: Found() for name in ("friction_rate", "emotion", "volume")}
    kinds = {kind.id: kind for kind in blueprint.types}
    first, last = min(row["slot"] for row in rows), max(row["slot"] for row in rows)
    unknown = {change.cell[0] for change in changes} - kinds.keys()
    assert not unknown, f"the blueprint has no types {unknown}: nobody looks at them"
    told: list[Change] = []
    for name, checks in unusual(blueprint, rows).items():
        for check in checks:
            desk = Desk(account_id=desk_id(kinds[name]))
            for hour in range(first + 24 * 28, last + 2):
                desk = looked(desk, kinds[name], [check], datetime.fromtimestamp(hour * HOUR_S, UTC))
            for part in desk.parts.values():
                ended = part.closed_at or datetime.fromtimestamp(last * HOUR_S, UTC)
                hours = [int(at.timestamp()) // HOUR_S for at in (part.opened_at, ended)]
                told.append(Change((name, check.phase), check.name, hours[0], hours[1]))
    for change in changes:
        scores[change.measure].put_in += 1
        scores[change.measure].found += any(_is_about(one, change) for one in told)
    for one in told:
        scores[one.measure].told += 1
        scores[one.measure].right += any(_is_about(one, change) for change in changes)
    return scores


def table(scores: Mapping[Measure, Found]) -> str:
    """As Markdown."""
    lines = ["| measure | put in | found | recall | told | right | precision |", "|---|---|---|---|---|---|---|"]
    for name, s in scores.items():
        recall = f"{s.found / s.put_in:.2f}" if s.put_in else "–"
        precision = f"{s.right / s.told:.2f}" if s.told else "–"
        lines.append(f"| {name} | {s.put_in} | {s.found} | {recall} | {s.told} | {s.right} | {precision} |")
    return "\n".join(lines)


def _is_about(told: Change, change: Change) -> bool:
    """The same cell and measure, begun while it lasted or soon after."""
    is_then = change.since <= told.since <= change.until + NEAR_H
    return (told.cell, told.measure) == (change.cell, change.measure) and is_then


def _worse(row: Row, changes: Iterable[Change], rng: random.Random, worse: Mapping[Measure, float]) -> Row:
    cell, slot = (row["touchpoint_type"], row["phase"]), row["slot"]
    for change in changes:
        if change.cell != cell or not change.since <= slot < change.until:
            continue
        if change.measure == "volume":
            return row | dict.fromkeys(("volume", "painful", "felt", "emotion_sum", "bad_squares"), 0)
        if change.measure == "emotion":
            mood = row["emotion_sum"] - worse["emotion"] * row["felt"]
            return row | {"emotion_sum": mood, "unhappy": [rng.randrange(200) for _ in range(row["felt"])]}
        more = sum(rng.random() < worse["friction_rate"] for _ in range(row["volume"] - row["painful"]))
        hurt = [*row["hurt"], *(rng.randrange(200) for _ in range(more))]
        return row | {"painful": row["painful"] + more, "hurt": hurt}
    return row


def _count(found: dict[tuple[str, str, int], Row], fact: TouchpointFact) -> None:
    slot = int(fact.input.touchpoint.occurred_at.timestamp()) // HOUR_S
    row = found.setdefault((fact.touchpoint_type, fact.phase, slot), _empty(fact.touchpoint_type, fact.phase, slot))
    who = int(fact.account_id.rpartition(":")[2])
    row["volume"] += 1
    if fact.friction_signals:
        row["painful"] += 1
        row["hurt"].append(who)
    if fact.emotion is not None:
        row["felt"] += 1
        row["emotion_sum"] += fact.emotion
        row["bad_squares"] += _squared(fact.emotion)
        row["unhappy"] += [who] if fact.emotion < 0 else []


def _empty(kind: str, phase: str, slot: int) -> Row:
    sums = ("volume", "painful", "felt", "emotion_sum", "bad_squares", "asked", "timed", "slow")
    counts = dict.fromkeys((*sums, "painful_anew", "bad_anew", "slow_anew"), 0)
    return {
        **{"touchpoint_type": kind, "phase": phase, "source": "sim", "slot": slot},
        **counts,
        **{name: [] for name in ("hurt", "unhappy", "kept_waiting")},
    }


def _squared(emotion: float) -> float:
    return ((1 - emotion) / 2) ** 2


def _poisson(rng: random.Random, mean: float) -> int:
    """Counts by chance; exact for the small means of an hour."""
    at, number = rng.expovariate(1.0), 0
    while at < mean:
        at, number = at + rng.expovariate(1.0), number + 1
    return number
