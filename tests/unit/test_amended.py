"""A later word takes an earlier one back: a deal's end that was a mistake, a survey's answer that was corrected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Correction
from schemas.touchpoints import AttributedTouchpoint, RawRequest
from schemas.traffic import Traffic
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.journey import account as account_module
from streams.journey import amended as amended_module
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.corrections import corrected_from_memory
from streams.journey.fold import Journey, fold
from tests.convergence import comparable, last_event, live, visible
from tests.journeys import AS_OF, at, attributed

BLUEPRINT = load()
EVERY_WORD = CompiledBlueprint(
    BLUEPRINT.source.model_copy(
        update={"amendments": BLUEPRINT.source.amendments.model_copy(update={"deal_s": 0.0, "answer_s": 0.0})}
    )
)
HOUR, DAY = 3600, 86_400


def deal(event_id: str, seconds: float, value: str, *, flag: str = "", number: str = "9") -> AttributedTouchpoint:
    """A stage, or with `flag` (`won`, `lost`) the CRM's flag, set or (`false`) taken back."""
    properties = {"property": f"hs_is_closed_{flag}" if flag else "dealstage", "value": value}
    if flag and value == "true":
        properties |= {"value": f"closed{flag}", "outcome": flag}
    action = "crm_record" if flag and value == "false" else "deal_stage_changed"
    return attributed(event_id, seconds, action, subject=f"deal:{number}", person="", properties=properties)


def answer(event_id: str, seconds: float, score: float, kind: str = "nps", **told: Any) -> AttributedTouchpoint:
    fields = {name: told.pop(name) for name in ("person", "subject") if name in told}
    return attributed(event_id, seconds, "survey_answered", score=score, score_kind=kind, properties=told, **fields)


OFFER = [deal("a", 0, "contractsent")]
MISTAKES = {
    "a stage": [deal("b", DAY, "closedwon"), deal("c", DAY + HOUR, "contractsent")],
    "a flag": [deal("b", DAY, "true", flag="won"), deal("c", DAY + HOUR, "false", flag="won")],
    "both, in one save": [
        *(deal("b", DAY, "closedwon"), deal("b2", DAY, "true", flag="won")),
        *(deal("c", DAY + HOUR, "false", flag="won"), deal("d", DAY + HOUR + 0.02, "contractsent")),
    ],
    "at the very end of the day": [deal("b", DAY, "closedwon"), deal("c", 2 * DAY, "contractsent")],
    "lost": [deal("b", DAY, "closedlost"), deal("c", DAY + HOUR, "contractsent")],
}


EVERYBODY = CompiledBlueprint(
    BLUEPRINT.source.model_copy(
        update={"traffic": BLUEPRINT.source.traffic.model_copy(update={"count": get_args(Traffic)})}
    )
)


def told(items: list[AttributedTouchpoint], blueprint: CompiledBlueprint = BLUEPRINT) -> Journey:
    return fold(items, blueprint, AS_OF + timedelta(days=1))


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_deal_that_was_ended_by_mistake_was_never_ended(mistake: list[AttributedTouchpoint]) -> None:
    journey = told(OFFER + mistake)
    (known,) = journey.state.opportunities.values()
    assert (journey.state.phase, journey.state.high_water_phase) == ("purchase", "purchase")
    assert (known.status, known.reopened, known.regressions, known.closed_at) == ("open", 0, 0, None)
    assert not journey.signals  # neither a fast lane nor a deal that went back
    assert [c.to_phase for c in journey.state.transitions if c.accepted] == ["consideration", "purchase"]
    assert journey.placed.keys() == {item.event_id for item in OFFER + mistake}


def test_what_stands_longer_counts() -> None:
    late = [deal("b", DAY, "closedwon"), deal("c", 2 * DAY + 0.001, "contractsent")]
    assert told(OFFER + late).state.phase == "initiate"
    assert told(OFFER + MISTAKES["a stage"], EVERY_WORD).state.phase == "initiate", "an operator may want every end"


