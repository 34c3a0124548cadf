"""What rules of an account find and say, at their edges: cases, causes, deals, overlaps, personas, corrections."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.matching import Match
from schemas.touchpoints import AttributedTouchpoint
from streams.friction.cases import Bearing
from streams.friction.episodes import Signal
from streams.friction.rule_book import RuleBook
from streams.journey import causes, compounds
from streams.journey.blueprints import load
from streams.journey.causes import LATE, LOAD, Cause
from streams.journey.correction_limit import Corrected, CorrectionLimit
from streams.journey.fold import fold
from streams.journey.opportunities import Deals, follow_deal
from streams.journey.overlap import overlap
from streams.journey.state import JourneyState, Placed
from tests.journeys import AS_OF, at, attributed
from tests.unit.test_pattern_edges import compound, part
from tests.unit.test_phase_persona import BLUEPRINT as STORIES

BLUEPRINT = load()


def caused(event_id: str, cause: str) -> AttributedTouchpoint:
    return attributed(event_id, 0).changed(cause=cause)


def test_what_is_attributed_anew_says_why_if_all_of_it_does() -> None:
    items = [caused("e1", "b moved"), caused("e2", "a claims it"), caused("e3", "b moved")]
    anew = causes.attributed_anew(items, LATE)
    assert (anew.kind, causes.in_english(anew.words)) == ("links", "a claims it; b moved")
    assert causes.attributed_anew([*items, caused("e4", "")], LATE) is LATE
    assert causes.attributed_anew([], LATE) is LATE
    many = [caused(f"e{n}", f"cause {n}") for n in range(6)]
    assert causes.in_english(causes.attributed_anew(many, LATE).words) == "cause 0; cause 1; cause 2; and 3 more"


def test_who_turns_out_to_be_another_is_named_with_both() -> None:
    changed = causes.profile_changed({"p1": ("", "buyer"), "p2": ("buyer", "")})
    assert (changed.kind, causes.in_english(changed.words)) == (
        "profile",
        "the persona of person p1 is buyer, not none; the persona of person p2 is none, not buyer",
    )


def test_causes_are_one_line_and_reading_again_is_the_last_of_reasons() -> None:
    assert causes.reasons_of([Cause("late", "b"), LOAD, Cause("links", "a")], "first", "") == ["first", "a", "b"]
    assert causes.reasons_of([LOAD]) == [LOAD.words] == causes.reasons_of([])
    many = causes.reasons_of([Cause("late", f"{n}") for n in range(5)])
    assert [causes.in_english(each) for each in many] == ["0", "1", "2", "and 2 more"]


def test_a_line_is_the_sum_of_what_it_stands_for() -> None:
    assert Corrected(1, 20, 300, 4000).with_(Corrected(5, 60, 700, 8000)) == Corrected(6, 80, 1000, 12000)


def test_the_first_line_of_an_hour_is_its_own() -> None:
    limit, change = CorrectionLimit(), Corrected(1)
    assert limit.line("c1", change, at(0)) == ("c1", change, False)


class Shown:
    """Takes what is published."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []

    def place(self, placed: Placed) -> None:
        raise AssertionError("a case places nothing")

    def signal(self, signal: Signal) -> None:
        self.signals.append(signal)


BEARING = Bearing(False, "", False, {"person": "p1"})


def noted(state: JourneyState, *signals: tuple[Signal, Any]) -> list[Signal]:
    rule = compound(id="whole", pattern="compound", group_by=("person",), within_s=60, count=2)
    book, shown = RuleBook([], roles={}, targets={}, phases={}), Shown()
    book.compounds = (rule,)
    for signal, when in signals:
        compounds.note(book, state, shown, signal, BEARING, when)
    return shown.signals


def state() -> JourneyState:
    return JourneyState(phase="p", high_water_phase="p")


