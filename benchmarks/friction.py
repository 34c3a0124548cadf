"""What the rules cost: the whole catalogue against none over the same events, and a million open timers."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Figure, Pace, Say
from schemas.touchpoints import AttributedTouchpoint, Attribution, CleanTouchpoint
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint

BATCH: Final = 100
ACCOUNTS: Final = 50
TICKETS_AN_ACCOUNT: Final = 25
START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
Kind = tuple[int, str, dict[str, Any]]
"""(weight, action, fields)"""
#: A day of a B2B company's web, product, CRM and support, with its share of trouble.
MIX: Final[tuple[Kind, ...]] = (
    (30, "page_view", {"page": "/pricing", "properties": {"navigation": "link"}}),
    (15, "page_view", {"page": "/docs/start", "properties": {"lcp_ms": 1800}}),
    (15, "page_view", {"page": "/app/reports", "properties": {"duration_ms": 700, "status": 200}}),
    (15, "click", {"page": "/app/reports", "element": "export", "properties": {"x": 100, "y": 80}}),
    (2, "client_error", {"page": "/app/reports", "properties": {"error_type": "TypeError"}}),
    (2, "form_touched", {"page": "/demo", "subject": "form:demo", "element": "company"}),
    (1, "form_submitted", {"page": "/demo", "subject": "form:demo"}),
    (1, "form_failed", {"page": "/demo", "subject": "form:demo"}),
    (5, "custom", {"vendor_type": "track:Report Viewed"}),
    (3, "custom", {"vendor_type": "track:Search Performed", "properties": {"results": 3}}),
    (1, "custom", {"vendor_type": "track:Login Failed"}),
    (1, "custom", {"vendor_type": "track:Quote Requested"}),
    (1, "custom", {"vendor_type": "track:Quote Sent"}),
    (1, "ticket_created", {"subject": "ticket:{n}", "title": "Export is empty", "channel": "support"}),
    (1, "ticket_replied_by_agent", {"subject": "ticket:{n}", "channel": "support"}),
    (1, "ticket_replied_by_customer", {"subject": "ticket:{n}", "channel": "support", "sentiment": -0.6}),
    (2, "ticket_status", {"subject": "ticket:{n}", "properties": {"previous": "open", "current": "solved"}}),
    (1, "ticket_status", {"subject": "ticket:{n}", "properties": {"previous": "solved", "current": "open"}}),
    (1, "survey_answered", {"score": 4, "score_kind": "nps", "vendor_type": "track:NPS Answered"}),
    (1, "deal_stage_changed", {"subject": "deal:1", "properties": {"value": "contractsent"}}),
)


def run(pace: Pace, say: Say) -> list[Figure]:
    """Cost an event with all rules and with none, over the same batches, each the best of some rounds."""
    blueprint = load()
    bare = CompiledBlueprint(blueprint.source.model_copy(update={"rules": (), "policies": ()}))
    batches = events(BATCH * 100)
    costs_us: dict[str, float] = {"all": float("inf"), "none": float("inf")}
    for _ in range(pace.repeats + 1):
        for name, subject in (("all", blueprint), ("none", bare)):
            costs_us[name] = min(costs_us[name], _cost_us(subject, batches))
    rules = len(blueprint.source.rules)
    say(f"  {costs_us['all']:.0f} µs an event with {rules} rules, {costs_us['none']:.0f} with none")
    part = "rules, µs of CPU an event"
    return [
        Figure(part, f"accept with all {rules} rules, batches of {BATCH}", f"{costs_us['all']:.1f}"),
        Figure(part, "accept with none", f"{costs_us['none']:.1f}"),
        Figure(part, "the catalogue", f"{costs_us['all'] - costs_us['none']:.1f}", "≤ 40"),
        *_timers(blueprint, pace.open_timers, say),
    ]


def events(number: int, seed: int = 1) -> list[list[AttributedTouchpoint]]:
    """Batches of events of some accounts, a few seconds apart in each."""
    rng = random.Random(seed)
    weights = [weight for weight, _, _ in MIX]
    items = [_event(n, rng, *rng.choices(MIX, weights)[0][1:]) for n in range(number)]
    return [items[n : n + BATCH] for n in range(0, number, BATCH)]


def _event(number: int, rng: random.Random, action: str, fields: dict[str, Any]) -> AttributedTouchpoint:
    account = rng.randrange(ACCOUNTS)
    told = {"vendor_type": action, "session_id": f"{account}-{rng.randrange(3)}", **fields}
    told["subject"] = told.get("subject", "").format(n=rng.randrange(4))
    return _touchpoint(f"e{number:08}", START + timedelta(seconds=number * 0.2), f"crm:{account}", action, told)


def _touchpoint(
    event_id: str, at: datetime, account_id: str, action: str, fields: dict[str, Any]
) -> AttributedTouchpoint:
    base = {"event_id": event_id, "source": "web", "vendor": "segment", "vendor_type": action, "action": action}
    touchpoint = CleanTouchpoint.of(base | fields | {"occurred_at": at, "received_at": at})
    attribution = Attribution(person_id=f"p{account_id}", account_id=account_id, method="explicit", confidence=1.0)
    return AttributedTouchpoint(touchpoint=touchpoint, attribution=attribution)


def _cost_us(blueprint: CompiledBlueprint, batches: Sequence[Sequence[AttributedTouchpoint]]) -> float:
    live: dict[str, AccountJourney] = {}
    began = time.process_time()
    for batch in batches:
        groups: dict[str, list[AttributedTouchpoint]] = {}
        for item in batch:
            groups.setdefault(item.account_id, []).append(item)
        for account_id, group in groups.items():
            account = live.get(account_id)
            if account is None:
                account = live[account_id] = AccountJourney(account_id, blueprint)
            account.accept(group, group[-1].touchpoint.ordered_at)
    return (time.process_time() - began) * 1e6 / sum(len(batch) for batch in batches)


def _timers(blueprint: CompiledBlueprint, timers: int, say: Say) -> list[Figure]:
    """Accounts with open tickets, two clocks each; then all of them run out at once."""
    accounts = timers // (2 * TICKETS_AN_ACCOUNT)
    say(f"  {accounts * 2 * TICKETS_AN_ACCOUNT:,} open timers of {accounts:,} accounts")
    before, began = _resident_bytes(), time.process_time()
    live = [_waiting(blueprint, f"crm:{number}") for number in range(accounts)]
    opening_s, held = time.process_time() - began, _resident_bytes() - before
    open_timers = sum(len(account.state.waits) for account in live)
    late, began = START + timedelta(days=30), time.process_time()
    found = sum(len(account.advance(late).signals) for account in live)
    firing_s = time.process_time() - began
    assert found >= open_timers, "a timer did not fire"
    part = f"rules, {open_timers:,} open timers"
    return [
        Figure(part, "memory each, with the touchpoint that opened it, bytes", f"{held / open_timers:,.0f}"),
        Figure(part, "opening, µs each", f"{opening_s * 1e6 / open_timers:.1f}"),
        Figure(part, "firing (signal, incidents, next deadline), µs each", f"{firing_s * 1e6 / open_timers:.1f}"),
    ]


def _waiting(blueprint: CompiledBlueprint, account_id: str) -> AccountJourney:
    account = AccountJourney(account_id, blueprint)
    tickets = [
        _touchpoint(
            f"{account_id}/{n}", START + timedelta(minutes=n), account_id, "ticket_created", {"subject": f"ticket:{n}"}
        )
        for n in range(TICKETS_AN_ACCOUNT)
    ]
    account.accept(tickets, START)
    return account


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
