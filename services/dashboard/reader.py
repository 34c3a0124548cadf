"""Questions of the API and the page, answered from the store and the blueprint."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson
from msgspec import NODEFAULT
from msgspec.structs import fields

from schemas.capabilities import Capability
from schemas.touchpoints import Attribution
from services.common.open_organisations import open_organisations
from services.dashboard import cursors, row_views
from services.dashboard.answer_cache import Lately, Remembered
from services.dashboard.answers import Given
from services.dashboard.aside import Aside, Refused, none_aside, none_refused
from services.dashboard.board import Board
from services.dashboard.catalogue import Catalogue
from services.dashboard.errands import Errands
from services.dashboard.freshness import IGNORED_WITHIN, build_freshness
from services.dashboard.grouped import Grouped
from services.dashboard.letters import Letters
from services.dashboard.mapping import MapInputs, build_map, cell_of
from services.dashboard.numbers import OF_COUNTS, PREVIOUS_WINDOWS
from services.dashboard.scope import Range, Scope, WindowId, nearest_window, range_of
from services.dashboard.store import (
    AccountQuery,
    CellKey,
    CellQuery,
    Cells,
    Hurts,
    JourneyStore,
    ProposalQuery,
    Row,
    SignalQuery,
)
from services.dashboard.views.accounts import AccountPage, AccountView, TouchpointExplained
from services.dashboard.views.journey_map import Cell, CellDetails, MapView, Population, Share
from services.dashboard.views.proposals import ProposalPage
from services.dashboard.views.signals import CaseView, SignalView
from services.dashboard.views.snapshot import Around, Wait, Whole
from services.dashboard.views.sources import Freshness, LeftOut, StageBehind
from services.dashboard.words import account_name, rule_words
from streams.connectors.reading import event_id
from streams.identity.directories import Directories
from streams.incidents.rhythm import MEMORY, Rhythms

Clock = Callable[[], datetime]
Waiting = Callable[[], Sequence[Wait]]
Behind = Callable[[], Sequence[StageBehind]]
FEED_LENGTH = 30
LIST_LENGTH = 12
CASES_LENGTH = 8
PARTS_LENGTH = 100
QUESTIONS_LENGTH = 10
CORRECTIONS_LENGTH = 20
MAX_REMEMBERED = 64
UNMAPPED_REACH = timedelta(days=7)
ASK_IGNORED_EVERY = timedelta(seconds=10)
ASK_NOBODIES_EVERY, NOBODIES_WITHIN, MOST_NOBODIES = timedelta(hours=1), timedelta(days=7), 20
ASK_CLAIMS_EVERY = timedelta(minutes=5)
ASK_RHYTHMS_EVERY = timedelta(minutes=10)
ASK_CHOICES_EVERY = timedelta(seconds=10)


_ID = re.compile(r"\S{6,200}")
MAX_SOURCES = 30


class Reader:
    """`sources`: the configured ones and what each can tell; a source that never sent is listed too.

    `behind`: stages of the pipeline that do not keep up. `directories`: of which of them an id without one may be.
    `aside`: sources that are not read. `refused`: what was not taken. `rhythms`: when a source is late.
    """

    def __init__(  # noqa: PLR0913 - what it asks, and what it is told
        self,
        store: JourneyStore,
        catalogue: Catalogue,
        clock: Clock,
        sources: Mapping[str, Collection[Capability]] | None = None,
        behind: Behind = tuple,
        directories: Directories | None = None,
        aside: Aside = none_aside,
        refused: Refused = none_refused,
        rhythms: Rhythms | None = None,
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.clock = clock
        self.behind = behind
        self.aside = aside
        self.refused = refused
        self.rhythms = rhythms or Rhythms()
        self._sources = dict(sources or {})
        self._directories = directories or Directories()
        self.given = Given()
        self.errands = Errands()
        self.board = Board()
        self.grouped = Grouped(catalogue.lens)
        self.letters = Letters()
        self.named_incidents: OrderedDict[str, str] = OrderedDict()
        """Ids of incidents that were shown lately → their oldest evidence."""
        self._rhythms_learned = Lately(ASK_RHYTHMS_EVERY, self._learn_rhythms)
        self._besides = Lately(ASK_IGNORED_EVERY, self._beside)
        self._choices = Lately(ASK_CHOICES_EVERY, self._offered)
        self._nobodies = Lately(ASK_NOBODIES_EVERY, self._named_nobody)
        self._open = Lately(ASK_CLAIMS_EVERY, self._open_organisations)
        self._left_out: dict[Scope, Lately[tuple[LeftOut, ...]]] = {}
        self._earlier: Remembered[Mapping[CellKey, Sequence[tuple[int, int]]]] = Remembered(MAX_REMEMBERED)
        self._before: Remembered[tuple[Cells, Hurts | None, int]] = Remembered(MAX_REMEMBERED)

    async def span(self, scope: Scope, as_of: datetime) -> Range:
        first = await self.store.first_minute() if scope.window == "all" else None
        return range_of(scope.window, as_of, first)

    async def map(self, scope: Scope, *, explain: bool = False, measure: CellKey | None = None) -> MapView:
        """The journey map of a scope, now; `measure`: a cell whose times are measured, too. Raises StoreUnavailable."""
        as_of = self.clock()
        span = await self.span(scope, as_of)
        cells, history, population, freshness, worst_rules, left_out = await asyncio.gather(
            self.store.cells(scope, span),
            self._trends(scope, span),
            self.population(scope, span),
            self.freshness(),
            self.store.worst_rules(scope, span, self.catalogue.derived_rules),
            self.left_out(scope),
        )
        questions = self.catalogue.questions
        measured = {measure: await self.store.measures(CellQuery(scope, span, *measure, questions))} if measure else {}
        raw = await self.unmapped(scope, span, cells)
        inputs = MapInputs(
            scope,
            span,
            as_of,
            cells,
            history,
            raw,
            population,
            freshness,
            worst_rules,
            measured,
            fed_by=self._fed_by(),
            explain=explain,
        )
        return replace(build_map(self.catalogue, inputs), left_out=left_out)

    async def unmapped(self, scope: Scope, span: Range, cells: Cells) -> Sequence[Row]:
        """The commonest events outside the blueprint within the window's last week. Raises StoreUnavailable."""
        if all(kind in self.catalogue.types for _, kind in cells.by_cell):
            return ()
        recent = replace(span, since=max(span.since, span.until - UNMAPPED_REACH))
        return await self.store.unmapped(scope, recent, sorted(self.catalogue.types))

    async def _trends(self, scope: Scope, span: Range) -> Mapping[CellKey, Sequence[tuple[int, int]]]:
        """Earlier windows, asked once a minute: only late events can change them within it."""
        if scope.window == "all":
            return {}
        asked = partial(self.store.history, scope, span, PREVIOUS_WINDOWS)
        return await self._earlier.of((scope, span.until), asked)

    async def active_accounts(self, scope: Scope, span: Range) -> int | None:
        """Of a scope, whatever the types that it is narrowed to: how bad one is does not depend on which are looked at.

        None where it is not narrowed: its cells tell. Raises StoreUnavailable.
        """
        whole = replace(scope, owner="", types=(), subject="", before="")
        return await self.store.active_accounts(whole, span) if scope.types else None

    async def before(self, scope: Scope, compared: Range, *, whom: bool) -> tuple[Cells, Hurts | None, int]:
        """The sums of the window that a scope is compared with, without people, with `whom` whom it hurt, and how many
        accounts were active then.

        Asked once a minute. Raises StoreUnavailable.
        """
        scope = replace(scope, subject="", before="")

        async def asked() -> tuple[Cells, Hurts | None, int]:
            kinds = self.catalogue.painful_by_definition
            cells, hurts, active = await asyncio.gather(
                self.store.cells(scope, compared, sparks=False, people=False),
                self.store.hurt(scope, compared, kinds, is_named=False) if whom else _nobody_asked(),
                self.active_accounts(scope, compared),
            )
            return cells, hurts, cells.total.accounts if active is None else active

        return await self._before.of((scope, compared, whom), asked)

    def _fed_by(self) -> set[Capability]:
        return {word for capabilities in self._sources.values() for word in capabilities}

    def unfed_rules(self) -> tuple[str, ...]:
        """Rules that no configured source can feed."""
        return self.catalogue.unfed_rules(self._fed_by())

    async def population(self, scope: Scope, span: Range) -> Population:
        """Who was seen. Raises StoreUnavailable."""
        row = await self.store.population(scope, span)
        return Population(row["accounts"], row["visitors"], row["at_risk"])

    async def freshness(self) -> Freshness:
        """Raises StoreUnavailable."""
        as_of = self.clock()
        found, (ignored, traffic), _ = await asyncio.gather(
            self.store.freshness(), self._besides.at(as_of), self._rhythms_learned.at(as_of)
        )
        behind, aside, refused = self.behind(), self.aside(), self.refused()
        return build_freshness(found, self._sources, as_of, behind, ignored, aside, traffic, refused, self.rhythms)

    async def _learn_rhythms(self, as_of: datetime) -> None:
        self.rhythms.learn(await self.store.slots(as_of - MEMORY), as_of)

    async def _beside(self, as_of: datetime) -> tuple[Sequence[Row], Sequence[Row]]:
        """Ignored messages, and traffic of others than customers: there may be much of it."""
        since = as_of - IGNORED_WITHIN
        ignored, traffic = await asyncio.gather(self.store.ignored(since), self.store.traffic(since))
        return ignored, traffic

    async def signals(self, query: SignalQuery) -> tuple[SignalView, ...]:
        """Newest first. Raises StoreUnavailable."""
        if query.account_id:
            query = replace(query, account_id=await self._named(query.account_id) or query.account_id)
        return tuple(row_views.signal_view(self.catalogue, row) for row in await self.store.signals(query))

    async def _named(self, written: str) -> str:
        """The one account that an id with or without its directory stands for; empty where none or several do."""
        names = self._directories.candidates(written)
        if len(names) == 1:
            return written
        found = await asyncio.gather(*map(self.store.account, names))
        there = [name for name, row in zip(names, found, strict=True) if row is not None]
        return there[0] if len(there) == 1 else ""

    async def cases(self, since: datetime, scope: Scope | None = None) -> tuple[CaseView, ...]:
        """Incidents that several signals make up, the open ones first. Raises StoreUnavailable."""
        if not self.catalogue.case_rules:
            return ()
        asked = SignalQuery(since=since, rules=self.catalogue.case_rules, limit=CASES_LENGTH, scope=scope)
        found = await self.signals(asked)
        ids = [case.signal_id for case in found]
        parts = await self.signals(SignalQuery(cases=ids, limit=PARTS_LENGTH)) if ids else ()
        views = [row_views.case_view(case, parts) for case in found]
        return tuple(sorted(views, key=lambda view: view.status == "closed"))

    async def accounts(self, query: AccountQuery) -> AccountPage:
        """Raises StoreUnavailable."""
        rows = await self.store.accounts(query)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        cursor = cursors.encode(shown[-1]["sort_key"], shown[-1]["account_id"]) if more else None
        return AccountPage(tuple(row_views.account_row(self.catalogue, row) for row in shown), cursor)

    async def standing(self, written: str) -> Row | None:
        """The account's row, by its id with or without its directory; None: not there. Raises StoreUnavailable."""
        row = await self.store.account(written)
        if row is None and (named := await self._named(written)) not in ("", written):
            row = await self.store.account(named)
        return row

    async def account(self, account_id: str, limit: int, cursor: str = "") -> AccountView | None:
        """None: no such account. Raises StoreUnavailable, BadCursor."""
        after = cursors.decode_time(cursor) if cursor else None
        row, rows, corrections = await asyncio.gather(
            self.store.account(account_id),
            self.store.timeline(account_id, limit, after),
            self.store.corrections(account_id, CORRECTIONS_LENGTH),
        )
        if row is None:
            named = await self._named(account_id)
            return await self.account(named, limit, cursor) if named not in ("", account_id) else None
        shown = [row_views.touchpoint_view(self.catalogue, each) for each in rows[:limit]]
        more = cursors.encode_time(shown[-1].occurred_at, shown[-1].event_id) if len(rows) > limit else None
        return AccountView(
            row_views.account_row(self.catalogue, row),
            row_views.traits(row["traits"]),
            row_views.phase_moves(row["transitions"]),
            tuple(shown),
            more,
            tuple(map(row_views.correction_view, corrections)),
        )

    async def proposals(self, query: ProposalQuery) -> ProposalPage:
        """Newest first. Raises StoreUnavailable."""
        rows = await self.store.proposals(query)
        all_open = query.status == "open" and query.after is None and len(rows) <= query.limit
        count = len(rows) if all_open else await self.store.open_proposals()
        shown = tuple(row_views.proposal_view(row, self._answer_to(row)) for row in rows[: query.limit])
        more = cursors.encode_time(shown[-1].since, shown[-1].proposal_id) if len(rows) > query.limit else None
        return ProposalPage(shown, count, more)

    async def open_questions(self) -> ProposalPage:
        """What the page asks. Raises StoreUnavailable."""
        return await self.proposals(ProposalQuery(limit=QUESTIONS_LENGTH))

    def _answer_to(self, row: Row) -> str:
        return self.given.to(row["proposal_id"]) if row["status"] == "open" else ""

    async def touchpoint(self, event_id: str) -> TouchpointExplained | None:
        """None: no such touchpoint. Raises StoreUnavailable."""
        row = await self.store.touchpoint(event_id)
        if row is None:
            return None
        account = await self.store.account(row["account_id"])
        return TouchpointExplained(
            touchpoint=row_views.touchpoint_view(self.catalogue, row),
            account=row_views.account_row(self.catalogue, account) if account else None,
            attribution=_attribution(row),
            evidence_of=tuple(row_views.signal_view(self.catalogue, each) for each in row["evidence_of"]),
            revision=row["revision"],
            blueprint_version=row["blueprint_version"],
        )

    async def events(self, text: str) -> tuple[TouchpointExplained, ...]:
        """Those with this id, ours or the sender's, of whichever source. Raises StoreUnavailable."""
        if not _ID.fullmatch(text):
            return ()
        ids = [text, *(event_id(source, text) for source in list(self._sources)[:MAX_SOURCES])]
        found = await asyncio.gather(*map(self.touchpoint, await self.store.owners_of(ids)))
        return tuple(one for one in found if one is not None)

    async def cell(self, scope: Scope, phase: str, kind: str) -> CellDetails | None:
        """One card in depth; None when the map has no such cell. Raises StoreUnavailable."""
        view = await self.map(scope, explain=True, measure=self._to_measure(phase, kind))
        cell = next((c for p in view.phases if p.id == phase for c in p.types if c.id == kind), None)
        if cell is None:
            return None
        span = await self.span(scope, view.as_of)
        asked = SignalQuery(since=span.since, phase=phase, touchpoint_type=kind, limit=10, scope=scope)
        rows, signals = await asyncio.gather(
            self.store.shares(CellQuery(scope, span, phase, kind)), self.signals(asked)
        )
        personas, channels, rules = (self._shares(rows, each) for each in _SHARE_KINDS)
        return CellDetails(cell, self.catalogue.phase_name(phase), personas, channels, rules, signals)

    async def one_cell(self, scope: Scope, phase: str, kind: str) -> Cell:
        """A known type in a phase, its numbers explained and its times measured. Raises StoreUnavailable."""
        as_of, measure = self.clock(), self._to_measure(phase, kind)
        span = await self.span(scope, as_of)
        asked = CellQuery(scope, span, phase, kind, self.catalogue.questions)
        cells, history, measured, rules = await asyncio.gather(
            self.store.cells(scope, span, sparks=False, people=False),
            self._trends(scope, span),
            self.store.measures(asked) if measure else _nothing_measured(),
            self.store.worst_rules(scope, span, self.catalogue.derived_rules),
        )
        inputs = MapInputs(
            scope,
            span,
            as_of,
            cells,
            history,
            (),
            Population(0, 0, 0),
            Freshness(as_of, None, ()),
            rules,
            {measure: measured} if measure else {},
            explain=True,
        )
        return cell_of(self.catalogue, inputs, phase, self.catalogue.types[kind])

    def _to_measure(self, phase: str, kind: str) -> CellKey | None:
        """The cell, when one of its targets is measured by the touchpoints themselves."""
        known = self.catalogue.types.get(kind)
        return (phase, kind) if known and set(known.targets) - OF_COUNTS else None

    def _shares(self, rows: Sequence[Row], kind: str) -> tuple[Share, ...]:
        name = self.catalogue.persona_name if kind == "persona" else rule_words
        found = [
            Share(row["id"], name(row["id"]), row["volume"], row["frictions"]) for row in rows if row["kind"] == kind
        ]
        return tuple(sorted(found, key=lambda share: (-share.volume, share.id)))

    async def around(self, scope: Scope) -> Around:
        """What every page needs beside its own figures. Raises StoreUnavailable."""
        freshness, (channels, tiers), name, left_out = await asyncio.gather(
            self.freshness(), self._choices.at(self.clock()), self._name_of(scope.account), self.left_out(scope)
        )
        return Around(freshness, channels, tiers, name, left_out)

    async def nobodies(self) -> Sequence[Row]:
        """What was written where an id should be, of a week; asked once an hour. Raises StoreUnavailable."""
        return await self._nobodies.at(self.clock())

    async def _named_nobody(self, now: datetime) -> Sequence[Row]:
        return await self.store.nobodies(now - NOBODIES_WITHIN, MOST_NOBODIES)

    async def open_organisations(self) -> Mapping[str, list[str]]:
        """Organisations that stand for strangers, and why; asked every five minutes. Raises StoreUnavailable."""
        return await self._open.at(self.clock())

    async def _open_organisations(self, _now: datetime) -> Mapping[str, list[str]]:
        return open_organisations(await self.store.claims())

    async def left_out(self, scope: Scope) -> tuple[LeftOut, ...]:
        """What the scope does not count because of who sent it, asked every ten seconds. Raises StoreUnavailable."""
        if scope.traffic:
            return ()
        key = replace(scope, subject="", before="")
        if key not in self._left_out:
            while len(self._left_out) >= MAX_REMEMBERED:
                self._left_out.pop(next(iter(self._left_out)), None)
            self._left_out[key] = Lately(ASK_IGNORED_EVERY, partial(self._kept_off, key))
        return await self._left_out[key].at(self.clock())

    async def _kept_off(self, scope: Scope, now: datetime) -> tuple[LeftOut, ...]:
        rows = await self.store.kept_off(scope, await self.span(scope, now), self.catalogue.records)
        return tuple(LeftOut(row["traffic"], row["touchpoints"], row["example"]) for row in rows)

    async def _name_of(self, account_id: str) -> str:
        row = await self.store.account(account_id) if account_id else None
        return account_name(account_id, row["name"] if row else "") if account_id else ""

    async def _offered(self, _now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the filters offer."""
        channels, tiers = await asyncio.gather(self.store.channels(), self.store.tiers())
        return tuple(filter(None, channels)), tuple(tiers)

    async def nearest(self, scope: Scope) -> WindowId | None:
        """The shortest window with something in it; None when there is nothing at all. Raises StoreUnavailable."""
        last = await self.store.last_minute(scope)
        return nearest_window(last, self.clock()) if last else None

    async def whole(self, scope: Scope) -> Whole:
        """All that programs are told over the live stream. Raises StoreUnavailable."""
        view = await self.map(scope)
        span = await self.span(scope, view.as_of)
        feed = SignalQuery(since=view.since, without=self.catalogue.derived_rules, limit=FEED_LENGTH, scope=scope)
        signals, questions, known, visitors, cases = await asyncio.gather(
            self.signals(feed),
            self.open_questions(),
            self.accounts(AccountQuery(identified=True, limit=LIST_LENGTH, scope=scope, span=span)),
            self.accounts(AccountQuery(identified=False, limit=LIST_LENGTH // 2, scope=scope, span=span)),
            self.cases(view.since, scope),
        )
        return Whole(view, signals, known.accounts, visitors.accounts, questions, cases)


async def _nobody_asked() -> None:
    return None


async def _nothing_measured() -> Mapping[str, float]:
    return {}


_SHARE_KINDS = ("persona", "channel", "rule")


_AS_USUAL: Final = {field.name: field.default for field in fields(Attribution) if field.default is not NODEFAULT}
"""What is left out of a stored attribution when it is so. Of a masked one not all that is required is there, either."""


def _attribution(row: Row) -> dict[str, Any]:
    """What is stored of it, and what was left out there."""
    known = orjson.loads(row["payload"] or "{}").get("attribution")
    return _AS_USUAL | known if known else {}
