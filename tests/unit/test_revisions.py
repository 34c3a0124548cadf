"""Revisions order by knowledge: whoever knew fewer inputs loses, however late its clock."""

from __future__ import annotations

from datetime import timedelta

from schemas.facts import Tombstone, TouchpointFact
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.causes import DEADLINE, REPAIR, Cause
from streams.journey.corrections import Stored, as_of_at_least, corrections
from streams.journey.facts import account_fact, facts_of, revision, touchpoint_fact
from tests.journeys import AS_OF, START, at, attributed

BLUEPRINT = load()
TICKET = attributed("e1", 0, "ticket_created", subject="ticket:1", account_id="anon:p")


def stored() -> Stored:
    """The store after the ticket was told, before its silence counted."""
    account, journey = AccountJourney.rebuilt("anon:p", BLUEPRINT, [TICKET], at(1))
    account.inputs = 1
    fact = touchpoint_fact(account, journey.placed["e1"], revision(1, at(1)))
    return Stored(
        items={"e1": TICKET},
        touchpoint_digests={"e1": fact.digest},
        account_digest=1,
        max_revision=fact.revision,
        phase="awareness",
        blueprint_version=BLUEPRINT.version,
        blueprint_digest=BLUEPRINT.digest,
    )


def test_a_frozen_writer_whose_clock_runs_on_loses_to_a_withdrawal() -> None:
    """It wakes, finds a deadline passed and tells the ticket again; meanwhile the ticket moved away."""
    frozen, journey = AccountJourney.rebuilt("anon:p", BLUEPRINT, [TICKET], AS_OF)
    (again,) = [f for f in corrections(frozen, journey, stored(), AS_OF, {DEADLINE}) if isinstance(f, TouchpointFact)]
    owner, empty = AccountJourney.rebuilt("anon:p", BLUEPRINT, [], at(2))
    (gone,) = [
        f for f in corrections(owner, empty, stored(), at(2), {Cause("links", "moved")}) if isinstance(f, Tombstone)
    ]
    assert again.friction_rules == ("first_response_breach",)
    assert gone.revision > again.revision
    bumped = revision(2, AS_OF)  # known bad: counting a refold without news as knowledge
    assert bumped > gone.revision


def test_time_that_was_counted_is_not_forgotten() -> None:
    assert as_of_at_least(stored(), START - timedelta(days=1)) == at(1)
    assert as_of_at_least(stored(), AS_OF) == AS_OF


def test_a_refold_that_changes_something_wins_over_what_is_stored() -> None:
    account, journey = AccountJourney.rebuilt("anon:p", BLUEPRINT, [TICKET], at(1))
    before = stored()
    before.touchpoint_digests["e1"] = 7
    (told,) = [f for f in corrections(account, journey, before, at(1), {REPAIR}) if isinstance(f, TouchpointFact)]
    assert told.revision > before.max_revision


def test_what_a_deadline_changed_wins_over_what_was_told_before_it() -> None:
    """A quiet moment counts by the wall clock; by the time its findings are told, older events may flow again."""
    account = AccountJourney("anon:p", BLUEPRINT)
    (first,) = facts_of(account, account.accept([TICKET], at(1)), at(1))
    row = account_fact(account, at(1))
    found = account.advance(AS_OF)
    changed = [fact for fact in facts_of(account, found, at(1)) if isinstance(fact, TouchpointFact)]
    assert [fact.friction_rules for fact in changed] == [("first_response_breach",)]
    assert isinstance(first, TouchpointFact) and changed[0].revision > first.revision
    assert account_fact(account, at(1)).revision > row.revision
    assert revision(account.inputs, at(1)) == first.revision, "known bad: equal revisions, and either row may win"
