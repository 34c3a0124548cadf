"""An incident is a function of what hurts: any order, any repetition; conversations and actions follow its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.incidents import IncidentAction, Part
from streams.incidents.actions import ActionLog, folded
from streams.incidents.grouping import Burst
from streams.incidents.identity import Known, matched
from streams.incidents.incident import CALM, Incident, incidents_of
from tests.incident_kit import NOW, action, ago, part, some_parts

BURST = Burst("burst", 3, timedelta(minutes=30))


def known(thread_id: str, *events: str, minutes: float = 0.0) -> Known:
    return Known(thread_id, frozenset(events), ago(minutes=minutes))


def made_of(*groups: Sequence[Part]) -> list[Incident]:
    return [Incident("crm:1", tuple(group)) for group in groups]


@settings(max_examples=60, deadline=None)
@given(some_parts(), st.randoms(use_true_random=False), st.booleans())
def test_neither_order_nor_repetition_matters(parts: list[Part], chance: object, has_burst: bool) -> None:
    bursts = [BURST] if has_burst else []
    expected = incidents_of("crm:1", parts, bursts)
    again = [*parts, *parts]
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert incidents_of("crm:1", again, bursts) == expected


@settings(max_examples=60, deadline=None)
@given(some_parts())
def test_parts_of_one_event_are_one_incident_and_no_event_is_in_two(parts: list[Part]) -> None:
    incidents = incidents_of("crm:1", parts)
    seen = [event for incident in incidents for event in incident.events]
    assert len(seen) == len(set(seen))


def test_a_bad_score_is_one_incident_and_derived_rules_are_its_tags() -> None:
    score = part("s1", "e1", what="low_score")
    moment = part("s2", "e1", what="moment_of_truth_failed", derived=True, links=("s1",))
    (incident,) = incidents_of("crm:1", [moment, score])
    assert [one.what for one in incident.roots] == ["low_score"]
    assert incident.tags == ("moment_of_truth_failed",)


def test_what_shares_nothing_is_another_incident() -> None:
    assert len(incidents_of("crm:1", [part("s1", "e1"), part("s2", "e2")])) == 2


def test_a_tag_whose_pains_are_gone_is_no_incident() -> None:
    assert incidents_of("crm:1", [part("s2", "e1", derived=True, links=("s1",))]) == []


def test_the_newest_revision_of_a_part_counts() -> None:
    (incident,) = incidents_of("crm:1", [part("s1", "e1", severity=0.9, revision=2), part("s1", "e1", revision=1)])
    assert incident.severity == 0.9


@pytest.mark.parametrize(("minutes", "incidents"), [((0, 15, 30), 1), ((0, 15, 30.1), 3), ((0, 15), 2)])
def test_a_burst_is_one_incident(minutes: tuple[float, ...], incidents: int) -> None:
    parts = [part(f"s{n}", f"e{n}", minutes=at) for n, at in enumerate(minutes)]
    assert len(incidents_of("crm:1", parts, [BURST])) == incidents


def test_a_burst_that_goes_on_stays_one_and_two_bursts_are_two() -> None:
    parts = [part(f"s{n}", f"e{n}", minutes=n * 10) for n in range(8)]
    assert len(incidents_of("crm:1", parts, [BURST])) == 1
    parts += [part(f"t{n}", f"f{n}", minutes=500 + n * 10) for n in range(3)]
    assert len(incidents_of("crm:1", parts, [BURST])) == 2


def test_an_incident_is_over_after_a_calm_day_and_a_wait_when_it_ends() -> None:
    (pain,) = incidents_of("crm:1", [part("s1", "e1")])
    assert not pain.is_over(NOW + CALM - timedelta(seconds=1))
    assert pain.is_over(NOW + CALM)
    (open_wait,) = incidents_of("crm:1", [part("s1", "e1", waits=True, closed_at=None)])
    assert not open_wait.is_over(NOW + timedelta(days=99))
    (answered,) = incidents_of("crm:1", [part("s1", "e1", waits=True, minutes=9, closed_at=NOW)])
    assert answered.is_over(NOW)


def test_the_carrier_of_long_evidence_counts_as_evidence() -> None:
    """Evidence of a long episode is cut; what shares only its carrier is the same incident nevertheless."""
    long = part("s1", *[f"e{n}" for n in range(20)], event_id="e30")
    assert len(incidents_of("crm:1", [long, part("s2", "e30")])) == 1


def test_a_late_first_event_moves_the_id_and_not_the_conversation() -> None:
    before = incidents_of("crm:1", [part("s1", "e1", "e2", minutes=5)])
    after = incidents_of("crm:1", [part("s0", "e0", "e1", "e2", minutes=9)])
    assert before[0].incident_id != after[0].incident_id
    found = matched([known("t", *before[0].events)], after)
    assert found.continued == {"t": after[0]}
    assert (found.fresh, found.gone) == ([], [])


def test_two_that_turn_out_to_be_one_go_on_as_the_older() -> None:
    (one,) = incidents_of("crm:1", [part("s1", "e1"), part("s2", "e2", links=("s1",))])
    for threads in permutations([known("old", "e2", minutes=9), known("young", "e1")]):
        found = matched(threads, [one])
        assert found.continued == {"old": one}
        assert found.merged == {"young": "old"}


def test_one_that_turns_out_to_be_two_goes_on_with_the_larger_share() -> None:
    small, large = made_of([part("s1", "e1")], [part("s2", "e2", "e3", minutes=1)])
    for incidents in ([small, large], [large, small]):
        found = matched([known("t", "e1", "e2", "e3")], incidents)
        assert found.continued == {"t": large}
        assert found.split == [(small, "t")]


def test_without_evidence_a_conversation_is_gone_and_a_new_incident_is_fresh() -> None:
    (fresh,) = made_of([part("s1", "e1")])
    found = matched([known("t", "e9")], [fresh])
    assert (found.gone, found.fresh, found.continued) == (["t"], [fresh], {})


@settings(max_examples=60, deadline=None)
@given(some_parts(), some_parts(), st.randoms(use_true_random=False))
def test_matching_is_the_same_in_any_order_and_gives_each_one_place(
    before: list[Part], now: list[Part], chance: object
) -> None:
    threads = [known(f"t{n}", *one.events, minutes=n) for n, one in enumerate(incidents_of("crm:1", before))]
    incidents = incidents_of("crm:1", now)
    found = matched(threads, incidents)
    shuffled, mixed = [*threads], [*incidents]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert matched(shuffled, mixed) == found
    assert sorted([*found.continued, *found.merged, *found.gone]) == sorted(one.thread_id for one in threads)
    placed = [*found.continued.values(), *found.fresh, *(one for one, _ in found.split)]
    assert sorted(one.incident_id for one in placed) == sorted(one.incident_id for one in incidents)
    assert set(found.merged.values()) <= set(found.continued)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["take", "assign", "note", "silence", "done"]), st.integers(0, 5)), max_size=6),
    st.randoms(use_true_random=False),
)
def test_actions_fold_the_same_in_any_order_and_however_often(told: list[tuple[str, int]], chance: object) -> None:
    log = [action(f"a{n}", verb, "e1", minutes=minutes) for n, (verb, minutes) in enumerate(told)]
    mixed = [*log, *log]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert folded(mixed) == folded(log)
    assert ActionLog(mixed).standing(["e1"]) == folded(log)


def test_an_action_follows_the_evidence_through_merge_and_split() -> None:
    log = ActionLog([action("a1", "take", "e1", "e2")])
    assert log.standing(["e2"]).taken_by == "Ann"
    assert log.standing(["e0", "e1"]).taken_by == "Ann"
    assert log.standing(["e3"]).taken_by == ""


def test_what_people_did_last_stands() -> None:
    log = ActionLog(
        [
            action("a1", "take", "e1", minutes=9),
            action("a2", "assign", "e1", minutes=8, to="Bo"),
            action("a3", "silence", "e1", minutes=7, until=NOW),
            action("a4", "done", "e1", minutes=6),
        ]
    )
    found = log.standing(["e1"])
    assert (found.taken_by, found.assigned_by, found.done_by) == ("Bo", "Ann", "Ann")
    assert found.is_silent(ago(seconds=1))
    assert not found.is_silent(NOW)
    assert found.is_done(ago(minutes=6))
    assert not found.is_done(ago(minutes=5))


@pytest.mark.parametrize(("verb", "missing"), [("assign", "to"), ("silence", "until"), ("note", "text")])
def test_an_action_says_what_it_lacks(verb: str, missing: str) -> None:
    with pytest.raises(ValidationError, match=f"`{missing}`"):
        IncidentAction.model_validate({"action_id": "a", "at": NOW, "by": "Ann", "verb": verb, "events": ["e1"]})
