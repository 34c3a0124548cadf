"""Scenarios with one expectation made wrong: each must be noticed, or the runner proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.scenarios.model import Row, Scenario

SECTIONS = ("expect", "accounts", "opportunities")


def corrupted(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """(what was made wrong, the scenario with only that wrong)."""
    for section in SECTIONS:
        rows: dict[str, Row | str] = getattr(scenario, section)
        for name, row in rows.items():
            for where, wrong in _rows(row):
                update = {section: rows | {name: wrong}}
                yield f"{section}.{name}{where}", scenario.model_copy(update=update)
    for index, row in enumerate(scenario.proposals or ()):
        for where, wrong in _rows(row):
            proposals = [*(scenario.proposals or ())]
            proposals[index] = wrong
            yield f"proposals.{index}{where}", scenario.model_copy(update={"proposals": proposals})
    if scenario.proposals is not None:
        yield "one more proposal", scenario.model_copy(update={"proposals": [*scenario.proposals, {"status": "open"}]})


def _rows(row: Row | str) -> Iterator[tuple[str, Any]]:
    if isinstance(row, str):
        yield "", {"touchpoints": -1}
        return
    for field, value in row.items():
        yield f".{field}", row | {field: _person(value) if field == "person" else _wrong(value)}


def _person(wanted: str) -> str:
    first, *others = wanted.split(",")
    swapped = {"same": "other than", "other": "same as", "named": "named by", "none": "named by"}
    verb, _, name = first.partition(" ")
    alias = "email:nobody@example.com"
    return ",".join([f"{swapped[verb]} {alias if verb in ('named', 'none') else name.split()[-1]}", *others])


def _wrong(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 0.25
    if isinstance(value, list):
        return [*value, "something else"]
    return f"not {value}"
