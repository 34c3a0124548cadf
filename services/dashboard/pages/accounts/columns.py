"""The columns that the list of accounts may have, in their order."""

from __future__ import annotations

from dataclasses import dataclass

from services.dashboard.scope import COLUMNS, Ranking, Scope

USUAL = ("pain", "because", "incidents", "tier", "revenue", "phase", "stay", "committee", "seen")


@dataclass(frozen=True, slots=True)
class Column:
    """`sort`: how a click on its title sorts, on the server."""

    id: str
    title: str
    sort: Ranking
    is_number: bool = False


_ALL = {
    each.id: each
    for each in (
        Column("pain", "Pain", "pain", is_number=True),
        Column("because", "Mostly by", "because"),
        Column("incidents", "Open incidents", "incidents", is_number=True),
        Column("tier", "Tier", "tier"),
        Column("revenue", "Revenue", "revenue", is_number=True),
        Column("owner", "Owner", "owner"),
        Column("phase", "Phase", "phase"),
        Column("stay", "Days in phase", "stay", is_number=True),
        Column("segment", "Segment", "segment"),
        Column("committee", "Committee known", "committee", is_number=True),
        Column("people", "People", "people", is_number=True),
        Column("touchpoints", "Touchpoints", "touchpoints", is_number=True),
        Column("seen", "Last seen", "recent"),
    )
}
CHOICE = tuple(_ALL[name] for name in COLUMNS)


def columns_of(scope: Scope) -> tuple[Column, ...]:
    """Those that are asked for, else the usual ones."""
    wanted = scope.columns.split(",") if scope.columns else USUAL
    return tuple(each for each in CHOICE if each.id in wanted)
