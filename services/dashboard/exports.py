"""Blocks of the pages as CSV: every row of them, streamed as it is read; what is on a page in part is here whole."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from services.dashboard.api import InScope, WithReader
from services.dashboard.incidents import incidents
from services.dashboard.not_found import NotFound
from services.dashboard.pages.accounts.query import Listed, listed, place_of, ranked
from services.dashboard.pages.future.query import FuturePage
from services.dashboard.pages.future.query import ask as ask_future
from services.dashboard.pages.today.query import ask as ask_today
from services.dashboard.pages.touchpoint.query import ask as ask_touchpoint
from services.dashboard.pages.touchpoint.view import TouchpointPage
from services.dashboard.params import refuse
from services.dashboard.ranking_inputs import weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import USUAL_RANKING, Ranking, Scope

router = APIRouter(include_in_schema=False)
_log = logging.getLogger(__name__)
PAGE_ROWS = 200
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = Sequence[object]
Rows = AsyncIterator[Row]


@dataclass(frozen=True)
class Block:
    """A table: the names of its columns, and its rows of a scope. Rows may raise StoreUnavailable, NotFound."""

    columns: str
    rows: Callable[[Reader, Scope], Rows]


async def _cells(reader: Reader, scope: Scope) -> Rows:
    """Every cell of the map."""
    weighed = await weigh(reader, scope, people=True)
    for key in sorted(weighed.now.by_cell):
        kind, counts, burden = weighed.catalogue.types.get(key[1]), weighed.now.by_cell[key], weighed.cell(key)
        owner = kind.owner.department if kind and kind.owner else ""
        felt = counts.emotion_sum / counts.emotion_count if counts.emotion_count else None
        names = (weighed.catalogue.phase_name(key[0]), weighed.catalogue.type_name(key[1]))
        sums = (counts.volume, counts.friction, counts.accounts, counts.visitors, counts.people, felt)
        yield (*key, *names, owner, burden.severity, burden.pain, burden.change.before, *sums)


async def _accounts(reader: Reader, scope: Scope) -> Rows:
    """Identified accounts, each once, as the page sorts them.

    What is written meanwhile may move one across the place where the next part begins: those come last, by their name.
    """
    span, shown = await reader.span(scope, reader.clock()), set[str]()
    rankings: tuple[Ranking, ...] = (scope.sort or USUAL_RANKING, "name")
    for sort in dict.fromkeys(rankings):
        query = ranked(reader, scope, span, sort, PAGE_ROWS)
        while rows := await reader.store.ranked_accounts(query):
            for each in (listed(reader, row) for row in rows):
                if each.row.account_id not in shown:
                    shown.add(each.row.account_id)
                    yield _account(each)
            query = replace(query, after=place_of(rows[-1]))


def _account(each: Listed) -> Row:
    row = each.row
    stands = (row.account_id, row.name, row.phase, row.phase_since, row.segment, row.people, row.touchpoints)
    known = (each.tier, each.revenue_a_year or None, each.days_in_phase, each.completeness, each.open_incidents)
    return (
        *stands,
        row.friction_signals,
        row.first_seen_at,
        row.last_seen_at,
        each.pain,
        each.because,
        *known,
        each.owner,
    )


async def _gaps(reader: Reader, scope: Scope) -> Rows:
    page: FuturePage = await ask_future(reader, scope)
    for state, wishes in (("short", page.short), ("there", page.there), ("not known", page.unknown)):
        for wish in wishes:
            kind = wish.kind
            promised = "; ".join(f"{gap.target} {gap.wanted:g}" for gap in wish.promises)
            owner = kind.owner.department if kind.owner else ""
            felt = (wish.felt, kind.desired_emotion, wish.statements, promised)
            yield (kind.id, kind.name, wish.phase_name, owner, state, wish.severity, *felt, wish.term, wish.short)


async def _variants(reader: Reader, scope: Scope) -> Rows:
    page: TouchpointPage = await ask_touchpoint(reader, scope)
    for title, slices in page.variants:
        for each in slices:
            yield (page.name, title, each.name, each.share, each.pain, each.accounts, each.volume)


async def _hurts(reader: Reader, scope: Scope) -> Rows:
    """Today's list, all of it."""
    for row in (await ask_today(reader, scope)).rows:
        burden, care = row.burden, row.care
        names = (row.phase, row.id, row.phase_name, row.name, row.is_moment_of_truth, row.owner, row.rule)
        sums = (burden.severity, burden.pain, burden.change.before, row.accounts, row.since.day, row.since.over)
        yield (*names, *sums, care.open, care.taken, "; ".join(care.taken_by))


