"""What the policies would have told, played on what is stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from schemas.policies import Policy
from services.dashboard.incidents import pains_of
from services.dashboard.params import one_of, refuse
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope, range_of
from streams.incidents.intake import Lens
from streams.incidents.played import desks_of_figures, questions
from streams.incidents.preview import NUMBERS, Tally, preview, with_changes
from streams.incidents.stored import desks_of

DAYS = ("7", "30", "90")
MOST_PAINS = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """What one policy would have told: as it is, and with the change."""

    name: str
    id: str
    before: Tally
    after: Tally | None


@dataclass(frozen=True, slots=True)
class Preview:
    """`change`: policy, number, value; None: as it is. `was`: the number that was changed."""

    days: int
    rows: tuple[Row, ...]
    change: tuple[str, str, float] | None
    was: float | None
    accounts: int
    is_cut: bool

    def total(self, is_changed: bool) -> int:
        tallies = [row.after if is_changed else row.before for row in self.rows]
        return sum(tally.opened + tally.again for tally in tallies if tally is not None)


async def play(reader: Reader, days: str, policy: str, number: str, value: str) -> Preview:
    """Raises BadParameter, StoreUnavailable."""
    lens, now = reader.catalogue.lens, reader.clock()
    length = int(one_of("days", days, DAYS))
    change = change_of(lens.blueprint.policies, policy, number, value)
    try:
        changed = with_changes(lens.blueprint, [change]) if change else None
    except ValueError:
        refuse(number, value, "a number that a policy may have: threshold 0 … 1, count and seconds above 0")
    since = now - timedelta(days=length)
    pains, is_cut = await pains_of(reader, Scope("all"), range_of("all", now, since), since, MOST_PAINS)

    asked_for = questions(lens, since, now)
    answers = await reader.store.figures(asked_for)

    def played() -> tuple[list[Tally], list[Tally] | None, int]:
        desks = desks_of(pains.signals, pains.touchpoints, pains.accounts, lens, since)

        def tallies(by: Lens) -> list[Tally]:
            return preview(
                [*desks, *desks_of_figures(asked_for, answers, by, since, now, reader.rhythms)], by, since, now
            )

        return tallies(lens), tallies(Lens(changed)) if changed is not None else None, len(desks)

    before, after, accounts = await asyncio.to_thread(played)
    names = {each.id: each.name for each in lens.blueprint.policies}
    rows = tuple(
        Row(names[tally.policy], tally.policy, tally, after[index] if after else None)
        for index, tally in enumerate(before)
    )
    was = getattr(next(each for each in lens.blueprint.policies if each.id == policy), number) if change else None
    return Preview(length, rows, change, was, accounts, is_cut)


def change_of(policies: tuple[Policy, ...], policy: str, number: str, value: str) -> tuple[str, str, float] | None:
    """None where nothing is to be changed. Raises BadParameter."""
    if not value.strip():
        return None
    one_of("policy", policy, tuple(each.id for each in policies))
    one_of("number", number, NUMBERS)
    try:
        return policy, number, float(value)
    except ValueError:
        refuse("value", value[:40], "a number such as 0.7")
