"""Parameters of a request, checked: a wrong one is answered with its name, its value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn, TypeVar, cast, get_args

from fastapi import Depends, Query, Request

from schemas.errors import shown
from services.dashboard import cursors
from services.dashboard.catalogue import Catalogue
from services.dashboard.scope import COLUMNS, COMPARES, RANKINGS, TRAFFIC, USUAL_RANKING, WINDOWS, Ranking, Scope
from services.dashboard.store import AccountQuery, AccountSort, Polarity, SignalQuery, TimeKey

T = TypeVar("T")
SORTS: tuple[AccountSort, ...] = get_args(AccountSort)
POLARITIES: tuple[Polarity, ...] = get_args(Polarity)
MAX_LIMIT = 200
_RANKINGS: tuple[Ranking | Literal[""], ...] = ("", *RANKINGS)
_WORDS = re.compile(r"[\w .:/+-]{1,64}")
Text = Annotated[str, Query(max_length=600)]


class BadParameter(Exception):
    """A parameter of the request is refused."""

    def __init__(self, field: str, value: str, allowed: str) -> None:
        super().__init__(f"`{field}` is {shown(value)}; allowed: {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


def refuse(field: str, value: str, allowed: str) -> NoReturn:
    raise BadParameter(field, value, allowed)


def one_of(field: str, value: str, allowed: tuple[T, ...]) -> T:
    if value not in allowed:
        refuse(field, value, ", ".join(map(str, allowed)))
    return cast(T, value)


def known(field: str, value: str, allowed: Mapping[str, object] | tuple[str, ...]) -> str:
    """Empty, `unknown`, or an id of the blueprint."""
    if value and value != "unknown" and value not in allowed:
        refuse(field, value, ", ".join([*allowed, "unknown"]))
    return value


def limit_of(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_LIMIT):
        refuse("limit", value, f"1 … {MAX_LIMIT}")
    return int(value)


def flag(field: str, value: str) -> bool | None:
    """Empty is not asked."""
    if value not in ("", "0", "1", "true", "false"):
        refuse(field, value, "1, 0, true, false")
    return value in ("1", "true") if value else None


def catalogue_of(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.desk.reader.catalogue
    return catalogue


async def scope_of(  # noqa: PLR0913 - one a filter
    request: Request,
    window: Text = "24h",
    compare: Text = "before",
    persona: Text = "",
    segment: Text = "",
    owner: Text = "",
    channel: Text = "",
    tier: Text = "",
    account: Text = "",
    subject: Text = "",
    before: Text = "",
    traffic: Text = "",
    sort: Text = "",
    columns: Text = "",
    after: Text = "",
) -> Scope:
    """Raises BadParameter."""
    catalogue = catalogue_of(request)
    for field, value in (("channel", channel), ("tier", tier)):
        if value and not _WORDS.fullmatch(value):
            refuse(field, value, f"a {field}'s name")
    time_cursor(before, "before")
    ranking = one_of("sort", sort, _RANKINGS)
    ranked_cursor(after, ranking or USUAL_RANKING, "after")
    return Scope(
        window=one_of("window", window, WINDOWS),
        compare=one_of("compare", compare, COMPARES),
        persona=known("persona", persona, catalogue.personas),
        segment=known("segment", segment, catalogue.segments),
        owner=one_of("owner", owner, ("", *catalogue.owners)),
        channel=channel,
        tier=tier.lower(),
        account=account,
        types=catalogue.owners.get(owner, ()),
        subject=request.path_params.get("about", subject),
        before=before,
        traffic=one_of("traffic", traffic, TRAFFIC),
        records=catalogue.records if traffic else (),
        sort=ranking,
        columns=columns_of(request.query_params.getlist("columns") or [columns]),
        after=after,
    )


def columns_of(values: Iterable[str]) -> str:
    """In the order of the table, each once, whether they come as a list or one by one. Raises BadParameter."""
    named = {name for value in values for name in value.split(",") if name}
    for name in sorted(named):
        one_of("columns", name, COLUMNS)
    return ",".join(name for name in COLUMNS if name in named)


@dataclass(frozen=True, slots=True)
class Paged:
    """`limit` and `cursor` of a list."""

    limit: int
    cursor: str


async def paging_of(limit: Text = "50", cursor: Text = "") -> Paged:
    """Raises BadParameter."""
    return Paged(limit_of(limit), cursor)


Paging = Annotated[Paged, Depends(paging_of)]


async def accounts_of(
    request: Request,
    paging: Paging,
    phase: Text = "",
    identified: Text = "",
    q: Text = "",
    sort: Text = "recent",
) -> AccountQuery:
    """Raises BadParameter."""
    return AccountQuery(
        phase=known("phase", phase, catalogue_of(request).phases),
        identified=flag("identified", identified),
        text=q,
        sort=one_of("sort", sort, SORTS),
        limit=paging.limit,
        after=account_cursor(paging.cursor),
    )


async def signals_of(
    request: Request,
    paging: Paging,
    polarity: Text = "friction",
    account_id: Text = "",
    phase: Text = "",
) -> SignalQuery:
    """Raises BadParameter."""
    return SignalQuery(
        polarity=one_of("polarity", polarity, POLARITIES),
        account_id=account_id,
        phase=known("phase", phase, catalogue_of(request).phases),
        limit=paging.limit,
        after=time_cursor(paging.cursor),
    )


def account_cursor(text: str) -> tuple[str, str] | None:
    try:
        return cursors.decode(text) if text else None
    except cursors.BadCursor:
        refuse("cursor", text, "the `next_cursor` of an answer")


def ranked_cursor(text: str, sort: Ranking, field: str) -> tuple[str, int, str] | None:
    """A place in the list of accounts that is sorted so. Raises BadParameter."""
    try:
        return cursors.decode_ranked(text, sort) if text else None
    except cursors.BadCursor:
        refuse(field, text, f"the place that a list sorted by {sort} was left at")


def time_cursor(text: str, field: str = "cursor") -> TimeKey | None:
    try:
        return cursors.decode_time(text) if text else None
    except cursors.BadCursor:
        refuse(field, text, "the `next_cursor` of an answer")
