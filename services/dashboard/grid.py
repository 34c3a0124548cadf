"""What to improve first: cells by impact and by how long it takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from services.dashboard.views import Box, Candidate, Cell, PhaseView, Term

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


def grid(phases: Iterable[PhaseView]) -> tuple[Box, ...]:
    """Every cell with an impact stands in exactly one box; cells without evidence of any stand in none."""
    found = [(cell.impact, cell, phase) for phase in phases for cell in phase.types if cell.impact]
    found.sort(key=lambda each: (-each[0], each[2].id, each[1].id))
    bound = HIGH_FROM_SHARE * found[0][0] if found else 0.0
    boxes: dict[tuple[bool, Term], list[Candidate]] = {}
    for impact, cell, phase in found:
        boxes.setdefault((impact >= bound, cell.term), []).append(_candidate(cell, phase, impact))
    return tuple(Box(id_, name, high, term, tuple(boxes.get((high, term), ()))) for id_, name, high, term in BOXES)


def _candidate(cell: Cell, phase: PhaseView, impact: float) -> Candidate:
    return Candidate(cell.id, cell.name, phase.id, phase.name, impact, cell.owner, cell.moment_of_truth)
