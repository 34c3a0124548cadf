"""What policies would have told of sources and touchpoint types on the days that are stored: for previews. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from schemas.incidents import Desk
from streams.incidents.counts import BROKEN, COUNTS, asked, measured, sources_of
from streams.incidents.intake import Lens
from streams.incidents.lateness import after_look
from streams.incidents.promises import MEMORY as FIGURES_MEMORY
from streams.incidents.promises import promises
from streams.incidents.rhythm import MEMORY, SLOT_S, SLOTS, Rhythm, Rhythms
from streams.incidents.series import SLOT_S as STEP_S
from streams.incidents.subjects import SOURCE
from streams.incidents.type_desks import desk_id, looked

Row = Mapping[str, Any]
Question = tuple[str, dict[str, Any]]
_WEEK: Final = timedelta(days=7)


def questions(lens: Lens, since: datetime, now: datetime) -> list[Question]:
    """The statements whose answers `desks_of_figures` takes, in this order; none where no policy asks for figures."""
    policies, found = lens.blueprint.policies, list[Question]()
    if any(policy.sources for policy in policies):
        found.append((SLOTS, {"since": since - MEMORY}))
    if any(policy.targets for policy in policies):
        begin = datetime.fromtimestamp((since - FIGURES_MEMORY).timestamp() // STEP_S * STEP_S, UTC)
        while begin < now:
            end = min(begin + _WEEK, now)
            found += [(statement, asked(lens.blueprint, begin, end, STEP_S)) for statement in (COUNTS, BROKEN)]
            begin = end
    return found


def desks_of_figures(  # noqa: PLR0913 - what it is played on
    asked_for: Sequence[Question],
    answers: Sequence[Sequence[Row]],
    lens: Lens,
    since: datetime,
    now: datetime,
    rhythms: Rhythms,
) -> list[Desk]:
    """Desks of configured sources and of types, with all that hurt since then."""
    rows: dict[str, list[Row]] = {SLOTS: [], COUNTS: [], BROKEN: []}
    for (statement, _), found in zip(asked_for, answers, strict=True):
        rows[statement] += found
    sources = [
        _source(str(row["source"]), row["slots"], since, now, rhythms)
        for row in rows[SLOTS]
        if row["source"] in rhythms.names and any(policy.sources for policy in lens.blueprint.policies)
    ]
    return [desk for desk in (*sources, *_types(rows, lens, since, now)) if desk.parts]


def _types(rows: Mapping[str, Sequence[Row]], lens: Lens, since: datetime, now: datetime) -> Iterator[Desk]:
    series = measured(rows[COUNTS], rows[BROKEN], lens.blueprint)
    for name, checks in promises(lens.blueprint, series, sources_of(rows[COUNTS])).items():
        kind = lens.types[name]
        desk, at = Desk(account_id=desk_id(kind)), since
        while at < now:
            desk, at = looked(desk, kind, checks, at), at + timedelta(seconds=STEP_S)
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
