"""What the API answers: plain frozen records, serialised as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from schemas import policies

Severity = policies.Level | Literal["calm", "unmeasured", "verdict", "unseen"]
"""The words are those of incidents; a type's is how much it weighs on the accounts, an incident's how much on one."""
Level = Literal["good", "watch", "painful", "quiet"]
Direction = Literal["up", "down", "steady", "unknown"]
Term = Literal["quick", "medium", "long"]


@dataclass(frozen=True, slots=True)
class TrendBasis:
    """What a trend was judged by; `previous` holds the earlier windows' values, newest first."""

    measure: str
    now: float | None
    median: float | None
    previous: tuple[float, ...]
    minimum_volume: int
    formula: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """The friction rate against the median of the previous seven windows. `up` is worse; `note`: why it is unknown."""

    direction: Direction
    ratio: float | None
    basis: TrendBasis
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and how it comes about. A null input has no evidence."""

    value: float | None
    formula: str
    inputs: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Gap:
    """What was promised against what was measured. `gap`: measured − wanted; `basis`: measured, no data, not asked."""

    target: str
    wanted: float
    measured: float | None
    gap: float | None
    met: bool | None
    basis: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One touchpoint type in one phase. A rate or emotion without evidence is null, never 0.

    `severity` is what the pages say of it, in the words of one scale for everything; `level` is the pain index alone.
    `accounts_reached` are identified, `visitors_reached` are not yet; `damage` is the blueprint's risk, 1 to 5.
    """

    id: str
    name: str
    phase: str
    home_phase: str
    volume: int
    accounts_reached: int
    visitors_reached: int
    reach_percent: float | None
    frequency: float | None
    people: int
    friction_touchpoints: int
    friction_rate: float | None
    delight_touchpoints: int
    emotion: float | None
    emotion_touchpoints: int
    desired_emotion: float | None
    emotion_gap: float | None
    pain_index: float
    level: Level
    moment_of_truth: bool
    importance: int
    damage: int
    risk: float
    impact: float | None
    term: Term
    worst_rule: str
    owner: str
    performance: tuple[Gap, ...]
    trend: Trend
    spark: tuple[int, ...]
    explain: dict[str, Figure] | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cell as something to improve."""

    id: str
    name: str
    phase: str
    phase_name: str
    impact: float
    owner: str
    moment_of_truth: bool


@dataclass(frozen=True, slots=True)
class Box:
    """One field of the grid of impact × term; `cells` have the largest impact first."""

    id: str
    name: str
    is_high: bool
    term: Term
    cells: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class PhaseView:
    """One column of the map; `types` are its cells, the blueprint's own first."""

    id: str
    name: str
    kind: str
    volume: int
    accounts: int
    visitors: int
    people: int
    friction_rate: float | None
    emotion: float | None
    types: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class RawType:
    """A vendor's event name that no touchpoint type of the blueprint matches."""

    source: str
    vendor_type: str
    volume: int


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Touchpoints outside the blueprint's catalogue."""

    volume: int
    commonest: tuple[RawType, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """Accounts seen in the window, whatever the filters. Visitors are accounts that are not identified yet."""

    accounts: int
    visitors: int
    at_risk: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the whole map. `accounts`: identified ones that touched it, the base of reach; `visitors`: the others.

    `identified_accounts` and `not_yet_identified` count whoever was seen in the window, whatever the filters.
    """

    touchpoints: int
    accounts: int
    visitors: int
    people: int
    friction_touchpoints: int
    friction_rate: float | None
    emotion: float | None
    painful_types: int
    painful_moments_of_truth: int
    identified_accounts: int
    not_yet_identified: int
    accounts_at_risk: int


SourceState = Literal["fresh", "stale", "behind", "never"]


@dataclass(frozen=True, slots=True)
class IgnoredMessages:
    """Messages of a source that concerned no customer, and why, as a word of its connector."""

    reason: str
    messages: int


@dataclass(frozen=True, slots=True)
class OtherTraffic:
    """Touchpoints of a source that are not of customers: `bot`, `internal`, `test` or `declined`.

    `counted`: how many of them are on the map; the blueprint's `traffic.count` says which kinds are. `example`: the
    host or the program of the latest.
    """

    traffic: str
    touchpoints: int
    counted: int
    example: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Touchpoints of a window and its filters that are off the map, because the blueprint counts no such `traffic`.

    `example`: the host or the program of the latest.
    """

    traffic: str
    touchpoints: int
    example: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """What a source sends is kept unread, because most of it was refused. `requests`: how many wait."""

    resuming: bool
    since: datetime
    cause: str
    requests: int


@dataclass(frozen=True, slots=True)
class RefusedRequests:
    """What was not taken of a sender for one reason; `dead`: of messages that became dead letters, else of requests.

    `detail`: what was said of the last one.
    """

    dead: bool
    reason: str
    count: int
    since: datetime
    last_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """How recent a source's data is. `lag_s`: age of its newest stored event; null when there is none.

    `behind`: the pipeline is, so nobody can say from the store whether the source is fresh or stale.
    `late_after_s`: so long is it silent at most at its usual hours; `rhythm`: what is usual of it, in words.
    `ignored`: within the last day, commonest first. `set_aside`: null while the source is read.
    `traffic`: what came within the last day and is not of customers, commonest first. `refused`: what was not taken,
    of those reasons that were met within the last day.
    """

    source: str
    state: SourceState
    last_occurred_at: datetime | None
    last_received_at: datetime | None
    last_written_at: datetime | None
    lag_s: float | None
    late_after_s: float = 0.0
    rhythm: str = ""
    ignored: tuple[IgnoredMessages, ...] = ()
    set_aside: SetAside | None = None
    traffic: tuple[OtherTraffic, ...] = ()
    refused: tuple[RefusedRequests, ...] = ()


@dataclass(frozen=True, slots=True)
class StageBehind:
    """A stage that does not keep up. `since`: what its input had then is not done; `stands_still`: nor is anything.

    `waits_for`: a later stage that must move first; empty when there is none.
    """

    stage: str
    since: datetime
    records: int
    stands_still: bool
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Freshness:
    """`pipeline_lag_s`: newest event's way from receipt to store, more while a stage is behind; null without any.

    `strangers`: what was refused of senders that nobody knows.
    """

    as_of: datetime
    pipeline_lag_s: float | None
    sources: tuple[SourceFreshness, ...]
    behind: tuple[StageBehind, ...] = ()
    strangers: tuple[RefusedRequests, ...] = ()


@dataclass(frozen=True, slots=True)
class MapView:
    """The current-state journey map. `unfed_rules`: no configured source can feed them, so they never fire.

    `left_out`: what is not counted because of who sent it; `traffic=all` counts it.
    """

    as_of: datetime
    window: str
    since: datetime
    until: datetime
    filters: dict[str, str]
    totals: Totals
    phases: tuple[PhaseView, ...]
    grid: tuple[Box, ...]
    unmapped: Unmapped
    unfed_rules: tuple[str, ...]
    freshness: Freshness
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalView:
    """A moment of friction or delight, in words."""

    signal_id: str
    account_id: str
    account_name: str
    rule: str
    rule_version: int
    polarity: str
    severity: float
    event_id: str
    person_id: str
    persona: str
    persona_name: str
    touchpoint_type: str
    type_name: str
    phase: str
    phase_name: str
    opened_at: datetime
    closed_at: datetime | None
    evidence: tuple[str, ...]
    evidence_count: int
    explanation: str
    method: str = ""
    confidence: float | None = None
    case_id: str = ""


CaseStatus = Literal["opened", "grown", "closed"]


@dataclass(frozen=True, slots=True)
class CaseView:
    """An incident of several signals on one thing; `grown`: more than two so far."""

    case: SignalView
    status: CaseStatus
    parts: tuple[SignalView, ...]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Where an account stands. `provisional`: known by its domain only, until a CRM account claims it."""

    account_id: str
    name: str
    identified: bool
    provisional: bool
    phase: str
    phase_name: str
    phase_since: datetime | None
    segment: str
    touchpoints: int
    people: int
    friction_signals: int
    first_seen_at: datetime | None
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """`next_cursor` is null on the last page."""

    accounts: tuple[AccountRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PhaseMove:
    """A change of phase, or one that was refused, and its cause."""

    at: datetime
    from_phase: str
    to_phase: str
    event_id: str
    cause: str
    accepted: bool
    dwell_s: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class TouchpointView:
    """One contact moment: who, where, how we know, what it carried. `traffic`: empty for a customer's."""

    event_id: str
    account_id: str
    occurred_at: datetime
    received_at: datetime
    source: str
    vendor_type: str
    action: str
    touchpoint_type: str
    type_name: str
    phase: str
    phase_name: str
    persona: str
    persona_name: str
    person_id: str
    method: str
    confidence: float
    channel: str
    page: str
    title: str
    text: str
    emotion: float | None
    score: float | None
    score_kind: str
    pain: float
    on_map: bool
    moment_of_truth: bool
    clock_suspect: bool
    friction_rules: tuple[str, ...]
    signals: tuple[SignalView, ...] = ()
    traffic: str = ""


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """What later knowledge changed about an account, and why."""

    corrected_at: datetime
    cause: str
    what: str
    touchpoints_changed: int
    touchpoints_removed: int
    signals_changed: int
    signals_withdrawn: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """A day in the life of one account, newest first."""

    account: AccountRow
    traits: dict[str, str]
    transitions: tuple[PhaseMove, ...]
    touchpoints: tuple[TouchpointView, ...]
    next_cursor: str | None
    corrections: tuple[CorrectionView, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A question of who is who that evidence leaves to people. `answer`: given, and on its way through the pipeline.

    `would_move`: touchpoints that are the account's of their own, and move to another one with a yes.
    """

    proposal_id: str
    kind: str
    a: str
    b: str
    reason: str
    evidence: str
    confidence: float
    since: datetime
    status: str
    by: str
    decided_at: datetime | None
    answer: str = ""
    would_move: int = 0


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """`open` counts all open questions, whatever the page shows."""

    proposals: tuple[ProposalView, ...]
    open: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class TouchpointExplained:
    """Why this account, person, persona and phase; `attribution` is as it was decided, with what was rejected."""

    touchpoint: TouchpointView
    account: AccountRow | None
    attribution: dict[str, object]
    evidence_of: tuple[SignalView, ...]
    revision: int
    blueprint_version: int


@dataclass(frozen=True, slots=True)
class Share:
    """One slice of a cell: a persona, a channel, a rule."""

    id: str
    name: str
    volume: int
    friction_touchpoints: int


@dataclass(frozen=True, slots=True)
class CellDetails:
    """One card, in depth."""

    cell: Cell
    phase_name: str
    personas: tuple[Share, ...]
    channels: tuple[Share, ...]
    rules: tuple[Share, ...]
    signals: tuple[SignalView, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """A part of Touchline that is not ready, and since when."""

    service: str
    state: str
    since: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class Around:
    """What every page needs beside its own figures: how fresh they are, what the filters offer, who is asked for."""

    freshness: Freshness
    channels: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    account_name: str = ""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def is_late(self) -> bool:
        """Whether a source is not as fresh as it should be."""
        return any(each.set_aside or each.state in ("stale", "behind") for each in self.freshness.sources)

    @property
    def true_up_to(self) -> datetime | None:
        """When nothing that ever sent sends any more: the newest event there is."""
        sent = [each for each in self.freshness.sources if each.last_received_at]
        if not sent or any(each.state == "fresh" for each in sent):
            return None
        return max(each.last_received_at for each in sent if each.last_received_at)


@dataclass(frozen=True, slots=True)
class Whole:
    """All that programs are told over the live stream."""

    map: MapView
    signals: tuple[SignalView, ...] = ()
    accounts: tuple[AccountRow, ...] = ()
    visitors: tuple[AccountRow, ...] = ()
    questions: ProposalPage = ProposalPage((), 0, None)
    cases: tuple[CaseView, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.map.totals.touchpoints


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one page shows. `found` is the answer to its question, None until the store has answered for the first time.

    `nearest`: when there is nothing in the window, the shortest one that has something.
    """

    as_of: datetime
    found: Any = None
    waiting: tuple[Wait, ...] = ()
    around: Around | None = None
    nearest: str = ""
