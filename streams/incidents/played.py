"""What policies would have sent of sources and touchpoint types on the days that are stored: for previews. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from schemas.incidents import Desk
from streams.incidents.counts import BROKEN, COUNTS, asked, measured, sources_of
from streams.incidents.holidays import Holidays
from streams.incidents.intake import Lens
from streams.incidents.lateness import after_look
from streams.incidents.pace import SLOT_S
from streams.incidents.promises import MEMORY as FIGURES_MEMORY
from streams.incidents.promises import promises
from streams.incidents.rhythm import MEMORY, SLOTS, Rhythm, Rhythms
from streams.incidents.series import SLOT_S as STEP_S
from streams.incidents.subjects import SOURCE
from streams.incidents.type_desks import Check, desk_id, looked
from streams.incidents.unusual import HOUR_S, unusual
from streams.incidents.unusual import MEMORY as WEEKS_KNOWN

Row = Mapping[str, Any]
Question = tuple[str, dict[str, Any]]
_WEEK: Final = timedelta(days=7)


def questions(lens: Lens, since: datetime, now: datetime) -> list[Question]:
    """The statements whose answers `desks_of_figures` takes, in this order; none where no policy asks for figures."""
    policies, found = lens.blueprint.policies, list[Question]()
    if any(policy.sources for policy in policies):
        found.append((SLOTS, {"since": since - MEMORY}))
    if any(policy.targets for policy in policies):
        found += _weeks(lens, (COUNTS, BROKEN), since - FIGURES_MEMORY, now, STEP_S)
    if any(policy.unusual for policy in policies):
        found += _weeks(lens, (COUNTS,), since - WEEKS_KNOWN, now, HOUR_S)
    return found


def _weeks(lens: Lens, statements: Sequence[str], since: datetime, now: datetime, width_s: int) -> Iterator[Question]:
    """A week at a time: what one statement may hold is bounded."""
    begin = datetime.fromtimestamp(since.timestamp() // width_s * width_s, UTC)
    while begin < now:
        end = min(begin + _WEEK, now)
        yield from ((statement, asked(lens.blueprint, begin, end, width_s)) for statement in statements)
        begin = end


def desks_of_figures(  # noqa: PLR0913 - what it is played on
    asked_for: Sequence[Question],
    answers: Sequence[Sequence[Row]],
    lens: Lens,
    since: datetime,
    now: datetime,
    rhythms: Rhythms,
) -> list[Desk]:
    """Desks of configured sources and of types, with all that hurt since then."""
    rows: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for (statement, wanted), found in zip(asked_for, answers, strict=True):
        rows[statement, wanted.get("width_s", 0)] += found
    sources = [
        _source(str(row["source"]), row["slots"], since, now, rhythms)
        for row in rows[SLOTS, 0]
        if row["source"] in rhythms.names and any(policy.sources for policy in lens.blueprint.policies)
    ]
    types = _types(rows, lens, since, now, rhythms.holidays)
    return [_believed(desk) for desk in (*sources, *types) if desk.parts]


def _believed(desk: Desk) -> Desk:
    """Nobody knows any more which source was late then: nothing is held."""
    return desk.changed(parts={name: part.changed(needs_sources=False) for name, part in desk.parts.items()})


def _types(
    rows: Mapping[tuple[str, int], Sequence[Row]], lens: Lens, since: datetime, now: datetime, holidays: Holidays
) -> Iterator[Desk]:
    quarters, broken = rows[COUNTS, STEP_S], rows[BROKEN, STEP_S]
    kept = promises(lens.blueprint, measured(quarters, broken, lens.blueprint), sources_of(quarters))
    cells = unusual(lens.blueprint, rows[COUNTS, HOUR_S], holidays)
    for name in sorted(kept.keys() | cells.keys()):
        kind = lens.types[name]
        checks: list[Check] = [*kept.get(name, ()), *cells.get(name, ())]
        step = timedelta(seconds=min(check.step_s for check in checks))
        desk, at = Desk(account_id=desk_id(kind)), since
        while at < now:
            desk, at = looked(desk, kind, checks, at), at + step
        yield looked(desk, kind, checks, now)


def _source(name: str, slots: Iterable[int], since: datetime, now: datetime, rhythms: Rhythms) -> Desk:
    """Looked at a moment before it was heard again, after each silence that is long enough to be one."""
    heard, known = sorted(slots), dict[int, Rhythm]()
    desk = Desk(account_id=f"{SOURCE}{name}")
    least = int(rhythms.least_s) // SLOT_S
    for last, following in pairwise((*heard, int(now.timestamp()) // SLOT_S + 1)):
        if following - last <= least or _time(following) <= since:
            continue
        day = last * SLOT_S // 86_400
        rhythm = known[day] = known.get(day) or rhythms.of_slots(name, _until(heard, last))
        again_at = min(now, _time(following) - timedelta(seconds=1))
        desk = after_look(desk, name, rhythm, _time(last), again_at)
        if following <= heard[-1]:
            desk = after_look(desk, name, rhythm, _time(following), _time(following))
    return desk


def _until(heard: Sequence[int], last: int) -> Sequence[int]:
    oldest = last - int(MEMORY.total_seconds()) // SLOT_S
    return heard[bisect_left(heard, oldest) : bisect_right(heard, last)]


def _time(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * SLOT_S, UTC)
