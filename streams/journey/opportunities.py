"""An account's deals, beside its phase: what the CRM says of each, and whether it may still move the phase."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

from schemas.blueprint import OpportunityStages
from schemas.facts import Opportunity
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint, Scalar
from streams.journey.state import JourneyState

MAX_OPPORTUNITIES: Final = 100
_PREFIX: Final = "deal:"
_ACTIONS: Final = frozenset({"deal_created", "deal_stage_changed", "crm_record", "crm_removed"})
_NAMES: Final = {
    "dealstage": "stage",
    "closedate": "close_due_at",
    "close_date": "close_due_at",
    "deal_currency_code": "currency",
}
"""What CRMs call what we call otherwise."""


class Deals:
    """The blueprint's stages, ready to ask."""

    def __init__(self, stages: OpportunityStages) -> None:
        self._rank = {_folded(stage): rank for rank, stage in enumerate(stages.stages)}
        self._won = frozenset(map(_folded, stages.won))
        self._lost = frozenset(map(_folded, stages.lost))

    def status(self, stage: str) -> str:
        """Whether a deal in that stage is open, won or lost."""
        stage = _folded(stage)
        return "won" if stage in self._won else "lost" if stage in self._lost else "open"

    def goes_back(self, before: str, after: str) -> bool:
        """Whether both are open stages, and the second is the earlier one."""
        ranks = self._rank.get(_folded(before)), self._rank.get(_folded(after))
        return ranks[0] is not None and ranks[1] is not None and ranks[1] < ranks[0]


def is_about_deal(touchpoint: CleanTouchpoint) -> bool:
    """Whether it is the CRM's word about a deal.

    An association that ended is none, unless it was the one with the account: then the deal is another's now.
    """
    if not touchpoint.subject.startswith(_PREFIX) or touchpoint.action not in _ACTIONS:
        return False
    return touchpoint.properties.get("removed") is not True or bool(touchpoint.account_refs)


def follow_deal(deals: Deals, state: JourneyState, item: AttributedTouchpoint, *, is_customer: bool) -> None:
    """Take in what an event says of its deal; `is_customer`: the account's phase before the event is a customer's."""
    touchpoint = item.touchpoint
    if not is_about_deal(touchpoint):
        return
    known = before = state.opportunities.get(touchpoint.subject)
    if before is None:
        at = touchpoint.ordered_at
        before = Opportunity.model_construct(
            opportunity_id=touchpoint.subject,
            kind="expansion" if is_customer else "new",
            status="open",
            opened_at=at,
            changed_at=at,
        )
    after = _after(deals, before, touchpoint)
    if after is not known:
        state.opportunities = _bounded(state.opportunities | {touchpoint.subject: after})


def _after(deals: Deals, before: Opportunity, touchpoint: CleanTouchpoint) -> Opportunity:
    said = _said(touchpoint)
    stage = said.get("stage", before.stage)
    status = "removed" if touchpoint.action == "crm_removed" else deals.status(stage)
    changes = said | {"stage": stage, "status": status}
    if {**before.__dict__, **changes} == before.__dict__:
        return before
    at = touchpoint.ordered_at
    changes["changed_at"] = at
    changes["regressions"] = before.regressions + deals.goes_back(before.stage, stage)
    changes["reopened"] = before.reopened + (status == "open" != before.status)
    if status != before.status:
        changes["closed_at"] = None if status == "open" else at
    return before.model_copy(update=changes)


def _said(touchpoint: CleanTouchpoint) -> dict[str, Any]:
    """The fields of an opportunity that an event tells, read from one changed property or from a whole record."""
    properties = touchpoint.properties
    if touchpoint.action == "deal_stage_changed":
        properties = {"stage": properties.get("value")} | properties
    if "property" in properties:
        properties = {str(properties["property"]): properties.get("value")} | properties
    named = {_NAMES.get(name, name): value for name, value in properties.items()}
    read = {name: reader(named.get(name)) for name, reader in _READERS.items()}
    return {name: value for name, value in read.items() if value is not None}


def _text(value: Scalar) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _amount(value: Scalar) -> float | None:
    try:
        amount = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
    except ValueError:
        return None
    return amount if amount is not None and isfinite(amount) else None


def _moment(value: Scalar) -> datetime | None:
    """Milliseconds since 1970, as HubSpot sends them, or ISO 8601."""
    try:
        stamp = str(value or "").strip()
        if stamp.lstrip("-").isdigit() and "-" not in stamp[1:] and len(stamp) > len("20260101"):
            return datetime.fromtimestamp(int(stamp) / 1000, UTC)
        found = datetime.fromisoformat(stamp)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


_READERS: Final = {"stage": _text, "amount": _amount, "currency": _text, "close_due_at": _moment}


def _bounded(deals: dict[str, Opportunity]) -> dict[str, Opportunity]:
    """At most so many: the one that has rested longest goes, closed ones first."""
    if len(deals) > MAX_OPPORTUNITIES:
        resting = min(deals.values(), key=lambda o: (o.status == "open", o.changed_at, o.opportunity_id))
        del deals[resting.opportunity_id]
    return deals


def _folded(stage: str) -> str:
    return stage.strip().casefold()
