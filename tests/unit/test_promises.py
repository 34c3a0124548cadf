"""A promise of a touchpoint type missed: told once, not by chance, not of history; withdrawn if it never was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StoreUnavailable
from schemas.incidents import Delivery, Message
from services.alerting.measuring import Measuring
from services.alerting.watcher import without_idle
from services.dashboard.words import delivery_subject
from streams.incidents.counts import COUNTS, Figures, measured
from streams.incidents.intake import Lens
from streams.incidents.played import desks_of_figures, questions
from streams.incidents.preview import preview
from streams.incidents.promises import at_least, promises
from streams.incidents.rhythm import SLOTS, Rhythms
from streams.incidents.series import SLOT_S, Series, Tally
from streams.journey.golden import START
from tests.incident_kit import BLUEPRINT, LENS
from tests.unit.test_alerts_of_history import Watch

HOUR = timedelta(hours=1)
TYPE = "support_ticket"
NOW = START + 100 * HOUR
Row = dict[str, Any]
_SUMS = (
    "painful",
    "felt",
    "emotion_sum",
    "bad_squares",
    "asked",
    "timed",
    "slow",
    "painful_anew",
    "bad_anew",
    "slow_anew",
)
NOTHING: Row = dict.fromkeys(_SUMS, 0) | {name: [] for name in ("hurt", "unhappy", "kept_waiting")}
"""Counts of touchpoints of which nothing was bad."""


def row(at: datetime, **figures: Any) -> Row:
    told: Row = {"touchpoint_type": TYPE, "phase": "enablement", "source": "desk", "volume": 10}
    return NOTHING | told | {"slot": int(at.timestamp()) // SLOT_S} | figures


def rows(since: datetime, until: datetime, **figures: Any) -> list[Row]:
    """One each quarter of an hour."""
    return [row(since + n * HOUR / 4, **figures) for n in range(int((until - since) / HOUR * 4))]


BAD: Row = {"painful": 6, "hurt": [1, 2, 3, 4, 5, 6]}
USUAL = rows(NOW - 90 * HOUR, NOW)
FAILING = [*USUAL, *rows(NOW, NOW + 2 * HOUR, **BAD)]


class Store:
    """Counts of touchpoints; nothing was broken."""

    def __init__(self, counts: Sequence[Row]) -> None:
        self.counts, self.is_away, self.asked = list(counts), False, 0

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, object]]:
        assert parameters is not None
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("away")
        since, until = (parameters[name].timestamp() / SLOT_S for name in ("since", "until"))
        return [one for one in self.counts if sql == COUNTS and since <= one["slot"] < until]


class World:
    """The watcher and what it measures, in the test's time."""

    def __init__(self, counts: Sequence[Row], *, since: datetime = START, heard: datetime | None = None) -> None:
        self.watch, self.store, self.is_complete = Watch(NOW, since), Store(counts), True
        ward = self.watch.desks.wards[0]
        self.watch.desks.wards[0] = ward.changed(sources={"desk": heard} if heard else {})
        self.measuring = Measuring(
            self.store, BLUEPRINT, lambda: self.watch.now, self.watch.watcher.measured, lambda: self.is_complete
        )

    async def at(self, now: datetime) -> list[Message]:
        self.watch.now = now
        await self.measuring.step()
        await self.watch.watcher._look()
        desk = self.watch.desks.get(f"type:{TYPE}")
        assert without_idle(desk) == desk
        return [notice.message for thread in desk.threads for notice in thread.notices]


async def until(world: World, last: datetime) -> list[Message]:
    """As it goes on, a look each quarter of an hour."""
    at, told = world.watch.now, list[Message]()
    while at <= last:
        told, at = await world.at(at), at + HOUR / 4
    return told


async def test_it_is_told_once_in_words_and_closed_when_it_is_kept_again() -> None:
    world = World(FAILING + rows(NOW + 2 * HOUR, NOW + 12 * HOUR))
    (opened,) = await until(world, NOW + 2 * HOUR)
    assert opened.headline == "A promise is missed: Support ticket"
    assert opened.evidence[0].words.startswith("Support ticket: friction at 60% of 40, 10% is promised at most in the")
    assert "felt at 6 accounts" in opened.evidence[0].words and not opened.evidence[0].url
    assert opened.where == "look at the page of touchpoint support_ticket, phase enablement"
    assert (opened.department, opened.excellent != "", opened.level) == ("Support", True, "high")
    assert [one.kind for one in await until(world, NOW + 12 * HOUR)] == ["opened", "closed"]


@pytest.mark.parametrize("why", ["behind", "away"])
async def test_nothing_is_concluded_while_we_are_behind_or_the_store_is_away(why: str) -> None:
    world = World(FAILING)
    world.is_complete, world.store.is_away = why != "behind", why == "away"
    assert await until(world, NOW + 2 * HOUR) == []