def test_won_by_mistake_and_lost_is_lost() -> None:
    journey = told([*OFFER, deal("b", DAY, "closedwon"), deal("c", DAY + HOUR, "closedlost")])
    assert journey.state.phase == "consideration"
    assert [known.status for known in journey.state.opportunities.values()] == ["lost"]


def test_the_messages_of_one_save_are_no_mistake() -> None:
    journey = told([*OFFER, deal("b", DAY, "true", flag="lost"), deal("c", DAY + 30, "true", flag="won")])
    assert [known.status for known in journey.state.opportunities.values()] == ["won"]
    assert journey.state.phase == "initiate"


CORRECTED = {
    "the same response": (
        answer("a", 0, 2, response_id="r1"),
        answer("b", 40 * DAY, 9, response_id="r1", person="p2"),
    ),
    "an SDK that sends an answer once more when it is complete": (
        answer("a", 0, 2, "csat", **{"$survey_submission_id": "s", "survey": "How was it"}),
        answer("b", 9, 5, "csat", **{"$survey_submission_id": "s", "survey": "How was it"}),
    ),
    "the same survey, by the same person": (
        answer("a", 0, 1, "csat", survey_id="q"),
        answer("b", DAY, 5, "csat", survey_id="q"),
    ),
    "the rating of one ticket": (
        answer("a", 0, 1, "csat", subject="ticket:support:7"),
        answer("b", HOUR, 5, "csat", subject="ticket:support:7"),
    ),
}
BESIDE = {
    "another response": (answer("a", 0, 2, response_id="r1"), answer("b", 9, 9, response_id="r2")),
    "later than a day": (answer("a", 0, 2, survey="q"), answer("b", DAY + 0.001, 9, survey="q")),
    "somebody else": (answer("a", 0, 2, survey="q"), answer("b", HOUR, 9, survey="q", person="p2")),
    "another survey": (answer("a", 0, 1, "csat", survey="x"), answer("b", 9, 5, "csat", survey="y")),
    "another question of one response": (
        answer("a", 0, 1, "csat", response_id="r", question="speed"),
        answer("b", 0, 5, "csat", response_id="r", question="price"),
    ),
    "another kind of score in one response": (
        answer("a", 0, 2, response_id="r"),
        answer("b", 0, 5, "csat", response_id="r"),
    ),
    "another ticket": (
        answer("a", 0, 1, "csat", subject="ticket:support:7"),
        answer("b", HOUR, 5, "csat", subject="ticket:support:8"),
    ),
    "answers that do not say what they are on": (answer("a", 0, 2), answer("b", HOUR, 9)),
    "nobody known": (answer("a", 0, 2, survey="q", person=""), answer("b", HOUR, 9, survey="q", person="")),
}


@pytest.mark.parametrize("answers", CORRECTED.values(), ids=CORRECTED)
def test_a_corrected_answer_replaces_the_first(answers: tuple[AttributedTouchpoint, ...]) -> None:
    journey = told([*answers])
    assert [signal.rule for signal in journey.signals.values()] == ["promoter"]
    assert (journey.placed["a"].emotion, journey.placed["b"].emotion is not None) == (None, True)
    assert journey.placed["a"].on_map, "it was a contact moment all the same"


@pytest.mark.parametrize("answers", BESIDE.values(), ids=BESIDE)
def test_two_answers_on_two_things_both_count(answers: tuple[AttributedTouchpoint, ...]) -> None:
    assert {"low_score", "promoter"} <= {signal.rule for signal in told([*answers]).signals.values()}


