"""The score of a survey's answer: wherever it stands, however it is written, on whatever scale; and none is no zero."""

from __future__ import annotations

from typing import Any

import pytest

from streams.connectors.web.events import track_event

Score = tuple[float | None, str]


def score(properties: dict[str, Any], name: str = "Survey Submitted") -> Score:
    found = track_event(name, properties)
    assert found.action == "survey_answered"
    return found.score, found.score_kind


STANDS: dict[str, tuple[dict[str, Any], Score]] = {
    "nps_score": ({"nps_score": 3}, (3, "nps")),
    "npsScore": ({"npsScore": 3}, (3, "nps")),
    "NPS Score": ({"NPS Score": 3}, (3, "nps")),
    "csat_score": ({"csat_score": 4}, (4, "csat")),
    "ces_score": ({"ces_score": 6}, (6, "ces")),
    "rating": ({"rating": 2}, (2, "rating")),
    "stars": ({"stars": 2}, (2, "rating")),
    "score of a stated kind": ({"survey_type": "NPS", "score": 9}, (9, "nps")),
    "score of a kind in words": ({"type": "nps survey", "rating": 9}, (9, "nps")),
    "score of no kind": ({"score": 4}, (4, "rating")),
    "a list of answers": ({"answers": [{"question": "Why?", "answer": "x"}, {"type": "nps", "answer": 3}]}, (3, "nps")),
    "answers by name": ({"answers": {"nps_score": 3, "comment": "slow"}}, (3, "nps")),
    "answers by question": ({"responses": {"q1": {"question_type": "csat", "value": 2}}}, (2, "csat")),
    "a nested survey": ({"survey": {"kind": "ces"}, "score": 6, "response": {"ces": 5}}, (5, "ces")),
    "an answer to anything": ({"answer": 3, "answers": [{"answer": 4}]}, (None, "rating")),
    "text in the place of answers": ({"answers": "9", "feedback": ["x"]}, (None, "rating")),
}


@pytest.mark.parametrize("where", STANDS)
def test_wherever_it_stands(where: str) -> None:
    properties, expected = STANDS[where]
    if where == "a nested survey":
        properties = {name: value for name, value in properties.items() if name != "score"}
    assert score(properties) == expected


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (0, 0), (10, 10), ("0", 0), ("9", 9), (" 9 ", 9), (6.5, 6.5), ("6.5", 6.5), ("9/10", 9), ("4/5", 8),
        (None, None), ("", None), ("great", None), (True, None), (False, None), ([], None), ({}, None), (11, None),
        (-1, None), (float("inf"), None), ("9/0", None), ("12/10", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["nps", "nps_score", "score"])
def test_each_way_to_write_an_nps_has_its_answer(field: str, written: Any, read: float | None) -> None:
    assert score({field: written}, "NPS Survey Answered") == (read, "nps")


@pytest.mark.parametrize(
    ("properties", "read"),
    [
        ({"csat": 4, "scale": "1-4"}, 5),
        ({"csat": 1, "scale": "1-4"}, 1),
        ({"csat": 2.5, "scale": "1 – 4"}, 3),
        ({"csat": 0, "scale": "0 to 1"}, 1),
        ({"csat": 80, "scale": "0..100"}, 4.2),
        ({"csat": 7, "scale": 7}, 5),
        ({"csat": 7, "scale": "7"}, 5),
        ({"csat": 10, "max": 10, "min": 0}, 5),
        ({"csat": 4, "scale": {"min": 1, "max": 4}}, 5),
        ({"csat": 4, "scale": [1, 4]}, 5),
        ({"csat": 10, "out_of": 10}, 5),
        ({"csat": 5, "scale": "1-4"}, None),
        ({"csat": 0, "scale": "1-4"}, None),
        ({"csat": 2, "scale": "5-1"}, None),
        ({"csat": 2, "scale": "3-3"}, None),
        ({"csat": 2, "scale": "stars"}, 2),
        ({"csat": 2, "scale": ""}, 2),
    ],
)
def test_foreign_scales(properties: dict[str, Any], read: float | None) -> None:
    assert score(properties)[0] == read


@pytest.mark.parametrize(("value", "read"), [(3, 6.0), (5, 10.0), (0, 0.0), (6, None)])
def test_an_nps_of_five(value: int, read: float | None) -> None:
    assert score({"nps_score": value, "max": 5}) == (read, "nps" if read is not None else "rating")


