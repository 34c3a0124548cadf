"""What differs between what an analyst says and what was seen, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from streams.identity.graph import person_id_of
from tests.scenarios.model import Row, Scenario
from tests.scenarios.play import Seen

#: Fields that hold ids.
IDS = frozenset({"account", "rejected", "alias", "aliases"})


def differences(scenario: Scenario, seen: Seen) -> list[str]:
    """One line for each expectation that does not hold; empty when all do."""
    return [*_events(scenario, seen), *_accounts(scenario, seen), *_lists(scenario, seen)]


def disagreements(one: Seen, other: Seen) -> list[str]:
    """One line for each field two orders of arrival do not agree on."""
    found = []
    for section in fields(Seen):
        first, second = (_flat(getattr(seen, section.name)) for seen in (one, other))
        for name in sorted(first.keys() | second.keys()):
            if first.get(name) != second.get(name):
                found.append(f"{section.name}.{name}: {first.get(name)} or {second.get(name)}")
    return found


def _flat(rows: dict[str, Row] | list[Row]) -> dict[str, Any]:
    named = rows.items() if isinstance(rows, dict) else enumerate(rows)
    return {f"{name}.{field}": value for name, row in named for field, value in row.items()}


def _events(scenario: Scenario, seen: Seen) -> Iterator[str]:
    for name, row in scenario.expect.items():
        found = seen.events.get(name)
        if found is None:
            yield f"{name}: is not stored"
            continue
        for field, wanted in _written(scenario, row).items():
            if field == "person":
                yield from _person(name, str(wanted), seen, scenario)
            elif field == "account" and wanted == "not identified":
                if found.get("account") != f"anon:{found.get('person')}":
                    yield f"{name}.account: expected the person's own provisional account, got {found.get('account')}"
            else:
                yield from _field(f"{name}.{field}", wanted, found.get(field), f"{found.get('method', '')}")


def _written(scenario: Scenario, row: Row) -> Row:
    """The row with every id as it is stored."""
    directories = scenario.directories

    def stored(value: Any) -> Any:
        return [directories.written(one) for one in value] if isinstance(value, list) else directories.written(value)

    return {field: stored(value) if field in IDS else value for field, value in row.items()}


def _person(name: str, wanted: str, seen: Seen, scenario: Scenario) -> Iterator[str]:
    """`none`, `named by ALIAS`, and any of `same as EVENT`, `other than EVENT`, separated by commas."""
    own = seen.events[name].get("person")
    for part in (part.strip() for part in wanted.split(",")):
        verb, _, other = part.rpartition(" ")
        if part == "none":
            holds, got = own == "", own
        elif verb == "named by":
            holds, got = own == person_id_of(scenario.directories.written(other)), own
        elif verb in ("same as", "other than"):
            got = seen.events.get(other, {}).get("person")
            holds = (own == got) == (verb == "same as") and bool(own)
        else:
            raise ValueError(f"{name}.person: `{part}` is not understood")
        if not holds:
            yield f"{name}.person: expected {part}, got {own or 'nobody'} ({other or 'none'}: {got or 'nobody'})"


def _accounts(scenario: Scenario, seen: Seen) -> Iterator[str]:
    for name, row in scenario.accounts.items():
        event = name.removeprefix("account of ")
        named = scenario.directories.written(name)
        account_id = str(seen.events.get(event, {}).get("account")) if event != name else named
        found = seen.accounts.get(account_id)
        if row == "gone":
            if found is not None:
                yield f"{name}: expected to be gone, got {found['touchpoints']} touchpoints"
        elif found is None:
            yield f"{name}: expected, got none; there are {', '.join(sorted(seen.accounts)) or 'no accounts'}"
        elif isinstance(row, str):
            raise ValueError(f"{name}: `{row}` is not understood; fields or `gone`")
        else:
            for field, wanted in row.items():
                yield from _field(f"{name}.{field}", wanted, found.get(field))


def _lists(scenario: Scenario, seen: Seen) -> Iterator[str]:
    for deal, row in scenario.opportunities.items():
        found = seen.opportunities.get(_deal(scenario, deal))
        if found is None:
            yield f"{deal}: expected, got none; there are {', '.join(sorted(seen.opportunities)) or 'no opportunities'}"
            continue
        for field, wanted in row.items():
            yield from _field(f"{deal}.{field}", wanted, found.get(field))
    if scenario.proposals is not None:
        yield from _proposals([_written(scenario, row) for row in scenario.proposals], seen)


def _deal(scenario: Scenario, text: str) -> str:
    """`deal:9 of crm:51` as it is stored."""
    deal, _, account = text.partition(" of ")
    subject = deal if deal.count(":") > 1 else deal.replace(":", f":{scenario.directories.leading}:", 1)
    return f"{subject} of {scenario.directories.written(account)}"


def _proposals(wanted: list[Row], seen: Seen) -> Iterator[str]:
    left = list(seen.proposals)
    for row in wanted:
        match = next((found for found in left if _fits(row, found)), None)
        if match is None:
            yield f"proposal {row}: expected, got {left or 'none'}"
        else:
            left.remove(match)
    yield from (f"proposal {found}: not expected" for found in left)


def _fits(wanted: Row, found: Row) -> bool:
    return all(not list(_field(field, value, found.get(field))) for field, value in wanted.items())


def _field(name: str, wanted: Any, got: Any, how: str = "") -> Iterator[str]:
    """`reasons` is text that must contain the wanted words; everything else must be equal."""
    holds = str(wanted) in str(got) if name.endswith(".reasons") else wanted == got
    if not holds:
        yield f"{name}: expected {wanted}, got {got}" + (f" (by {how})" if how and not name.endswith("method") else "")
