"""History for `touchline alerts preview`: what hurt, as it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.errors import did_you_mean
from schemas.facts import PhaseChange
from schemas.incidents import Desk, Part
from services.cli.console import UsageError
from streams.incidents.intake import Lens, fall, is_fall
from streams.processors.history import signal_of
from streams.runtime.clickhouse import query_rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from schemas.blueprint import Blueprint

NUMBERS: Final = ("threshold", "count", "within_s", "max_age_s")
_SIGNALS: Final = """
SELECT * EXCEPT (written_at, is_deleted) FROM signals FINAL
WHERE polarity = 'friction' AND (opened_at >= {since:DateTime64(3, 'UTC')} OR closed_at >= {since:DateTime64(3, 'UTC')})
"""
_TOUCHPOINTS: Final = """
SELECT account_id, event_id, touchpoint_type, phase, person_id, title, occurred_at FROM touchpoints FINAL
WHERE touchpoint_type IN {types:Array(String)} AND on_map AND minute >= {since:DateTime64(3, 'UTC')}
"""
_ACCOUNTS: Final = "SELECT account_id, name, segment, traits, transitions FROM account_journeys FINAL"


def history(client: Client, lens: Lens, since: datetime) -> list[Desk]:
    """What hurt each account since then; accounts that nothing hurt are left out."""
    parts: dict[str, dict[str, Part]] = {}
    asked = {"since": since, "types": sorted(lens.pains)}
    for row in query_rows(client, _SIGNALS, asked):
        fact = signal_of(row)
        parts.setdefault(fact.account_id, {})[fact.signal_id] = lens.part_of_signal(fact)
    for row in query_rows(client, _TOUCHPOINTS, asked):
        part = _touchpoint(row, lens)
        parts.setdefault(str(row["account_id"]), {})[part.part_id] = part
    return [
        Desk(
            account_id=str(row["account_id"]),
            name=str(row["name"]),
            segment=str(row["segment"]),
            tier=str(orjson.loads(str(row["traits"]) or "{}").get(lens.blueprint.tiers.trait, "")),
            parts=found,
        )
        for row in query_rows(client, _ACCOUNTS)
        if (found := parts.get(str(row["account_id"]), {}) | dict(_falls(row, since)))
    ]


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


def _touchpoint(row: dict[str, Any], lens: Lens) -> Part:
    kind, at = lens.types[str(row["touchpoint_type"])], _aware(row["occurred_at"])
    return lens.pain(kind, str(row["event_id"]), at, str(row["phase"]), str(row["person_id"]), str(row["title"]))


def _falls(row: dict[str, Any], since: datetime) -> Iterator[tuple[str, Part]]:
    for told in orjson.loads(str(row["transitions"]) or "[]"):
        move = PhaseChange.model_validate(told)
        if is_fall(move) and move.at >= since:
            yield f"phase:{move.event_id}", fall(f"phase:{move.event_id}", move, 0)


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)