def test_of_several_the_surveys_own_kind_counts() -> None:
    both = {"csat_score": 4, "nps_score": 9, "answers": [{"type": "ces", "score": 2}]}
    assert score(both, "NPS Answered") == (9, "nps")
    assert score(both, "CES Answered") == (2, "ces")
    assert score({"csat_score": 4}, "NPS Answered") == (4, "csat")


def test_what_was_written_beside_it_is_read_too() -> None:
    assert track_event("Survey Submitted", {"answers": [{"nps": 3}, {"comment": "too slow"}]}).text == "too slow"
    assert track_event("Survey Submitted", {"nps": 3, "feedback": "too slow"}).text == "too slow"


def test_very_many_answers_cost_no_more() -> None:
    assert score({"answers": [{"x": n} for n in range(100_000)] + [{"nps": 3}]})[0] is None


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        # which survey it was, in other places and words
        ("Survey Submitted", {"survey": "NPS", "value": 8}, (8, "nps")),
        ("Survey Submitted", {"survey_name": "NPS Q3", "score": 9}, (9, "nps")),
        ("Survey Submitted", {"title": "Net Promoter Score", "score": 9}, (9, "nps")),
        ("Survey Submitted", {"scoreType": "nps", "score": 9}, (9, "nps")),
        ("Survey Submitted", {"metric": "ces", "score": 6}, (6, "ces")),
        ("Survey Submitted", {"survey": "Tevredenheid na levering", "score": 4}, (4, "csat")),
        ("Survey Submitted", {"likelihood_to_recommend": 9}, (9, "nps")),
        ("Survey Submitted", {"customer_effort": 6}, (6, "ces")),
        ("Survey Submitted", {"klanttevredenheid": 4}, (4, "csat")),
        ("Survey Submitted", {"sterren": 4}, (4, "rating")),
        ("Survey Submitted", {"cijfer": 10}, (5, "rating")),
        ("Survey Submitted", {"cijfer": 1}, (1, "rating")),
        # how a score is written
        ("CSAT Submitted", {"rating": "4 stars"}, (4, "csat")),
        ("CSAT Submitted", {"rating": "4 sterren"}, (4, "csat")),
        ("CSAT Submitted", {"score": "⭐⭐⭐⭐"}, (4, "csat")),
        ("CSAT Submitted", {"score": "★★★☆☆"}, (3, "csat")),
        ("CSAT Submitted", {"csat": "80 %"}, (4.2, "csat")),
        ("CSAT Submitted", {"csat": "4,5"}, (4.5, "csat")),
        ("NPS Submitted", {"score": "9 out of 10"}, (9, "nps")),
        ("NPS Submitted", {"score": "9 van 10"}, (9, "nps")),
        ("NPS Submitted", {"score": "10 - very likely"}, (10, "nps")),
        ("NPS Submitted", {"score": "9-10"}, (None, "nps")),
        ("NPS Submitted", {"score": "promoter"}, (None, "nps")),
        ("NPS Submitted", {"score": "2026-02-01"}, (None, "nps")),
        # where it stands inside something
        ("Survey Submitted", {"nps": {"score": 9}}, (9, "nps")),
        ("Survey Submitted", {"csat_score": {"value": 8, "max": 10, "min": 0}}, (4.2, "csat")),
        ("Survey Submitted", {"answers": {"nps": {"value": 9}}}, (9, "nps")),
        ("Survey Submitted", {"responses": [{"question_type": "nps", "answer": {"value": 9}}]}, (9, "nps")),
        ("Survey Submitted", {"nps_score": [9]}, (9, "nps")),
        ("Survey Submitted", {"nps_score": [9, 3]}, (None, "rating")),
        ("Survey Submitted", {"rating": 10, "max_rating": 10}, (5, "rating")),
        # names of events in other words
        ("Enquete ingevuld", {"nps": 8}, (8, "nps")),
        ("Delighted Survey Answered", {"score": 9, "survey_type": "nps"}, (9, "nps")),
        ("Wootric NPS", {"score": 9}, (9, "nps")),
        ("Feedback Submitted", {"rating": 4}, (4, "rating")),
        ("Beoordeling gegeven", {"sterren": 4}, (4, "rating")),
    ],
)
def test_surveys_of_other_makers(name: str, properties: dict[str, Any], expected: Score) -> None:
    assert score(properties, name) == expected


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("Feedback Submitted", {"text": "fine"}),
        ("Survey Sent", {"rating": 4}),
        ("Survey Dismissed", {}),
        ("Rating Filter Applied", {"rating": 4}),
        ("NPS Shown", {"score": 9}),
    ],
)
def test_what_is_no_answer_stays_what_it_is(name: str, properties: dict[str, Any]) -> None:
    assert track_event(name, properties).action == "custom"
