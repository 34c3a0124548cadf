"""What a deal comes to: a flag of the CRM and its stage are two facts, whichever is told first."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from streams.journey.deal_words import flags_of
from streams.journey.fold import Journey, fold
from tests.journeys import AS_OF, attributed
from tests.unit.test_phase_persona import BLUEPRINT, Entry, flag, stage

WON, NOT_WON, LOST, NOT_LOST = (flag(fact, is_set) for fact in ("won", "lost") for is_set in (True, False))
OWN, RENAMED = stage("1122399"), stage("contractsent")
REOPENED: Entry = ("crm_record", {"subject": "deal:1", "properties": {"is_closed": False}})
WORTH: Entry = ("crm_record", {"subject": "deal:1", "properties": {"amount": 5}})
DAY_S = 86_400.0


def told(*entries: tuple[float, Entry]) -> Journey:
    """An account of which these things were told, at these seconds."""
    items = [attributed(f"e{n}", at_s, entry[0], **entry[1]) for n, (at_s, entry) in enumerate(entries)]
    return fold(items, BLUEPRINT, AS_OF + timedelta(days=30))


def deal(journey: Journey) -> tuple[str, str, int]:
    (found,) = journey.state.opportunities.values()
    return (found.status, found.stage, found.reopened)


@pytest.mark.parametrize("apart_s", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("save", [*permutations([WON, OWN])])
def test_won_is_won_whichever_message_of_the_save_comes_first(save: tuple[Entry, ...], apart_s: float) -> None:
    journey = told(*((n * apart_s, entry) for n, entry in enumerate(save)))
    assert deal(journey) == ("won", "1122399", 0)
    assert journey.state.phase == "initiate"


@pytest.mark.parametrize("apart_s", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("save", [*permutations([LOST, RENAMED])])
def test_a_stage_that_is_renamed_does_not_open_what_the_flag_closes(save: tuple[Entry, ...], apart_s: float) -> None:
    journey = told(*((n * apart_s, entry) for n, entry in enumerate(save)))
    assert deal(journey)[0] == "lost"


@pytest.mark.parametrize("apart_s", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("save", [*permutations([NOT_LOST, WON, stage("1122400")])])
def test_lost_becomes_won_in_one_save_and_is_not_reopened(save: tuple[Entry, ...], apart_s: float) -> None:
    before = [(0.0, LOST), (0.0, OWN)]
    journey = told(*before, *((DAY_S + n * apart_s, entry) for n, entry in enumerate(save)))
    assert deal(journey) == ("won", "1122400", 0)


@pytest.mark.parametrize("again", [NOT_WON, stage("contractsent"), REOPENED])
def test_the_crm_says_otherwise(again: Entry) -> None:
    assert deal(told((0, WON), (0, OWN), (DAY_S, again)))[::2] == ("open", 1)


@pytest.mark.parametrize("later", [stage("1122400"), WORTH])
def test_what_says_nothing_of_the_end_leaves_it(later: Entry) -> None:
    assert deal(told((0, WON), (DAY_S, later)))[0] == "won"


def test_a_won_deal_that_moves_on_is_not_won_again() -> None:
    """The account left since; that its old deal is filed elsewhere brings nobody back."""
    left: Entry = ("custom", {"vendor_type": "track:cancelled"})
    journey = told((0, WON), (0, OWN), (DAY_S, left), (2 * DAY_S, stage("1122400")), (3 * DAY_S, WON))
    assert journey.state.phase == "lapsed"


@pytest.mark.parametrize(
    ("properties", "flags"),
    [
        ({"outcome": "Won"}, {"won": True}),
        ({"outcome": "open"}, {"closed": False}),
        ({"outcome": "elsewhere"}, {}),
        ({"is_closed": True, "is_won": False}, {"closed": True, "won": False, "lost": True}),
        ({"is_closed": "false", "is_won": "0"}, {"closed": False, "won": False}),
        ({"hs_is_closed_won": ""}, {}),
        ({"hs_is_closed_won": None}, {}),
    ],
)
def test_flags_in_the_words_of_crms(properties: dict[str, Any], flags: dict[str, bool]) -> None:
    assert flags_of(properties) == flags


def test_what_an_earlier_mapping_read_still_counts() -> None:
    """Mapping 1 told the flag as if it were the stage."""
    journey = told((0, stage("closedwon")), (DAY_S, stage("qualifiedtobuy")))
    assert deal(journey)[::2] == ("open", 1)
