"""What people are told: once of one incident, again when it grows or comes back, the end of it; never of history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.base import EPOCH
from schemas.facts import AccountFact, SignalFact, Tombstone
from schemas.incidents import Carrier, Desk, Message
from schemas.policies import Policy
from services.alerting.channels import words
from streams.incidents.actions import ActionLog
from streams.incidents.golden import run, run_all
from streams.incidents.incident import CALM, incidents_of
from streams.incidents.intake import MEMORY, Recent, pruned, taken_in
from streams.incidents.judging import Watch, level_of
from streams.incidents.messages import Places
from streams.incidents.threads import View, judged, look_again_at, moved
from streams.journey.digests import digest_of
from tests.incident_kit import BLUEPRINT, COMPILED, LENS, NOW, action, ago, part, signal, view

RECENT = Recent()
SOON = NOW + timedelta(minutes=5)


def desk_of(*facts: SignalFact | AccountFact | Tombstone, desk: Desk | None = None, now: datetime = NOW) -> Desk:
    desk = desk or Desk(account_id="crm:1", name="Acme")
    for fact in facts:
        desk = taken_in(desk, fact, LENS, RECENT, now)
    return desk


def failed(*events: str, score: float = 0.5, minutes: float = 1.0, **fields: Any) -> list[SignalFact]:
    """A reopened ticket on a moment of truth: the pain, and the tag that a policy asks for."""
    root = signal(f"r-{events[0]}", "ticket_reopened", *events, minutes=minutes, severity=score, **fields)
    tag = signal(
        f"m-{events[0]}", "moment_of_truth_failed", *events, minutes=minutes, severity=score, parts=(root.signal_id,)
    )
    return [root, tag]


def said(desk: Desk) -> list[str]:
    return [notice.message.kind for thread in desk.threads for notice in thread.notices]


def told(desk: Desk) -> Message:
    (thread,) = desk.threads
    return thread.notices[-1].message


def test_an_incident_is_told_once_with_all_that_a_reader_needs() -> None:
    desk = desk_of(*failed("e1"))
    desk = desk.changed(carriers={"e1": Carrier(source="support", role="champion", received_at=NOW)})
    opened = judged(desk, view(log=ActionLog([action("a", "take", "e1")]), places=Places("https://t.example")))
    message = told(opened)
    assert message.headline == "A moment of truth failed at Acme"
    assert message.people == ("champion",)
    assert message.since == ago(minutes=1)
    assert (message.level, message.taken_by) == ("high", "Ann")
    assert message.evidence[0].url == "https://t.example/touchpoints/e1"
    assert message.where == "https://t.example/accounts/crm:1"
    assert (message.department, message.touchpoint) == ("Support", "Support ticket")
    assert message.excellent
    assert message.runbook
    assert judged(opened, view()) is opened


def test_without_an_address_a_message_says_where_to_look() -> None:
    message = told(judged(desk_of(*failed("e1")), view()))
    assert message.where == "look at the page of account crm:1"
    assert message.evidence[0].url == ""


def test_the_same_facts_again_make_the_same_notice() -> None:
    first = judged(desk_of(*failed("e1")), view())
    later = judged(desk_of(*reversed(failed("e1")), *failed("e1")), view(SOON))
    assert told(later).notice_id == told(first).notice_id


def test_it_grows_only_when_it_becomes_worse() -> None:
    desk = judged(desk_of(*failed("e1")), view())
    same = judged(desk_of(signal("r2", "ping_pong", "e1", severity=0.5), desk=desk), view())
    assert said(same) == ["opened"]
    worse = judged(desk_of(signal("r3", "escalated", "e1", severity=1.0), desk=same), view())
    assert said(worse) == ["opened", "grown"]
    assert told(worse).level == "severe"
    assert told(worse).remark == "it was high"
    milder = judged(desk_of(signal("r3", "escalated", "e1", severity=0.1, revision=2), desk=worse), view())
    again = judged(desk_of(signal("r3", "escalated", "e1", severity=1.0, revision=3), desk=milder), view())
    assert said(again) == ["opened", "grown"]


def test_it_closes_after_a_calm_day_and_comes_back() -> None:
    desk = judged(desk_of(*failed("e1")), view())
    over = ago(minutes=1) + CALM
    assert look_again_at(desk, view()) == over
    closed = judged(desk, view(over))
    assert said(closed) == ["opened", "closed"]
    assert judged(closed, view(over + timedelta(hours=1))) is closed
    anew = signal("r4", "escalated", "e1", "e2", minutes=-1441, severity=0.7)
    back = judged(desk_of(anew, desk=closed, now=over + timedelta(minutes=3)), view(over + timedelta(minutes=3)))
    assert said(back) == ["opened", "closed", "returned"]


def test_what_a_late_fact_disproves_is_withdrawn_after_a_moment() -> None:
    desk = judged(desk_of(*failed("e1")), view())
    disproved = [fact.changed(withdrawn=True, revision=2) for fact in failed("e1")]
    gone = judged(desk_of(*disproved, desk=desk), view())
    assert said(gone) == ["opened"]
    again_at = look_again_at(gone, view())
    assert again_at == NOW + timedelta(seconds=90)
    withdrawn = judged(gone, view(again_at))
    assert said(withdrawn) == ["opened", "withdrawn"]
    assert "did not happen" in told(withdrawn).remark


def test_what_is_read_anew_is_neither_withdrawn_nor_told_twice() -> None:
    """A late first event gives signals other ids: the old ones are withdrawn before the new ones are told."""
    desk = judged(desk_of(*failed("e1")), view())
    desk = judged(desk_of(*[f.changed(withdrawn=True, revision=2) for f in failed("e1")], desk=desk), view())
    desk = judged(desk_of(*failed("e0", "e1", minutes=3), desk=desk), view(SOON))
    assert said(desk) == ["opened"]


def test_a_conversation_moves_with_its_evidence_to_another_account() -> None:
    there = judged(desk_of(*failed("e1")), view())
    there = desk_of(*[fact.changed(withdrawn=True, revision=2) for fact in failed("e1")], desk=there)
    here = desk_of(*[f.changed(account_id="crm:2") for f in failed("e1")], desk=Desk(account_id="crm:2"))
    here, there = moved(here, there)
    assert there.threads == ()
    assert said(judged(here, view())) == ["opened"]
    assert moved(here, there.changed(threads=here.threads)) == (here, there)  # after a crash between the two


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({"minutes": 241.0}, []),
        ({"minutes": 239.0}, ["opened"]),
    ],
)
def test_history_wakes_nobody(given: dict[str, Any], kinds: list[str]) -> None:
    assert said(judged(desk_of(*failed("e1", **given)), view())) == kinds


def test_what_happened_before_the_watch_began_is_history() -> None:
    assert said(judged(desk_of(*failed("e1")), view(watch=Watch(NOW)))) == []
    assert said(judged(desk_of(*failed("e1", minutes=0)), view(watch=Watch(NOW)))) == ["opened"]


def test_what_was_sent_as_history_is_history() -> None:
    sent = Carrier(source="support", backfill=True, received_at=NOW)
    assert said(judged(desk_of(*failed("e1")).changed(carriers={"e1": sent}), view())) == []


def test_what_a_new_source_tells_of_the_time_before_its_first_contact_is_history() -> None:
    desk = desk_of(*failed("e1", minutes=30)).changed(carriers={"e1": Carrier(source="support", received_at=NOW)})
    assert said(judged(desk, view(watch=Watch(EPOCH, {"support": NOW})))) == []
    assert said(judged(desk, view(watch=Watch(EPOCH, {"support": ago(minutes=29)})))) == ["opened"]


def late(rule: str = "first_response_breach") -> Desk:
    desk = desk_of(signal("w", rule, "e1", minutes=1, closed_at=None))
    return desk.changed(carriers={"e1": Carrier(source="support", received_at=NOW)})


def test_silence_of_a_silent_source_is_held_and_said_to_be() -> None:
    heard = {"support": ago(hours=2)}
    held = judged(late(), view(heard=heard))
    assert [thread.state for thread in held.threads] == ["held"]
    assert said(held) == []
    assert judged(held, view(heard=heard)) is held
    assert look_again_at(held, view(heard=heard)) is not None
    freed = judged(held, view(SOON, heard={"support": SOON}))
    assert said(freed) == ["opened"]
    when = f"{ago(hours=2):%Y-%m-%d %H:%M} UTC"
    assert told(freed).remark == f"held for 5 min because support reported nothing of what happened after {when}"


def test_silence_of_a_source_that_is_set_aside_is_held_though_it_was_heard_just_now() -> None:
    held = judged(late(), view(aside={"support"}))
    assert [(thread.state, thread.held_for, thread.held_why) for thread in held.threads] == [
        ("held", "support", "support is set aside")
    ]
    behind = judged(held, view(SOON, heard={"support": ago(hours=2)}))
    assert behind.threads[0].held_why.startswith("support reported nothing")
    assert said(judged(behind, view(SOON))) == ["opened"]


def test_what_ends_while_it_is_held_is_told_to_nobody() -> None:
    heard = {"support": ago(hours=2)}
    held = judged(late(), view(heard=heard))
    answered = signal("w", "first_response_breach", "e1", minutes=1, closed_at=NOW, revision=2)
    assert judged(desk_of(answered, desk=held), view(SOON, heard={"support": SOON})).threads == ()


def test_an_event_proves_itself_however_stale_its_source_is() -> None:
    desk = desk_of(*failed("e1")).changed(carriers={"e1": Carrier(source="support", received_at=NOW)})
    assert said(judged(desk, view(heard={}))) == ["opened"]


def test_a_silenced_incident_is_told_when_the_silence_ends() -> None:
    log = ActionLog([action("a", "silence", "e1", until=SOON)])
    quiet = judged(desk_of(*failed("e1")), view(log=log))
    assert said(quiet) == []
    assert said(judged(quiet, view(SOON, log=log))) == ["opened"]


def test_a_done_incident_that_hurts_again_says_so_once() -> None:
    desk = judged(desk_of(*failed("e1")), view())
    log = ActionLog([action("a", "done", "e1", minutes=0.5)])
    assert said(judged(desk, view(log=log))) == ["opened"]
    hurt = desk_of(signal("r2", "escalated", "e1", "e2", minutes=0.1), desk=desk)
    back = judged(hurt, view(log=log))
    assert said(back) == ["opened", "returned"]
    assert told(back).remark == "Ann called it done, and it hurts again"
    assert judged(back, view(log=log)) is back


def test_two_told_incidents_that_become_one_go_on_as_one() -> None:
    desk = judged(desk_of(*failed("e1"), *failed("e2")), view())
    assert said(desk) == ["opened", "opened"]
    joined = judged(
        desk_of(signal("j", "struggle", "e1", "e2", parts=("r-e1", "r-e2"), severity=0.5), desk=desk), view()
    )
    assert len(joined.threads) == 1
    assert said(joined) == ["opened"]


def test_one_told_incident_that_becomes_two_is_not_told_again() -> None:
    tie = signal("j", "struggle", "e1", "e2", parts=("r-e1", "r-e2"), severity=0.5)
    desk = judged(desk_of(*failed("e1"), *failed("e2"), tie), view())
    assert said(desk) == ["opened"]
    apart = judged(desk_of(tie.changed(withdrawn=True, revision=2), desk=desk), view())
    assert len(apart.threads) == 2
    assert said(apart) == ["opened"]


def test_what_is_long_over_is_forgotten() -> None:
    desk = judged(desk_of(*failed("e1")), view())
    over = judged(desk, view(ago(minutes=1) + CALM))
    assert pruned(over, NOW + CALM).threads
    assert pruned(over, NOW + CALM + MEMORY + timedelta(minutes=1)).is_empty
    assert not pruned(desk, NOW + MEMORY + CALM).is_empty  # its end is not told yet


def test_old_pains_leave_no_trace() -> None:
    assert desk_of(*failed("e1", minutes=60 * 24 * 3)).is_empty


def test_a_row_of_less_knowledge_changes_nothing() -> None:
    desk = desk_of(signal("s", "escalated", "e1", revision=5))
    assert desk_of(signal("s", "escalated", "e1", revision=4, severity=0.1), desk=desk) is desk
    gone = desk_of(signal("s", "escalated", "e1", revision=6, withdrawn=True), desk=desk)
    assert desk_of(signal("s", "escalated", "e1", revision=5), desk=gone) is gone


def test_the_shipped_policies_hold_their_tests() -> None:
    assert run_all(COMPILED) == []
    assert len(BLUEPRINT.policies) == 12
    assert all(len(policy.tests) >= 3 for policy in BLUEPRINT.policies)


def _moved_boundaries(policies: Sequence[Policy]) -> list[tuple[str, str, float]]:
    """(policy, field, another value): ages doubled, counts and spans moved by their smallest step."""
    return [
        (policy.id, field, changed)
        for policy in policies
        for field, changed in (
            ("max_age_s", policy.max_age_s * 2),
            ("within_s", policy.within_s + 1),
            ("within_s", policy.within_s - 1),
            ("count", policy.count + 1),
            ("count", policy.count - 1),
            ("renewal_within_days", policy.renewal_within_days + 1),
            ("renewal_within_days", policy.renewal_within_days - 1),
        )
        if getattr(policy, field)  # what is not asked has no boundary
    ]


@pytest.mark.parametrize(("policy_id", "field", "changed"), _moved_boundaries(BLUEPRINT.policies))
def test_a_boundary_that_moves_fails_a_test(policy_id: str, field: str, changed: float) -> None:
    policy = next(one for one in BLUEPRINT.policies if one.id == policy_id)
    mutant = policy.model_copy(update={field: changed})
    assert any(run(COMPILED, mutant, test) for test in policy.tests)


@pytest.mark.parametrize("policy", BLUEPRINT.policies, ids=lambda policy: policy.id)
def test_a_policy_that_asks_for_nothing_of_its_own_fails_a_test(policy: Any) -> None:
    empty = policy.model_copy(
        update={
            "rules": (),
            "types": (),
            "moves": (),
            "count": 0,
            "renewal_within_days": 0.0,
            "sources": (),
            "targets": (),
            "unusual": (),
        }
    )
    assert any(run(COMPILED, empty, test) for test in policy.tests)


def test_a_renewal_that_comes_near_is_looked_at_again_and_shown() -> None:
    near = NOW.replace(hour=0) + timedelta(days=1)
    held = desk_of(signal("w", "first_response_breach", "e1", minutes=600, closed_at=None, severity=0.7))
    desk = held.changed(dates={"renewal_date": near + timedelta(days=60)})
    assert look_again_at(judged(desk, view()), view()) == near
    fresh = desk_of(signal("x", "client_error", "e2", severity=0.7)).changed(dates={"renewal_date": NOW})
    opened = told(judged(fresh, view()))
    assert opened.policy == "renewal_at_risk"
    assert ("Renewal", f"{NOW:%Y-%m-%d}") in list(words.facts(opened))


@pytest.mark.parametrize(
    ("typed", "is_day"),
    [("2026-11-30", True), (" 2026-11-30T10:00:00Z", True), ("30.11.2026", False), ("", False), ("2026-02-30", False)],
)
def test_what_people_typed_is_a_day_or_none(typed: str, is_day: bool) -> None:
    assert bool(LENS.dates_of({"renewal_date": typed, "other": "2026-01-01"})) is is_day


def test_policies_change_no_row_of_the_map() -> None:
    without = BLUEPRINT.model_copy(update={"policies": (), "tiers": BLUEPRINT.tiers.model_copy(update={"trait": "x"})})
    assert digest_of(without) == digest_of(BLUEPRINT)


@pytest.mark.parametrize(
    ("severity", "weight", "level"),
    [
        (0.8, 1.0, "severe"),
        (0.79, 1.0, "high"),
        (0.4, 1.0, "high"),
        (0.39, 1.0, "watch"),
        (0.64, 1.25, "severe"),
        (0.63, 1.25, "high"),
    ],
)
def test_how_bad_is_severity_times_importance_times_weight(severity: float, weight: float, level: str) -> None:
    (decisive,) = incidents_of("crm:1", [part("s", "e1", severity=severity, touchpoint_type="complaint")])
    assert LENS.types["complaint"].importance == 5
    assert level_of(decisive, LENS, weight) == level
    (minor,) = incidents_of("crm:1", [part("s", "e1", severity=1.0, touchpoint_type="blog_article")])
    assert level_of(minor, LENS, 1.0) == "high"


def test_a_view_knows_no_source_it_never_heard() -> None:
    seen: View = view(heard={"crm": NOW})
    assert seen.doubt("support")
    assert not seen.doubt("crm")
    assert not seen.doubt("")
    assert view(EPOCH).now == EPOCH


def test_an_incident_of_many_days_is_remembered_whole_until_it_is_over() -> None:
    day = 24 * 60
    chain = (part("a", "e1", "e2", minutes=5 * day, severity=0.9), part("b", "e2", "e3", minutes=3 * day))
    newest, other = part("c", "e3", minutes=60), part("x", "e9", minutes=5 * day)
    desk = Desk(account_id="crm:1", parts={one.part_id: one for one in (*chain, newest, other)})
    assert pruned(desk, NOW).parts.keys() == {"a", "b", "c"}, "the other one is over for long"
    assert pruned(desk, NOW + MEMORY).is_empty
