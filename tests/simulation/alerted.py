"""How many of the pains that were put in people are told of, and how many messages came for nothing, or twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.facts import AccountFact, Fact, SignalFact, TouchpointFact
from schemas.incidents import Desk, Part
from schemas.policies import Policy
from streams.incidents.intake import Lens, fall, is_fall
from streams.incidents.preview import sent
from streams.journey.account import AccountJourney
from streams.journey.compiled import CompiledBlueprint
from streams.journey.facts import account_fact, facts_of
from tests.simulation.score import AS_OF, following, stories
from tests.simulation.world import START, Injected, Story, delivered


@dataclass(slots=True)
class Told:
    """Of one policy: pains put in that it asks for, and those told; incidents told, right, and told a second time."""

    injected: int = 0
    found: int = 0
    opened: int = 0
    right: int = 0
    doubled: int = 0
    again: int = 0


def alerted(blueprint: CompiledBlueprint, accounts: int, seed: int = 1) -> dict[str, Told]:
    """Policy → what became of it over that many accounts and ninety days."""
    lens = Lens(blueprint.source)
    scores = {policy.id: Told() for policy in blueprint.source.policies}
    for story in stories(accounts, seed):
        _judge(story, desk_of(facts(story, blueprint), lens), lens, scores)
    return scores


def facts(story: Story, blueprint: CompiledBlueprint) -> list[Fact]:
    """What the journey tells of an account's days in the end."""
    account = AccountJourney(story.account_id, blueprint)
    changes = account.accept(delivered(story), AS_OF)
    return [*facts_of(account, changes, AS_OF), account_fact(account, AS_OF)]


def desk_of(found: Iterable[Fact], lens: Lens) -> Desk:
    """Everything that ever hurt the account, as a preview reads it."""
    parts: dict[str, Part] = {}
    desk = Desk(account_id="")
    for fact in found:
        if isinstance(fact, SignalFact) and fact.polarity == "friction" and not fact.withdrawn:
            parts[fact.signal_id] = lens.part_of_signal(fact)
        elif isinstance(fact, TouchpointFact) and fact.touchpoint_type in lens.pains and fact.on_map:
            part = lens.part_of_touchpoint(fact)
            parts[part.part_id] = part
        elif isinstance(fact, AccountFact):
            tier = fact.traits.get(lens.blueprint.tiers.trait, "")
            dates = lens.dates_of(fact.traits)
            desk = Desk(account_id=fact.account_id, tier=tier, segment=fact.segment, dates=dates)
            falls = {f"phase:{move.event_id}": move for move in fact.transitions if is_fall(move)}
            parts |= {name: fall(name, move, fact.revision) for name, move in falls.items()}
    return desk.changed(parts=parts)


def _judge(story: Story, desk: Desk, lens: Lens, scores: Mapping[str, Told]) -> None:
    events: dict[str, set[str]] = {}
    messages = sent(desk, lens, START, AS_OF, events)
    truth = story.truth + following(story.truth)
    for message in messages:
        score = scores[message.policy]
        score.opened += message.kind == "opened"
        score.again += message.kind in ("grown", "returned")
    opened = {message.incident_id: message.policy for message in messages if message.kind == "opened"}
    for incident_id, policy in opened.items():
        scores[policy].right += any(pain.hurt and pain.events & events[incident_id] for pain in truth)
    for pain in truth:
        heard = [policy for incident_id, policy in opened.items() if pain.events & events[incident_id]]
        for policy in heard[1:]:
            scores[policy].doubled += 1
        for asking in lens.blueprint.policies:
            if _asks_for(asking, pain):
                scores[asking.id].injected += 1
                scores[asking.id].found += bool(heard)


def _asks_for(policy: Policy, pain: Injected) -> bool:
    """What follows with certainty from what was put in; what depends on the blueprint (tiers, bursts) is left out."""
    return pain.rule in policy.rules and pain.hurt >= policy.threshold and not policy.key_accounts


def table(scores: Mapping[str, Told]) -> str:
    """As Markdown."""
    lines = ["| policy | put in | told | recall | incidents told | right | precision | twice | grown or back |"]
    lines.append("|" + "---|" * 9)
    for name, s in scores.items():
        recall = f"{s.found / s.injected:.2f}" if s.injected else "–"
        precision = f"{s.right / s.opened:.2f}" if s.opened else "–"
        cells = (name, s.injected, s.found, recall, s.opened, s.right, precision, s.doubled, s.again)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