async def _incidents(reader: Reader, scope: Scope) -> Rows:
    """Every incident of the window. Raises BadParameter where there are more than can be put together at once."""
    found = await incidents(reader, scope, await reader.span(scope, reader.clock()))
    if found.is_cut:
        refuse("window", scope.window, "a shorter window or more filters: this one has more pains than one table takes")
    for one in found.incidents:
        where = (one.account_id, one.account, one.tier, one.phase, one.touchpoint_type, one.touchpoint, one.owner)
        people = (one.taken_by, one.taken_at, one.silenced_until, one.done_by, one.done_at, one.is_back)
        times = (one.opened_at, one.pained_at, one.over_at)
        yield (one.id, *where, one.severity, one.state, one.what, one.signs, "; ".join(one.tags), *times, *people)


async def _timeline(reader: Reader, scope: Scope) -> Rows:
    """Every touchpoint of `account`, the newest first; the other filters do not apply."""
    if not scope.account:
        refuse("account", "", "the id of an account, whose touchpoints are meant")
    cursor = ""
    while True:
        page = await reader.account(scope.account, PAGE_ROWS, cursor)
        if page is None:
            raise NotFound(f"no account `{scope.account[:80]}`")
        for one in page.touchpoints:
            who = (one.person_id, one.persona, one.method, one.confidence)
            what = (one.source, one.vendor_type, one.touchpoint_type, one.type_name, one.phase, one.channel, one.page)
            felt = (one.emotion, one.score, one.score_kind, one.pain, "; ".join(one.friction_rules))
            times = (one.event_id, one.account_id, one.occurred_at, one.received_at)
            yield (*times, *what, *who, *felt, one.on_map, one.traffic, one.title, one.text)
        if not page.next_cursor:
            return
        cursor = page.next_cursor


BLOCKS: Mapping[str, Block] = {
    "cells": Block(
        "phase touchpoint_type phase_name type_name owner severity pain pain_before touchpoints friction_touchpoints "
        "accounts visitors people emotion",
        _cells,
    ),
    "accounts": Block(
        "account_id name phase phase_since segment people touchpoints friction_signals first_seen_at last_seen_at "
        "pain mostly_by tier revenue_a_year days_in_phase committee_completeness open_incidents crm_owner",
        _accounts,
    ),
    "gaps": Block("id name phase owner state severity felt wanted statements promised term gap", _gaps),
    "hurts": Block(
        "phase touchpoint_type phase_name type_name moment_of_truth owner rule severity pain pain_before accounts_hurt "
        "since until incidents_open incidents_taken taken_by",
        _hurts,
    ),
    "incidents": Block(
        "incident_id account_id account tier phase touchpoint_type touchpoint owner severity state what signs tags "
        "opened_at pained_at over_at taken_by taken_at silenced_until done_by done_at came_back",
        _incidents,
    ),
    "timeline": Block(
        "event_id account_id occurred_at received_at source vendor_type touchpoint_type type_name phase channel page "
        "person_id persona method confidence emotion score score_kind pain friction_rules on_map traffic title text",
        _timeline,
    ),
    "variants": Block("type by variant share pain accounts_hurt touchpoints", _variants),
}


@router.get("/csv/{block}")
async def export(block: str, scope: InScope, reader: WithReader) -> Response:
    """A block of a scope as CSV; an error in the middle ends the answer broken, never short and whole."""
    known = BLOCKS.get(block)
    if known is None:
        raise NotFound(f"no table `{block[:80]}`; there are {', '.join(BLOCKS)}")
    _log.info("a table was exported", extra={"block": block, "query": scope.whole_query()})
    rows = known.rows(reader, scope)
    first = await anext(rows, None)  # so that a store that is away is said with its status
    name = f'attachment; filename="touchline-{block}-{scope.window}.csv"'
    headers = {"cache-control": "no-store", "content-disposition": name}
    return StreamingResponse(
        _lines(known.columns.split(), first, rows), headers=headers, media_type="text/csv; charset=utf-8"
    )


async def _lines(columns: Row, first: Row | None, rows: Rows) -> AsyncIterator[str]:
    yield line(columns)
    if first is not None:
        yield line(first)
    async for row in rows:
        yield line(row)


def line(cells: Iterable[object]) -> str:
    """One line. Nothing is empty; a text that a spreadsheet would take for a formula is kept from being one."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(map(_cell, cells))
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
