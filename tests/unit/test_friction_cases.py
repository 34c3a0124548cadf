"""Cases adopt their parts, give them back when late events disprove them, and add no pain to the map."""

from __future__ import annotations

from datetime import timedelta

from schemas.facts import SignalFact, TouchpointFact
from schemas.touchpoints import AttributedTouchpoint
from streams.journey import absence_pattern, compounds, event_patterns
from streams.journey.account import AccountJourney, Changes
from streams.journey.blueprints import load
from streams.journey.causes import LATE
from streams.journey.corrections import Stored, corrections
from streams.journey.facts import facts_of
from streams.journey.fold import fold
from tests.convergence import Told
from tests.journeys import AS_OF, at, attributed

BLUEPRINT = load()


def ticket(event_id: str, seconds: float, action: str, **properties: str) -> AttributedTouchpoint:
    return attributed(event_id, seconds, action, subject="ticket:1", properties=properties)


TROUBLE = [
    ticket("e1", 0, "ticket_created"),
    ticket("e3", 20_000, "ticket_status", previous="solved", current="open"),
]
ANSWER = ticket("e2", 60, "ticket_replied_by_agent")
"""Comes late: without it the first response was a breach, and that and the reopening were a struggle."""


def rules(told: Told) -> dict[str, str]:
    """Rule → the rule of the case that adopted its signal."""
    names = {signal.signal_id: signal.rule for signal in told.signals.values()}
    return {signal.rule: names.get(signal.case_id, "") for signal in told.signals.values()}


def test_a_case_adopts_its_parts() -> None:
    told = Told(signals=fold(TROUBLE, BLUEPRINT, AS_OF).signals)
    found = rules(told)
    assert found["first_response_breach"] == found["ticket_reopened"] == "struggle"
    assert found["moment_of_truth_failed"] == "", "rules about signals are no parts"


def test_a_late_event_gives_the_parts_back() -> None:
    """By the tail: the case and the breach are withdrawn, the reopening is told again without a case."""
    account, told = AccountJourney("crm:1", BLUEPRINT), Told()
    for batch in ([TROUBLE[0]], [TROUBLE[1]]):
        told.apply(account.accept(batch, batch[0].touchpoint.ordered_at))
    assert rules(told)["ticket_reopened"] == "struggle"
    changes = account.accept([ANSWER], at(20_000))
    assert not changes.refold
    withdrawn = {signal.rule for signal in changes.withdrawn.values()}
    assert {"struggle", "first_response_breach"} <= withdrawn
    told.apply(changes)
    assert rules(told) == {"ticket_reopened": "", "moment_of_truth_failed": ""}
    assert told.signals == fold([*TROUBLE, ANSWER], BLUEPRINT, at(20_000)).signals


def test_a_refold_gives_them_back_with_a_correction() -> None:
    """From the store: the same, as rows of a higher revision and a line that says so."""
    account, _ = AccountJourney.rebuilt("crm:1", BLUEPRINT, TROUBLE, AS_OF)
    facts = facts_of(account, _everything(TROUBLE), AS_OF)
    stored = Stored(
        items={f.event_id: f.input for f in facts if isinstance(f, TouchpointFact)},
        touchpoint_digests={f.event_id: f.digest for f in facts if isinstance(f, TouchpointFact)},
        signals={f.signal_id: f for f in facts if isinstance(f, SignalFact)},
        max_revision=max(f.revision for f in facts if isinstance(f, SignalFact)),
    )
    late, journey = AccountJourney.rebuilt("crm:1", BLUEPRINT, [*TROUBLE, ANSWER], AS_OF)
    rows = corrections(late, journey, stored, AS_OF, [LATE])
    signals = {row.rule: row for row in rows if isinstance(row, SignalFact)}
    assert signals["struggle"].withdrawn and signals["first_response_breach"].withdrawn
    assert not signals["ticket_reopened"].withdrawn and signals["ticket_reopened"].case_id == ""
    assert any(row.kind == "correction" and row.signals_withdrawn >= 2 for row in rows)


def _everything(items: list[AttributedTouchpoint]) -> Changes:
    journey = fold(items, BLUEPRINT, AS_OF)
    return Changes(placed=dict(journey.placed), signals=dict(journey.signals))


def test_a_case_adds_no_pain() -> None:
    journey = fold(TROUBLE, BLUEPRINT, AS_OF)
    carried = {signal.rule for placed in journey.placed.values() for signal in placed.friction}
    assert carried == {"first_response_breach", "ticket_reopened"}
    assert journey.state.friction_signals == 2


def test_explanations_name_fields_never_values() -> None:
    secret = "jan@example.com"
    touched = attributed("e1", 0, "form_touched", element="email", page="/demo", properties={"value": secret})
    journey = fold([touched], BLUEPRINT, AS_OF)
    assert any("(email)" in signal.explanation for signal in journey.signals.values())
    assert not any(secret in signal.explanation for signal in journey.signals.values())


def test_what_an_account_remembers_is_bounded() -> None:
    """Thousands of subjects, each with an episode, a trail or a wait of its own."""
    account = AccountJourney("crm:1", BLUEPRINT)
    for n in range(700):
        seconds, page = n * 30.0, f"/page/{n}"
        account.accept(
            [
                attributed(f"a{n:05}", seconds, "client_error", page=page, session_id=f"s{n}"),
                attributed(f"b{n:05}", seconds + 1, "page_view", page=page, session_id=f"s{n}"),
                attributed(f"c{n:05}", seconds + 2, "ticket_created", subject=f"ticket:{n}", title=f"{page} {n}"),
            ],
            at(seconds),
        )
    state = account.state
    assert len(state.episodes) <= event_patterns.MAX_EPISODES and len(state.trails) <= event_patterns.MAX_EPISODES
    assert len(state.waits) <= absence_pattern.MAX_WAITS and len(state.openers) <= absence_pattern.MAX_WAITS
    assert len(state.cases) <= compounds.MAX_CASES and len(state.adopted) <= compounds.MAX_ADOPTED
    assert len(state.case_of) <= 4 * compounds.MAX_CASES * 50


def test_incidents_close_by_time_alone() -> None:
    account = AccountJourney("crm:1", BLUEPRINT)
    for item in TROUBLE:
        account.accept([item], item.touchpoint.ordered_at)
    deadline = account.next_deadline
    assert deadline is not None
    (case,) = [s for s in account.advance(deadline + timedelta(days=2)).signals.values() if s.rule == "struggle"]
    assert case.closed_at == at(20_000)
