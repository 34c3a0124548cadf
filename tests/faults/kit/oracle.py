"""What must be visible: an independent fold over what was sent, with full knowledge, and naive sums of it.

It uses the pure parts only (vendor mapping, attribution, fold). Nothing of how the stream does it comes in:
no steps, no recalls, no revisions, no recomputed cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.base import EPOCH
from schemas.config import SourceConfig
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint, RawRequest
from streams.connectors.registry import CONNECTORS as MAPPINGS
from streams.connectors.registry import systems_of
from streams.connectors.results import Mapped
from streams.emotion.feeling import felt
from streams.friction.episodes import Signal
from streams.identity.directories import Directories
from streams.identity.erasures import Ledger
from streams.identity.knowledge import Knowledge
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import Journey, fold
from streams.journey.state import Placed
from tests.faults.kit.scenario import VENDORS, Call

UNMAPPED = "unmapped"
#: As a fresh configuration says: the page's SDK and the server's speak of the same groups.
SAID = {"web": {"directory": "product"}}
DIRECTORIES = Directories(
    tuple(
        SourceConfig.model_validate(
            {"name": name, "vendor": vendor, "secrets": ({"env": "NONE"},)} | SAID.get(name, {})
        )
        for name, vendor in VENDORS.items()
    ),
    systems=systems_of(),
)
VIEW_LOOKS_BACK = timedelta(days=30)
Row = Mapping[str, Any]
Rows = dict[Any, Row]


@dataclass(slots=True)
class Picture:
    """All that is visible, by id; what the oracle says and what a system shows have the same shape."""

    touchpoints: Rows = field(default_factory=dict)
    signals: Rows = field(default_factory=dict)
    accounts: Rows = field(default_factory=dict)
    phases: Rows = field(default_factory=dict)
    cells: Rows = field(default_factory=dict)
    days: Rows = field(default_factory=dict)
    api: Rows = field(default_factory=dict)


def touchpoints_of(sent: Iterable[tuple[Call, float]]) -> dict[str, CleanTouchpoint]:
    """Every event that can be understood, by its id; of several copies the one received first."""
    found: dict[str, CleanTouchpoint] = {}
    for number, (call, at_s) in enumerate(sorted(sent, key=lambda pair: pair[1])):
        request = RawRequest(
            request_id=str(number),
            source=call.source,
            vendor=VENDORS[call.source],
            received_at=datetime.fromtimestamp(at_s, UTC),
            path=call.path,
            body=call.body,
        )
        for result in MAPPINGS[request.vendor].read(request):
            if isinstance(result, Mapped):
                found.setdefault(result.touchpoint.event_id, felt(DIRECTORIES.touchpoint(result.touchpoint)))
    return found


def attributed(
    touchpoints: Iterable[CleanTouchpoint], erased: Ledger | None = None
) -> dict[str, list[AttributedTouchpoint]]:
    """The touchpoints of every account, each attributed with all that will ever be known; none of who was erased.

    What touchpoints of who was erased told of others is known: each link is judged by itself.
    """
    ledger, everything = Ledger() if erased is None else erased, list(touchpoints)
    told = [touchpoint for touchpoint in everything if not ledger.covers(touchpoint)]
    knowledge = Knowledge(DIRECTORIES.in_order, ledger)
    for touchpoint in everything:
        for link in knowledge.learn(touchpoint):
            knowledge.apply(link, knowledge.position + 1)
    accounts: dict[str, list[AttributedTouchpoint]] = defaultdict(list)
    for touchpoint in told:
        attribution = knowledge.attribute(touchpoint)
        accounts[attribution.account_id].append(AttributedTouchpoint(touchpoint=touchpoint, attribution=attribution))
    return accounts


def expected(
    sent: Iterable[tuple[Call, float]], blueprint: CompiledBlueprint | None = None, erased: Ledger | None = None
) -> Picture:
    """What must be visible once (call, time of the answer) pairs have been taken in."""
    picture, rules = Picture(), blueprint or load("")
    as_of = datetime.now(UTC)
    placed: list[tuple[str, Placed]] = []
    for account_id, items in attributed(touchpoints_of(sent).values(), erased).items():
        journey = fold(items, rules, as_of)
        _tell(picture, account_id, journey)
        placed += [(account_id, place) for place in journey.placed.values()]
    _sum_up(picture, [(account_id, place) for account_id, place in placed if place.on_map], as_of)
    return picture


def _tell(picture: Picture, account_id: str, journey: Journey) -> None:
    state = journey.state
    picture.touchpoints |= {event_id: _touchpoint(account_id, p) for event_id, p in journey.placed.items()}
    picture.signals |= {signal_id: _signal(account_id, signal) for signal_id, signal in journey.signals.items()}
    picture.accounts[account_id] = {
        "phase": state.phase,
        "phase_since": _ms(state.phase_since),
        "high_water_phase": state.high_water_phase,
        "segment": journey.profile.segment,
        "touchpoints": state.touchpoints,
        "on_map_touchpoints": state.on_map_touchpoints,
        "people": len(state.people),
        "friction_signals": state.friction_signals,
        "first_seen_at": _ms(state.first_seen_at),
        "last_seen_at": _ms(state.last_seen_at),
    }
    for change in state.transitions:
        picture.phases[account_id, change.event_id, change.to_phase, change.accepted] = {
            "from_phase": change.from_phase,
            "changed_at": _ms(change.at),
            "dwell_s": decimals(change.dwell_s, 3),
        }


def _touchpoint(account_id: str, placed: Placed) -> Row:
    touchpoint, attribution = placed.item.touchpoint, placed.item.attribution
    return {
        "account_id": account_id,
        "account_method": attribution.method,
        "person_id": attribution.person_id,
        "vendor_event_id": touchpoint.vendor_event_id,
        "occurred_at": _ms(touchpoint.occurred_at),
        "touchpoint_type": placed.touchpoint_type,
        "phase": placed.phase,
        "persona": placed.persona,
        "segment": placed.segment,
        "on_map": placed.on_map,
        "emotion": None if placed.emotion is None else decimals(placed.emotion, 6),
        "friction": len(placed.friction),
        "friction_rules": ",".join(signal.rule for signal in placed.friction),
        "delight": len(placed.delight),
        "pain": decimals(placed.pain, 6),
    }


def _signal(account_id: str, signal: Signal) -> Row:
    return {
        "account_id": account_id,
        "person_id": signal.person_id,
        "rule": signal.rule,
        "polarity": signal.polarity,
        "severity": decimals(signal.severity, 6),
        "event_id": signal.event_id,
        "touchpoint_type": signal.touchpoint_type,
        "phase": signal.phase,
        "opened_at": _ms(signal.opened_at),
        "closed_at": _ms(signal.closed_at),
        "evidence": ",".join(signal.evidence),
        "evidence_count": signal.evidence_count,
        "explanation": signal.explanation,
    }


def _sum_up(picture: Picture, placed: list[tuple[str, Placed]], as_of: datetime) -> None:
    """The map by naive sums: as the view has it (the last 30 days), by day, and as the API tells it (up to now)."""
    past: dict[Any, list[tuple[str, Placed]]] = defaultdict(list)
    cells: dict[Any, list[tuple[str, Placed]]] = defaultdict(list)
    days: dict[Any, list[tuple[str, Placed]]] = defaultdict(list)
    for account_id, place in placed:
        touchpoint, cell = place.item.touchpoint, (place.phase, place.touchpoint_type)
        if as_of - VIEW_LOOKS_BACK <= touchpoint.occurred_at <= as_of:
            cells[cell].append((account_id, place))
        if touchpoint.occurred_at <= as_of:
            past[cell].append((account_id, place))
        day = touchpoint.occurred_at.date().isoformat()
        key = (day, place.phase, place.touchpoint_type, place.persona, place.segment, touchpoint.channel)
        days[key].append((account_id, place))
    picture.cells = {key: _cell(found) for key, found in cells.items()}
    picture.days = {key: _cell(found) for key, found in days.items()}
    picture.api = {key: _api_cell(found) for key, found in past.items() if key[1] != UNMAPPED}
    picture.api["", UNMAPPED] = {"volume": sum(len(found) for key, found in past.items() if key[1] == UNMAPPED)}


def _api_cell(placed: list[tuple[str, Placed]]) -> Row:
    """As the API shows it: with the visitors that are not yet identified."""
    return {**_cell(placed), "visitors": len({account_id for account_id, _ in placed if _is_visitor(account_id)})}


def _is_visitor(account_id: str) -> bool:
    return account_id.startswith("anon:")


def _cell(placed: list[tuple[str, Placed]]) -> Row:
    emotions = [round(place.emotion * 1e6) for _, place in placed if place.emotion is not None]
    return {
        "volume": len(placed),
        "accounts": len({account_id for account_id, _ in placed if not _is_visitor(account_id)}),
        "people": len({p.item.attribution.person_id for _, p in placed if p.item.attribution.person_id}),
        "friction_touchpoints": sum(bool(place.friction) for _, place in placed),
        "delight_touchpoints": sum(bool(place.delight) for _, place in placed),
        "emotion": decimals(sum(emotions) / 1e6 / len(emotions), 4) if emotions else None,
    }


def decimals(value: float, digits: int) -> float:
    """Rounded, and the same for every order in which it may have been summed.

    The last digit of a sum depends on that order. So a mean that lies half way between two results, as -0.04375 does
    with four digits, would go either way. Cut to twelve digits first, it is that middle itself.
    """
    return round(round(value, 12), digits)


def _ms(at: datetime | None) -> int:
    """Whole milliseconds since 1970; 0 stands for never, as in the store."""
    return 0 if at is None else (at - EPOCH) // timedelta(milliseconds=1)
