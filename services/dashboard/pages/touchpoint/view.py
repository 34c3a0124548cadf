"""One touchpoint type in depth from its rows, pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.blueprint import TouchpointType
from services.dashboard.catalogue import Catalogue
from services.dashboard.hurt_accounts import HurtAccount, hurt_accounts
from services.dashboard.ranking import Burden, Change
from services.dashboard.ranking_inputs import Weighed
from services.dashboard.scope import Scope
from services.dashboard.since import Since, since_when
from services.dashboard.views.figures import Severity
from services.dashboard.views.journey_map import Cell
from services.dashboard.words import account_name, rule_words

Rows = Sequence[Mapping[str, Any]]
BESIDE = 5
DIMENSIONS = {"phase": "Phase", "persona": "Persona", "segment": "Segment", "channel": "Channel", "device": "Device"}


@dataclass(frozen=True, slots=True)
class Variant:
    """A slice. `share` of all the pain; null where nothing hurt."""

    name: str
    volume: int
    pain: float
    share: float | None
    accounts: int


@dataclass(frozen=True, slots=True)
class Next:
    """What came before or after, as a share of the painful touchpoints; an empty id: nothing did."""

    id: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody wrote."""

    event_id: str
    account_id: str
    account: str
    persona_name: str
    at: datetime
    text: str
    felt: float | None


@dataclass(frozen=True, slots=True)
class TouchpointPage:
    """All of the page. `kind` is None for all types of a scope; `cell`: it in the phase `phase_name`."""

    as_of: datetime
    reach: Scope
    kind: TouchpointType | None
    name: str
    phase_name: str
    burden: Burden
    volume: int
    accounts_hurt: int
    days: tuple[float, ...]
    window_days: int
    since: Since
    accounts: tuple[HurtAccount, ...]
    variants: tuple[tuple[str, tuple[Variant, ...]], ...]
    before: tuple[Next, ...]
    after: tuple[Next, ...]
    said: tuple[Words, ...]
    cell: Cell | None

    @property
    def is_empty(self) -> bool:
        return not self.volume

    @property
    def called(self) -> str:
        """The title of the window."""
        return self.name


def drawn(
    weighed: Weighed, reach: Scope, kind: str, phase: str, cell: Cell | None, rows: Sequence[Rows]
) -> TouchpointPage:
    """`kind`: empty for all types of the scope; `rows`: accounts, variants, before, after, said."""
    catalogue = weighed.catalogue
    accounts, variants, before, after, said = rows
    days = weighed.pain_by_day(*weighed.daily)
    known = catalogue.types.get(kind)
    return TouchpointPage(
        as_of=weighed.as_of,
        reach=reach,
        kind=known,
        name=known.name if known else f"All touchpoints{f' of {reach.owner}' if reach.owner else ''}",
        phase_name=catalogue.phase_name(phase) if known else "",
        burden=weighed.kind(kind) if known else _all(weighed),
        volume=weighed.of(kind).volume if known else weighed.now.total.volume,
        accounts_hurt=weighed.hurt.total.accounts,
        days=days,
        window_days=weighed.window_days,
        since=since_when(days, weighed.as_of.date(), weighed.window_days),
        accounts=hurt_accounts(catalogue, accounts),
        variants=_variants(catalogue, variants),
        before=_next(catalogue, before),
        after=_next(catalogue, after),
        said=tuple(_words(catalogue, row) for row in said),
        cell=cell,
    )


def _all(weighed: Weighed) -> Burden:
    """Of every type that is no verdict; as bad as the worst of them."""
    kinds = {kind for _, kind in weighed.now.by_cell if kind in weighed.catalogue.types}
    burdens = [weighed.kind(kind) for kind in sorted(kinds - set(weighed.catalogue.verdicts))]
    order: tuple[Severity, ...] = ("severe", "high", "watch", "calm", "unmeasured", "unseen", "verdict")
    worst = next((each for each in order if each in {burden.severity for burden in burdens}), order[-2])
    before = None if weighed.before is None else sum(each.change.before or 0.0 for each in burdens)
    pain = sum(each.pain for each in burdens)
    return Burden(pain, sum(each.weight for each in burdens), worst, Change(pain, before))


def _variants(catalogue: Catalogue, rows: Rows) -> tuple[tuple[str, tuple[Variant, ...]], ...]:
    """By dimension; one that tells nothing (a single unknown slice) is left out."""
    names = {"phase": catalogue.phase_name, "persona": catalogue.persona_name}
    found = []
    for dim, title in DIMENSIONS.items():
        mine = [row for row in rows if row["dim"] == dim]
        total = sum(row["pain"] for row in mine)
        slices = tuple(
            Variant(
                names.get(dim, rule_words)(row["id"]) if row["id"] or dim == "persona" else "not known",
                row["volume"],
                row["pain"],
                row["pain"] / total if total else None,
                row["accounts"],
            )
            for row in mine
        )
        if len(slices) > 1 or any(row["id"] not in ("", "unknown") for row in mine):
            found.append((title, slices))
    return tuple(found)


def _next(catalogue: Catalogue, rows: Rows) -> tuple[Next, ...]:
    total = sum(row["n"] for row in rows)
    return tuple(
        Next(row["kind"], catalogue.type_name(row["kind"]) if row["kind"] else "Nothing known", row["n"] / total)
        for row in rows[:BESIDE]
    )


def _words(catalogue: Catalogue, row: Mapping[str, Any]) -> Words:
    return Words(
        row["event_id"],
        row["account_id"],
        account_name(row["account_id"], row["account_name"]),
        catalogue.persona_name(row["persona"]),
        row["occurred_at"],
        row["text"],
        None if math.isnan(row["felt"]) else row["felt"],
    )
