"""What the rules find of the pains that were put into 200 accounts over 90 days: recall and precision of each."""

from __future__ import annotations

from typing import Final

from benchmarks.figures import QUICK, Figure, Pace, Say
from streams.journey.blueprints import load
from tests.simulation.score import simulate, table

ACCOUNTS: Final = 200
FEW: Final = 20


def run(pace: Pace, say: Say) -> list[Figure]:
    """The table on the way, the sums at the end."""
    accounts = FEW if pace == QUICK else ACCOUNTS
    scores = simulate(load(), accounts)
    say(table(scores))
    injected, told = sum(s.injected for s in scores.values()), sum(s.told for s in scores.values())
    found, right = sum(s.found for s in scores.values()), sum(s.right for s in scores.values())
    part = f"detection, {accounts} accounts, 90 days"
    return [
        Figure(part, f"recall over {injected:,} pains and pleasures put in", f"{found / injected:.3f}"),
        Figure(part, f"precision over {told:,} signals", f"{right / told:.3f}"),
    ]
