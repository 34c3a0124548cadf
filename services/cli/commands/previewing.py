"""History for `touchline alerts preview`: what hurt, as it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.errors import did_you_mean
from schemas.incidents import Desk
from services.cli.console import UsageError
from streams.incidents import stored
from streams.incidents.intake import Lens
from streams.incidents.played import Question, Row, questions
from streams.incidents.preview import NUMBERS
from streams.runtime.clickhouse import query_rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from schemas.blueprint import Blueprint


def history(client: Client, lens: Lens, since: datetime) -> list[Desk]:
    """What hurt each account since then; accounts that nothing hurt are left out."""
    wanted = stored.asked(lens, since)
    signals, touchpoints = (query_rows(client, each, wanted) for each in (stored.SIGNALS, stored.TOUCHPOINTS))
    return stored.desks_of(signals, touchpoints, query_rows(client, stored.ACCOUNTS), lens, since)


def figures(client: Client, lens: Lens, since: datetime, now: datetime) -> tuple[list[Question], list[list[Row]]]:
    """What was asked of sources and touchpoint types since then, and the answers; for `desks_of_figures`."""
    asked_for = questions(lens, since, now)
    return asked_for, [list(query_rows(client, statement, wanted)) for statement, wanted in asked_for]


def changes_of(texts: Iterable[str], blueprint: Blueprint) -> Iterator[tuple[str, str, float]]:
    """`burst.count=8` as (policy, field, value). Raises UsageError naming what it takes."""
    names = [policy.id for policy in blueprint.policies]
    for text in texts:
        where, _, value = text.partition("=")
        policy, _, number = where.partition(".")
        if policy not in names:
            raise UsageError(f"--set {text[:80]}: no policy is called `{policy[:40]}`{did_you_mean(policy, names)}")
        if number not in NUMBERS:
            raise UsageError(
                f"--set {text[:80]}: a policy has no number `{number[:40]}`{did_you_mean(number, NUMBERS)}"
            )
        try:
            yield policy, number, float(value)
        except ValueError:
            raise UsageError(f"--set {text[:80]}: `{value[:40]}` is no number; write {policy}.{number}=0.7") from None
