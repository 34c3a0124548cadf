"""Every policy on ninety days with pains put in: false, missed and doubled messages, precision and recall of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from benchmarks.figures import QUICK, Figure, Pace, Say
from schemas.blueprint import Blueprint
from streams.incidents.golden import only
from streams.journey.blueprints import load
from tests.simulation.alerted import Told, alerted
from tests.simulation.asked import asked
from tests.simulation.changed import Found, changed, found, rhythm
from tests.simulation.silenced import late, promised

ACCOUNTS: Final = 200
FEW: Final = 20
SEEDS: Final = (31, 32, 33, 34)
"""Others than those that numbers of the policies were chosen on."""
CELLS: Final = 24
ASKED: Final = 80
"""Accounts that one policy is asked about, for each seed."""


def run(pace: Pace, say: Say) -> list[Figure]:
    """Incidents on the simulation; promises and what is unusual on made-up figures; sources on made-up rhythms."""
    is_quick, blueprint = pace == QUICK, load()
    accounts, seeds = (FEW, SEEDS[:1]) if is_quick else (ACCOUNTS, SEEDS)
    told: dict[str, Told] = alerted(blueprint, accounts) | asked(blueprint, FEW if is_quick else ASKED, seeds)
    for policy in blueprint.source.policies:
        asking = only(blueprint.source, policy)
        if policy.targets:
            told[policy.id] = _as_told(promised(asking, seeds))
        elif policy.sources:
            told[policy.id] = _as_told(late(asking, seeds))
        elif policy.unusual:
            told[policy.id] = _as_told(_unusual(asking, seeds))
    say(table(told))
    return list(_figures(told))


def table(told: Mapping[str, Told]) -> str:
    """As Markdown. A policy of which nothing is put in with certainty has no recall."""
    lines = ["| policy | put in | found | missed | recall | told | right | false | precision | twice | messages each |"]
    lines.append("|" + "---|" * 11)
    for name, s in told.items():
        recall = f"{s.found / s.injected:.2f}" if s.injected else "–"
        precision = f"{s.right / s.opened:.2f}" if s.opened else "–"
        each = f"{(s.opened + s.again) / s.opened:.2f}" if s.opened else "–"
        cells = (name, s.injected, s.found, s.injected - s.found, recall, s.opened, s.right, s.opened - s.right)
        lines.append("| " + " | ".join(map(str, (*cells, precision, s.doubled, each))) + " |")
    return "\n".join(lines)


def _unusual(blueprint: Blueprint, seeds: tuple[int, ...]) -> Found:
    whole = Found()
    for seed in seeds:
        rows, changes = changed(rhythm(seed, CELLS), min(policy.volume for policy in blueprint.policies), seed)
        for one in found(rows, changes, blueprint).values():
            whole = Found(*(getattr(whole, name) + getattr(one, name) for name in Found.__slots__))
    return whole


def _as_told(found: Found) -> Told:
    return Told(injected=found.put_in, found=found.found, opened=found.told, right=found.right)


def _figures(told: Mapping[str, Told]) -> Iterator[Figure]:
    for name, s in told.items():
        if s.injected or s.opened:
            recall = f"recall {s.found / s.injected:.2f} of {s.injected}" if s.injected else "recall not known"
            precision = f"precision {s.right / s.opened:.2f} of {s.opened}" if s.opened else "nothing told"
            yield Figure("policies, 90 days", name, f"{recall}, {precision}")