def test_a_part_that_only_ended_is_changed_in_its_case() -> None:
    account = state()
    ended = part(0, closed_at=at(9))
    noted(account, (part(0), at(0)), (ended, None))
    (case,) = account.cases.values()
    assert case.parts == (ended,) and case.size == 1 and case.last_at == at(0)


def test_a_part_that_grew_is_no_second_one() -> None:
    account = state()
    noted(account, (part(0), at(0)), (part(0, severity=0.6), at(30)))
    (case,) = account.cases.values()
    assert [one.severity for one in case.parts] == [0.6] and case.size == 1 and case.last_at == at(30)


def test_of_too_many_cases_the_older_half_is_forgotten() -> None:
    account = state()
    apart = [(part(n), at(1000 * n)) for n in range(compounds.MAX_CASES + 1)]
    noted(account, *apart)
    kept = [case.parts[0].signal_id for case in account.cases.values()]
    assert kept == [f"s{n}" for n in range(32, 65)]
    assert set(account.case_of.values()) == {"s64"}, "the key leads to the newest, and to none that is forgotten"


def test_what_suffices_is_carried_by_its_touchpoint() -> None:
    """The touchpoint that a vendor's own verdict came with shows the signal."""
    breach = attributed("e1", 0, "custom", vendor_type="track:First Response Breached", subject="ticket:1")
    journey = fold([breach], BLUEPRINT, AS_OF)
    assert "first_response_breach" in {signal.rule for signal in journey.placed["e1"].friction}


@pytest.mark.parametrize(
    ("value", "due"),
    [
        ("1735732800000", datetime(2025, 1, 1, 12, tzinfo=UTC)),
        (1735732800000, datetime(2025, 1, 1, 12, tzinfo=UTC)),
        ("20250101", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2025-01-01", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2025-01-01T13:00:00+01:00", datetime(2025, 1, 1, 12, tzinfo=UTC)),
        ("soon", None),
        ("9" * 30, None),
    ],
)
def test_a_deals_date_is_milliseconds_or_iso(value: Any, due: datetime | None) -> None:
    account = state()
    said = attributed("e1", 0, "deal_created", subject="deal:1", properties={"closedate": value, "amount": "12.5"})
    follow_deal(Deals(BLUEPRINT.source.opportunities), account, said, is_customer=False)
    deal = account.opportunities["deal:1"]
    assert (deal.close_due_at, deal.amount) == (due, 12.5)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"action": "click", "vendor": "segment"}, {"channel": "web"}, "action click, vendor segment, channel web"),
        ({"action": "click"}, {"action": "click"}, "action click"),
        ({"action": "click"}, {"action": "page_view"}, None),
        ({"action": "click"}, {}, "action click"),
        ({}, {"action": "click"}, "action click"),
        ({}, {}, ""),
        ({"name": ("Sent",)}, {"vendor_type": "track:s-e n_t"}, "name `Sent`, vendor_type `track:s-e n_t`"),
        ({"name": ("Sent",)}, {"vendor_type": "track:Sen?"}, "name `Sent`, vendor_type `track:senx`"),
        ({"name": ("Quote sent",)}, {"vendor_type": "track:quotes"}, None),
        ({"name": ("Quote sent", "Offer")}, {"name": ("OFFER",)}, "name `Offer`"),
        ({"name": ("Quote sent",)}, {"name": ("Offer",)}, None),
        ({"page": "/a*"}, {"title": "T"}, "page `/a`, title `t`"),
        ({"page": "/a*"}, {"page": "/b*"}, None),
    ],
)
def test_two_matches_overlap_where_all_conditions_can_hold(
    one: dict[str, Any], other: dict[str, Any], words: str | None
) -> None:
    assert overlap(Match(**one), Match(**other)) == words


@pytest.mark.parametrize(("errors", "persona"), [(1, "unknown"), (2, "expert")])
def test_what_somebody_does_counts_by_its_action(errors: int, persona: str) -> None:
    done = [attributed(f"e{n}", n, "client_error", page="/app") for n in range(errors)]
    assert fold(done, STORIES, AS_OF).profile.persona("p1") == persona
