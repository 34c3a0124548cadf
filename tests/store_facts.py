"""Facts for tests of the store: small, with everything that a figure is made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from schemas.facts import (
    AccountFact,
    Correction,
    Opportunity,
    PhaseChange,
    Seat,
    SignalFact,
    Tombstone,
    TouchpointFact,
)
from schemas.incidents import Delivery
from schemas.touchpoints import AttributedTouchpoint, Attribution, CleanTouchpoint

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


WON = Opportunity(
    opportunity_id="deal:1",
    kind="new",
    status="won",
    stage="closedwon",
    opened_at=START,
    changed_at=START + timedelta(days=2),
    closed_at=START + timedelta(days=2),
    amount=1200.5,
    currency="EUR",
    regressions=1,
)
OPEN = Opportunity(opportunity_id="deal:crm_us:a:2", kind="expansion", status="open", opened_at=START, changed_at=START)


def touchpoint_fact(number: int, *, account: str = "crm:1", revision: int = 1, **changes: object) -> TouchpointFact:
    """Touchpoint `number`, 7 s after the one before; `changes` replaces fields of the fact."""
    event_id = f"event-{number:06}"
    at = START + timedelta(seconds=7 * number)
    clean = CleanTouchpoint(
        event_id=event_id,
        source="web" if number % 3 else "crm",
        vendor="segment",
        vendor_type="track:Quote Requested",
        vendor_event_id=f"vendor-{number}",
        action="form_submitted",
        occurred_at=at,
        received_at=at + timedelta(seconds=1),
        aliases=("anonymous:a1",),
        page="/pricing",
        properties={"plan": "pro"},
    )
    attribution = Attribution(
        person_id=f"person-{number % 4}" if number % 5 else "",
        account_id=account,
        method="email_domain",
        confidence=0.8,
        evidence="acme.example",
    )
    fields: dict[str, object] = {
        "account_id": account,
        "event_id": event_id,
        "revision": revision << 32,
        "digest": number,
        "touchpoint_type": ("pricing_page", "quote_request", "support_ticket")[number % 3],
        "phase": ("consideration", "purchase")[number % 2],
        "home_phase": "consideration",
        "persona": "buyer",
        "segment": "mid",
        "on_map": number % 7 != 0,
        "moment_of_truth": number % 3 == 1,
        "importance": 3,
        "emotion": None if number % 2 else -0.3 + number % 5 / 7,
        "friction_signals": ("s1",) if number % 4 == 0 else (),
        "friction_rules": ("form_abandoned",) if number % 4 == 0 else (),
        "pain": 0.4 if number % 4 == 0 else 0.0,
        "blueprint_version": 1,
        "input": AttributedTouchpoint(touchpoint=clean, attribution=attribution, knowledge=revision),
    }
    return TouchpointFact.of(fields | changes)


def tombstone_of(fact: TouchpointFact, *, revision: int) -> Tombstone:
    """The same touchpoint, gone from its account."""
    touchpoint = fact.input.touchpoint
    return Tombstone(
        account_id=fact.account_id,
        event_id=fact.event_id,
        occurred_at=touchpoint.occurred_at,
        knowledge=revision,
        revision=revision << 32,
        source=touchpoint.source,
    )


def signal_fact(
    number: int, *, account: str = "crm:1", revision: int = 1, event: int = 4, withdrawn: bool = False
) -> SignalFact:
    """A friction signal carried by touchpoint `event`."""
    return SignalFact(
        signal_id=f"signal-{number}",
        account_id=account,
        revision=revision << 32,
        rule="form_abandoned",
        rule_version=1,
        polarity="friction",
        severity=0.4,
        event_id=f"event-{event:06}",
        person_id="person-1",
        touchpoint_type="quote_request",
        phase="consideration",
        opened_at=START,
        evidence=(f"event-{event:06}",),
        evidence_count=1,
        explanation="the form was left after 40 s",
        withdrawn=withdrawn,
    )


def account_fact(account: str = "crm:1", *, revision: int = 1, phase: str = "purchase") -> AccountFact:
    """Where the account stands after `revision` inputs."""
    change = PhaseChange(
        at=START,
        from_phase="consideration",
        to_phase=phase,
        event_id="event-000001",
        cause="deal stage",
        accepted=True,
        dwell_s=3600.0,
    )
    return AccountFact(
        account_id=account,
        revision=revision << 32,
        phase=phase,
        phase_since=START,
        high_water_phase=phase,
        segment="mid",
        traits={"name": "Acme, the 'best'"},
        touchpoints=revision,
        on_map_touchpoints=revision,
        people=2,
        friction_signals=1,
        first_seen_at=START,
        last_seen_at=START,
        transitions=(change,),
        opportunities=(WON, OPEN),
        committee=(Seat(role="champion", known=3, required=2), Seat(role="decision maker", known=0, required=1)),
        committee_completeness=0.5,
        blueprint_version=3,
        blueprint_digest=(1 << 64) - 1,
        as_of=START,
    )


def correction(account: str = "crm:1") -> Correction:
    """One refold's outcome."""
    return Correction(
        correction_id="c1",
        account_id=account,
        corrected_at=START,
        cause="late event",
        touchpoints_changed=1,
        touchpoints_removed=0,
        signals_changed=1,
        signals_withdrawn=0,
    )


def delivery(number: int, outcome: Literal["sent", "retry"] = "sent") -> Delivery:
    """A line of the delivery log."""
    return Delivery(
        notice_id=f"notice-{number}",
        incident_id="incident-1",
        account_id="crm:1",
        policy="burst",
        kind="opened",
        level="high",
        channel="room",
        at=START,
        outcome=outcome,
        attempt=1,
        answer="ok",
    )
