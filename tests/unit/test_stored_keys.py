"""SQL that reads stored touchpoints by key reads those whose defaults are left out as it reads whole ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

from schemas.base import Item
from schemas.touchpoints import AttributedTouchpoint, Attribution, CleanTouchpoint
from streams.runtime import payloads

ROOT = Path(__file__).parents[2]
PARTS: dict[str, type[Item]] = {"touchpoint": CleanTouchpoint, "attribution": Attribution}
READ = re.compile(r"(JSON\w+)\((?:\w+\.)?payload, '(\w+)', '(\w+)'")
ABSENT = {
    "JSONExtractString": "",
    "JSONExtractUInt": 0,
    "JSONExtractInt": 0,
    "JSONExtractBool": False,
    "JSONExtract": (),
}
"""What ClickHouse makes of a key that is not there; JSONExtract is used for lists."""


def sql() -> Iterator[tuple[str, str]]:
    """(where, text) of all that may read the column, but for the one module that fills in defaults."""
    for place in ("services", "streams", "infra/clickhouse/views"):
        for path in sorted((ROOT / place).rglob("*")):
            if path.suffix in (".py", ".sql") and path != Path(payloads.__file__):
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def misread(text: str) -> list[str]:
    """Fields that such a statement reads otherwise where they are left out."""
    return [
        f"{part}.{name}"
        for function, part, name in READ.findall(text)
        if part in PARTS and not _is_same(function, part, name)
    ]


def _is_same(function: str, part: str, name: str) -> bool:
    (field,) = (one for one in fields(PARTS[part]) if one.name == name)
    if field.default is not NODEFAULT:
        return function in ABSENT and field.default == ABSENT[function]
    is_required = field.default_factory is NODEFAULT
    return is_required or function != "JSONHas"  # nothing is found in an empty object, nor in one that is not there


def test_no_statement_reads_what_is_left_out_as_something_else() -> None:
    found = {where: wrong for where, text in sql() if (wrong := misread(text))}
    assert found == {}


def test_statements_are_found_at_all() -> None:
    assert sum(1 for _, text in sql() for _, part, _ in READ.findall(text) if part in PARTS) >= 6


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ("SELECT JSONExtractUInt(payload, 'attribution', 'rule_version')", "attribution.rule_version"),
        ("WHERE JSONExtractInt(h.payload, 'touchpoint', 'mapping') = 1", "touchpoint.mapping"),
        ("JSONExtractString(payload, 'touchpoint', 'channel')", "touchpoint.channel"),
        ("JSONHas(payload, 'touchpoint', 'backfill')", "touchpoint.backfill"),
    ],
)
def test_one_that_does_is_found(bad: str, field: str) -> None:
    assert misread(bad) == [field]


def test_what_is_required_or_empty_may_be_read_by_key() -> None:
    assert not misread("JSONExtractString(payload, 'touchpoint', 'vendor')")
    assert not misread("JSONExtractString(payload, 'attribution', 'person_id')")
    assert not misread("JSONExtractString(payload, 'touchpoint', 'person_traits', 'title')")


def test_the_kinds_of_a_stored_touchpoint_are_those_asked_for() -> None:
    kinds = {field.name: field.type for field in fields(AttributedTouchpoint)}
    assert {part: kinds[part] for part in PARTS} == PARTS
