"""When something is an incident, how bad it is and whom it is news for: both sides of each boundary."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import accumulate, permutations
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from schemas.config import LatenessConfig, SourceConfig
from schemas.incidents import Carrier, Desk, DigestLine, Message, Part
from schemas.policies import Policy
from services.sink.migrate import DEFAULT_DIR
from streams.incidents.actions import ActionLog, Standing, folded
from streams.incidents.digests import MAX_LINES, counted, daily, part_of
from streams.incidents.grouping import Burst, newest, with_bursts
from streams.incidents.incident import CALM, Incident, incident_id, signs_of
from streams.incidents.intake import OUTRIGHT
from streams.incidents.judging import (
    Watch,
    bursts_of,
    falls_under,
    importance,
    is_near,
    is_news,
    level_of,
    level_of_part,
    near_since,
    score,
)
from streams.incidents.lateness import after_look, late
from streams.incidents.pace import SLOT_S
from streams.incidents.quiet import Quiet, next_clock
from streams.incidents.rhythm import Rhythm, Rhythms, duration, rhythm_of, rhythms_of
from tests.incident_kit import LENS, NOW, action, ago, part

DAY = timedelta(days=1)


def policy(**fields: Any) -> Policy:
    own: dict[str, Any] = {"id": "p", "name": "P", "max_age_s": 3_600.0}
    return Policy.model_construct(
        **({n: f.get_default(call_default_factory=True) for n, f in Policy.model_fields.items()} | own | fields)
    )


def incident(*parts: Part) -> Incident:
    return Incident("crm:1", parts)


TICKET = LENS.types["support_ticket"].importance / 5


def test_a_score_is_the_worst_part_by_its_types_importance_and_the_accounts_weight() -> None:
    mild = part("s1", "e1", severity=0.2, touchpoint_type="support_ticket")
    bad = part("s2", "e2", severity=0.5, touchpoint_type="support_ticket")
    assert score([mild, bad], LENS, 1.0) == pytest.approx(0.5 * TICKET)
    assert score([bad], LENS, 1.5) == pytest.approx(0.75 * TICKET)
    assert score([bad], LENS, 99.0) == 1.0
    assert score([part("s", "e", severity=0.5, touchpoint_type="unknown")], LENS, 1.0) == pytest.approx(0.3)
    for kind in ("phase", "source"):
        assert score([part("s", "e", severity=0.5, touchpoint_type="unknown", kind=kind)], LENS, 1.0) == 0.5
    assert importance(None) == 0.6
    assert level_of(incident(mild, part("s3", "e", severity=0.8, kind="phase")), LENS, 1.0) == "severe"
    assert level_of_part(part("s3", "e", severity=0.4, kind="phase"), LENS, 1.0) == "high"
    assert level_of_part(part("s3", "e", severity=0.4, kind="phase"), LENS, 0.9) == "watch"


def test_only_policies_that_count_ask_for_bursts() -> None:
    assert bursts_of([policy(count=3, within_s=60.0), policy(id="q")]) == [Burst("p", 3, timedelta(minutes=1))]


@pytest.mark.parametrize(
    ("after", "near"),
    [(timedelta(0), True), (-timedelta(microseconds=1), False), (30 * DAY, True), (31 * DAY, False)],
)
def test_a_renewal_is_near_from_so_many_days_before_until_its_day_is_over(after: timedelta, near: bool) -> None:
    asked, dates = policy(renewal_within_days=30.0), {"renewal_date": NOW}
    since = near_since(asked, dates)
    assert since == NOW - 30 * DAY
    assert is_near(asked, dates, since + after) is near
    assert is_near(asked, dates, NOW + DAY - timedelta(microseconds=1))


def test_no_renewal_is_near_that_nobody_asks_for_or_knows() -> None:
    assert near_since(policy(), {"renewal_date": NOW}) is None and not is_near(policy(), {"renewal_date": NOW}, NOW)
    assert near_since(policy(renewal_within_days=30.0), {}) is None


@pytest.mark.parametrize(
    ("asked", "of", "falls"),
    [
        ({"rules": ("r",)}, {"what": "r"}, True),
        ({"rules": ("r",)}, {"what": "other"}, False),
        ({"rules": ("r",), "threshold": 0.5}, {"what": "r"}, True),
        ({"rules": ("r",), "threshold": 0.51}, {"what": "r"}, False),
        ({"types": ("r",)}, {"what": "r"}, False),
        ({"types": ("r",)}, {"what": "r", "kind": "touchpoint"}, True),
        ({"moves": ("exit",)}, {"what": "exit", "kind": "phase"}, True),
        ({"moves": ("exit",)}, {"what": "backward", "kind": "phase"}, False),
        ({"count": 3}, {"what": "p", "kind": "burst"}, True),
        ({"count": 3}, {"what": "q", "kind": "burst"}, False),
        ({"rules": ("r",)}, {"what": "p", "kind": "target"}, True),
        ({"rules": ("r",)}, {"what": "q", "kind": "target"}, False),
        ({"sources": ("web",)}, {"what": "web", "kind": "source"}, True),
        ({"sources": ("*",)}, {"what": "web", "kind": "source"}, True),
        ({"sources": ("crm",)}, {"what": "web", "kind": "source"}, False),
        ({"renewal_within_days": 9.0}, {"what": "any"}, True),
        ({"renewal_within_days": 9.0}, {"what": "any", "derived": True}, False),
        ({"renewal_within_days": 9.0, "rules": ("r",)}, {"what": "any"}, False),
        ({"renewal_within_days": 9.0, "types": ("r",)}, {"what": "any"}, False),
        ({"renewal_within_days": 9.0, "moves": ("exit",)}, {"what": "any"}, False),
        ({"renewal_within_days": 9.0, "count": 2}, {"what": "any"}, False),
        ({"renewal_within_days": 0.5}, {"what": "any"}, False),
    ],
)
def test_what_a_policy_asks_for(asked: Any, of: Any, falls: bool) -> None:
    told = incident(part("s0", "e0", severity=0.0, derived=True), part("s1", "e1", **of))
    dates = {"renewal_date": NOW + DAY}
    assert falls_under(policy(**asked), told, dates, NOW, is_key=False) is falls
    assert not falls_under(policy(**asked, key_accounts=True), told, dates, NOW, is_key=False)
    assert falls_under(policy(**asked, key_accounts=True), told, dates, NOW, is_key=True) is falls


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("minutes", "watch", "carrier", "near", "news"),
    [
        (60, Watch(NOW - DAY), None, None, True),
        (60.1, Watch(NOW - DAY), None, None, False),
        (30, Watch(ago(minutes=30)), None, None, True),
        (30, Watch(ago(minutes=29)), None, None, False),
        (600, Watch(NOW - DAY), None, NOW - HOUR, True),
        (600, Watch(NOW - DAY), None, NOW, True),
        (600, Watch(NOW - DAY), None, NOW + HOUR, False),
        (600, Watch(NOW - DAY), None, NOW - 2 * HOUR, False),
        (30, Watch(NOW - DAY, {"web": ago(minutes=25)}), "web", None, True),
        (30, Watch(NOW - DAY, {"web": ago(minutes=24)}), "web", None, False),
        (30, Watch(NOW - DAY, {"crm": ago(minutes=1)}), "web", None, True),
        (30, Watch(NOW - DAY), "backfill", None, False),
    ],
)
def test_what_is_news(minutes: float, watch: Watch, carrier: str | None, near: datetime | None, news: bool) -> None:
    carriers = {}
    if carrier:
        carriers["e1"] = Carrier(source="web", backfill=carrier == "backfill", received_at=NOW)
    told = incident(part("s1", "e1", minutes=minutes), part("t", "e2", derived=True))
    assert is_news(policy(), told, carriers, watch, NOW, near) is news


def test_figures_are_history_by_the_sources_they_come_from() -> None:
    told = incident(part("s1", "e1", minutes=30, sources=("web", "crm")))
    assert is_news(policy(), told, {}, Watch(NOW - DAY, {"web": ago(minutes=40), "desk": NOW}), NOW)
    assert not is_news(policy(), told, {}, Watch(NOW - DAY, {"web": ago(minutes=40), "crm": NOW}), NOW)


def test_an_incident_is_what_its_pains_are() -> None:
    first = part("s1", "e1", "e2", minutes=90, severity=0.5)
    worst = part("s2", "e2", "e3", minutes=60, severity=0.7, closed_at=ago(minutes=5))
    equal = part("s0", "e4", minutes=30, severity=0.7)
    tag = part("t", "e9", minutes=95, severity=0.9, derived=True, what="b")
    told = incident(tag, first, worst, equal, part("u", "e1", derived=True, what="a"))
    assert told.roots == (first, worst, equal) and told.lead == worst and told.tags == ("a", "b")
    assert told.events == ("e9", "e1", "e2", "e3", "e4") and told.incident_id == incident_id("e9") != incident_id("e1")
    assert (told.severity, told.opened_at, told.pained_at) == (0.9, ago(minutes=90), ago(minutes=5))
    assert told.over_at() == ago(minutes=5) + CALM
    assert told.is_over(ago(minutes=5) + CALM) and not told.is_over(ago(minutes=5.1) + CALM)
    assert signs_of([first, worst, equal, part("s9", "e1", minutes=1)]) == {
        "e1": [part("s9", "e1", minutes=1), first], "e2": [worst], "e4": [equal],
    }  # fmt: skip


def test_what_waits_is_over_with_its_end_and_not_before() -> None:
    waiting = part("s1", "e1", minutes=60, waits=True, closed_at=None)
    assert incident(waiting).over_at() is None and not incident(waiting).is_over(NOW + 9 * DAY)
    assert incident(waiting.changed(closed_at=ago(minutes=2))).over_at() == ago(minutes=2)
    assert incident(part("s2", "e2", minutes=60, closed_at=None)).over_at() == ago(minutes=60) + CALM


def test_a_burst_links_its_pains_and_goes_on_while_each_window_is_short() -> None:
    burst = Burst("many", 3, timedelta(minutes=20))
    pains = [
        part(f"s{n}", f"e{n // 2}", minutes=100 - 10 * n, severity=0.1 * (n + 1), touchpoint_type=f"t{n}")
        for n in range(4)
    ]
    tags = [part("d", "e8", minutes=71, derived=True), part("k", "e9", minutes=71, kind="phase")]
    *_, made = with_bursts([*pains, *tags], [burst])
    assert made == Part(
        part_id="burst:many:s0",
        kind="burst",
        what="many",
        derived=True,
        severity=0.4,
        touchpoint_type="t0",
        phase="enablement",
        opened_at=ago(minutes=100),
        closed_at=ago(minutes=70),
        event_id="e0",
        events=("e0", "e1"),
        links=("s0", "s1", "s2", "s3"),
        words="4 painful moments in a short time",
    )
    assert len(with_bursts(pains[:2], [burst])) == 2
    later = [part(f"x{n}", f"f{n}", minutes=10 - n) for n in range(3)]
    assert [one.part_id for one in with_bursts([*pains, *later], [burst])[7:]] == ["burst:many:s0", "burst:many:x0"]


def test_of_each_part_the_newest_word_counts_whatever_the_order() -> None:
    words = [part("s1", "e1", revision=1), part("s1", "e1", revision=3, severity=0.1), part("s1", "e1", revision=2)]
    others = [part("s2", "e2", minutes=5), part("s0", "e0", derived=True)]
    for order in permutations(words + others):
        assert [(one.part_id, one.severity) for one in newest(order)] == [("s2", 0.5), ("s1", 0.1), ("s0", 0.5)]


def test_actions_are_folded_in_the_order_they_were_done() -> None:
    done = [
        action("a1", "take", "e1", minutes=50),
        action("a2", "assign", "e1", minutes=40, by="Cy", to="Bo"),
        action("a3", "silence", "e1", minutes=30, until=NOW),
        action("a4", "note", "e1", minutes=20),
        action("a5", "done", "e1", minutes=10, by="Di"),
        action("a6", "unsubscribe", "digest:team:x", minutes=5),
    ]
    expected = Standing("Bo", ago(minutes=40), "Cy", NOW, "Ann", "Di", ago(minutes=10), (done[3],))
    for order in ([*done, *done], done[::-1]):
        assert folded(order) == expected
    again = folded([*done, action("a9", "take", "e1", minutes=1, by="Ed")])
    assert (again.taken_by, again.taken_at, again.assigned_by) == ("Ed", ago(minutes=1), "")
    assert expected.is_silent(ago(minutes=1)) and not expected.is_silent(NOW) and not Standing().is_silent(NOW)
    at = ago(minutes=10)
    assert expected.is_done(at) and not expected.is_done(ago(minutes=9.9)) and not Standing().is_done(at)


def test_actions_are_found_by_any_event_they_name() -> None:
    one, other = action("a2", "note", "e1", "e2", minutes=5), action("a1", "take", "e3", minutes=9)
    log = ActionLog([one, other, one])
    assert log.about(["e2"]) == [one] and log.about(["e3", "e1", "e2"]) == [other, one] and log.about(["e9"]) == []
    assert log.standing(["e3"]).taken_by == "Ann"


def test_who_wants_no_more_digests_may_want_them_again() -> None:
    log = ActionLog([action("a1", "unsubscribe", "digest:team:ann", minutes=9)])
    assert log.left("team") == {"digest:team:ann"} and log.left("tea") == log.left("other") == frozenset()
    log.learn(action("a2", "note", "digest:team:ann", minutes=5))
    assert log.left("team") == frozenset()


AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """In March 2026; the 2nd is a Monday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=AMSTERDAM)