async def test_what_late_facts_disprove_is_withdrawn() -> None:
    world = World(FAILING)
    await until(world, NOW + 2 * HOUR)
    world.store.counts = USUAL + rows(NOW, NOW + 4 * HOUR)
    world.measuring._counts._all_at = START
    await world.at(NOW + 3 * HOUR)
    assert await world.at(NOW + 3 * HOUR + HOUR / 4) == [], "nobody had heard of it yet"
    (thread,) = world.watch.desks.get(f"type:{TYPE}").threads
    assert thread.state == "withdrawn"


@pytest.mark.parametrize(
    ("what", "told", "asked"),
    [
        ("live", 1, {}),
        ("missed before the first start, or the new policy", 0, {"since": NOW + 2 * HOUR}),
        ("missed before its source was first heard", 0, {"heard": NOW + 2 * HOUR}),
    ],
)
async def test_nobody_is_woken_by_history(what: str, told: int, asked: dict[str, datetime]) -> None:
    world = World(FAILING, **asked)
    assert len(await world.at(NOW + 2 * HOUR)) == told, what


async def test_what_a_remap_finds_is_told_to_nobody_and_disproves_nothing() -> None:
    anew = [one | {"painful_anew": one["painful"]} for one in FAILING]
    assert await until(World(anew), NOW + 2 * HOUR) == []
    world = World(FAILING)
    assert [one.kind for one in await until(world, NOW + 2 * HOUR)] == ["opened"]
    world.store.counts = anew
    world.measuring._counts._all_at = START
    assert [one.kind for one in await world.at(NOW + 2 * HOUR + HOUR / 4)] == ["opened"]
    (thread,) = world.watch.desks.get(f"type:{TYPE}").threads
    assert (thread.state, thread.missing_since) == ("told", None)


async def test_what_was_missed_long_ago_is_told_to_nobody() -> None:
    counts = [*USUAL, *rows(NOW, NOW + 24 * HOUR, **BAD)]
    assert len(await World(counts).at(NOW + 5 * HOUR)) == 1
    assert await World(counts).at(NOW + 8 * HOUR) == []


async def test_after_a_crash_the_same_is_found_with_the_same_identity() -> None:
    one, other = World(FAILING), World(FAILING)
    first = await until(one, NOW + 2 * HOUR)
    again = await other.at(NOW + 2 * HOUR)
    assert [message.incident_id for message in first] == [message.incident_id for message in again]
    assert [message.notice_id for message in first] == [message.notice_id for message in again]


async def test_a_promise_in_time_is_held_while_its_source_is_late() -> None:
    counts = rows(NOW - 6 * HOUR, NOW, asked=10)
    broken = [
        {
            "touchpoint_type": TYPE,
            "rule": "first_response_breach",
            "slot": one["slot"],
            "missed": 9,
            "missed_anew": 0,
            "accounts": [*range(6)],
        }
        for one in counts
    ]
    blueprint = BLUEPRINT
    checks = promises(blueprint, measured(counts, broken, blueprint), {TYPE: ("desk",)})[TYPE]
    assert {check.target for check in checks if check.needs_sources} == {"first_response_s", "resolution_s"}
    watch = Watch(NOW, START)
    watch.watcher.measured({TYPE: checks}, NOW)
    await watch.watcher._look()
    (thread,) = watch.desks.get(f"type:{TYPE}").threads
    assert (thread.state, thread.held_for) == ("held", "desk")


async def test_what_no_policy_asks_for_any_more_is_over() -> None:
    world = World(FAILING)
    await until(world, NOW + 2 * HOUR)
    world.watch.watcher.measured({}, NOW + 2 * HOUR)
    await world.watch.watcher._look()
    (thread,) = world.watch.desks.get(f"type:{TYPE}").threads
    assert thread.state == "closed"


async def test_only_what_is_new_is_asked_each_minute_and_all_once_an_hour() -> None:
    world = World(USUAL)
    asked = []
    for minutes in (0, 1, 2, 61):
        world.store.asked = 0
        await world.at(NOW + timedelta(minutes=minutes))
        asked.append(world.store.asked)
    assert asked == [14 + 63, 2, 2, 16 + 1], "each day of both memories, or the last hours of them; hours once an hour"


_ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([TYPE, "invoice"]), st.integers(0, 3), st.integers(0, 2)), max_size=8
)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3), _ROWS), min_size=1, max_size=6), st.integers(0, 6))
@settings(max_examples=60)
def test_what_is_asked_anew_bit_by_bit_is_what_is_asked_at_once(
    asks: list[tuple[int, int, list[tuple[int, str, int, int]]]], oldest: int
) -> None:
    figures, held = Figures(BLUEPRINT), dict[int, list[Row]]()
    for since, length, found in asks:
        slots = range(since, since + length)
        counts = [
            row(NOW, touchpoint_type=kind, volume=volume, painful=bad, hurt=[*range(bad)]) | {"slot": slot}
            for slot, kind, volume, bad in found
            if slot in slots
        ]
        held |= {slot: [one for one in counts if one["slot"] == slot] for slot in slots}
        figures.put(slots, counts, ())
        assert _sums(figures.series()) == _sums(measured((one for of in held.values() for one in of), (), BLUEPRINT))
    figures.drop_before(oldest)
    kept = (one for slot, of in held.items() if slot >= oldest for one in of)
    assert _sums(figures.series()) == _sums(measured(kept, (), BLUEPRINT))


def _sums(found: Mapping[tuple[str, str], Series]) -> dict[tuple[str, str], list[Any]]:
    every = {
        name: [(of.sums(slot - 1, slot), of.accounts(slot - 1, slot)) for slot in range(9)]
        for name, of in found.items()
    }
    return {name: sums for name, sums in every.items() if any(counted for (counted, _), _ in sums)}


async def test_what_is_unusual_is_asked_again_when_the_store_was_away() -> None:
    world = World(USUAL)
    world.store.is_away = True
    await world.at(NOW)
    world.store.is_away, world.store.asked = False, 0
    await world.at(NOW + timedelta(minutes=1))
    assert world.store.asked == 16 + 64, "all of both, an hour and a minute being a day more"


@given(
    st.dictionaries(st.integers(0, 40), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20),
    st.integers(-2, 42),
    st.integers(-2, 42),
    st.integers(1, 60),
)
@settings(max_examples=60)
def test_sums_are_those_of_the_slots(found: dict[int, tuple[int, int]], after: int, until: int, least: int) -> None:
    series = Series({slot: Tally(float(n), float(bad), frozenset({bad})) for slot, (n, bad) in found.items()})
    inside = [pair for slot, pair in found.items() if after < slot <= until and any(pair)]
    assert series.sums(after, max(until, after)) == (sum(n for n, _ in inside), sum(bad for _, bad in inside))
    assert series.accounts(after, max(until, after)) == len({bad for _, bad in inside})
    since = series.enough_after(until, least)
    whole = sum(n for slot, (n, _) in found.items() if slot <= until)
    assert (since is None) == (whole < least)
    if since is not None:
        assert series.sums(since, until)[0] >= least > series.sums(since + 1, until)[0]


def test_the_least_that_chance_allows() -> None:
    """Against the formula's values for three deviations, worked out apart."""
    assert at_least(40, 24) == pytest.approx(0.37087, abs=1e-4)
    assert at_least(30, 2) < 0.03
    assert at_least(100, 100) == pytest.approx(100 / 109)


def test_the_preview_plays_types_and_sources() -> None:
    since, now = NOW - 24 * HOUR, NOW + 20 * HOUR
    asked_for = questions(LENS, since, now)
    counts = FAILING + rows(NOW + 2 * HOUR, now)
    slots = [int((START + n * HOUR).timestamp()) // 300 for n in range(-300, 100)]
    heard = [{"source": name, "slots": slots, "lag_s": 0} for name in ("crm", "other")]
    of: dict[str, list[Row]] = {SLOTS: heard, COUNTS: counts}
    answers = [of.pop(statement, []) for statement, _ in asked_for]
    rhythms = Rhythms(None, _named("crm"))
    desks = desks_of_figures(asked_for, answers, LENS, since, now, rhythms)
    told = {tally.policy: tally for tally in preview(desks, LENS, since, now) if tally.opened}
    assert {name: (one.opened, sorted(one.accounts)) for name, one in told.items()} == {
        "source_late": (1, ["source:crm"]),
        "promise_missed": (1, [f"type:{TYPE}"]),
    }
    nothing = Lens(BLUEPRINT.model_copy(update={"policies": ()}))
    assert questions(nothing, since, now) == [] and desks_of_figures([], [], nothing, since, now, rhythms) == []


def test_a_line_of_the_log_leads_to_what_it_is_about() -> None:
    line = Delivery(
        notice_id="n",
        incident_id="i/1",
        account_id="crm:1",
        policy="p",
        kind="opened",
        level="high",
        channel="c",
        at=NOW,
        outcome="sent",
    )
    about = [
        delivery_subject(line.changed(account_id=name), LENS.types) for name in ("crm:1", "source:crm", f"type:{TYPE}")
    ]
    assert about == [
        ("/incidents/i%2F1", "crm:1"),
        ("/sources", "source crm"),
        (f"/cells/enablement/{TYPE}", "Support ticket"),
    ]


def _named(*names: str) -> list[Any]:
    from schemas.config import SourceConfig

    return [SourceConfig(name=name, vendor="touchline", secrets=({"env": "X"},)) for name in names]
