"""Which part of the map is asked for: a time window, what it is compared with, and the filters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args
from urllib.parse import urlencode

WindowId = Literal["1h", "24h", "7d", "30d", "90d", "all"]
WINDOWS: tuple[WindowId, ...] = get_args(WindowId)

_LENGTHS: dict[WindowId, timedelta] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
WINDOW_LABELS: dict[WindowId, str] = {
    "1h": "last hour",
    "24h": "last 24 hours",
    "7d": "last 7 days",
    "30d": "last 30 days",
    "90d": "last 90 days",
    "all": "all time",
}
CompareId = Literal["before", "4w", "1y"]
COMPARES: tuple[CompareId, ...] = get_args(CompareId)
_BACK: dict[CompareId, timedelta] = {"4w": timedelta(weeks=4), "1y": timedelta(days=364)}
COMPARE_LABELS: dict[CompareId, str] = {"before": "just before", "4w": "4 weeks earlier", "1y": "a year earlier"}
"""Four weeks and 52 weeks: a Monday is compared with a Monday."""
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
TRAFFIC = ("", "all")
Ranking = Literal[
    "pain", "tier", "revenue", "recent", "phase", "stay", "name", "because", "incidents", "owner", "segment",
    "committee", "people", "touchpoints",
]  # fmt: skip
RANKINGS: tuple[Ranking, ...] = get_args(Ranking)
"""How the list of accounts may be sorted; `stay`: the longest in its phase first."""
USUAL_RANKING: Ranking = "pain"
COLUMNS = (
    "pain", "because", "incidents", "tier", "revenue", "owner", "phase", "stay", "segment", "committee", "people",
    "touchpoints", "seen",
)  # fmt: skip
"""What the list of accounts may show beside their names."""
FILTERS = ("persona", "segment", "owner", "channel", "tier", "account")


@dataclass(frozen=True, slots=True)
class Scope:
    """Empty filters ask for everything; `unknown` asks for touchpoints without that attribute.

    `owner`: the department that answers for a touchpoint type; `tier`: of the account, as its CRM says;
    `account`: an account's id. `types`: the touchpoint types of the owner, by the blueprint. `subject`: what a page is
    about that is about one thing, and `before`: where an earlier part of its timeline begins; neither is a filter.
    `sort` and `columns` (with commas) are of the list of accounts; empty: as usual. `after`: where its part begins.
    `traffic`: `all` counts what the blueprint leaves out, too, except types that are on no map anyway, the `records`.
    """

    window: WindowId = "24h"
    persona: str = ""
    segment: str = ""
    channel: str = ""
    owner: str = ""
    tier: str = ""
    account: str = ""
    compare: CompareId = "before"
    types: tuple[str, ...] = ()
    subject: str = ""
    before: str = ""
    traffic: str = ""
    records: tuple[str, ...] = ()
    sort: Ranking | Literal[""] = ""
    columns: str = ""
    after: str = ""

    @property
    def is_filtered(self) -> bool:
        return any(getattr(self, name) for name in FILTERS)

    @property
    def of_accounts(self) -> bool:
        """Whether it asks for what the sums of minutes and days do not tell: of some accounts."""
        return bool(self.tier or self.account)

    def query(self, **changes: str) -> str:
        """As a URL's query, without what is default."""
        return urlencode(self.fields(**changes))

    def fields(self, **changes: str) -> dict[str, str]:
        """The fields of the query, for a form."""
        compare = "" if self.compare == "before" else self.compare
        fields = {"window": self.window, "compare": compare, **{name: getattr(self, name) for name in FILTERS}}
        fields |= {"traffic": self.traffic, "sort": self.sort, "columns": self.columns}
        return {key: value for key, value in (fields | changes).items() if value}

    def whole_query(self) -> str:
        """With what the page is about, too."""
        return self.query(subject=self.subject, before=self.before, after=self.after)


@dataclass(frozen=True, slots=True)
class Range:
    """Whole minutes, both ends included; `step_s` is the width of one of a sparkline's buckets."""

    since: datetime
    until: datetime
    step_s: int

    @property
    def length(self) -> timedelta:
        return self.until - self.since + MINUTE

    def compared(self, compare: CompareId) -> Range:
        """The stretch of the same length that it is compared with; it never reaches into this one."""
        back = max(self.length, _BACK.get(compare, self.length))
        return Range(self.since - back, self.until - back, self.step_s)

    @property
    def spark_origin(self) -> datetime:
        """Where the first bucket begins: buckets longer than an hour are made of whole hours."""
        return self.since.replace(minute=0) if self.step_s >= HOUR_S else self.since

    @property
    def whole_days(self) -> list[date]:
        """Days (UTC) all of whose minutes lie within."""
        first, last = _midnight_from(self.since), self.until + MINUTE
        return [(first + n * DAY).date() for n in range((last - first) // DAY)]

    def whole_days_before(self, windows: int) -> list[date]:
        """Days that lie within one of the windows of the same length before this one."""
        ends = [self.since - self.length * ago - MINUTE for ago in range(windows)]
        return [day for end in ends for day in Range(end - self.length + MINUTE, end, self.step_s).whole_days]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a stretch of time is read: `days` from their roll-ups, and the minutes of the gaps (both ends included)."""

    days: tuple[date, ...]
    gaps: tuple[tuple[datetime, datetime], ...]


MAX_GAPS = 8


def reading(since: datetime, until: datetime, settled: Iterable[date]) -> Reading:
    """`since` to `until`, whole minutes, with whole days of it that are `settled`. Of many gaps the last is long."""
    days: list[date] = []
    gaps: list[tuple[datetime, datetime]] = []
    for day in sorted(settled):
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if since < begin:
            if len(gaps) == MAX_GAPS - 1:
                break
            gaps.append((since, begin - MINUTE))
        days.append(day)
        since = begin + DAY
    if since <= until:
        gaps.append((since, until))
    return Reading(tuple(days), tuple(gaps))


def _midnight_from(at: datetime) -> datetime:
    """The first midnight that is not before `at`."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == at else midnight + DAY


BUCKETS = 24
HOUR_S = 3600


def floor_minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def range_of(window: WindowId, as_of: datetime, first_minute: datetime | None = None) -> Range:
    """The minutes of `window` that ends with the minute of `as_of`. `all` begins at `first_minute`."""
    until = floor_minute(as_of)
    length = _LENGTHS.get(window)
    since = until - length + MINUTE if length else min(first_minute or until, until)
    step_s = -(-(int((until - since) / MINUTE) + 1) // BUCKETS) * 60
    return Range(since, until, -(-step_s // HOUR_S) * HOUR_S if step_s > HOUR_S else step_s)


def nearest_window(last: datetime, as_of: datetime) -> WindowId:
    """The shortest window that ends now and holds `last`."""
    return next((window for window, length in _LENGTHS.items() if as_of - last < length), "all")