@pytest.mark.parametrize(
    ("begin", "end", "weekends", "at", "until"),
    [
        (22, 7, False, local(3, 21, 59), None),
        (22, 7, False, local(3, 22), local(4, 7)),
        (22, 7, False, local(4, 6, 59), local(4, 7)),
        (22, 7, False, local(4, 7), None),
        (12, 13, False, local(4, 12), local(4, 13)),
        (12, 13, False, local(4, 13), None),
        (12, 12, False, local(4, 12), None),
        (22, 7, True, local(6, 23), local(9, 7)),
        (12, 13, True, local(7, 9), local(9, 0)),
        (12, 13, True, local(6, 9), None),
        (22, 7, False, local(7, 9), None),
        (22, 7, False, local(29, 1), local(29, 7)),
    ],
)
def test_quiet_lasts_until_its_end(begin: int, end: int, weekends: bool, at: datetime, until: datetime | None) -> None:
    assert Quiet(time(begin), time(end), AMSTERDAM, weekends).until(at.astimezone(UTC)) == (until or at)


@pytest.mark.parametrize(
    ("at", "weekday", "following"),
    [
        (local(4, 8, 59), None, local(4, 9)),
        (local(4, 9), None, local(5, 9)),
        (local(2, 8), 0, local(2, 9)),
        (local(2, 9), 0, local(9, 9)),
        (local(3, 9), 0, local(9, 9)),
        (local(28, 10), None, local(29, 9)),
    ],
)
def test_the_next_time_the_clock_shows_this(at: datetime, weekday: int | None, following: datetime) -> None:
    assert next_clock(at.astimezone(UTC), time(9), AMSTERDAM, weekday) == following


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 days"),
        (0.4, "0 s"),
    ],
)
def test_a_duration_is_in_the_largest_unit_that_makes_two(seconds: float, words: str) -> None:
    assert duration(seconds) == words