def test_posthog_sends_a_response_question_by_question_and_once_more_when_it_is_complete() -> None:
    read = []
    for number, score in enumerate([2, 9]):
        told_once: dict[str, Any] = {"$lib": "web", "$is_identified": True, "$survey_id": "s", "$survey_name": "NPS"}
        told_once |= {"$survey_submission_id": "sub", "$survey_completed": score == 9, "$survey_response": score}
        sent: dict[str, Any] = {"event": "survey sent", "distinct_id": "u", "uuid": f"u{number}"}
        sent |= {"timestamp": at(number).isoformat(), "properties": told_once}
        body = orjson.dumps({"api_key": "k", "batch": [sent]}).decode()
        request = RawRequest(request_id="r", source="web", vendor="posthog", received_at=at(number), body=body)
        (result,) = CONNECTORS["posthog"].read(request)
        assert isinstance(result, Mapped)
        read.append(attributed("x", 0).changed(touchpoint=result.touchpoint))
    assert [signal.rule for signal in told(read).signals.values()] == ["promoter"]


def test_an_operator_may_count_every_answer_but_that_of_one_response() -> None:
    for name, answers in CORRECTED.items():
        rules = {signal.rule for signal in told([*answers], EVERY_WORD).signals.values()}
        assert ("low_score" in rules) is ("response" not in name and "SDK" not in name), name


def test_what_was_shown_and_is_taken_back_leaves_a_line() -> None:
    account = AccountJourney("crm:1", BLUEPRINT)
    assert account.accept([answer("a", 0, 1, survey="q")], at(0)).signals
    again = [answer("b", 60, 10, survey="q")]
    changes = account.accept(again, at(60))
    assert [signal.rule for signal in changes.withdrawn.values()] == ["low_score"]
    (line,) = corrected_from_memory(account, again, changes, at(60))
    assert isinstance(line, Correction)
    assert (line.signals_withdrawn, "took back" in line.cause) == (1, True)


_KINDS = [
    *({"value": stage} for stage in ("contractsent", "closedwon", "closedlost", "qualifiedtobuy")),
    *({"value": value, "flag": flag} for value in ("true", "false") for flag in ("won", "lost")),
]


@st.composite
def _streams(draw: st.DrawFn) -> tuple[list[AttributedTouchpoint], list[list[AttributedTouchpoint]]]:
    history: list[AttributedTouchpoint] = []
    for index in range(draw(st.integers(2, 14))):
        seconds = draw(st.sampled_from([0, 20, 60, 61, HOUR, DAY, DAY + 61, 30 * HOUR])) + draw(st.integers(0, 2))
        if draw(st.booleans()):
            score, named = (
                draw(st.sampled_from([0, 5, 9])),
                draw(st.sampled_from([{"survey": "q"}, {"response_id": "r"}])),
            )
            history.append(answer(f"e{index:02}", seconds, score, **named))
        else:
            history.append(deal(f"e{index:02}", seconds, **draw(st.sampled_from(_KINDS))))
    stream = [*draw(st.permutations(history)), *draw(st.lists(st.sampled_from(history), max_size=3))]
    size = draw(st.integers(1, 5))
    return history, [stream[start : start + size] for start in range(0, len(stream), size)]


@st.composite
def _many_things(draw: st.DrawFn) -> tuple[list[AttributedTouchpoint], list[list[AttributedTouchpoint]]]:
    history: list[AttributedTouchpoint] = []
    for index in range(draw(st.integers(2, 24))):
        seconds = draw(st.integers(0, 200))
        number = draw(st.sampled_from("123456"))
        if draw(st.booleans()):
            history.append(answer(f"e{index:02}", seconds, draw(st.sampled_from([0, 9])), response_id=number))
        else:
            history.append(deal(f"e{index:02}", seconds, number=number, **draw(st.sampled_from(_KINDS))))
    stream = draw(st.permutations(history))
    size = draw(st.integers(1, 5))
    return history, [stream[start : start + size] for start in range(0, len(stream), size)]


@pytest.mark.parametrize("tail", [account_module.TAIL, 4])
@settings(max_examples=100, deadline=None)
@given(case=_streams())
def test_any_order_comes_to_the_same(
    tail: int, case: tuple[list[AttributedTouchpoint], list[list[AttributedTouchpoint]]]
) -> None:
    history, batches = case
    with patch.object(account_module, "TAIL", tail), patch.object(account_module, "MARK_EVERY", 2):
        seen, state = live(batches, BLUEPRINT, last_event)
    assert (seen.placed, seen.signals, comparable(state)) == visible(fold(history, BLUEPRINT, AS_OF))


