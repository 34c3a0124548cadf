"""How many of the pains that were put in the rules find, and how much of what they find was put in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from streams.friction.episodes import Signal
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import fold
from tests.simulation.scenes import DECOYS, SCENES, SILENT
from tests.simulation.world import DAYS, DECIDING, START, Injected, Story, account, delivered, silent

AS_OF = START + timedelta(days=DAYS + 30)
#: Found on whatever is injected elsewhere; judged by what the injector knows of those pains.
FOLLOWING = ("champion_in_pain", "moment_of_truth_failed")


@dataclass(slots=True)
class Score:
    """Of one rule: pains put in and found; signals told and right."""

    injected: int = 0
    found: int = 0
    told: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.injected if self.injected else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.told if self.told else 1.0


def simulate(blueprint: CompiledBlueprint, accounts: int, seed: int = 1) -> dict[str, Score]:
    """Rule → its score over that many accounts and ninety days."""
    scores: dict[str, Score] = {rule.id: Score() for rule in blueprint.source.rules}
    for story in stories(accounts, seed):
        journey = fold(delivered(story), blueprint, AS_OF)
        _judge(story.truth + following(story.truth), list(journey.signals.values()), scores)
    return scores


def stories(accounts: int, seed: int) -> Iterator[Story]:
    usual = {name: scene for name, scene in SCENES.items() if name not in SILENT}
    scenes = [scene for pair in SILENT.values() for scene in pair]
    quiet = max(len(scenes), accounts // 10)
    for number in range(accounts - quiet):
        yield account(number, seed, usual, DECOYS)
    for number in range(quiet):
        yield silent(accounts - quiet + number, seed, scenes[number % len(scenes)])


def following(truth: list[Injected]) -> list[Injected]:
    """What follows from a pain: someone who decides was hurt."""
    return [
        Injected("champion_in_pain", pain.account_id, pain.at, pain.events, pain.person, pain.hurt)
        for pain in truth
        if pain.hurt >= 0.6 and pain.person in DECIDING
    ]


def _judge(truth: list[Injected], signals: list[Signal], scores: dict[str, Score]) -> None:
    for pain in truth:
        score = scores[pain.rule]
        score.injected += 1
        score.found += any(signal.rule == pain.rule and pain.events & set(signal.evidence) for signal in signals)
    for signal in signals:
        score = scores[signal.rule]
        score.told += 1
        score.right += _is_right(signal, truth)


def _is_right(signal: Signal, truth: list[Injected]) -> bool:
    """Whether it was put in; a compound one is right when all it is made of was."""
    evidence = set(signal.evidence)
    if signal.parts:
        known = set().union(*(pain.events for pain in truth))
        deciding = signal.rule != "champion_in_pain" or signal.person_id in DECIDING
        return deciding and evidence <= known
    return any(pain.rule == signal.rule and pain.events & evidence for pain in truth)


def table(scores: dict[str, Score]) -> str:
    """As Markdown."""
    lines = ["| rule | put in | found | recall | signals | right | precision |", "|---|---|---|---|---|---|---|"]
    for rule, s in scores.items():
        recall = f"{s.recall:.2f}" if s.injected else "–"
        precision = f"{s.precision:.2f}" if s.told else "–"
        lines.append(f"| {rule} | {s.injected} | {s.found} | {recall} | {s.told} | {s.right} | {precision} |")
    return "\n".join(lines)
