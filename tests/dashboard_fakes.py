"""A dashboard's store made of lists, and a way to ask the application without a server.

The sums here are written the naive way, from touchpoints, and share nothing with the store's statements:
the tests on a real ClickHouse hold them against each other.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, cast

import httpx
from fastapi import FastAPI

from schemas.blueprint import Blueprint, Owner, Persona, Phase, SegmentRule, TouchpointType, Transition
from schemas.errors import StoreUnavailable
from schemas.friction_rules import Rule, Severity, SignalMatch
from schemas.matching import Match
from services.dashboard.numbers import Counts
from services.dashboard.scope import BUCKETS, Range, Scope
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
from streams.incidents.pace import SLOT_S
from tests.dashboard_seed import EPOCH, World

NOW = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>'\"&amp;"

_EACH: dict[str, Any] = {
    "pattern": "each",
    "when": (Match(action="survey_answered"),),
    "severity": Severity(base=0.5),
    "explanation": "said",
}
BLUEPRINT = Blueprint(
    version=3,
    phases=(
        Phase(id="awareness", name="Awareness"),
        Phase(id="purchase", name="Purchase"),
        Phase(id="lapsed", name="Lapsed", kind="exit"),
    ),
    initial_phase="awareness",
    transitions=(Transition(source="*", target="*"),),
    personas=(Persona(id="economic_buyer", name="Economic buyer"), Persona(id="end_user", name="End user")),
    segments=(SegmentRule(segment="enterprise", trait="size"), SegmentRule(segment="small", trait="size")),
    types=(
        TouchpointType(
            id="website_visit", name="Website visit", phase="awareness", importance=2, targets={"duration_ms": 2000}
        ),
        TouchpointType(id="webinar", name="Webinar", phase="awareness", desired_emotion=0.5),
        TouchpointType(id="security_review", name="Security review", phase="purchase", importance=4),
        TouchpointType(
            id="contract",
            name="Contract",
            phase="purchase",
            importance=5,
            risk=5,
            moment_of_truth=True,
            owner=Owner(department="Sales"),
            effort="quick",
            targets={"friction_rate": 0.1, "emotion": 0.4, "first_response_s": 3600},
        ),
        TouchpointType(id="crm_record", name="CRM record", phase="awareness", on_map=False),
    ),
    rules=(
        Rule(id="low_score", fed_by=("survey",), **_EACH),
        Rule(id="payment_failed", fed_by=("deal",), **_EACH),
        Rule(
            id="struggle",
            pattern="compound",
            of=((SignalMatch(polarity="friction"),),),
            joins_by=("touchpoint_type",),
            adopts=True,
            within_s=86_400,
            severity=Severity(base=0.5),
            explanation="struggled",
        ),
    ),
)


def total(rows: Sequence[Mapping[str, Any]], span: Range) -> Counts:
    """Everything about these touchpoints, one look at a time."""
    felt = [row["emotion"] for row in rows if row["has_emotion"]]
    spark = [0] * BUCKETS
    for row in rows:
        spark[min(int((row["minute"] - span.spark_origin).total_seconds()) // span.step_s, BUCKETS - 1)] += 1
    seen = {row["account_id"] for row in rows}
    visitors = {account_id for account_id in seen if account_id.startswith("anon:")}
    return Counts(
        volume=len(rows),
        visitor_volume=len([row for row in rows if row["account_id"] in visitors]),
        friction=len([row for row in rows if row["friction"]]),
        delight=len([row for row in rows if row["delight"]]),
        emotion_sum=sum(felt),
        emotion_count=len(felt),
        pain_sum=sum(row["pain"] for row in rows),
        accounts=len(seen - visitors),
        visitors=len(visitors),
        people=len({row["person_id"] for row in rows} - {""}),
        spark=tuple(spark) if rows else (),
    )


class FakeStore:
    """`JourneyStore` over a `World`; `away` makes every question fail."""

    def __init__(self, made: World | None = None, freshness: Sequence[Row] = ()) -> None:
        self.world = made or World()
        self.sources = freshness
        self.left_out: Sequence[Row] = ()
        self.claimed: Sequence[Row] = ()
        self.others: Sequence[Row] = ()
        self.named_nobody: Sequence[Row] = ()
        self.away = False
        self.asked: Counter[str] = Counter()

    def _ask(self, what: str) -> None:
        self.asked[what] += 1
        if self.away:
            raise StoreUnavailable("ClickHouse does not answer")

    def within(self, scope: Scope, since: datetime, until: datetime) -> list[dict[str, Any]]:
        def fits(wanted: str, value: str) -> bool:
            return not wanted or wanted == value or (wanted == "unknown" and value == "")

        return [
            row
            for row in self.world.touchpoints
            if since <= row["minute"] <= until
            and (
                row["on_map"] or (scope.traffic and row.get("traffic") and row["touchpoint_type"] not in scope.records)
            )
            and fits(scope.persona, row["persona"])
            and fits(scope.segment, row["segment"])
            and fits(scope.channel, row["channel"])
            and (not scope.types or row["touchpoint_type"] in scope.types)
            and scope.account in ("", row["account_id"])
            and (not scope.tier or row["account_id"] in self._of_tier(scope.tier))
        ]

    def _of_tier(self, tier: str) -> set[str]:
        return {each["account_id"] for each in self.world.accounts if self._tier(each) == tier}

    @staticmethod
    def _tier(account: Row) -> str:
        return str(json.loads(str(account["traits"])).get("tier", "")).lower()

    def _carried(self, scope: Scope | None) -> Callable[[Row], bool]:
        """Whether a signal's touchpoint is in the scope."""
        if scope is None or not scope.is_filtered:
            return lambda _: True
        carriers = {row["event_id"] for row in self.within(scope, EPOCH, NOW + timedelta(days=999))}
        return lambda signal: signal["event_id"] in carriers

    async def fingerprint(self) -> str:
        self._ask("fingerprint")
        return str((len(self.world.touchpoints), len(self.world.signals), len(self.world.accounts)))

    async def first_minute(self) -> datetime | None:
        self._ask("first_minute")
        return min((row["minute"] for row in self.world.touchpoints), default=None)

    async def cells(self, scope: Scope, span: Range, *, sparks: bool = True, people: bool = True) -> Cells:
        self._ask("cells")
        rows = self.within(scope, span.since, span.until)
        keys = {(row["phase"], row["touchpoint_type"]) for row in rows}
        by_cell = {
            key: total([row for row in rows if (row["phase"], row["touchpoint_type"]) == key], span) for key in keys
        }
        by_phase = {phase: total([row for row in rows if row["phase"] == phase], span) for phase, _ in keys}
        return Cells(by_cell, by_phase, total(rows, span))

    async def active_accounts(self, scope: Scope, span: Range) -> int:
        self._ask("active_accounts")
        seen = {row["account_id"] for row in self.within(scope, span.since, span.until)}
        return len([each for each in seen if not each.startswith("anon:")])

    async def history(self, scope: Scope, span: Range, windows: int) -> Mapping[CellKey, Sequence[tuple[int, int]]]:
        self._ask("history")
        found: dict[CellKey, list[tuple[int, int]]] = {}
        for ago in range(windows):
            for row in self.within(scope, span.since - span.length * (ago + 1), span.until - span.length * (ago + 1)):
                series = found.setdefault((row["phase"], row["touchpoint_type"]), [(0, 0)] * windows)
                series[ago] = (series[ago][0] + bool(row["friction"]), series[ago][1] + 1)
        return found

    async def unmapped(self, scope: Scope, span: Range, known: Sequence[str]) -> Sequence[Row]:
        self._ask("unmapped")
        rows = [r for r in self.within(scope, span.since, span.until) if r["touchpoint_type"] not in known]
        counted = Counter((row["source"], row["vendor_type"]) for row in rows)
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:3]
        return [{"source": key[0], "vendor_type": key[1], "volume": volume} for key, volume in ranked]

    async def daily(self, scope: Scope, span: Range) -> Daily:
        self._ask("daily")
        found: dict[CellKey, dict[date, tuple[float, int]]] = {}
        for row in self.within(scope, span.since, span.until):
            days = found.setdefault((row["phase"], row["touchpoint_type"]), {})
            pain, volume = days.get(row["minute"].date(), (0.0, 0))
            days[row["minute"].date()] = (pain + row["pain"], volume + 1)
        return found

    def _painful(self, scope: Scope, span: Range, by_definition: Sequence[str]) -> list[dict[str, Any]]:
        rows = self.within(scope, span.since, span.until)
        known = [row for row in rows if not row["account_id"].startswith("anon:")]
        return [row for row in known if row["friction"] or row["touchpoint_type"] in by_definition]

    async def hurt(self, scope: Scope, span: Range, by_definition: Sequence[str], *, is_named: bool = True) -> Hurts:
        self._ask("hurt")
        rows = self._painful(scope, span, by_definition)

        def whom(mine: Sequence[Mapping[str, Any]], by: Sequence[str]) -> Hurt:
            pained: Counter[tuple[str, ...]] = Counter()
            for row in mine:
                pain = 1 if row["touchpoint_type"] in by_definition else row["pain"]
                pained[(row["account_id"], *(row[name] for name in by))] += pain
            worst = sorted(pained, key=lambda key: (pained[key], key[0]), reverse=True)
            return Hurt(len({key[0] for key in pained}), tuple(key[0] for key in worst[:8]))

        cells = {(row["phase"], row["touchpoint_type"]) for row in rows}
        of_cell = {key: [row for row in rows if (row["phase"], row["touchpoint_type"]) == key] for key in cells}
        of_type = {kind: [row for row in rows if row["touchpoint_type"] == kind] for _, kind in cells}
        return Hurts(
            {key: whom(mine, ()) for key, mine in of_cell.items()},
            {kind: whom(mine, ("phase",)) for kind, mine in of_type.items()},
            whom(rows, ("phase", "touchpoint_type")),
            {row["account_id"]: row["name"] for row in self.world.accounts} if is_named else {},
        )

    async def hurt_accounts(self, scope: Scope, span: Range, by_definition: Sequence[str], limit: int) -> Sequence[Row]:
        self._ask("hurt_accounts")
        of: dict[str, list[dict[str, Any]]] = {}
        for row in self._painful(scope, span, by_definition):
            of.setdefault(row["account_id"], []).append(row)
        accounts = {row["account_id"]: row for row in self.world.accounts}
        found = []
        for account_id, rows in of.items():
            kinds: Counter[str] = Counter()
            for row in rows:
                kinds[row["touchpoint_type"]] += 1 if row["touchpoint_type"] in by_definition else row["pain"]
            told = {name: accounts.get(account_id, {}).get(name, "") for name in ("name", "phase", "segment")}
            found.append(
                told
                | {
                    "account_id": account_id,
                    "pained": sum(kinds.values()),
                    "worst_type": max(kinds, key=lambda kind: (round(kinds[kind], 6), kind)),
                    "last_at": max(row["occurred_at"] for row in rows),
                }
            )
        return sorted(found, key=lambda row: (-round(row["pained"], 6), row["account_id"]))[:limit]

    async def last_minute(self, scope: Scope) -> datetime | None:
        self._ask("last_minute")
        rows = self.within(scope, EPOCH, NOW + timedelta(days=999))
        return max((row["minute"] for row in rows), default=None)

    async def tiers(self) -> Sequence[str]:
        self._ask("tiers")
        return sorted(set(map(self._tier, self.world.accounts)) - {""})

    async def people(self, text: str, since: datetime, limit: int) -> Sequence[Row]:
        self._ask("people")
        last: dict[tuple[str, str], datetime] = {}
        for row in self.world.touchpoints:
            if text.lower() in row["person_id"].lower() and row["minute"] >= since:
                key = (row["person_id"], row["account_id"])
                last[key] = max(row["occurred_at"], last.get(key, row["occurred_at"]))
        newest = sorted(last, key=lambda key: (-last[key].timestamp(), key))[:limit]
        return [{"person_id": key[0], "account_id": key[1], "last_at": last[key]} for key in newest]

    async def population(self, scope: Scope, span: Range) -> Row:
        self._ask("population")
        pains: dict[str, list[float]] = {}
        carried = self._carried(scope)
        for row in self.world.signals:
            known = not row["account_id"].startswith("anon:") and row["opened_at"] >= span.since
            if known and carried(row):
                pains.setdefault(row["account_id"], []).append(row["severity"])
        at_risk = [each for each in pains.values() if max(each) >= 0.6 or len(each) >= 3]
        if scope.is_filtered:
            seen = list({row["account_id"] for row in self.within(scope, span.since, span.until)})
        else:
            seen = [
                row["account_id"]
                for row in self.world.accounts
                if row["last_seen_at"] >= span.since
                and (row["on_map_touchpoints"] or not row["account_id"].startswith("anon:"))
            ]
        visitors = [account_id for account_id in seen if account_id.startswith("anon:")]
        return {"accounts": len(seen) - len(visitors), "visitors": len(visitors), "at_risk": len(at_risk)}

    async def worst_rules(self, scope: Scope, span: Range, without: Sequence[str]) -> Mapping[CellKey, str]:
        self._ask("worst_rules")
        sums: dict[CellKey, Counter[str]] = {}
        carried = self._carried(scope)
        for row in self.world.signals:
            if row["rule"] in without or row["polarity"] != "friction" or not carried(row):
                continue
            if span.since <= row["opened_at"] < span.until + timedelta(minutes=1):
                found = sums.setdefault((row["phase"], row["touchpoint_type"]), Counter())
                found[row["rule"]] += round(row["severity"] * 1000)
        return {key: min(found, key=lambda rule: (-found[rule], rule)) for key, found in sums.items()}

    async def measures(self, query: CellQuery) -> Mapping[str, float]:
        self._ask("measures")
        rows = self.within(query.scope, query.span.since, query.span.until)
        mine = [row for row in rows if (row["phase"], row["touchpoint_type"]) == (query.phase, query.touchpoint_type)]
        taken = [took for row in mine if (took := json.loads(row["properties"]).get("duration_ms"))]
        return {"duration_ms": median(taken)} if taken else {}

    async def channels(self) -> Sequence[str]:
        self._ask("channels")
        return sorted({row["channel"] for row in self.world.touchpoints})

    async def freshness(self) -> Sequence[Row]:
        self._ask("freshness")
        return self.sources

    async def slots(self, since: datetime) -> Sequence[Row]:
        self._ask("slots")
        slots: dict[str, set[int]] = {}
        for row in self.world.touchpoints:
            if row["received_at"] >= since and row["minute"] >= since.replace(second=0, microsecond=0):
                slots.setdefault(row["source"], set()).add(int(row["received_at"].timestamp()) // SLOT_S)
        return [{"source": source, "slots": sorted(found), "lag_s": 0.0} for source, found in slots.items()]

    async def ignored(self, since: datetime) -> Sequence[Row]:
        self._ask("ignored")
        return self.left_out

    async def nobodies(self, since: datetime, most: int) -> Sequence[Row]:
        self._ask("nobodies")
        return self.named_nobody[:most]

    async def traffic(self, since: datetime) -> Sequence[Row]:
        self._ask("traffic")
        return self.others

    async def claims(self) -> Sequence[Row]:
        self._ask("claims")
        return self.claimed

    async def kept_off(self, scope: Scope, span: Range, records: Sequence[str]) -> Sequence[Row]:
        self._ask("kept_off")
        every = replace(scope, traffic="all", records=tuple(records))
        rows = [row for row in self.within(every, span.since, span.until) if not row["on_map"]]
        counted = Counter(row["traffic"] for row in rows)
        newest = {row["traffic"]: row for row in sorted(rows, key=lambda row: row["occurred_at"])}
        return [
            {"traffic": kind, "touchpoints": n, "example": newest[kind]["url_host"] or newest[kind]["agent"]}
            for kind, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        ]

    async def signals(self, query: SignalQuery) -> Sequence[Row]:
        self._ask("signals")
        carried = self._carried(query.scope)
        rows = [
            row
            for row in self.world.signals
            if row["polarity"] == query.polarity
            and (query.since is None or row["opened_at"] >= query.since)
            and query.account_id in ("", row["account_id"])
            and query.phase in ("", row["phase"])
            and query.touchpoint_type in ("", row["touchpoint_type"])
            and (not query.rules or row["rule"] in query.rules)
            and row["rule"] not in query.without
            and carried(row)
            and (not query.cases or row.get("case_id", "") in query.cases)
            and (query.after is None or (row["opened_at"], row["signal_id"]) < query.after)
        ]
        rows.sort(key=lambda row: (row["opened_at"], row["signal_id"]), reverse=True)
        names = {row["account_id"]: row["name"] for row in self.world.accounts}
        carriers = {row["event_id"]: row for row in self.world.touchpoints}
        told = ("persona", "account_method", "account_confidence")
        return [
            row
            | {"account_name": names.get(row["account_id"], "")}
            | {name: carriers[row["event_id"]][name] for name in told if row["event_id"] in carriers}
            for row in rows[: query.limit]
        ]

    async def pained(self, query: PainQuery) -> Sequence[Row]:
        self._ask("pained")
        carried, since = self._carried(query.scope), query.span.since

        def hurts(row: Mapping[str, Any], at: datetime) -> bool:
            return at >= since or (not row["is_closed"] and row["rule"] in query.waits)

        found = [
            {"account_id": row["account_id"], "part_id": row["signal_id"], "at": at}
            for row in self.world.signals
            if row["polarity"] == "friction" and row["rule"] not in query.derived and carried(row)
            if hurts(row, at := max(row["opened_at"], row["closed_at"]))
        ]
        found += [
            {"account_id": row["account_id"], "part_id": f"touchpoint:{row['event_id']}", "at": row["occurred_at"]}
            for row in self.within(query.scope, since, query.span.until)
            if row["touchpoint_type"] in query.types
        ]
        scope = query.scope
        if not (scope.persona or scope.channel or scope.owner or scope.segment):
            found += [
                {"account_id": row["account_id"], "part_id": f"phase:{move['event_id']}", "at": at}
                for row in self.world.accounts
                if scope.account in ("", row["account_id"]) and (not scope.tier or self._tier(row) == scope.tier)
                for move in json.loads(str(row["transitions"]))
                if move.get("direction") in ("backward", "exit")
                and move["accepted"]
                and (at := datetime.fromisoformat(move["at"])) >= since
            ]
        return sorted(found, key=lambda row: (-row["at"].timestamp(), row["part_id"]))[: query.limit]

    async def pains(self, accounts: Sequence[str], asked: Mapping[str, object], near: Near | None = None) -> Pains:
        self._ask("pains")
        since, carriers = asked["since"], {row["event_id"]: row for row in self.world.touchpoints}
        assert isinstance(since, datetime)
        signals = [
            row | {"persona": carriers[row["event_id"]]["persona"] if row["event_id"] in carriers else ""}
            for row in self.world.signals
            if row["account_id"] in accounts and row["polarity"] == "friction" and row["opened_at"] >= since
        ]
        touchpoints = [
            {"title": "", **row}
            for row in self.world.touchpoints
            if row["account_id"] in accounts and row["touchpoint_type"] in cast("list[str]", asked["types"])
        ]
        return Pains(signals, touchpoints, [row for row in self.world.accounts if row["account_id"] in accounts])

    async def figures(self, asked_for: Sequence[tuple[str, dict[str, Any]]]) -> Sequence[Sequence[Row]]:
        return [[] for _ in asked_for]

    async def carriers(self, accounts: Sequence[str], events: Sequence[str]) -> Sequence[Row]:
        self._ask("carriers")
        pairs = set(zip(accounts, events, strict=True))
        return [row for row in self.world.touchpoints if (row["account_id"], row["event_id"]) in pairs]

    async def owners_of(self, events: Sequence[str]) -> Mapping[str, str]:
        self._ask("owners_of")
        return {row["event_id"]: row["account_id"] for row in self.world.touchpoints if row["event_id"] in events}

    async def events(self, account_id: str, events: Sequence[str]) -> Sequence[Row]:
        self._ask("events")
        rows = [row for row in self.world.touchpoints if row["account_id"] == account_id and row["event_id"] in events]
        return [self._with_signals(row) for row in rows]

    async def accounts(self, query: AccountQuery) -> Sequence[Row]:
        self._ask("accounts")
        rows = [
            row
            for row in self.world.accounts
            if query.phase in ("", row["phase"])
            and query.identified in (None, not row["account_id"].startswith("anon:"))
            and (query.identified is not False or row["on_map_touchpoints"])
            and query.text.lower() in f"{row['name']}\0{row['account_id']}".lower()
        ]
        if query.scope and query.span and query.scope.is_filtered:
            there = {row["account_id"] for row in self.within(query.scope, query.span.since, query.span.until)}
            rows = [row for row in rows if row["account_id"] in there]
        keyed = sorted(((self._key(query, row), row["account_id"], row) for row in rows), key=lambda each: each[:2])
        if query.sort != "name":
            keyed.reverse()
        if query.after is not None:
            places = [(str(key), account_id) for key, account_id, _ in keyed]
            keyed = keyed[places.index(query.after) + 1 :]
        return [row | {"sort_key": str(key)} for key, _, row in keyed[: query.limit + 1]]

    @staticmethod
    def _key(query: AccountQuery, row: Row) -> Any:
        seen_at: Any = row["last_seen_at"]
        keys = {
            "recent": int(seen_at.timestamp() * 1000),
            "friction": row["friction_signals"],
            "touchpoints": row["touchpoints"],
            "name": str(row["name"] or row["account_id"]).lower(),
        }
        return keys[query.sort]

    async def ranked_accounts(self, query: RankedQuery) -> Sequence[Row]:
        self._ask("ranked_accounts")
        hurts = await self.hurt_accounts(query.scope, query.span, query.by_definition, 10_000)
        pains = {row["account_id"]: row for row in hurts}
        listed = AccountQuery(identified=True, limit=10_000, scope=query.scope, span=query.span)
        rows: list[dict[str, Any]] = []
        for row in await self.accounts(listed):
            told, hurt = json.loads(str(row["traits"])), pains.get(row["account_id"], {"pained": 0.0, "worst_type": ""})
            arr, mrr = float(told.get("arr") or 0), 12 * float(told.get("mrr") or 0)
            more = {"pained": hurt["pained"], "worst_type": hurt["worst_type"], "tier": self._tier(row)}
            more |= {"revenue": arr or mrr, "open_incidents": row.get("open_incidents", 0)}
            more |= {"owner": told.get("owner", "")}
            rows.append({"committee_completeness": math.nan, **row, **more})

        def number(row: Row) -> float:
            since: Any = row["phase_since"] if row["phase_since"] > EPOCH else row["first_seen_at"]
            seen: Any = row["last_seen_at"]
            known: Any = row["committee_completeness"]
            keys: dict[str, Any] = {"pain": row["pained"], "revenue": row["revenue"], "recent": seen.timestamp()}
            keys |= {"phase": -query.phases.index(str(row["phase"])), "stay": -since.timestamp()}
            keys |= {"incidents": row["open_incidents"], "people": row["people"], "touchpoints": row["touchpoints"]}
            keys |= {"committee": -1 if math.isnan(known) else known}
            return float(keys[query.sort])

        def text(row: Row) -> str:
            worst = str(row["worst_type"])
            keys = {"tier": row["tier"], "owner": row["owner"], "segment": row["segment"], "name": row["name"]}
            return str((keys | {"because": query.kinds.get(worst, worst)})[query.sort] or "\U0010ffff").lower()

        by_text = query.sort in ("tier", "name", "owner", "segment", "because")
        ids = sorted(rows, key=lambda row: row["account_id"], reverse=not by_text)
        ids.sort(key=lambda row: -row["last_seen_at"].timestamp())
        if by_text:
            ids.sort(key=text)
        else:
            ids.sort(key=number, reverse=True)
        first = [row["account_id"] for row in ids].index(query.after[2]) + 1 if query.after else 0
        return [row | {"sort_key": "", "seen_key": 0} for row in ids[first : first + query.limit]]

    async def account(self, account_id: str) -> Row | None:
        self._ask("account")
        return next((row for row in self.world.accounts if row["account_id"] == account_id), None)

    async def timeline(self, account_id: str, limit: int, after: TimeKey | None) -> Sequence[Row]:
        self._ask("timeline")
        rows = [
            row
            for row in self.world.touchpoints
            if row["account_id"] == account_id and (after is None or (row["occurred_at"], row["event_id"]) < after)
        ]
        rows.sort(key=lambda row: (row["occurred_at"], row["event_id"]), reverse=True)
        return [self._with_signals(row) for row in rows[: limit + 1]]

    def _with_signals(self, row: dict[str, Any]) -> dict[str, Any]:
        mine = [each for each in self.world.signals if each["account_id"] == row["account_id"]]
        blank = {"clock_suspect": 0, "title": "", "text": ""}
        return (
            blank
            | row
            | {
                "signals": [each for each in mine if each["event_id"] == row["event_id"]],
                "evidence_of": [each for each in mine if row["event_id"] in each["evidence"]],
            }
        )

    async def days(self, query: DaysQuery) -> tuple[Sequence[Row], TimeKey | None]:
        self._ask("days")
        rows = [
            row
            for row in self.within(query.scope, query.since, NOW)
            if (query.account_id in ("", row["account_id"]) and query.person_id in ("", row["person_id"]))
            and (query.after is None or (row["occurred_at"], row["event_id"]) < query.after)
        ]
        rows.sort(key=lambda row: (row["occurred_at"], row["event_id"]), reverse=True)
        shown = rows[: query.limit]
        more = (shown[-1]["occurred_at"], shown[-1]["event_id"]) if len(rows) > query.limit else None
        return [self._with_signals(row) for row in shown], more

    def _sums(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        felt = [row["emotion"] for row in rows if row["has_emotion"]]
        return {
            "persona": rows[0]["persona"],
            "touchpoints": sum(row["on_map"] for row in rows),
            "pain": sum(row["pain"] for row in rows),
            "emotion_sum": sum(felt),
            "statements": len(felt),
            "first_at": min(row["occurred_at"] for row in rows),
            "last_at": max(row["occurred_at"] for row in rows),
            "title": "",
        }

    async def flow(self, since: datetime) -> Sequence[Row]:
        self._ask("flow")
        rows = [row for row in self.world.touchpoints if row["minute"] >= since]
        told = ("source", "touchpoint_type", "on_map")
        counted = Counter(
            (int((row["minute"] - since).total_seconds()) // 3600, *(row[name] for name in told)) for row in rows
        )
        return [dict(zip(("hour", *told), key, strict=True)) | {"n": n} for key, n in counted.items()]

    async def latest(self, since: datetime, limit: int) -> Sequence[Row]:
        self._ask("latest")
        names = {row["account_id"]: row["name"] for row in self.world.accounts}
        rows = [row for row in self.world.touchpoints if row["minute"] >= since]
        rows.sort(key=lambda row: (-row["received_at"].timestamp(), row["event_id"]))
        return [{"traffic": ""} | row | {"name": names.get(row["account_id"], "")} for row in rows[:limit]]

    async def variants(self, scope: Scope, span: Range, by_definition: Sequence[str]) -> Sequence[Row]:
        self._ask("variants")
        slices: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self.within(scope, span.since, span.until):
            for dim in ("phase", "persona", "segment", "channel"):
                slices.setdefault((dim, row[dim]), []).append(row)
            slices.setdefault(("device", row.get("device", "")), []).append(row)
        found: list[dict[str, Any]] = []
        for (dim, one), rows in slices.items():
            painful = [row for row in rows if row["friction"] or row["touchpoint_type"] in by_definition]
            pain = sum(1 if row["touchpoint_type"] in by_definition else row["pain"] for row in painful)
            hurt = {row["account_id"] for row in painful if not row["account_id"].startswith("anon:")}
            found.append({"dim": dim, "id": one, "volume": len(rows), "pain": pain, "accounts": len(hurt)})
        return sorted(found, key=lambda row: (row["dim"], -row["pain"], -row["volume"], row["id"]))

    async def beside(self, scope: Scope, span: Range, by_definition: Sequence[str], *, after: bool) -> Sequence[Row]:
        self._ask("beside")
        rows = self.within(scope, span.since, span.until)
        found: Counter[str] = Counter()
        for row in rows:
            if not (row["friction"] or row["touchpoint_type"] in by_definition):
                continue
            others = [
                each
                for each in self.world.touchpoints
                if each["account_id"] == row["account_id"] and each["touchpoint_type"] not in scope.types
                if each["on_map"]
            ]
            at, reach = row["occurred_at"], timedelta(days=3 if after else 1)
            near = [each for each in others if (each["occurred_at"] > at if after else each["occurred_at"] < at)]
            nearest = min(near, key=lambda each: abs(each["occurred_at"] - at), default=None)
            within = nearest is not None and abs(nearest["occurred_at"] - at) <= reach
            found[nearest["touchpoint_type"] if nearest is not None and within else ""] += 1
        return [{"kind": kind, "n": n} for kind, n in sorted(found.items(), key=lambda one: (-one[1], one[0]))]

    async def said(self, scope: Scope, span: Range, limit: int) -> Sequence[Row]:
        self._ask("said")
        names = {row["account_id"]: row["name"] for row in self.world.accounts}
        rows = [row for row in self.within(scope, span.since, span.until) if row["text"]]
        rows.sort(key=lambda row: (row["emotion"] if row["has_emotion"] else 0, -row["occurred_at"].timestamp()))
        told = ("event_id", "account_id", "persona", "occurred_at", "text")
        return [
            {name: row[name] for name in told}
            | {
                "account_name": names.get(row["account_id"], ""),
                "felt": row["emotion"] if row["has_emotion"] else math.nan,
            }
            for row in rows[:limit]
        ]

    async def people_of(self, account_id: str) -> Sequence[Row]:
        self._ask("people_of")
        mine = [row for row in self.world.touchpoints if row["account_id"] == account_id and row["person_id"]]
        people = sorted({row["person_id"] for row in mine})
        return [{"person_id": p} | self._sums([row for row in mine if row["person_id"] == p]) for p in people]

    async def accounts_of(self, person_id: str) -> Sequence[Row]:
        self._ask("accounts_of")
        mine = [row for row in self.world.touchpoints if row["person_id"] == person_id]
        accounts = {row["account_id"]: row for row in self.world.accounts}
        told = ("name", "segment", "traits")
        ids = sorted({row["account_id"] for row in mine})
        return [
            {"account_id": a, "accounts": len(ids), **{name: accounts.get(a, {}).get(name, "") for name in told}}
            | self._sums([row for row in mine if row["account_id"] == a])
            for a in ids
        ]

    async def touchpoint(self, event_id: str) -> Row | None:
        self._ask("touchpoint")
        row = next((row for row in self.world.touchpoints if row["event_id"] == event_id), None)
        payload = '{"attribution": {"rejected": [{"account_id": "crm:9", "method": "domain", "why": "two owners"}]}}'
        return None if row is None else self._with_signals(row) | {"payload": payload}

    async def corrections(self, account_id: str, limit: int) -> Sequence[Row]:
        self._ask("corrections")
        rows = [row for row in self.world.corrections if row["account_id"] == account_id]
        return sorted(rows, key=lambda row: row["corrected_at"], reverse=True)[:limit]

    async def proposals(self, query: ProposalQuery) -> Sequence[Row]:
        self._ask("proposals")
        rows = [
            row
            for row in self.world.proposals
            if query.status in ("", row["status"])
            and (query.after is None or (row["since"], row["proposal_id"]) < query.after)
        ]
        rows.sort(key=lambda row: (row["since"], row["proposal_id"]), reverse=True)
        return rows[: query.limit + 1]

    async def proposal(self, proposal_id: str) -> Row | None:
        self._ask("proposal")
        return next((row for row in self.world.proposals if row["proposal_id"] == proposal_id), None)

    async def erasure(self, erasure_id: str) -> Row:
        self._ask("erasure")
        return self.world.erasures.get(erasure_id, {"asked": False, "noted": False})

    async def open_proposals(self) -> int:
        self._ask("open_proposals")
        return len([row for row in self.world.proposals if row["status"] == "open"])

    async def shares(self, query: CellQuery) -> Sequence[Row]:
        self._ask("shares")
        rows = [
            row
            for row in self.within(query.scope, query.span.since, query.span.until)
            if (row["phase"], row["touchpoint_type"]) == (query.phase, query.touchpoint_type)
        ]
        found: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            slices = [("persona", row["persona"]), ("channel", row["channel"])]
            for key in [*slices, *(("rule", rule) for rule in row["friction_rules"])]:
                found.setdefault(key, []).append(int(row["friction"] > 0))
        return [{"kind": k, "id": i, "volume": len(v), "frictions": sum(v)} for (k, i), v in found.items()]


def browser_of(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    """Asks the application directly, by the name a browser on this machine would use."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8090", headers=headers)


def words_of(page: str) -> str:
    """What a page says, without its marks."""
    return re.sub(r"<[^>]+>", "", page)