LIMITS = LatenessConfig(least_s=1_200, most_s=100_000, unknown_s=3_600)
FIRST = int(NOW.timestamp()) // SLOT_S


@pytest.mark.parametrize(
    ("slots", "late_after_s", "usual_s"),
    [
        ([], 3_600, 0),
        ([0, 1], 3_600, 0),
        ([0, 20], 9_000, 0),
        (range(0, 2_016, 202), 90_900, 0),
        (range(0, 2_030, 203), 91_350, 0),
        (range(0, 2_033, 203), 80_175, 60_900),
        (range(0, 3_000, 3), 1_200, 900),
        (range(0, 3_000, 6), 2_325, 1_800),
        (range(0, 2_100, 2), 1_200, 600),
        ([*range(0, 2_100, 2), 5_000], 1_200, 600),
        ([0, *accumulate([3, 3, 3, 3, 3, 4, 4, 4, 4, 30] * 60)], 8_331, 1_050),
        (range(0, 9_000, 300), 100_000, 90_000),
    ],
)
def test_when_a_source_is_late_is_learned_from_its_gaps(slots: Any, late_after_s: float, usual_s: float) -> None:
    found = rhythm_of([FIRST + slot for slot in slots], LIMITS, 7.0)
    assert (round(found.late_after_s), found.usual_s, found.lag_s, found.is_set) == (late_after_s, usual_s, 7.0, False)
    assert (found.pace is not None) == bool(usual_s)


