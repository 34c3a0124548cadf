"""Pains that one policy asks for, and what looks alike and is none: cancellations, renewals, key accounts, bursts.

Each account is asked by one policy: so that what is told of it is right or false beyond doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from streams.incidents.intake import Lens
from streams.incidents.preview import sent
from streams.journey.compiled import CompiledBlueprint
from tests.simulation.alerted import Told, desk_of, facts
from tests.simulation.score import AS_OF
from tests.simulation.world import DAYS, START, TITLES, Story, visits

RENEWAL: Final = START + timedelta(days=75)
NEAR_D: Final = 60
"""The policy's days before a renewal, as it is shipped."""
Scene = Callable[[Story, datetime], None]


@dataclass(frozen=True)
class Asked:
    """What is done to an account: its traits, on which days, what hurts and what does not."""

    policy: str
    traits: dict[str, str] = field(default_factory=dict)
    pains: tuple[tuple[int, Scene], ...] = ()
    decoys: tuple[tuple[int, Scene], ...] = ()


def _cancels(s: Story, at: datetime) -> None:
    name = s.rng.choice(["Subscription Cancelled", "subscription_canceled", "Contract Terminated"])
    s.knows("cancellation", at, [s.custom(at, name, s.someone())], "", 1.0)


def _leaves(s: Story, at: datetime) -> None:
    s.tell(at - timedelta(days=30), "lifecycle_changed", "", properties={"value": "customer"})
    s.knows("cancellation", at, [s.tell(at, "lifecycle_changed", "", properties={"value": "churned"})], "", 1.0)


def _other_end(s: Story, at: datetime) -> None:
    """A meeting that is called off, and a look at what leaving would mean."""
    s.custom(at, "Meeting Cancelled", s.someone())
    s.tell(s.after(at, 60, 600), "page_view", s.someone(), page="/pricing")


def _stays(s: Story, at: datetime) -> None:
    s.tell(at, "lifecycle_changed", "", properties={"value": "opportunity"})
    s.tell(s.after(at, 3_600, 90_000), "lifecycle_changed", "", properties={"value": "customer"})


def _reopens(*, is_near: bool) -> Scene:
    def scene(s: Story, at: datetime) -> None:
        s.tickets += 1
        what = {"subject": f"ticket:{s.account_id}/{s.tickets}", "channel": "ticket"}
        event = s.tell(at, "ticket_status", "p2", properties={"previous": "solved", "current": "open"}, **what)
        if is_near:
            s.knows("renewal_at_risk", at, [event], "p2", 0.7)

    return scene


def _annoys(s: Story, at: datetime) -> None:
    s.tell(at, "client_error", "p2", page=s.page(), properties={"error_type": "E"})


def _falls_back(*stages: str, is_fall: bool) -> Scene:
    """A deal that is nearly signed goes back to one of these."""

    def scene(s: Story, at: datetime) -> None:
        deal = {"subject": f"deal:{at:%j}", "channel": "crm", "vendor": "hubspot"}
        s.tell(at - timedelta(days=3), "deal_stage_changed", "", properties={"value": "contractsent"}, **deal)
        event = s.tell(at, "deal_stage_changed", "", properties={"value": s.rng.choice(stages)}, **deal)
        if is_fall:
            s.knows("key_account_regressed", at, [event], "", 0.6)

    return scene


def _goes_on(s: Story, at: datetime) -> None:
    deal = {"subject": f"deal:{at:%j}", "channel": "crm", "vendor": "hubspot"}
    s.tell(at - timedelta(days=3), "deal_stage_changed", "", properties={"value": "qualifiedtobuy"}, **deal)
    s.tell(at, "deal_stage_changed", "", properties={"value": "contractsent"}, **deal)
    s.tell(at + timedelta(days=2), "deal_stage_changed", "", properties={"value": "closedwon"}, **deal)


def _errors(count: int, every_s: float, *, is_burst: bool) -> Scene:
    """Errors of different people on different pages."""

    def scene(s: Story, at: datetime) -> None:
        events = []
        for number in range(count):
            person, when = f"q{number}", at + timedelta(seconds=number * every_s)
            events.append(s.tell(when, "client_error", person, page=f"/app/{number}", properties={"error_type": "E"}))
        if is_burst:
            s.knows("burst", at, events, "", 0.5)

    return scene


