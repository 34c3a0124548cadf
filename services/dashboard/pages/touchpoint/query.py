"""What the tactical map shows."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.dashboard.not_found import NotFound
from services.dashboard.pages.touchpoint.view import TouchpointPage, drawn
from services.dashboard.ranking_inputs import Weighed, weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.views.journey_map import Cell

ACCOUNTS = 8
SAID = 5
ALL = "all"
"""In an address: every phase, or every type."""
_NONE = ("",)
"""No touchpoint has this type: what a filter rules out shows as empty."""


async def ask(reader: Reader, scope: Scope) -> TouchpointPage:
    """The subject is `<phase>/<type>`; without one, the type that hurts most. Raises StoreUnavailable, NotFound."""
    phase, _, kind = scope.subject.partition("/")
    within = replace(scope, subject="", before="")
    if not kind:
        phase, kind = ALL, _worst(await weigh(reader, within))
    if kind != ALL and kind not in reader.catalogue.types:
        raise NotFound(f"no touchpoint type `{kind[:80]}`")
    if phase != ALL and phase not in reader.catalogue.phases:
        raise NotFound(f"no phase `{phase[:80]}`")
    reach = within if kind == ALL else _narrowed(within, kind)
    span = await reader.span(reach, reader.clock())
    by_definition = reader.catalogue.painful_by_definition
    store = reader.store
    (weighed, cell), accounts, variants, before, after, said = await asyncio.gather(
        _judged(reader, within, reach, phase, kind),
        store.hurt_accounts(reach, span, by_definition, ACCOUNTS),
        store.variants(reach, span, by_definition),
        store.beside(reach, span, by_definition, after=False),
        store.beside(reach, span, by_definition, after=True),
        store.said(reach, span, SAID),
    )
    at = cell.phase if cell else ""
    rows = [accounts, variants, before, after, said]
    return drawn(weighed, reach, kind if kind != ALL else "", at, cell, rows)


async def _judged(reader: Reader, within: Scope, reach: Scope, phase: str, kind: str) -> tuple[Weighed, Cell | None]:
    """What it weighs, and its cell in the phase that is asked for, else in the one where it hurts most."""
    if kind == ALL:
        return await weigh(reader, reach), None
    if phase != ALL:
        return await asyncio.gather(weigh(reader, reach), reader.one_cell(within, phase, kind))
    weighed = await weigh(reader, reach)
    return weighed, await reader.one_cell(within, _where(weighed, kind), kind)


def _narrowed(scope: Scope, kind: str) -> Scope:
    return replace(scope, types=(kind,) if not scope.types or kind in scope.types else _NONE)


def _worst(weighed: Weighed) -> str:
    """The type that weighs most; where nothing hurts, the commonest; of an empty map, the blueprint's first."""
    kinds = sorted({kind for _, kind in weighed.now.by_cell if kind in weighed.catalogue.types})
    burdens = {kind: weighed.kind(kind) for kind in kinds}
    volume = {kind: sum(each.volume for key, each in weighed.now.by_cell.items() if key[1] == kind) for kind in kinds}
    first = next(iter(kind for kind in weighed.catalogue.types.values() if kind.on_map)).id
    return max(kinds, key=lambda kind: (burdens[kind].weight, volume[kind], kind), default=first)


def _where(weighed: Weighed, kind: str) -> str:
    """The phase in which a type hurts most, or happens most; else the one it is at home in."""
    cells = {key: counts for key, counts in weighed.now.by_cell.items() if key[1] == kind}
    if cells:
        return max(cells, key=lambda key: (weighed.cell(key).pain, cells[key].volume, key))[0]
    return weighed.catalogue.types[kind].phase if kind in weighed.catalogue.types else ""
