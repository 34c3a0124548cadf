"""What to improve first: cells by impact and by how long it takes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from services.dashboard.views.figures import Term
from services.dashboard.views.journey_map import Box, Candidate, Cell, PhaseView

HIGH_FROM_SHARE = 1 / 3
"""Of the largest impact on the map; an impact of at least so much is a high one."""

BOXES: tuple[tuple[str, str, bool, Term], ...] = (
    ("quick_wins", "Quick wins", True, "quick"),
    ("plan_now", "Plan now", True, "medium"),
    ("big_bets", "Big bets", True, "long"),
    ("fill_ins", "Fill-ins", False, "quick"),
    ("later", "Later", False, "medium"),
    ("let_be", "Let be", False, "long"),
)


def grid(phases: Iterable[PhaseView], verdicts: Collection[str] = ()) -> tuple[Box, ...]:
    """Every cell with an impact stands in exactly one box; cells without evidence of any, and surveys, in none."""
    cells = [(cell, phase) for phase in phases for cell in phase.types if cell.id not in verdicts]
    found = [(cell.impact, cell, phase) for cell, phase in cells if cell.impact]
    return boxed((cell.term, _candidate(cell, phase, impact)) for impact, cell, phase in found)


def boxed(candidates: Iterable[tuple[Term, Candidate]]) -> tuple[Box, ...]:
    """Each candidate in the box of its impact and term, the largest impact first."""
    found = sorted(candidates, key=lambda each: (-each[1].impact, each[1].phase, each[1].id))
    bound = HIGH_FROM_SHARE * found[0][1].impact if found else 0.0
    boxes: dict[tuple[bool, Term], list[Candidate]] = {}
    for term, candidate in found:
        boxes.setdefault((candidate.impact >= bound, term), []).append(candidate)
    return tuple(Box(id_, name, high, term, tuple(boxes.get((high, term), ()))) for id_, name, high, term in BOXES)


def _candidate(cell: Cell, phase: PhaseView, impact: float) -> Candidate:
    return Candidate(cell.id, cell.name, phase.id, phase.name, impact, cell.owner, cell.moment_of_truth)
