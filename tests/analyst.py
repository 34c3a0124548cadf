"""The answers to the questions of docs/how-to/questions.md, counted from a store's rows without SQL or the views."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client

from schemas.touchpoints import AttributedTouchpoint
from streams.journey.blueprints import load

T = TypeVar("T")
Row = dict[str, Any]
Answer = list[tuple[Any, ...]]
PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "questions.md"
_TWELVE = re.compile(r"^## (?!And more)([^\n]+)\n.*?```sql\n(.*?)```", re.S | re.M)
_BLUEPRINT = load().source


def questions() -> dict[str, str]:
    """Heading → its statement."""
    return dict(_TWELVE.findall(PAGE.read_text(encoding="utf-8").partition("## And more")[0]))


class Books:
    """What is stored, as plain rows."""

    def __init__(self, client: Client) -> None:
        def read(table: str) -> list[Row]:
            return list(client.query(f"SELECT * FROM touchline.{table} FINAL").named_results())

        self.now = datetime.now(UTC)
        self.touchpoints = sorted(read("touchpoints"), key=lambda kept: (_at(kept), kept["event_id"]))
        self.on_map = [kept for kept in self.touchpoints if kept["on_map"]]
        self.accounts = {kept["account_id"]: kept for kept in read("account_journeys")}
        self.known = [a for a in self.accounts.values() if not a["account_id"].startswith("anon:")]
        histories = [kept["payload"] for kept in read("histories") if not kept["is_deleted"]]
        self.payloads = [AttributedTouchpoint.decoded(payload) for payload in histories]

    def pain(self, days: float = 30) -> Counter[str]:
        """Account → pain of its last days."""
        found: Counter[str] = Counter()
        for kept in self.on_map:
            if _at(kept) >= self.now - timedelta(days=days):
                found[kept["account_id"]] += kept["pain"]
        return found

    def told(self, names: tuple[str, ...]) -> dict[str, str]:
        """Account → what the CRM last said of it."""
        found: dict[str, str] = {}
        for kept in self.touchpoints:
            if kept["subject"].startswith("company:") and kept["action"] in ("crm_record", "lifecycle_changed"):
                said = json.loads(kept["properties"])
                if said.get("property") in names:
                    found[kept["account_id"]] = said["value"]
        return found


def _at(kept: Row) -> datetime:
    moment: datetime = kept["occurred_at"]
    return moment.replace(tzinfo=UTC)


def _grouped(rows: Iterable[T], key: Callable[[T], Hashable]) -> dict[Any, list[T]]:
    found: dict[Any, list[T]] = defaultdict(list)
    for each in rows:
        found[key(each)].append(each)
    return found


def _share(rows: list[Row]) -> float:
    return sum(bool(kept["friction"]) for kept in rows) / len(rows)


def _owner(kept: Row) -> str:
    owner = next((kind.owner for kind in _BLUEPRINT.types if kind.id == kept["touchpoint_type"]), None)
    return owner.department if owner else ""


def friction_by_phase(books: Books) -> Answer:
    by_phase = _grouped(books.on_map, lambda kept: kept["phase"])
    return [(p.name, len(by_phase[p.id]), _share(by_phase[p.id])) for p in _BLUEPRINT.phases if p.id in by_phase]


def pain_by_owner(books: Books) -> Answer:
    since = (books.now - timedelta(days=29)).date()
    recent = [kept for kept in books.on_map if _at(kept).date() >= since]
    found = _grouped(recent, _owner)
    return [(owner, sum(k["pain"] for k in rows), _share(rows)) for owner, rows in found.items()]


def pain_by_crm_owner(books: Books) -> Answer:
    owners, countries = books.told(("hubspot_owner_id",)), books.told(("country",))
    revenue, pain = books.told(("annualrevenue",)), books.pain()

    def band(account: str) -> str:
        if account not in revenue:
            return ""
        limits = ((1e6, "under 1M"), (1e7, "1M-10M"), (1e8, "10M-100M"), (1e9, "100M-1B"))
        return next((name for most, name in limits if float(revenue[account]) < most), "1B+")

    by = _grouped(
        [account["account_id"] for account in books.known],
        lambda account: (owners.get(account, ""), band(account), countries.get(account, "")),
    )
    made = []
    for key, accounts in by.items():
        told = [float(revenue[account]) for account in accounts if account in revenue]
        made.append((*key, len(accounts), sum(told) if told else None, sum(pain[account] for account in accounts)))
    return made


def revenue_at_risk(books: Books) -> Answer:
    pain = books.pain()
    deals = [
        deal
        for account in books.accounts.values()
        if pain[account["account_id"]] > 0
        for deal in json.loads(account["opportunities"] or "[]")
        if deal["status"] == "open"
    ]
    made = []
    for currency, rows in _grouped(deals, lambda deal: deal["currency"]).items():
        told = [deal["amount"] for deal in rows if deal["amount"] is not None]
        made.append((currency, len(rows), sum(told) if told else None))
    return made


def _band(traits: Row) -> str:
    size = int(traits.get("employees") or -1)
    return next(
        (band for most, band in ((0, ""), (50, "1-49"), (250, "50-249"), (1000, "250-999")) if size < most), "1000+"
    )


def pain_by_industry(books: Books) -> Answer:
    pain = books.pain()
    traits = {a["account_id"]: json.loads(a["traits"]) for a in books.known}
    by = _grouped(books.known, lambda a: (traits[a["account_id"]].get("industry", ""), _band(traits[a["account_id"]])))
    return [(*key, len(rows), sum(pain[a["account_id"]] for a in rows) / len(rows)) for key, rows in by.items()]


def week_on_week(books: Books) -> Answer:
    weeks = _grouped(books.on_map, lambda kept: _at(kept).date() - timedelta(days=_at(kept).weekday()))
    made: Answer = []
    for week, rows in sorted(weeks.items()):
        felt = [kept["emotion"] for kept in rows if kept["has_emotion"]]
        pain = sum(kept["pain"] for kept in rows)
        made.append((week, pain, mean(felt) if felt else None, pain - made[-1][1] if made else None))
    return made


def before_cancelling(books: Books) -> Answer:
    names = {kind.id: kind.name for kind in _BLUEPRINT.types}
    found: list[Row] = []
    for account in books.accounts.values():
        for move in json.loads(account["transitions"]):
            if move["to_phase"] == "lapsed" and move["accepted"]:
                left = datetime.fromisoformat(move["at"])
                found += [
                    kept
                    for kept in books.on_map
                    if kept["account_id"] == account["account_id"]
                    and left - timedelta(days=30)
                    <= _at(kept)
                    < left.replace(microsecond=left.microsecond // 1000 * 1000)
                ]
    by = _grouped(found, lambda kept: names[kept["touchpoint_type"]])
    return [
        (n, len(rows), len({k["account_id"] for k in rows}), sum(k["pain"] for k in rows)) for n, rows in by.items()
    ]


def committee(books: Books) -> Answer:
    seats = [
        seat
        for account in books.accounts.values()
        if any(deal["status"] == "open" for deal in json.loads(account["opportunities"] or "[]"))
        for seat in json.loads(account["committee"] or "[]")
    ]
    by = _grouped(seats, lambda seat: seat["role"])
    return [(role, sum(s["known"] < s["required"] for s in rows), len(rows)) for role, rows in by.items()]


def first_answers(books: Books) -> Answer:
    tickets = _grouped((k for k in books.touchpoints if k["subject"].startswith("ticket:")), lambda k: k["subject"])
    by: dict[str, list[tuple[float | None, bool]]] = defaultdict(list)
    for history in tickets.values():
        told = [json.loads(kept["properties"]) for kept in history]
        opened = [_at(kept) for kept in history if kept["action"] == "ticket_created"]
        replies = [_at(kept) for kept in history if kept["action"] == "ticket_replied_by_agent"]
        waited = (replies[0] - opened[0]).total_seconds() if opened and replies and replies[0] >= opened[0] else None
        reopened = any(t.get("previous") in ("solved", "closed") and t.get("current") == "open" for t in told)
        by[[t["priority"] for t in told if t.get("priority")][-1]].append((waited, reopened))
    made: Answer = []
    for priority, rows in by.items():
        waits = [wait for wait, _ in rows if wait is not None]
        made.append(
            (priority, len(rows), len(rows) - len(waits), median(waits) / 3600, sum(again for _, again in rows))
        )
    return made


def by_campaign(books: Books) -> Answer:
    def first_told(visit: list[Row], name: str) -> str:
        return next((str(kept[name]) for kept in visit if kept[name]), "")

    visits = _grouped((k for k in books.touchpoints if k["session_id"]), lambda k: (k["source"], k["session_id"]))
    begun: dict[tuple[str, ...], list[list[Row]]] = defaultdict(list)
    for visit in visits.values():
        begun[tuple(first_told(visit, name) for name in ("device", "utm_campaign", "referrer_host"))].append(visit)
    made: Answer = []
    for key, rows in begun.items():
        views = sum(kept["action"] == "page_view" for visit in rows for kept in visit)
        hurt = sum(any(kept["friction"] for kept in visit) for visit in rows)
        made.append((*key, len(rows), views, hurt / len(rows), sum(kept["pain"] for visit in rows for kept in visit)))
    return sorted(made, key=lambda each: (-each[3], *each[:3]))[:20]


def angry(books: Books) -> Answer:
    said = [
        kept
        for kept in books.touchpoints
        if kept["text"] and kept["has_emotion"] and kept["emotion"] < -0.2
        and kept["action"] not in ("ticket_replied_by_agent", "client_error")
    ]  # fmt: skip
    said.sort(key=lambda kept: (round(kept["emotion"], 6), _at(kept)))
    names = {account: kept["name"] for account, kept in books.accounts.items()}
    return [(_at(k), names[k["account_id"]], k["persona"], k["text"], k["emotion"]) for k in said[:20]]


def hurt(books: Books) -> Answer:
    roles = {persona.id: persona.buying_role for persona in _BLUEPRINT.personas}
    told: dict[str, Row] = defaultdict(dict)
    for item in sorted(books.payloads, key=lambda p: (p.touchpoint.occurred_at, p.touchpoint.event_id)):
        traits = item.touchpoint.person_traits
        told[item.attribution.person_id] |= {name: value for name, value in traits.items() if value}
    made = []
    for person, rows in _grouped((k for k in books.touchpoints if k["person_id"]), lambda k: k["person_id"]).items():
        pain, last = sum(kept["pain"] for kept in rows if kept["on_map"]), rows[-1]
        name, title = told[person].get("name", ""), told[person].get("title", "")
        account = books.accounts[last["account_id"]]["name"]
        made.append((person, (name, title, roles.get(last["persona"], ""), account, pain, _at(last))))
    made.sort(key=lambda each: (-round(each[1][4], 6), each[0]))
    return [answer for _, answer in made[:20] if answer[4] > 0]


ANSWERS: dict[str, Callable[[Books], Answer]] = {
    "Friction by phase": friction_by_phase,
    "Pain by who answers for it": pain_by_owner,
    "Pain by account owner, revenue and country": pain_by_crm_owner,
    "Revenue at risk": revenue_at_risk,
    "Pain by industry and size": pain_by_industry,
    "Week on week": week_on_week,
    "What precedes a cancellation": before_cancelling,
    "Who is missing in the buying committee": committee,
    "From a ticket to its first answer": first_answers,
    "By device, campaign and site before": by_campaign,
    "What angry customers said": angry,
    "Who was hurt, by name and role": hurt,
}


def comparable(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Rows in one order and form, whichever way they came: the page orders by what may be equal."""
    return sorted(([_plain(value) for value in each] for each in rows), key=_by_words_first)


def _by_words_first(row: list[Any]) -> tuple[str, str]:
    numbers = [value for value in row if isinstance(value, float)]
    return repr([value for value in row if not isinstance(value, float)]), repr([round(n, 2) for n in numbers])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC, microsecond=value.microsecond // 1000 * 1000).isoformat()
    if isinstance(value, (str, date)) or value is None:
        return None if value is None else str(value)
    return float(value)
