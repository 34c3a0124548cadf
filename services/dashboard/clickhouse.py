"""The store over ClickHouse's HTTP interface: bound parameters in, plain rows out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from schemas.base import EPOCH
from schemas.config import ClickHouseConfig
from schemas.errors import PermanentError, StoreUnavailable
from services.common.open_organisations import CLAIMS
from services.dashboard import nearby, queries
from services.dashboard.lately import Remembered
from services.dashboard.numbers import Counts
from services.dashboard.scope import BUCKETS, MINUTE, Range, Reading, Scope, floor_minute, reading
from services.dashboard.store import (
    AccountQuery,
    CellKey,
    CellQuery,
    Cells,
    Daily,
    DaysQuery,
    Hurt,
    Hurts,
    Near,
    PainQuery,
    Pains,
    ProposalQuery,
    RankedQuery,
    Row,
    SignalQuery,
    TimeKey,
)
from streams.friction.fields import REFERENCES
from streams.identity.aliases import NOBODY
from streams.incidents import stored
from streams.incidents.intake import OUTRIGHT
from streams.incidents.rhythm import SLOTS
from streams.runtime import clickhouse
from streams.runtime.clickhouse import stamp

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

THREADS = 4
MAX_REACHES = 64
MAX_PASTS = 8
"""Filters whose settled days are remembered: some megabytes each."""
TIMEOUT_S = 10
_CARRIED = ("persona", "account_method", "account_confidence")
_FAR_FUTURE = datetime(2261, 1, 1, tzinfo=UTC)
_SETTINGS = {
    "readonly": 2,
    "max_execution_time": TIMEOUT_S,
    # A row's partition is part of its key: versions of it never lie in two partitions.
    "do_not_merge_across_partitions_select_final": 1,
}


def connect(config: ClickHouseConfig, password: str) -> Client:
    """A client that only reads, and that our threads share. Raises StoreUnavailable when ClickHouse does not answer."""
    return clickhouse.connect(config, password, timeout_s=TIMEOUT_S, settings=_SETTINGS, name=clickhouse.PAGE)


class ClickHouseStore:
    """`JourneyStore` over clickhouse_connect. Connects at the first question and again after a failure."""

    def __init__(self, dial: Callable[[], Client]) -> None:
        self._dial = dial
        self._client: Client | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self._under_way: dict[str, asyncio.Task[list[dict[str, Any]]]] = {}
        """Questions of several parts of one page, which are asked at once: statement → its answer."""
        self._reaches: dict[tuple[Scope, int], timedelta] = {}
        """Scope and number of pains → how far back so many lay."""
        self._past: Remembered[Daily] = Remembered(MAX_PASTS)

    def close(self) -> None:
        """Let running queries end; safe to call twice."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._client is not None:
            self._client.close()
            self._client = None

    async def rows(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        """The answer to one statement. Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, statement, parameters)

    def _ask(self, statement: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
        try:
            client = self._client = self._client or self._dial()
            return clickhouse.query_rows(client, statement, parameters, zoned=True)
        except (StoreUnavailable, PermanentError) as error:
            code = getattr(error.__cause__, "code", None)
            if code is None:  # the driver's own words about sockets are for nobody
                raise StoreUnavailable("ClickHouse does not answer") from error
            raise StoreUnavailable(f"ClickHouse cannot answer now: {str(error).splitlines()[0][:200]}") from error

    async def fingerprint(self) -> str:
        return repr([(row["table"], row["inserts"]) for row in await self.rows(queries.cells.FINGERPRINT)])

    async def first_minute(self) -> datetime | None:
        row = (await self.rows(queries.cells.FIRST_MINUTE))[0]
        return row["minute"] if row["cells"] else None

    async def cells(self, scope: Scope, span: Range, *, sparks: bool = True, people: bool = True) -> Cells:
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        asked = _scoped(scope, span) | _read(read)
        gaps, of_accounts = len(read.gaps), scope.of_accounts
        rows, drawn = await asyncio.gather(
            self.rows(queries.cells.cells(gaps, of_accounts, people), **asked),
            self._sparks(queries.cells.sparks(gaps, of_accounts), span, asked) if sparks else _no_sparks(),
        )
        sets: dict[int, dict[CellKey, Counts]] = {0: {}, 1: {}, 2: {}}
        for row in rows:
            key = (row["phase"], row["touchpoint_type"])
            sets[row["missing"]][key] = _counts(row, drawn.get(key, ()))
        by_phase = {phase: counts for (phase, _), counts in sets[1].items()}
        return Cells(sets[0], by_phase, sets[2].get(("", ""), Counts()))

    async def active_accounts(self, scope: Scope, span: Range) -> int:
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        asked = _scoped(scope, span) | _read(read)
        rows = await self.rows(queries.cells.active_accounts(len(read.gaps), scope.of_accounts), **asked)
        return int(rows[0]["accounts"])

    async def _sparks(self, query: str, span: Range, asked: dict[str, Any]) -> Mapping[CellKey, Sequence[int]]:
        origin = int(span.spark_origin.timestamp())
        found: defaultdict[CellKey, list[int]] = defaultdict(lambda: [0] * BUCKETS)
        for row in await self.rows(query, **asked, origin=origin, step_s=span.step_s):
            found[row["phase"], row["touchpoint_type"]][min(row["bucket"], BUCKETS - 1)] += row["n"]
        return found

    async def _reading(self, scope: Scope, since: datetime, until: datetime, days: Sequence[date]) -> Reading:
        """Days are of all accounts: of some, everything is read from the touchpoints."""
        return reading(since, until, () if scope.of_accounts else await self._settled(days))

    async def _settled(self, days: Collection[date]) -> dict[date, str]:
        """Those of `days` that may be read from their roll-ups, and when these were made: anew is later."""
        if not days:
            return {}
        found = {_day(row["name"]): str(row["made"]) for row in await self._shared(queries.cells.SETTLED)}
        return {day: found[day] for day in days if day in found}

    async def _shared(self, statement: str) -> list[dict[str, Any]]:
        """Whoever asks while it is asked for waits for that answer."""
        task = self._under_way.get(statement)
        if task is None or task.done():
            task = self._under_way[statement] = asyncio.create_task(self.rows(statement))
        return await asyncio.shield(task)

    async def history(self, scope: Scope, span: Range, windows: int) -> Mapping[CellKey, Sequence[tuple[int, int]]]:
        length_s = int(span.length.total_seconds())
        days = span.whole_days_before(windows)
        read = await self._reading(scope, span.since - span.length * windows, span.since - MINUTE, days)
        asked = _scoped(scope, span) | _read(read)
        found: defaultdict[CellKey, list[tuple[int, int]]] = defaultdict(lambda: [(0, 0)] * windows)
        for row in await self.rows(
            queries.cells.history(len(read.gaps), scope.of_accounts), **asked, length_s=length_s
        ):
            found[row["phase"], row["touchpoint_type"]][row["ago"]] = (row["frictions"], row["n"])
        return found

    async def daily(self, scope: Scope, span: Range) -> Daily:
        settled = {} if scope.of_accounts else await self._settled(span.whole_days)
        read, asked = reading(span.since, span.until, settled), _scoped(scope, span)
        rest = asked | _read(replace(read, days=()))
        past, lately = await asyncio.gather(
            self._past_days(asked, {day: settled[day] for day in read.days}),
            self._by_day(queries.cells.daily(len(read.gaps), scope.of_accounts), rest),
        )
        return {**past, **{key: {**past.get(key, {}), **days} for key, days in lately.items()}}

    async def _past_days(self, asked: Mapping[str, Any], settled: Mapping[date, str]) -> Daily:
        """Of settled days: asked again only when one of them was made anew, or another one is settled."""
        filters = tuple((name, repr(value)) for name, value in asked.items() if name not in ("since", "until"))
        values = {**asked, **_read(Reading(tuple(settled), ()))}
        if not settled:
            return {}
        return await self._past.of((filters, *settled.items()), lambda: self._by_day(queries.cells.daily(0), values))

    async def _by_day(self, query: str, asked: dict[str, Any]) -> Daily:
        found: dict[CellKey, dict[date, tuple[float, int]]] = {}
        for row in await self.rows(query, **asked):
            sums = zip(row["pains"], row["volumes"], strict=True)
            found[row["phase"], row["touchpoint_type"]] = dict(zip(map(_day, row["days"]), sums, strict=True))
        return found

    async def hurt(self, scope: Scope, span: Range, by_definition: Sequence[str], *, is_named: bool = True) -> Hurts:
        gaps, others, asked = await self._hurting(scope, span, by_definition)
        query = queries.hurts.hurt_whom if is_named else queries.hurts.hurt
        rows = await self.rows(query(gaps, scope.of_accounts, others), **asked)
        told = {account for row in rows if row["is_type"] for account in row["worst"]}
        known = await self._hashed(scope, span, told)

        def whom(row: Mapping[str, Any]) -> Hurt:
            named = (known[account]["account_id"] for account in row["worst"] if account in known)
            return Hurt(row["accounts"], tuple(named) if row["is_type"] else ())

        return Hurts(
            {(row["phase"], row["touchpoint_type"]): whom(row) for row in rows if not row["is_type"]},
            {row["touchpoint_type"]: whom(row) for row in rows if row["is_type"] and not row["is_total"]},
            next((whom(row) for row in rows if row["is_total"]), Hurt()),
            {row["account_id"]: row["name"] for row in known.values()},
        )

    async def hurt_accounts(self, scope: Scope, span: Range, by_definition: Sequence[str], limit: int) -> Sequence[Row]:
        gaps, others, asked = await self._hurting(scope, span, by_definition)
        rows = await self.rows(queries.hurts.hurt_accounts(gaps, scope.of_accounts, others), **asked, limit=limit)
        known = await self._hashed(scope, span, {row["account"] for row in rows})
        told = ("account_id", "name", "phase", "segment")
        found = [
            {name: row[name] for name in ("pained", "worst_type", "last_at")} | {name: one[name] for name in told}
            for row in rows
            if (one := known.get(row["account"]))
        ]
        return sorted(found, key=lambda row: (-row["pained"], row["account_id"]))[:limit]

    async def _hurting(
        self, scope: Scope, span: Range, by_definition: Sequence[str]
    ) -> tuple[int, bool, dict[str, object]]:
        """How many gaps, whether cells do not know of a type that is pain by definition, and the values to bind."""
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        others = sorted({*by_definition} - OUTRIGHT)
        asked = _scoped(scope, span) | _read(read) | {"by_definition": list(by_definition), "others": others}
        return len(read.gaps), bool(others), asked

    async def _hashed(self, scope: Scope, span: Range, accounts: Collection[int]) -> Mapping[int, dict[str, Any]]:
        """Accounts by the hashes of their ids; of one that has no row of its own yet only the id."""
        if not accounts:
            return {}
        rows = await self.rows(queries.hurts.HASHED_ACCOUNTS, hashes=sorted(accounts))
        found = {row["hash"]: row for row in rows}
        if missing := sorted({*accounts} - found.keys()):
            asked = _scoped(scope, span) | {"hashes": missing}
            unknown = {"name": "", "phase": "", "segment": ""}
            found |= {row["hash"]: row | unknown for row in await self.rows(queries.hurts.HASHED_TOUCHPOINTS, **asked)}
        return found

    async def last_minute(self, scope: Scope) -> datetime | None:
        row = (await self.rows(queries.cells.last_minute(scope.of_accounts), **_filters(scope)))[0]
        return row["last"] if row["n"] else None

    async def tiers(self) -> Sequence[str]:
        return [row["tier"] for row in await self.rows(queries.cells.TIERS)]

    async def people(self, text: str, since: datetime, limit: int) -> Sequence[Row]:
        return await self.rows(queries.people.PEOPLE, text=text, since=int(since.timestamp()), limit=limit)

    async def unmapped(self, scope: Scope, span: Range, known: Sequence[str]) -> Sequence[Row]:
        return await self.rows(queries.cells.unmapped(scope.of_accounts), **_scoped(scope, span), known=list(known))

    async def population(self, scope: Scope, span: Range) -> Row:
        if scope.is_filtered:
            return (await self.rows(queries.hurts.POPULATION_OF_SCOPE, **_carriers(scope, span)))[0]
        return (await self.rows(queries.hurts.POPULATION, since=stamp(span.since)))[0]

    async def worst_rules(self, scope: Scope, span: Range, without: Sequence[str]) -> Mapping[CellKey, str]:
        asked = _carriers(scope, span) | {"without": list(without)}
        rows = await self.rows(queries.hurts.worst_rules(scope.is_filtered), **asked)
        return {(row["phase"], row["touchpoint_type"]): row["rule"] for row in rows}

    async def measures(self, query: CellQuery) -> Mapping[str, float]:
        scoped = _scoped(query.scope, query.span)
        asked: dict[str, Any] = {"phase": query.phase, "touchpoint_type": query.touchpoint_type}
        asked |= {"references": list(REFERENCES)}
        for side in ("opens", "closes"):
            names = [
                (name, number)
                for number, question in enumerate(query.questions, start=1)
                for name in (question.asked if side == "opens" else question.answered)
            ]
            asked |= {side: [name for name, _ in names] or [""], f"{side}_of": [n for _, n in names] or [0]}
        return {row["target"]: row["value"] for row in await self.rows(queries.types.MEASURES, **scoped, **asked)}

    async def channels(self) -> Sequence[str]:
        return [row["channel"] for row in await self.rows(queries.cells.CHANNELS)]

    async def freshness(self) -> Sequence[Row]:
        return await self._shared(queries.sources.FRESHNESS)

    async def slots(self, since: datetime) -> Sequence[Row]:
        return await self.rows(SLOTS, since=stamp(since))

    async def ignored(self, since: datetime) -> Sequence[Row]:
        return await self.rows(queries.sources.IGNORED, since=stamp(since))

    async def nobodies(self, since: datetime, most: int) -> Sequence[Row]:
        return await self.rows(queries.sources.NOBODIES, since=stamp(since), name=NOBODY, most=most)

    async def traffic(self, since: datetime) -> Sequence[Row]:
        return await self.rows(queries.sources.TRAFFIC, since=stamp(since))

    async def claims(self) -> Sequence[Row]:
        return await self.rows(CLAIMS.format(links="links"))

    async def kept_off(self, scope: Scope, span: Range, records: Sequence[str]) -> Sequence[Row]:
        asked = _scoped(scope, span) | {"records": list(records)}
        if scope.of_accounts:
            return await self.rows(queries.cells.KEPT_OFF_OF_ACCOUNTS, **asked)
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        return await self.rows(queries.cells.kept_off(len(read.gaps)), **asked, **_read(read))

    async def signals(self, query: SignalQuery) -> Sequence[Row]:
        before, before_id = query.after or (_FAR_FUTURE, "")
        scope, since = query.scope or Scope(), query.since or EPOCH
        found = await self.rows(
            queries.signals.signals(scope.is_filtered),
            **_filters(scope),
            polarity=query.polarity,
            since=stamp(since),
            since_s=int(since.timestamp()),
            until_s=int(_FAR_FUTURE.timestamp()),
            account_id=query.account_id,
            phase=query.phase,
            touchpoint_type=query.touchpoint_type,
            rules=list(query.rules),
            without=list(query.without),
            cases=list(query.cases),
            before=stamp(before),
            before_id=before_id,
            limit=query.limit,
        )
        return await self._with_people(found)

    async def _with_people(self, signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Adds account_name, and persona and attribution of the carrying touchpoint, by key."""
        if not signals:
            return signals
        accounts = [row["account_id"] for row in signals]
        names, carriers = await asyncio.gather(
            self.rows(queries.accounts.ACCOUNT_NAMES, ids=sorted(set(accounts))),
            self.carriers(accounts, [row["event_id"] for row in signals]),
        )
        name_of = {row["account_id"]: row["name"] for row in names}
        carrier_of = {(row["account_id"], row["event_id"]): row for row in carriers}
        for row in signals:
            row["account_name"] = name_of.get(row["account_id"], "")
            carrier = carrier_of.get((row["account_id"], row["event_id"]), {})
            row |= {name: carrier[name] for name in _CARRIED if name in carrier}
        return signals

    async def pained(self, query: PainQuery) -> Sequence[Row]:
        """The newest so many often lie within hours: as far back as they lay is looked first, and only then further."""
        since, until = query.span.since, query.span.until
        key = (query.scope, query.limit)
        if (reach := self._reaches.get(key)) and (lately := until - 2 * reach) > since:
            rows = await self._pained(query, lately)
            if len(rows) == query.limit and rows[-1]["at"] >= lately:
                return rows
        rows = await self._pained(query, since)
        self._reaches.pop(key, None)
        if len(rows) == query.limit:
            self._reaches[key] = max(MINUTE, until - floor_minute(rows[-1]["at"]))
        while len(self._reaches) > MAX_REACHES:
            self._reaches.pop(next(iter(self._reaches)))
        return rows

    async def _pained(self, query: PainQuery, lately: datetime) -> list[dict[str, Any]]:
        """With the touchpoints of whole minutes from `lately` on."""
        scope = query.scope
        statement = queries.signals.pained(scope.is_filtered, scope.of_accounts, has_falls=_is_of_whole_accounts(scope))
        return await self.rows(
            statement,
            **_carriers(scope, query.span),
            lately=int(lately.timestamp()),
            since_at=stamp(query.span.since),
            kinds=list(query.types),
            derived=list(query.derived),
            waits=list(query.waits),
            limit=query.limit,
        )

    async def pains(self, accounts: Sequence[str], asked: Mapping[str, object], near: Near | None = None) -> Pains:
        if not accounts:
            return Pains()
        wanted = {**asked, "accounts": list(accounts), "since": stamp(cast(datetime, asked["since"]))}
        standing = self.rows(f"{stored.ACCOUNTS} WHERE true {stored.MINE}", **wanted)
        if near is not None:
            (signals, touchpoints), found = await asyncio.gather(self._near(near, wanted), standing)
            return Pains(signals, touchpoints, found)
        both = (self.rows(each + stored.MINE, **wanted) for each in (stored.SIGNALS, stored.TOUCHPOINTS))
        signals, touchpoints, found = await asyncio.gather(*both, standing)
        return Pains(await self._with_people(signals), touchpoints, found)

    async def _near(self, near: Near, wanted: Mapping[str, Any]) -> tuple[Sequence[Row], Sequence[Row]]:
        """Signals, and touchpoints that are pain by definition."""
        signals = await self.rows(nearby.SIGNALS, **wanted, **nearby.asked(near))
        asked = nearby.touched(near, wanted["types"], signals)
        whole = {**wanted, "accounts": list(near.whole)}
        rows, others = await asyncio.gather(
            self.rows(nearby.TOUCHPOINTS, **wanted, **asked) if asked else _no_rows(),
            self.rows(stored.TOUCHPOINTS + stored.MINE, **whole) if near.whole else _no_rows(),
        )
        return signals, [*rows, *others]

    async def carriers(self, accounts: Sequence[str], events: Sequence[str]) -> Sequence[Row]:
        return await self.rows(queries.signals.CARRIERS, accounts=list(accounts), events=list(events))

    async def figures(self, asked_for: Sequence[tuple[str, dict[str, Any]]]) -> Sequence[Sequence[Row]]:
        return [await self.rows(statement, **wanted) for statement, wanted in asked_for]

    async def owners_of(self, events: Sequence[str]) -> Mapping[str, str]:
        found = await self.rows(queries.touchpoints.OWNERS_OF_EVENTS, events=list(events))
        return {row["event_id"]: row["account_id"] for row in found}

    async def events(self, account_id: str, events: Sequence[str]) -> Sequence[Row]:
        keys = await self.rows(queries.touchpoints.KEYS_OF_EVENTS, account_id=account_id, events=list(events))
        return await self._touchpoints(account_id, [(row["occurred_at"], row["event_id"]) for row in keys])

    async def accounts(self, query: AccountQuery) -> Sequence[Row]:
        after_key, after_id = query.after or ("", "")
        scoped = _scoped(query.scope, query.span) if query.scope and query.span and query.scope.is_filtered else {}
        return await self.rows(
            queries.accounts.accounts(query.sort, is_filtered=bool(scoped)),
            **scoped,
            phase=query.phase,
            identified=-1 if query.identified is None else int(query.identified),
            text=query.text,
            has_after=int(query.after is not None),
            after_key=after_key,
            after_id=after_id,
            limit=query.limit + 1,
        )

    async def ranked_accounts(self, query: RankedQuery) -> Sequence[Row]:
        key, seen, account_id = query.after or ("", 0, "")
        scope = query.scope
        gaps, others, asked = await self._hurting(scope, query.span, query.by_definition)
        return await self.rows(
            queries.accounts.ranked_accounts(
                query.sort, gaps, is_filtered=scope.is_filtered, of_accounts=scope.of_accounts, has_others=others
            ),
            **asked,
            phases=list(query.phases),
            kinds=list(query.kinds) or [""],
            kind_names=list(query.kinds.values()) or [""],
            has_after=int(query.after is not None),
            after_key=key,
            after_seen=seen,
            after_id=account_id,
            limit=query.limit,
        )

    async def account(self, account_id: str) -> Row | None:
        return next(iter(await self.rows(queries.accounts.ACCOUNT, account_id=account_id)), None)

    async def timeline(self, account_id: str, limit: int, after: TimeKey | None) -> Sequence[Row]:
        before, before_id = after or (_FAR_FUTURE, "")
        keys = await self.rows(
            queries.touchpoints.TIMELINE_KEYS,
            account_id=account_id,
            since=stamp(EPOCH),
            before=stamp(before),
            before_id=before_id,
            limit=limit + 1,
        )
        return await self._touchpoints(account_id, [(row["occurred_at"], row["event_id"]) for row in keys])

    async def _touchpoints(
        self, account_id: str, keys: Sequence[TimeKey], scope: Scope | None = None
    ) -> list[dict[str, Any]]:
        if not keys:
            return []
        minutes = [int(floor_minute(at).timestamp()) for at, _ in keys]
        events = [event_id for _, event_id in keys]
        filters = _filters(scope or Scope())
        rows = self.rows(queries.touchpoints.TIMELINE, account_id=account_id, minutes=minutes, events=events, **filters)
        return await self._with_signals(await rows)

    async def _with_signals(self, touchpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Adds the signals each carries, and those it is evidence of."""
        accounts = sorted({row["account_id"] for row in touchpoints})
        events = [row["event_id"] for row in touchpoints]
        signals = (
            await self.rows(queries.signals.SIGNALS_OF_EVENTS, accounts=accounts, events=events) if touchpoints else []
        )
        for row in touchpoints:
            mine = [each for each in signals if each["account_id"] == row["account_id"]]
            row["signals"] = [each for each in mine if each["event_id"] == row["event_id"]]
            row["evidence_of"] = [each for each in mine if row["event_id"] in each["evidence"]]
        return touchpoints

    async def days(self, query: DaysQuery) -> tuple[Sequence[Row], TimeKey | None]:
        before, before_id = query.after or (_FAR_FUTURE, "")
        bounds = {"since": stamp(query.since), "before": stamp(before), "before_id": before_id}
        if query.person_id:
            asked = _filters(query.scope) | bounds | {"person_id": query.person_id, "limit": query.limit + 1}
            rows = await self.rows(queries.people.PERSON_TIMELINE, **asked)
            shown, key = rows[: query.limit], _last_key(rows, query.limit)
            return await self._with_signals(shown), key
        keys = await self.rows(
            queries.touchpoints.TIMELINE_KEYS, account_id=query.account_id, **bounds, limit=query.limit + 1
        )
        found = [(row["occurred_at"], row["event_id"]) for row in keys[: query.limit]]
        return await self._touchpoints(query.account_id, found, query.scope), _last_key(keys, query.limit)

    async def flow(self, since: datetime) -> Sequence[Row]:
        return await self.rows(queries.sources.FLOW, since=int(since.timestamp()))

    async def latest(self, since: datetime, limit: int) -> Sequence[Row]:
        return await self.rows(queries.sources.LATEST, since=int(since.timestamp()), limit=limit)

    async def variants(self, scope: Scope, span: Range, by_definition: Sequence[str]) -> Sequence[Row]:
        asked = _scoped(scope, span) | {"by_definition": list(by_definition)}
        return await self.rows(queries.types.variants(scope.of_accounts), **asked)

    async def beside(self, scope: Scope, span: Range, by_definition: Sequence[str], *, after: bool) -> Sequence[Row]:
        asked = _scoped(scope, span) | {"by_definition": list(by_definition)}
        return await self.rows(queries.types.beside(scope.of_accounts, after), **asked)

    async def said(self, scope: Scope, span: Range, limit: int) -> Sequence[Row]:
        return await self.rows(queries.types.said(scope.of_accounts), **_scoped(scope, span), limit=limit)

    async def people_of(self, account_id: str) -> Sequence[Row]:
        rows, titles = await asyncio.gather(
            self.rows(queries.people.PEOPLE_OF_ACCOUNT, account_id=account_id),
            self.rows(queries.people.TITLES, accounts=[account_id]),
        )
        said = {row["person_id"]: row["title"] for row in titles}
        return [row | {"title": said.get(row["person_id"], "")} for row in rows]

    async def accounts_of(self, person_id: str) -> Sequence[Row]:
        rows = await self.rows(queries.people.ACCOUNTS_OF_PERSON, person_id=person_id)
        ids = [row["account_id"] for row in rows]
        names, titles = await asyncio.gather(
            self.rows(queries.accounts.ACCOUNT_NAMES, ids=ids), self.rows(queries.people.TITLES, accounts=ids[:20])
        )
        told = {row["account_id"]: row for row in names}
        unknown = {"name": "", "segment": "", "traits": ""}
        title = next((row["title"] for row in titles if row["person_id"] == person_id), "")
        return [unknown | row | told.get(row["account_id"], {}) | {"title": title} for row in rows]

    async def touchpoint(self, event_id: str) -> Row | None:
        kept = next(iter(await self.rows(queries.touchpoints.HISTORY_OF_EVENT, event_id=event_id)), None)
        if kept is None:
            return None
        found = await self._touchpoints(kept["account_id"], [(kept["occurred_at"], event_id)])
        return found[0] | {"payload": kept["payload"]} if found else None

    async def corrections(self, account_id: str, limit: int) -> Sequence[Row]:
        return await self.rows(queries.accounts.CORRECTIONS, account_id=account_id, limit=limit)

    async def proposals(self, query: ProposalQuery) -> Sequence[Row]:
        before, before_id = query.after or (_FAR_FUTURE, "")
        asked = {"status": query.status, "before": stamp(before), "before_id": before_id}
        return await self.rows(queries.proposals.PROPOSALS, **asked, limit=query.limit + 1)

    async def proposal(self, proposal_id: str) -> Row | None:
        return next(iter(await self.rows(queries.proposals.PROPOSAL, proposal_id=proposal_id)), None)

    async def erasure(self, erasure_id: str) -> Row:
        return next(iter(await self.rows(queries.touchpoints.ERASURE, erasure_id=erasure_id)))

    async def open_proposals(self) -> int:
        return int((await self.rows(queries.proposals.OPEN_PROPOSALS))[0]["open"])

    async def shares(self, query: CellQuery) -> Sequence[Row]:
        scoped = _scoped(query.scope, query.span)
        return await self.rows(queries.types.SHARES, **scoped, phase=query.phase, touchpoint_type=query.touchpoint_type)


async def _no_rows() -> list[dict[str, Any]]:
    return []


async def _no_sparks() -> Mapping[CellKey, Sequence[int]]:
    return {}


_day = cache(date.fromisoformat)


def _last_key(rows: Sequence[Mapping[str, Any]], limit: int) -> TimeKey | None:
    """Of the last row that is shown, when more are there."""
    return (rows[limit - 1]["occurred_at"], rows[limit - 1]["event_id"]) if len(rows) > limit else None


def _is_of_whole_accounts(scope: Scope) -> bool:
    """Whether nothing is asked of single touchpoints: a fall of the phase has no persona, channel or owner."""
    return not (scope.persona or scope.channel or scope.owner or scope.segment)


def _filters(scope: Scope) -> dict[str, Any]:
    return {
        "personas": _either(scope.persona),
        "segments": _either(scope.segment),
        "channels": _either(scope.channel),
        "types": list(scope.types),
        "tiers": [scope.tier] if scope.tier else [],
        "account": scope.account,
        "every": int(bool(scope.traffic)),
        "records": list(scope.records),
    }


def _scoped(scope: Scope, span: Range) -> dict[str, Any]:
    return {"since": int(span.since.timestamp()), "until": int(span.until.timestamp()), **_filters(scope)}


def _carriers(scope: Scope, span: Range) -> dict[str, Any]:
    asked = _scoped(scope, span)
    return asked | {"since_s": asked["since"], "until_s": asked["until"]}


def _read(read: Reading) -> dict[str, object]:
    gaps = {
        f"gap_{n}_{end}": int(at.timestamp())
        for n, gap in enumerate(read.gaps)
        for end, at in zip(("from", "to"), gap, strict=True)
    }
    return {"days": sorted(map(str, read.days)), **gaps}


def _either(value: str) -> list[str]:
    return ["", "unknown"] if value == "unknown" else [value] if value else []


def _counts(row: Mapping[str, Any], spark: Sequence[int]) -> Counts:
    return Counts(
        volume=row["n"],
        visitor_volume=row["visits"],
        friction=row["frictions"],
        delight=row["delights"],
        emotion_sum=row["emotion_total"],
        emotion_count=row["emotions"],
        pain_sum=row["pain_total"],
        accounts=row["account_count"],
        visitors=row["visitor_count"],
        people=row["people_count"],
        spark=tuple(spark),
    )
