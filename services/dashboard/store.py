"""What the dashboard asks of a store. `ClickHouseStore` answers it for real, tests answer it with lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from services.dashboard.numbers import Counts
from services.dashboard.scope import Range, Ranking, Scope

Row = Mapping[str, Any]
AccountSort = Literal["recent", "friction", "touchpoints", "name"]
Polarity = Literal["friction", "delight"]
TimeKey = tuple[datetime, str]
CellKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Cells:
    """The sums of every cell of a scope, of every phase, and of all."""

    by_cell: Mapping[CellKey, Counts]
    by_phase: Mapping[str, Counts]
    total: Counts


@dataclass(frozen=True, slots=True)
class AccountQuery:
    """Which accounts, in which order; `after` is the last row seen: its sort value and its id.

    With a filtered `scope`, those with a touchpoint in it, within `span`.
    """

    phase: str = ""
    identified: bool | None = None
    text: str = ""
    sort: AccountSort = "recent"
    limit: int = 50
    after: tuple[str, str] | None = None
    scope: Scope | None = None
    span: Range | None = None


@dataclass(frozen=True, slots=True)
class RankedQuery:
    """Identified accounts with what hurt them in `span`; `phases` in their order, `kinds`: names of touchpoint types.

    `after`: `sort_key`, `seen_key` and `account_id` of the last row seen. With a filtered `scope`, those with a
    touchpoint in it.
    """

    scope: Scope
    span: Range
    by_definition: tuple[str, ...]
    phases: tuple[str, ...]
    kinds: Mapping[str, str]
    sort: Ranking
    limit: int
    after: tuple[str, int, str] | None = None


@dataclass(frozen=True, slots=True)
class SignalQuery:
    """Which signals, newest first; empty fields are not asked. `without`: not these rules; `cases`: parts of these.

    With a filtered `scope`, those whose touchpoint is in it.
    """

    polarity: Polarity = "friction"
    since: datetime | None = None
    account_id: str = ""
    phase: str = ""
    touchpoint_type: str = ""
    rules: Sequence[str] = ()
    without: Sequence[str] = ()
    cases: Sequence[str] = ()
    limit: int = 50
    after: TimeKey | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Hurt:
    """Identified accounts that something hurt; `worst`: ids of the most hurt, first the most, where it is told."""

    accounts: int = 0
    worst: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hurts:
    """Who was hurt: by each cell, by each touchpoint type, and in all; `names` of the accounts that are told.

    Of cells only how many.
    """

    by_cell: Mapping[CellKey, Hurt]
    by_type: Mapping[str, Hurt]
    total: Hurt
    names: Mapping[str, str]


Daily = Mapping[CellKey, Mapping[date, tuple[float, int]]]
"""(pain, volume) of cells by day (UTC); days without any are left out."""


@dataclass(frozen=True, slots=True)
class DaysQuery:
    """A part of the timeline of an account or a person, within a scope, newest first. Exactly one of the two is set."""

    scope: Scope
    since: datetime
    limit: int
    account_id: str = ""
    person_id: str = ""
    after: TimeKey | None = None


@dataclass(frozen=True, slots=True)
class ProposalQuery:
    """Which questions of who is who, newest first."""

    status: str = "open"
    limit: int = 50
    after: TimeKey | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What customers ask for and how it is answered: names of events, as `plain` makes them."""

    asked: tuple[str, ...]
    answered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PainQuery:
    """Whom something hurt in a scope since then: friction signals without those that are `derived` from others,
    touchpoints of the `types` that are pain by definition, and falls back of the phase. `waits`: rules of silence,
    which hurts until it is answered."""

    scope: Scope
    span: Range
    types: Sequence[str] = ()
    derived: Sequence[str] = ()
    waits: Sequence[str] = ()
    limit: int = 1_000


@dataclass(frozen=True, slots=True)
class Pains:
    """All that hurt some accounts, as rows: what incidents are made of."""

    signals: Sequence[Row] = ()
    touchpoints: Sequence[Row] = ()
    accounts: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Near:
    """Which incidents are looked for among accounts' pains: those that have one of `parts`, rows of `pained`.

    Of the accounts `whole` all pains are wanted. A burst is made of `least` or more within `within_ms`.
    """

    parts: Sequence[Row]
    whole: Sequence[str] = ()
    least: int = 0
    within_ms: int = 0


