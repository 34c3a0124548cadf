"""What the policy about what is unusual finds of changes put into figures of ninety days, and what it makes up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.figures import QUICK, Figure, Pace, Say
from schemas.blueprint import Blueprint
from schemas.policies import Measure
from streams.incidents.golden import only
from streams.journey.blueprints import load
from tests.simulation.changed import Found, changed, counted, found, rhythm, table

ACCOUNTS: Final = 200
FEW: Final = 40
SEEDS: Final = 4
CELLS: Final = 24


def run(pace: Pace, say: Say) -> list[Figure]:
    """On the simulation, whose days are alike, and on made-up figures with good and bad days, weekends and drifts."""
    is_quick = pace == QUICK
    blueprint, found_of = _asking(load().source), dict[str, Mapping[Measure, Found]]()
    accounts = FEW if is_quick else ACCOUNTS
    least = min(policy.volume for policy in blueprint.policies)
    rows, changes = changed(counted(load(), accounts), least)
    found_of[f"{accounts} accounts, 90 days"] = found(rows, changes, blueprint)
    for seed in range(1, 2 if is_quick else SEEDS + 1):
        rows, changes = changed(rhythm(seed, CELLS), least, seed)
        found_of[f"{CELLS} made-up cells, 90 days, seed {seed}"] = found(rows, changes, blueprint)
    for name, scores in found_of.items():
        say(f"{name}\n\n{table(scores)}\n")
    return [figure for name, scores in found_of.items() for figure in _figures(name, scores)]


def _asking(blueprint: Blueprint) -> Blueprint:
    return only(blueprint, next(policy for policy in blueprint.policies if policy.unusual))


def _figures(name: str, scores: Mapping[Measure, Found]) -> list[Figure]:
    put_in, hit = sum(s.put_in for s in scores.values()), sum(s.found for s in scores.values())
    told, right = sum(s.told for s in scores.values()), sum(s.right for s in scores.values())
    part = f"changes, {name}"
    return [
        Figure(part, f"recall over {put_in} changes put in", f"{hit / max(put_in, 1):.2f}"),
        Figure(part, f"precision over {told} told", f"{right / max(told, 1):.2f}"),
    ]