def test_what_is_configured_comes_before_what_was_learned() -> None:
    told: list[tuple[str, float | None]] = [("a", 60.0), ("b", None), ("c", 5.0)]
    sources = [cast(SourceConfig, SimpleNamespace(name=name, late_after_s=late_s)) for name, late_s in told]
    rows = [{"source": name, "slots": [1, 2], "lag_s": 4.0} for name in ("a", "b")]
    found = rhythms_of(rows, sources, LIMITS)
    assert found["a"] == Rhythm(60.0, lag_s=4.0, is_set=True) and found["c"] == Rhythm(5.0, lag_s=0.0, is_set=True)
    assert found["b"] == rhythm_of([1, 2], LIMITS, 4.0)
    known = Rhythms(LIMITS, sources)
    assert known.names == {"a", "b", "c"} and known.least_s == 1_200 and known.of("b") == Rhythm(3_600.0)
    assert known.of("a") == Rhythm(60.0, is_set=True)
    known.learn(rows, NOW)
    assert known.of("b") == found["b"] and known.of("unheard") == Rhythm(3_600.0)
    assert known.of_slots("a", [1]) == Rhythm(60.0, is_set=True) and known.of_slots("b", [1]) == rhythm_of([1], LIMITS)


def test_a_source_is_late_beyond_its_time_unless_little_comes_at_such_hours() -> None:
    told = Rhythm(600.0, is_set=True)
    assert not told.is_late(NOW, NOW + timedelta(seconds=600)) and told.is_late(NOW, NOW + timedelta(seconds=600.001))
    assert told.never_before_s == 600
    week = 7 * 86_400 // SLOT_S
    heard = [FIRST - weeks * week + slot for weeks in range(1, 5) for slot in range(96)]  # eight hours a week
    rhythm = rhythm_of(heard, LIMITS)
    assert rhythm.never_before_s == LIMITS.least_s
    assert not rhythm.is_late(NOW, NOW + timedelta(seconds=1_200)) and rhythm.is_late(NOW, NOW + timedelta(hours=2))
    evening = NOW + timedelta(hours=8)
    assert not rhythm.is_late(evening, evening + timedelta(seconds=100_000))
    assert rhythm.is_late(evening, evening + timedelta(seconds=100_001)), "every source is late then"