@dataclass(frozen=True, slots=True)
class CellQuery:
    """One cell of a scope, to be sliced."""

    scope: Scope
    span: Range
    phase: str
    touchpoint_type: str
    questions: Sequence[Question] = ()


class JourneyStore(Protocol):
    """Reads only. Every method may raise StoreUnavailable; rows carry the store's own column names."""

    async def fingerprint(self) -> str:
        """Changes whenever something was written; costs the same however much is stored."""

    async def first_minute(self) -> datetime | None:
        """The oldest minute on the map; None when the map is empty."""

    async def cells(self, scope: Scope, span: Range, *, sparks: bool = True, people: bool = True) -> Cells:
        """The map's sums; a sparkline has one value per `span.step_s`, and is empty when it is not asked for.

        Without `people` nobody counts them: 0.
        """

    async def active_accounts(self, scope: Scope, span: Range) -> int:
        """How many identified accounts have a touchpoint of a scope."""

    async def history(self, scope: Scope, span: Range, windows: int) -> Mapping[CellKey, Sequence[tuple[int, int]]]:
        """(friction, volume) of the windows of the same length before `span`, newest first."""

    async def unmapped(self, scope: Scope, span: Range, known: Sequence[str]) -> Sequence[Row]:
        """source, vendor_type, volume of the three commonest events outside the `known` types."""

    async def daily(self, scope: Scope, span: Range) -> Daily:
        """Pain and volume of every cell by day."""

    async def hurt(self, scope: Scope, span: Range, by_definition: Sequence[str], *, is_named: bool = True) -> Hurts:
        """Whom the touchpoints of a scope hurt; a type of `by_definition` hurts whenever it happens.

        Without `is_named` it is not told who they are, which saves a question.
        """

    async def hurt_accounts(self, scope: Scope, span: Range, by_definition: Sequence[str], limit: int) -> Sequence[Row]:
        """account_id, pained, worst_type, last_at, name, phase, segment of the most hurt accounts."""

    async def last_minute(self, scope: Scope) -> datetime | None:
        """The newest minute on the map of a scope, whatever its window."""

    async def tiers(self) -> Sequence[str]:
        """Every tier of an account, as CRMs say."""

    async def people(self, text: str, since: datetime, limit: int) -> Sequence[Row]:
        """person_id, account_id, last_at of people whose id contains `text`, newest first."""

    async def population(self, scope: Scope, span: Range) -> Row:
        """accounts, visitors, at_risk seen since then; with filters, in the scope."""

    async def worst_rules(self, scope: Scope, span: Range, without: Sequence[str]) -> Mapping[CellKey, str]:
        """The rule with the largest sum of severities in each cell; of equals the first."""

    async def measures(self, query: CellQuery) -> Mapping[str, float]:
        """Medians, by target, of what took time in a cell: answers, solutions, loading. Only what was seen."""

    async def channels(self) -> Sequence[str]:
        """Every channel on the map."""

    async def freshness(self) -> Sequence[Row]:
        """One row of source_freshness a source."""

    async def slots(self, since: datetime) -> Sequence[Row]:
        """source, slots, lag_s: see `streams.incidents.rhythm`."""

    async def ignored(self, since: datetime) -> Sequence[Row]:
        """source, reason, messages that concerned no customer since then; the ten commonest reasons a source."""

    async def nobodies(self, since: datetime, most: int) -> Sequence[Row]:
        """What sources wrote where an id should be: `literal`, `messages`, `first_at`; the commonest first."""

    async def traffic(self, since: datetime) -> Sequence[Row]:
        """source, traffic, touchpoints, counted, example: what came since then and is not of customers."""

    async def claims(self) -> Sequence[Row]:
        """account, value: domains that organisations of helpdesks claim."""

    async def kept_off(self, scope: Scope, span: Range, records: Sequence[str]) -> Sequence[Row]:
        """traffic, touchpoints, example: what of a scope is off the map because of who sent it; `records` aside."""

    async def signals(self, query: SignalQuery) -> Sequence[Row]:
        """Rows of signals, with account_name, persona, account_method and account_confidence."""

    async def pained(self, query: PainQuery) -> Sequence[Row]:
        """account_id, part_id, at of pains of a scope, newest first; `part_id` as incidents name their parts."""

    async def pains(self, accounts: Sequence[str], asked: Mapping[str, object], near: Near | None = None) -> Pains:
        """All that hurt these accounts; `asked`: see `streams.incidents.stored.asked`. Signals carry their persona.

        With `near` what stands for itself may be left out: what shares nothing with any other pain, nor lies so close
        to others that they are a burst. What is one incident with one of its parts is always there. Signals come
        without their persona then.
        """

    async def carriers(self, accounts: Sequence[str], events: Sequence[str]) -> Sequence[Row]:
        """account_id, event_id, persona, account_method, account_confidence of touchpoints by account and event."""

    async def figures(self, asked_for: Sequence[tuple[str, dict[str, Any]]]) -> Sequence[Sequence[Row]]:
        """The answers to statements of `streams.incidents.played`, in their order."""

    async def owners_of(self, events: Sequence[str]) -> Mapping[str, str]:
        """Event → the account that has it, of those that are there."""

    async def events(self, account_id: str, events: Sequence[str]) -> Sequence[Row]:
        """Touchpoints of an account by their ids, as in its timeline."""

    async def accounts(self, query: AccountQuery) -> Sequence[Row]:
        """Rows of account_journeys, at most limit + 1."""

    async def ranked_accounts(self, query: RankedQuery) -> Sequence[Row]:
        """Columns of account_journeys, pained, worst_type, tier, owner, revenue a year, open_incidents, two keys."""

    async def account(self, account_id: str) -> Row | None:
        """The account's row, with traits and transitions as JSON."""

    async def timeline(self, account_id: str, limit: int, after: TimeKey | None) -> Sequence[Row]:
        """The account's touchpoints, newest first, at most limit + 1."""

    async def days(self, query: DaysQuery) -> tuple[Sequence[Row], TimeKey | None]:
        """Touchpoints with their signals, newest first, and where the next part begins; None: nothing is left."""

    async def flow(self, since: datetime) -> Sequence[Row]:
        """source, hour (from `since`), touchpoint_type, on_map, n: what each source sent."""

    async def latest(self, since: datetime, limit: int) -> Sequence[Row]:
        """The touchpoints that came last, with the account's name; those that happened since then."""

    async def variants(self, scope: Scope, span: Range, by_definition: Sequence[str]) -> Sequence[Row]:
        """dim (phase, persona, segment, channel, device), id, volume, pain, accounts (hurt): slices of a scope."""

    async def beside(self, scope: Scope, span: Range, by_definition: Sequence[str], *, after: bool) -> Sequence[Row]:
        """kind, n: what came next to a scope's painful touchpoints at the same account; an empty kind: nothing did."""

    async def said(self, scope: Scope, span: Range, limit: int) -> Sequence[Row]:
        """event_id, account_id, account_name, persona, occurred_at, text, felt (nan: not told): the worst words."""

    async def people_of(self, account_id: str) -> Sequence[Row]:
        """person_id, persona, touchpoints, pain, felt (null: said nothing), last_at, title: people of an account."""

    async def accounts_of(self, person_id: str) -> Sequence[Row]:
        """account_id, name, segment, traits, persona, touchpoints, pain, felt, statements, first_at, last_at, title.

        Those seen last; `accounts` says how many there are.
        """

    async def touchpoint(self, event_id: str) -> Row | None:
        """One touchpoint's row with `payload`, the attributed touchpoint as JSON."""

    async def corrections(self, account_id: str, limit: int) -> Sequence[Row]:
        """Rows of corrections, newest first."""

    async def proposals(self, query: ProposalQuery) -> Sequence[Row]:
        """Rows of proposals, at most limit + 1."""

    async def proposal(self, proposal_id: str) -> Row | None:
        """One question."""

    async def erasure(self, erasure_id: str) -> Row:
        """Of a request to erase, whether it is `asked` (its touchpoint is there) and `noted` (the ledger has it)."""

    async def open_proposals(self) -> int:
        """How many questions are open."""

    async def shares(self, query: CellQuery) -> Sequence[Row]:
        """kind (persona, channel, rule), id, volume, friction of a cell's slices."""
