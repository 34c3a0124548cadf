"""What is unusual of a touchpoint type: told once, held while its source is late, and not because of a holiday."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from schemas.incidents import Thread
from streams.incidents.played import desks_of_figures, questions
from streams.incidents.preview import preview
from streams.incidents.promises import promises
from streams.incidents.rhythm import Rhythms
from streams.incidents.series import SLOT_S, Series, Tally
from streams.incidents.unusual import HOUR_S, unusual
from streams.journey.golden import START
from tests.incident_kit import BLUEPRINT, LENS
from tests.simulation.changed import changed, found, rhythm
from tests.unit.test_alerts_of_history import Watch
from tests.unit.test_promises import NOTHING

TYPE, PHASE = "support_ticket", "enablement"
HOUR = timedelta(hours=1)
FIRST = int(START.timestamp()) // HOUR_S
LAST = 9 * 168
NOW = START + LAST * HOUR
Row = dict[str, Any]


def row(hour: int, **figures: Any) -> Row:
    base: Row = {"touchpoint_type": TYPE, "phase": PHASE, "source": "desk", "slot": FIRST + hour, "volume": 20}
    return base | NOTHING | {"painful": 1} | figures


def usual(until: int = LAST, **figures: Any) -> list[Row]:
    return [row(hour, **figures) for hour in range(until)]


BAD: Row = {"painful": 8, "hurt": [1, 2, 3, 4, 5, 6]}


async def looked_at(rows: Sequence[Row], *, heard: bool = True, since: timedelta = timedelta()) -> list[Thread]:
    """The conversations about the type, looked at now."""
    watch = Watch(NOW, START + since)
    if heard:
        watch.desks.wards[0].heard["desk"] = NOW
    watch.watcher.measured(unusual(BLUEPRINT, rows), NOW)
    await watch.watcher._look()
    return list(watch.desks.get(f"type:{TYPE}").threads)


async def test_it_is_told_with_what_is_usual() -> None:
    (thread,) = await looked_at([*usual(LAST - 6), *(row(hour, **BAD) for hour in range(LAST - 6, LAST))])
    assert thread.state == "told" and thread.last is not None
    assert thread.last.headline == "Something is unusual: Support ticket"
    assert thread.last.evidence[0].words == (
        "Support ticket: friction at 40% of 120, 5% in the same 6 h of the weeks before"
    )


async def test_silence_is_held_while_its_source_is_late_and_told_when_it_is_heard() -> None:
    rows = usual(LAST - 6)
    (held,), (told,) = await looked_at(rows, heard=False), await looked_at(rows)
    assert (held.state, held.held_for, held.held_why) == ("held", "desk", "nothing was heard of desk")
    assert told.state == "told" and told.last is not None
    assert "nothing came in the last 6 h, 120 in the same hours" in told.last.evidence[0].words


async def test_what_a_remap_finds_is_told_to_nobody_and_what_comes_after_it_is() -> None:
    """A newer mapping finds friction in all nine weeks, and more of it in the last six hours."""
    anew = [one | {"painful_anew": one["painful"]} for one in usual()]
    bad = [row(hour, **BAD, painful_anew=8) for hour in range(LAST - 6, LAST)]
    assert await looked_at([*anew[:-6], *bad]) == []
    live = [row(hour, **BAD) for hour in range(LAST - 6, LAST)]
    assert len(await looked_at([*anew[:-6], *live])) == 1


async def test_a_remap_disproves_nothing_that_was_told() -> None:
    """What was told of live touchpoints stands when they are read anew."""
    bad = [*usual(LAST - 6), *(row(hour, **BAD) for hour in range(LAST - 6, LAST))]
    watch = Watch(NOW, START)
    watch.desks.wards[0].heard["desk"] = NOW
    for rows in (bad, [one | {"painful_anew": one["painful"]} for one in bad]):
        watch.watcher.measured(unusual(BLUEPRINT, rows), NOW)
        await watch.watcher._look()
    (thread,) = watch.desks.get(f"type:{TYPE}").threads
    assert (thread.state, thread.missing_since) == ("told", None)


async def test_what_was_so_before_the_first_start_is_history() -> None:
    rows = [*usual(LAST - 6), *(row(hour, **BAD) for hour in range(LAST - 6, LAST))]
    assert await looked_at(rows, since=(LAST + 1) * HOUR) == []


async def test_much_that_is_unusual_of_one_type_is_one_incident() -> None:
    both = {**BAD, "felt": 10, "emotion_sum": -8, "unhappy": [1, 2, 3, 4, 5, 6]}
    rows = [
        *usual(LAST - 6, felt=10, emotion_sum=3),
        *(row(hour, **both) for hour in range(LAST - 6, LAST)),
    ]
    (thread,) = await looked_at(rows)
    assert thread.last is not None and thread.last.evidence_count == 2


@pytest.mark.parametrize(("weeks", "told"), [((3,), 1), ((3, 5), 0)])
async def test_one_week_of_holidays_is_no_reason_to_be_silent_about_silence(weeks: Sequence[int], told: int) -> None:
    away = {hour for week in weeks for hour in range(week * 168, (week + 1) * 168)}
    assert len(await looked_at([one for one in usual(LAST - 6) if one["slot"] - FIRST not in away])) == told


def test_the_preview_tells_it_although_nobody_knows_which_source_was_late_then() -> None:
    rows, since = usual(LAST - 6), NOW - 5 * HOUR
    asked_for = questions(LENS, since, NOW)
    first = asked_for.index(next(one for one in asked_for if one[1].get("width_s") == HOUR_S))
    answers = [rows if at == first else [] for at in range(len(asked_for))]
    desks = desks_of_figures(asked_for, answers, LENS, since, NOW + HOUR, Rhythms())
    told = {tally.policy: tally.opened for tally in preview(desks, LENS, since, NOW + HOUR) if tally.opened}
    assert told == {"unusual_change": 1}


async def test_what_was_told_by_people_is_not_held_with_what_silence_tells() -> None:
    """A missed promise of friction, and a silence of the same type, are one incident, and it is told."""
    rows = usual(LAST - 6)
    watch = Watch(NOW, START)
    slot = int(NOW.timestamp()) // SLOT_S
    painful = Series({slot - n: Tally(20, 15, frozenset(range(6))) for n in range(4)})
    promise = promises(BLUEPRINT, {(TYPE, "friction_rate"): painful}, {TYPE: ("desk",)})[TYPE]
    watch.watcher.measured({TYPE: [*promise, *unusual(BLUEPRINT, rows)[TYPE]]}, NOW)
    await watch.watcher._look()
    (thread,) = watch.desks.get(f"type:{TYPE}").threads
    assert thread.state == "told"


def test_of_changes_put_in_it_finds_some_and_makes_up_none() -> None:
    """The measure itself is `python -m benchmarks --only changes`."""
    rows, changes = changed(rhythm(1, 3, 60), 30)
    with_them, without = found(rows, changes, BLUEPRINT), found(rhythm(1, 3, 60), (), BLUEPRINT)
    assert sum(one.found for one in with_them.values()) >= 1
    assert sum(one.told for one in without.values()) == 0


def test_what_hurts_is_not_over_at_any_hour() -> None:
    """Else it would be over and come back each night, when little comes anyway."""
    rows, _ = changed(rhythm(5, 6), 30, 5)
    first, last = min(one["slot"] for one in rows), max(one["slot"] for one in rows)
    hurts = 0
    for cells in unusual(BLUEPRINT, rows).values():
        for cell in cells:
            for hour in range(first + 24 * 28, last + 1):
                if cell.pain(hour) is not None:
                    hurts += 1
                    assert not cell.is_over(hour), (cell.phase, cell.name, hour)
    assert hurts > 50


def test_calm_hours_after_a_bad_day_are_not_calm_until_the_day_is() -> None:
    bad, calm = (
        [row(hour, painful=12, hurt=[*range(8)]) for hour in range(LAST - 36, LAST - 12)],
        range(LAST - 12, LAST),
    )
    rows = [*usual(LAST - 36), *bad, *(row(hour) for hour in calm)]
    (cell,) = [each for each in unusual(BLUEPRINT, rows)[TYPE] if each.name == "friction_rate"]
    pain = cell.pain(FIRST + LAST)
    assert pain is not None and "24 h" in pain.words
    assert not cell.is_over(FIRST + LAST)