def test_what_is_usual_is_said() -> None:
    assert Rhythm(7_200.0, is_set=True).words() == "it is late after 2 h (late_after_s)"
    assert Rhythm(7_200.0).words() == "little is known of its rhythm yet"
    assert Rhythm(7_200.0, usual_s=600.0).words() == "usually it is heard every 10 min"


def test_a_late_source_is_told_once_and_is_over_when_it_is_heard() -> None:
    rhythm, heard = Rhythm(700.0, is_set=True), ago(minutes=30)
    empty = Desk(account_id="source:web")
    assert after_look(empty, "web", rhythm, ago(minutes=10), NOW) is empty
    opened = after_look(empty, "web", rhythm, heard, NOW)
    (told,) = opened.parts.values()
    assert told == late("web", rhythm, heard, NOW) and opened.name == "source web"
    assert (told.kind, told.what, told.waits, told.severity, told.closed_at) == ("source", "web", True, 0.6, None)
    assert told.opened_at == heard + timedelta(seconds=700, milliseconds=1)
    assert told.events == (told.event_id,) and told.part_id.endswith(told.event_id)
    heard_words = f"web was last heard at {heard:%Y-%m-%d %H:%M} UTC, 30 min ago; {rhythm.words()}"
    assert told.words == f"{heard_words}. What its silence would mean is held"
    assert after_look(opened, "web", rhythm, heard, NOW) is opened
    (over,) = after_look(opened, "web", rhythm, ago(minutes=1), NOW).parts.values()
    assert over == told.changed(closed_at=ago(minutes=1))
    (early,) = after_look(opened, "web", Rhythm(9_999.0, is_set=True), heard, NOW).parts.values()
    assert early.closed_at == told.opened_at, "never before it began"