def test_what_was_taken_back_stays_what_it_is() -> None:
    """Known bad: one of our own browsers became a customer's when its answer was corrected."""
    told_at = {"a": 0, "b": 60}
    items = [
        attributed(
            name, seconds, "survey_answered", score=2, score_kind="nps", subject="ticket:1", url_host="localhost"
        )
        for name, seconds in told_at.items()
    ]
    placed = told(items, EVERYBODY).placed
    assert [placed[name].traffic for name in told_at] == ["internal", "internal"]
    assert placed["a"].emotion is None, "it was corrected"


@settings(max_examples=25, deadline=None)
@given(case=_streams())
def test_a_flood_of_words_costs_a_bounded_memory_and_any_order_comes_to_the_same(
    case: tuple[list[AttributedTouchpoint], list[list[AttributedTouchpoint]]],
) -> None:
    history, batches = case
    with patch.object(amended_module, "MOST", 2), patch.object(account_module, "TAIL", 4):
        seen, state = live(batches, BLUEPRINT, last_event)
        assert (seen.placed, seen.signals, comparable(state)) == visible(fold(history, BLUEPRINT, AS_OF))


@pytest.mark.parametrize("tail", [account_module.TAIL, 4])
@settings(max_examples=100, deadline=None)
@given(case=_many_things(), most=st.integers(1, 12))
def test_of_too_many_things_the_same_ones_are_judged_in_any_order(
    tail: int, case: tuple[list[AttributedTouchpoint], list[list[AttributedTouchpoint]]], most: int
) -> None:
    history, batches = case
    with (
        patch.object(amended_module, "MOST_IN_ALL", most),
        patch.object(amended_module, "MOST", 3),
        patch.object(account_module, "TAIL", tail),
        patch.object(account_module, "MARK_EVERY", 2),
    ):
        seen, state = live(batches, BLUEPRINT, last_event)
        assert (seen.placed, seen.signals, comparable(state)) == visible(fold(history, BLUEPRINT, AS_OF))


def test_no_more_words_than_that_are_kept_of_all_things_and_it_is_said() -> None:
    words = BLUEPRINT.amended(BLUEPRINT.consents().counts)
    most = amended_module.MOST_IN_ALL
    words.learn(answer(f"e{n}", n, 2, response_id=f"r{n}") for n in range(most))
    assert (len(words), words.is_full) == (most, False)
    corrected = [answer(f"f{n}", most + n, 9, response_id=f"r{n}") for n in range(1_000)]
    assert len(words.learn(corrected)) < 1_000, "some of them are of things that are judged no more"
    assert most - 1 <= len(words) <= most and words.is_full
    assert {f"e{n}" for n in range(1_000)} > {*words.back}
    assert not words.learn([answer("late", 2 * most, 5, response_id="r1")]) or "e1" in words.back


def test_a_thing_that_does_not_fit_stands_as_it_was_said() -> None:
    first, second = answer("a", 0, 2, response_id="r1"), answer("b", 60, 9, response_id="r1")
    assert [signal.rule for signal in told([first, second]).signals.values()] == ["promoter"]
    with patch.object(amended_module, "MOST_IN_ALL", 1):
        assert {signal.rule for signal in told([first, second]).signals.values()} >= {"low_score", "promoter"}


def test_no_more_words_than_that_are_kept_of_one_deal() -> None:
    words = BLUEPRINT.amended(BLUEPRINT.consents().counts)
    words.learn(deal(f"e{n}", n * DAY, "contractsent") for n in range(2 * amended_module.MOST))
    words.learn([deal("long ago", -DAY, "closedwon")])
    assert len(words) == amended_module.MOST