def _days(rng: Random, since: int, until: int, count: int) -> list[int]:
    """Days far enough from one another that each is an incident of its own."""
    return sorted(rng.sample(range(since, until, 4), count))


def _plan(number: int, rng: Random) -> Asked:
    """An account's policy, in turn."""
    near = RENEWAL - timedelta(days=NEAR_D)
    first, last = (near - START).days + 2, (RENEWAL - START).days - 1
    early, late = _days(rng, 1, first - 4, 2), [last + 3, last + 8]
    if number % 4 == 0:
        pain = (rng.randrange(60, DAYS - 5), rng.choice([_cancels, _leaves]))
        return Asked("cancellation", {}, (pain,) if number % 8 else (), ((5, _other_end), (12, _stays)))
    if number % 4 == 1:
        of = {} if number % 8 == 1 else {"renewal_date": f"{RENEWAL:%Y-%m-%d}"}
        days = _days(rng, first, last, 4)
        pains = [(day, _reopens(is_near=bool(of))) for day in days[:3]]
        decoys = [(day, _reopens(is_near=False)) for day in (*early, *late)]
        return Asked("renewal_at_risk", of, tuple(pains), ((days[3], _annoys), *decoys))
    days = _days(rng, 10, DAYS - 10, 5)
    if number % 4 == 2:
        tier = rng.choice(["key", "Strategic"]) if number % 8 == 2 else rng.choice(["standard", ""])
        is_key = number % 8 == 2
        # the only deal is lost, or goes back; then another goes back; while that one is open, a lost one is no fall
        falls = (
            (days[0], _falls_back("qualifiedtobuy", "closedlost", is_fall=is_key)),
            (days[1], _falls_back("qualifiedtobuy", is_fall=is_key)),
        )
        no_falls = ((days[2], _falls_back("closedlost", is_fall=False)), (days[3], _goes_on))
        return Asked("key_account_regressed", {"tier": tier} if tier else {}, falls, no_falls)
    bursts = [(day, _errors(rng.randint(5, 9), 300, is_burst=True)) for day in days[:2]]
    few = [(days[2], _errors(4, 300, is_burst=False)), (days[3], _errors(6, 1_000, is_burst=False))]
    return Asked("burst", {}, tuple(bursts), tuple(few))


def asked_for(accounts: int, seed: int) -> list[tuple[str, Story]]:
    """(policy, story) of so many accounts."""
    found = []
    for number in range(accounts):
        story = Story(f"crm:{number}", Random(f"asked/{seed}/{number}"))
        plan = _plan(number, story.rng)
        who = {"account_traits": plan.traits} if plan.traits else {}
        for person, title in TITLES.items():
            story.tell(START, "identify", person, person_traits={"title": title}, **who)
        visits(story)
        for day, scene in (*plan.pains, *plan.decoys):
            scene(story, story.after(START + timedelta(days=day), 0, 20_000))
        found.append((plan.policy, story))
    return found


def asked(blueprint: CompiledBlueprint, accounts: int, seeds: tuple[int, ...]) -> dict[str, Told]:
    """Policy → how many of its own pains are told, under its own name, and how many of its incidents are right."""
    lens = Lens(blueprint.source)
    scores = {name: Told() for name in ("cancellation", "renewal_at_risk", "key_account_regressed", "burst")}
    for seed in seeds:
        for policy, story in asked_for(accounts, seed):
            _judge(policy, story, blueprint, lens, scores)
    return scores


def _judge(policy: str, story: Story, blueprint: CompiledBlueprint, lens: Lens, scores: dict[str, Told]) -> None:
    events: dict[str, set[str]] = {}
    messages = sent(desk_of(facts(story, blueprint), lens), lens, START, AS_OF, events)
    opened = [message for message in messages if message.kind == "opened" and message.policy in scores]
    for message in opened:
        scores[message.policy].opened += 1
        about = [pain for pain in story.truth if pain.events & events[message.incident_id]]
        scores[message.policy].right += any(pain.rule == message.policy for pain in about)
    for message in messages:
        if message.policy in scores:
            scores[message.policy].again += message.kind in ("grown", "returned")
    for pain in story.truth:
        heard = [one for one in opened if one.policy == policy and pain.events & events[one.incident_id]]
        scores[policy].injected += 1
        scores[policy].found += bool(heard)
        scores[policy].doubled += max(0, len(heard) - 1)