def message(incident_: str, level: str = "watch", **fields: Any) -> Message:
    own: dict[str, Any] = {
        "notice_id": f"n{incident_}",
        "incident_id": incident_,
        "headline": f"H{incident_}",
        "level": level,
        "since": NOW,
        "at": NOW,
    }
    own |= {"taken_by": "", "remark": "", "where": "", "is_over": False, "link": ""}
    return cast(Message, SimpleNamespace(**(own | fields)))


def test_a_digest_tells_each_incident_once_as_it_was_last_told_the_worst_first() -> None:
    came = [
        message("1", at=ago(minutes=9), notice_id="n0", is_over=True),
        message("1", remark="again", taken_by="Ann"),
        message("2", "severe", link="https://x.example"),
        message("3", since=ago(minutes=1)),
        message("4", is_over=True),
    ]
    digest = daily("team", came, NOW)
    assert (digest.kind, digest.title, digest.at) == ("daily", "4 incidents that could wait", NOW)
    when = f"since {NOW:%Y-%m-%d %H:%M} UTC"
    assert [(part.title, [line.words for line in part.lines]) for part in digest.parts] == [
        (
            "Still open",
            [
                f"H2 (severe, {when})",
                f"H3 (watch, since {ago(minutes=1):%Y-%m-%d %H:%M} UTC)",
                f"H1 (watch, {when}, Ann takes care of it): again",
            ],
        ),
        ("Over", [f"H4 (watch, {when})"]),
    ]
    assert digest.parts[0].lines[0].url == "https://x.example"
    assert daily("team", came[::-1], NOW) == digest != daily("other", came, NOW)
    assert daily("other", came, NOW).digest_id != digest.digest_id != daily("team", came[:-1], NOW).digest_id
    assert [part.title for part in daily("team", came[1:4], NOW).parts] == ["Still open"]
    assert counted(1, "incident") == "1 incident" and counted(0, "incident") == "0 incidents"


@pytest.mark.parametrize(
    ("number", "last"), [(MAX_LINES, f"w{MAX_LINES - 1}"), (MAX_LINES + 1, "and 1 more"), (0, None)]
)
def test_a_long_part_is_cut_and_says_so(number: int, last: str | None) -> None:
    lines = part_of("T", (DigestLine(words=f"w{n}") for n in range(number))).lines
    assert len(lines) == min(number, MAX_LINES + 1) and (lines[-1].words if lines else None) == last


def test_what_is_pain_outright_is_what_the_stored_cells_were_made_with() -> None:
    """A type more or less needs a migration: cells of before do not know of it."""
    made = (DEFAULT_DIR / "0020_hurts.sql").read_text()
    assert f"touchpoint_type IN {tuple(sorted(OUTRIGHT))}" in made
