"""What friction patterns remember and conclude, value by value: episodes, waits, cases, severities and their words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.friction_rules import Rule
from schemas.ids import bare
from streams.friction import cases, episodes, words
from streams.friction.cases import Bearing, Case
from streams.friction.compiled import CompiledRule, alike, compile_rules
from streams.friction.episodes import MAX_EVIDENCE, MAX_FIELDS, MAX_PARTS, Episode, Mark, Place, Signal, Spot, Wait
from streams.friction.views import view_of
from streams.friction.working_time import WorkingTime
from tests.journeys import at, attributed, touchpoint

MINUTE = timedelta(minutes=1)
PLACE = Place("support_ticket", "enablement", {"answer_s": 600.0})


def rule(**more: Any) -> CompiledRule:
    own: dict[str, Any] = {
        "id": "slow",
        "version": 3,
        "pattern": "burst",
        "count": 2,
        "within_s": 60,
        "group_by": ("person", "page"),
        "severity": {"base": 0.4, "step": 0.1},
        "explanation": "{times} {count} {element} {page} {waited} {fields}",
    }
    (made,) = compile_rules([Rule.model_construct(**(_defaults() | own | more | {"severity": _severity(own | more)}))])
    return made


def _defaults() -> dict[str, Any]:
    return {name: field.get_default(call_default_factory=True) for name, field in Rule.model_fields.items()}


def _severity(own: Mapping[str, Any]) -> Any:
    return Rule.model_fields["severity"].annotation(**own["severity"])  # type: ignore[misc]


def test_an_episode_begins_grows_and_keeps_its_oldest_evidence() -> None:
    first = episodes.begin(attributed("e0", 5))
    assert first == Episode(Mark(at(5), "e0"), at(5), ("e0",), 1)
    assert episodes.begin(attributed("e0", 5), count=4).size == 4
    grown = first
    for n in range(1, MAX_EVIDENCE + 3):
        grown = episodes.grow(grown, attributed(f"e{n}", 5 + n))
    assert grown.evidence == tuple(f"e{n}" for n in range(MAX_EVIDENCE))
    assert (grown.first, grown.last_at, grown.size) == (first.first, at(5 + MAX_EVIDENCE + 2), MAX_EVIDENCE + 3)
    marks = tuple(Mark(at(n), f"e{n}") for n in range(MAX_EVIDENCE + 1))
    assert episodes.gathered(marks, at(99), 25) == Episode(marks[0], at(99), grown.evidence, 25)


def test_an_episode_is_told_as_one_signal_that_its_first_teller_carries() -> None:
    made = rule()
    episode = episodes.grow(episodes.begin(attributed("e1", 0)), attributed("e2", 10))
    told = episodes.signalled(made, episode, attributed("e2", 10, page="/a", person="p2"), PLACE, {})
    expected = Signal(
        signal_id=episodes.signal_id("slow", "e1"),
        rule="slow",
        rule_version=3,
        polarity="friction",
        severity=0.4,
        event_id="e2",
        person_id="p2",
        opened_at=at(0),
        closed_at=at(10),
        evidence=("e1", "e2"),
        evidence_count=2,
        explanation="2 times 2 an element /a 1 minute no named field",
        touchpoint_type="support_ticket",
        phase="enablement",
        explanation_coded='["slow",{"count":2,"element":"","page":"/a","waited_s":60,"working":false,"fields":[]}]',
    )
    assert told == episode._replace(signal=expected)
    more = episodes.grow(told, attributed("e3", 20))
    again = episodes.signalled(made, more, attributed("e3", 20, person="p3"), Place("other", "purchase", {}), {}).signal
    kept = ("signal_id", "event_id", "person_id", "opened_at", "touchpoint_type", "phase")
    assert again is not None and [getattr(again, name) for name in kept] == [getattr(expected, name) for name in kept]
    assert (again.severity, again.closed_at, again.evidence_count) == (0.5, at(20), 3)
    ids = {episodes.signal_id(key, first) for key in ("slow", "slow#b") for first in ("e1", "e2")}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (("save", None, None), ("save", 900.0, 900.0), True),
        (("", 0.0, 0.0), ("", 3.0, 4.0), True),
        (("", 0.0, 0.0), ("", 3.0, 4.1), False),
        (("a", 10.0, 0.0), ("b", 13.0, 4.0), True),
        (("", 0.0, 5.0), ("", 0.0, -5.0), False),
        *[(("", *here), ("", *there), False) for here, there in [((None, 0.0), (0.0, 0.0)), ((0.0, None), (0.0, 0.0))]],
        *[(("", *here), ("", *there), False) for here, there in [((0.0, 0.0), (None, 0.0)), ((0.0, 0.0), (0.0, None))]],
    ],
)
def test_what_is_near_is_the_same_element_or_within_the_distance(one: Any, other: Any, near: bool) -> None:
    assert episodes.is_near(Spot(*one), Spot(*other), 5.0) is near


def test_a_spot_is_where_a_click_hit() -> None:
    clicked = touchpoint("e1", 0, "click", element="save", properties={"x": 3, "y": 4.5})
    assert episodes.spot_of(clicked) == Spot("save", 3.0, 4.5)
    assert episodes.at_spot(episodes.begin(attributed("e1", 0)), clicked).spot == Spot("save", 3.0, 4.5)


class Halves:
    """Working hours whose clock runs at half the speed."""

    def after(self, at_: Any, span: timedelta) -> Any:
        return at_ + 2 * span

    def between(self, begin: Any, end: Any) -> timedelta:
        return cast(timedelta, (end - begin) / 2)


@pytest.mark.parametrize(("hours", "speed"), [(None, 1), (cast(WorkingTime, Halves()), 2)])
def test_a_wait_counts_by_its_clock_stops_and_goes_on_with_what_remained(hours: WorkingTime | None, speed: int) -> None:
    opener = attributed("e1", 0, element="name")
    wait = episodes.open_wait(opener, MINUTE, hours)
    assert wait == Wait(opener, MINUTE, at(60 * speed), MINUTE, ("name",), hours=hours)
    stopped = episodes.pause_wait(wait, at(20 * speed))
    assert (stopped.deadline, stopped.remaining) == (None, timedelta(seconds=40))
    assert episodes.pause_wait(stopped, at(50)) is stopped
    assert episodes.resume_wait(wait, at(50)) is wait
    assert episodes.resume_wait(stopped, at(100)).deadline == at(100 + 40 * speed)
    again = attributed("e2", 30, element="mail")
    assert episodes.restart_wait(wait, again, anew=True).deadline == at(30 + 60 * speed)
    assert episodes.restart_wait(wait, again, anew=False) == wait._replace(noted=("name", "mail"))
    assert episodes.restart_wait(stopped, again, anew=True).deadline is None
    assert episodes.put_off(wait, at(99)) == wait._replace(deadline=at(99))
    assert episodes.done(wait) == wait._replace(deadline=None, done=True)


def test_a_wait_notes_each_field_once_and_not_too_many() -> None:
    wait = episodes.open_wait(attributed("e0", 0), MINUTE)
    assert wait.noted == ()
    for n in [0, 0, *range(MAX_FIELDS + 2)]:
        wait = episodes.restart_wait(wait, attributed(f"e{n}", n, element=f"f{n}"), anew=False)
    assert wait.noted == tuple(f"f{n}" for n in range(MAX_FIELDS))


@pytest.mark.parametrize(("polarity", "is_over"), [("friction", False), ("delight", True)])
def test_a_silence_is_told_by_what_opened_it(polarity: str, is_over: bool) -> None:
    made = rule(pattern="absence", polarity=polarity, count=1, explanation="{times} {waited} {fields}")
    opener = attributed("e1", 0, element="mail", person="p7")
    wait = episodes.open_wait(opener, timedelta(hours=4), None)
    fired = episodes.fire_wait(made, wait, at(500), PLACE)
    signal = Signal(
        signal_id=episodes.signal_id("slow", "e1"),
        rule="slow",
        rule_version=3,
        polarity=polarity,
        severity=0.4,
        event_id="e1",
        person_id="p7",
        opened_at=at(500),
        closed_at=at(500) if is_over else None,
        evidence=("e1",),
        evidence_count=1,
        explanation="once 4 hours mail",
        touchpoint_type="support_ticket",
        phase="enablement",
        explanation_coded='["slow",{"count":1,"waited_s":14400,"working":false,"fields":["mail"]}]',
    )
    assert fired == wait._replace(signal=signal, deadline=None, done=is_over)
    in_hours = episodes.fire_wait(made, wait._replace(hours=cast(WorkingTime, Halves())), at(500), PLACE).signal
    assert in_hours is not None and in_hours.explanation == "once 4 hours of working time mail"
    closed = episodes.close_wait(signal, attributed("e9", 900))
    assert closed == signal._replace(closed_at=at(900), evidence=("e1", "e9"), evidence_count=2)
    full = episodes.close_wait(signal._replace(evidence=("e",) * MAX_EVIDENCE), attributed("e9", 900))
    assert full.evidence == ("e",) * MAX_EVIDENCE


@pytest.mark.parametrize(
    ("seconds", "words_"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (120, "2 minutes"),
        (3_600, "1 hour"),
        (5_400, "90 minutes"),
        (7_200, "2 hours"),
        (86_400, "1 day"),
        (172_800, "2 days"),
        (90_000, "25 hours"),
    ],
)
def test_a_duration_is_said_in_its_largest_whole_unit(seconds: int, words_: str) -> None:
    assert words.spoken(timedelta(seconds=seconds)) == words_


@pytest.mark.parametrize(
    ("subject", "words_"),
    [
        ("form:demo", "the form demo"),
        ("form:", "form:"),
        ("ticket:zendesk:7", bare("ticket:zendesk:7")),
        ("", ""),
    ],
)
def test_a_subject_is_named_as_people_name_it(subject: str, words_: str) -> None:
    assert words.named(subject) == words_


OTHER = "another value|another value"
EVERYTHING = (
    "{count}|{times}|{element}|{page}|{score}|{waited}|{subject}|{title}|{name}|{fields}|{value}|{before}|{parts}"
)


@pytest.mark.parametrize(
    ("fields", "said", "sentence"),
    [
        ({}, {}, "2|2 times|an element|the page|?|1 minute|it|it|page_view|no named field|" + OTHER + "|"),
        (
            {"element": "save", "page": "/a", "score": 7.0, "subject": "form:demo", "vendor_type": "track:Saved"},
            {"allowed": timedelta(hours=2), "working": True, "fields": ("a", "b"), "value": "1", "before": "2"},
            "2|2 times|save|/a|7|2 hours of working time|the form demo|the form demo|Saved|a, b|1|2|",
        ),
        (
            {"title": "Help", "subject": "form:demo", "vendor_type": "track:"},
            {"parts": ("x", "y")},
            "2|2 times|an element|the page|?|1 minute|the form demo|Help|page_view|no named field|" + OTHER + "|x, y",
        ),
    ],
)
def test_an_explanation_says_what_there_is_and_is_made_from_what_is_stored(
    fields: Any, said: Any, sentence: str
) -> None:
    made = rule(explanation=EVERYTHING)
    found = words.explain(made, touchpoint("e1", 0, **fields), 2, said)
    key, parameters = json.loads(found.coded)
    assert found.text == sentence == words.sentence(EVERYTHING, parameters)
    assert key == "slow" and {*parameters} == {*made.parameters}


@pytest.mark.parametrize(
    ("severity", "count", "value"),
    [
        ({"base": 0.4, "step": 0.1}, 1, 0.4),
        ({"base": 0.4, "step": 0.1}, 2, 0.4),
        ({"base": 0.4, "step": 0.1}, 4, 0.6),
        ({"base": 0.4, "step": 0.3}, 9, 1.0),
        ({"base": 0.2, "at_count": {3: 0.5, 6: 0.8}}, 2, 0.2),
        ({"base": 0.2, "at_count": {6: 0.8, 3: 0.5}}, 3, 0.5),
        ({"base": 0.2, "at_count": {6: 0.8, 3: 0.5}}, 6, 0.8),
        ({"base": 0.33333333}, 2, 0.3333),
        ({"base": 0.4, "worst": 0.9}, 2, 0.4),
    ],
)
def test_severity_grows_from_the_count_that_makes_an_episode(severity: Any, count: int, value: float) -> None:
    assert rule(severity=severity).severity(touchpoint("e1", 0), {}, count) == value


def test_a_deadline_is_the_types_else_the_phases_else_the_rules() -> None:
    made = rule(target="answer_s", within_by_phase={"purchase": 30.0})
    assert made.deadline({"answer_s": 600.0}, "purchase") == timedelta(seconds=600)
    assert made.deadline({"answer_s": 0.0}, "purchase") == timedelta(0)
    assert made.deadline({}, "purchase") == timedelta(seconds=30)
    assert made.deadline({"other": 5.0}, "awareness") == MINUTE
    assert rule(within_by_phase={"purchase": 30.0}).deadline({"": 9.0}, "awareness") == MINUTE


@pytest.mark.parametrize(
    ("before", "after", "gap_s", "replaces"),
    [
        ("/a?q=1", "/a?q=2", 5, True),
        ("/a?q=1", "/a?q=2", 5.1, False),
        ("/a", "/b", 2, True),
        ("/a", "/b", 2.1, False),
    ],
)
def test_a_view_replaces_one_of_a_moment_ago(before: str, after: str, gap_s: float, replaces: bool) -> None:
    gap = timedelta(seconds=gap_s)
    assert rule(rewrites_s=5, redirects_s=2).replaces(before, after, gap) is replaces
    assert not rule().replaces("/a", "/a", timedelta(0))
    assert rule(rewrites_s=5).replaces("/a", "/a", timedelta(0))


def test_subjects_are_the_fields_in_their_order_and_loose_ones_need_not_be_there() -> None:
    made = rule(group_by=("person", "page"), loose=("element", "title"), needs=("page", "element"))
    whole = attributed("e1", 0, page="/a", element="save", title="T", person="p1")
    partial = attributed("e1", 0, page="/a", person="p1")
    other = attributed("e1", 0, page="/a", element="open", person="p1")
    assert made.is_whole(whole) and not made.is_whole(partial)
    assert alike(made.subject(whole), made.subject(partial)) and alike(made.subject(partial), made.subject(whole))
    assert not alike(made.subject(whole), made.subject(other))
    assert not alike(made.subject(whole), made.subject(attributed("e1", 0, page="/b", person="p1")))
    assert rule(group_by=("page",)).subject(whole) == "/a"
    strict = rule().subject
    assert len({strict(item) for item in (whole, attributed("e", 0, page="1/a", person="p"))}) == 2
    assert rule(order=("A", ("B", "b2"))).order == {"a": 0, "b": 1, "b2": 1}


def part(number: int, **more: Any) -> Signal:
    own = dict.fromkeys(Signal._fields) | {
        "signal_id": f"s{number}",
        "rule": f"r{number}",
        "event_id": f"e{number}",
        "severity": 0.3,
        "polarity": "friction",
        "person_id": f"p{number}",
        "opened_at": at(number),
        "touchpoint_type": f"t{number}",
        "phase": f"ph{number}",
    }
    return Signal(**cast(Any, own | more))


NONE: frozenset[tuple[int, int]] = frozenset()
BEARING = Bearing(False, "champion", False, {"person": "p1", "page": "", "subject": "x"})


def test_a_case_gathers_parts_up_to_its_bound_and_counts_on() -> None:
    case = cases.with_part(None, part(0), frozenset({(0, 0)}), ("k",), at(0))
    assert case == Case((part(0),), 1, frozenset({(0, 0)}), ("k",), at(0))
    grown = cases.with_part(case, part(1), frozenset({(0, 1)}), ("k", "l"), at(5))
    assert grown == Case((part(0), part(1)), 2, frozenset({(0, 0), (0, 1)}), ("k", "l"), at(5))
    for n in range(2, MAX_PARTS + 3):
        grown = cases.with_part(grown, part(n), NONE, (), at(n))
    assert (len(grown.parts), grown.size, grown.parts[-1]) == (MAX_PARTS, MAX_PARTS + 3, part(MAX_PARTS - 1))


def test_a_part_that_changed_takes_its_place_and_moves_time_only_when_it_grew() -> None:
    case = Case((part(0), part(1)), 2, NONE, (), at(10))
    worse = part(1, severity=0.9)
    assert cases.with_changed(case, worse, None) == case._replace(parts=(part(0), worse))
    assert cases.with_changed(case, worse, at(20)).last_at == at(20)
    assert cases.with_changed(case, worse, at(5)).last_at == at(10)


def compound(**more: Any) -> CompiledRule:
    match = SimpleNamespace(polarity="friction", stated=None, rules=(), at_least=0.3, roles=(), moment_of_truth=False)
    own: dict[str, Any] = {"of": ((match, match), (match,)), "explanation": "{count} {parts} {waited}"}
    return rule(**(own | more))


@pytest.mark.parametrize(
    ("met", "parts", "fires"),
    [
        ({(0, 0), (0, 1)}, (part(0), part(1)), True),
        ({(1, 0)}, (part(0), part(1)), True),
        ({(0, 1)}, (part(0), part(1)), False),
        ({(1, 0)}, (part(0),), False),
        ({(1, 0)}, (part(0), part(1, rule="r0")), False),
        ({(1, 0)}, (part(0), part(1, event_id="e0")), False),
    ],
)
def test_a_case_is_one_with_a_whole_alternative_of_several_rules_in_several_moments(
    met: set[tuple[int, int]], parts: tuple[Signal, ...], fires: bool
) -> None:
    case = Case(parts, len(parts), frozenset(met), (), at(9))
    judged = cases.judged(compound(), case)
    assert (judged.signal is not None) is fires
    assert cases.calmed(case) is None


def test_a_case_is_told_by_its_first_part() -> None:
    parts = (part(0), part(1, severity=0.7), part(2, rule="r1", event_id="e1"))
    case = Case(parts, 5, frozenset({(1, 0)}), (), at(9))
    worst = compound(severity={"base": 0.4, "step": 0.1, "of_parts": True}, count=1)
    told = cases.judged(worst, case).signal
    assert told == Signal(
        signal_id=episodes.signal_id("slow", "s0"),
        rule="slow",
        rule_version=3,
        polarity="friction",
        severity=0.8,
        event_id="e0",
        person_id="p0",
        opened_at=at(0),
        closed_at=None,
        evidence=("e0", "e1"),
        evidence_count=5,
        explanation="5 r0, r1 1 minute",
        touchpoint_type="t0",
        phase="ph0",
        parts=("s0", "s1", "s2"),
        explanation_coded='["slow",{"count":5,"parts":["r0","r1"],"waited_s":60,"working":false}]',
    )
    assert cases.calmed(cases.judged(worst, case)) == told._replace(closed_at=at(9))
    plain = cases.judged(compound(severity={"base": 0.4, "step": 0.4}, count=1), case).signal
    assert plain is not None and plain.severity == 0.8
    most = cases.judged(compound(severity={"base": 0.9, "step": 0.4}, count=1), case).signal
    assert most is not None and most.severity == 1.0
    shrunk = cases.judged(worst, cases.judged(worst, case)._replace(met=NONE)).signal
    assert shrunk is not None, "once a case, always one"


@pytest.mark.parametrize(
    ("asked", "bearing", "holds"),
    [
        ({}, {}, True),
        ({"polarity": ""}, {}, True),
        ({"polarity": "delight"}, {}, False),
        ({"stated": False}, {}, True),
        ({"stated": True}, {}, False),
        ({"stated": True}, {"stated": True}, True),
        ({"rules": ("r1", "r0")}, {}, True),
        ({"rules": ("r1",)}, {}, False),
        ({"at_least": 0.31}, {}, False),
        ({"roles": ("champion", "user")}, {}, True),
        ({"roles": ("user",)}, {}, False),
        ({"moment_of_truth": True}, {}, False),
        ({"moment_of_truth": True}, {"moment_of_truth": True}, True),
    ],
)
def test_a_kind_of_signal_holds_when_all_that_is_asked_does(asked: Any, bearing: Any, holds: bool) -> None:
    usual = {
        "polarity": "friction",
        "stated": None,
        "rules": (),
        "at_least": 0.3,
        "roles": (),
        "moment_of_truth": False,
    }
    made = compound(of=((SimpleNamespace(**(usual | asked)),),))
    assert cases.kinds_of(made, part(0), BEARING._replace(**bearing)) == (frozenset({(0, 0)}) if holds else NONE)


def test_signals_of_one_case_share_all_of_a_group_or_any_of_what_joins() -> None:
    assert cases.keys_of(compound(group_by=("person", "subject")), BEARING) == ("p1\x1fx",)
    assert cases.keys_of(compound(group_by=("person", "page")), BEARING) == ()
    assert cases.keys_of(compound(joins_by=("person", "page", "subject")), BEARING) == ("person=p1", "subject=x")


@pytest.mark.parametrize(
    ("properties", "view"),
    [
        ({}, "/p"),
        ({"url": "https://a.example/p?b=2&a=1&utm_source=x&GCLID=9#top"}, "/p?a=1&b=2#top"),
        ({"url": "", "href": "https://a.example/p?c=1"}, "/p?c=1"),
        ({"url": "https://a.example/p", "search": "?q=1"}, "/p?q=1"),
        ({"url": "https://a.example/p", "query": "q=1", "hash": "end"}, "/p?q=1#end"),
        ({"url": "https://a.example/p?q=1", "search": "?q=2"}, "/p?q=1"),
        ({"search": ""}, "/p"),
        ({"url": 7}, "/p"),
        ({"url": "http://[broken?a=1"}, "/p"),
        ({"url": "https://a.example/p?_hstc=1&__cf_x=2&ref=3&=4"}, "/p?=4&ref=3"),
        ({"url": "https://a.example/p?q=" + "x" * 400}, "/p?q=" + "x" * 297),
    ],
)
def test_a_view_is_the_page_with_what_makes_it_another(properties: Any, view: str) -> None:
    assert view_of(touchpoint("e1", 0, page="/p", properties=properties)) == view
