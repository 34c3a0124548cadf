"""An account's deals, beside its phase: what the CRM says of each, and what that makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

from schemas.blueprint import OpportunityStages
from schemas.facts import Opportunity
from schemas.matching import DEAL_ACTIONS
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint, Scalar
from streams.journey.deal_words import FLAG_NAMES, SAVE, DealWords, Standing, flags_of
from streams.journey.state import JourneyState
from streams.matching.conditions import with_deal

MAX_OPPORTUNITIES: Final = 100
_PREFIX: Final = "deal:"
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

    def meaning(self, stage: str) -> Standing | None:
        """Whether a deal in that stage is open, won or lost; None for a stage the blueprint does not name."""
        stage = _folded(stage)
        if stage in self._won:
            return "won"
        return "lost" if stage in self._lost else "open" if stage in self._rank else None

    def goes_back(self, before: str, after: str) -> bool:
        """Whether both are open stages, and the second is the earlier one."""
        ranks = self._rank.get(_folded(before)), self._rank.get(_folded(after))
        return ranks[0] is not None and ranks[1] is not None and ranks[1] < ranks[0]


def is_about_deal(touchpoint: CleanTouchpoint) -> bool:
    """Whether it is the CRM's word about a deal.

    An association that ended is none, unless it was the one with the account: then the deal is another's now.
    """
    if touchpoint.action not in DEAL_ACTIONS or not touchpoint.subject.startswith(_PREFIX):
        return False
    return touchpoint.properties.get("removed") is not True or bool(touchpoint.account_refs)


def follow_deal(deals: Deals, state: JourneyState, item: AttributedTouchpoint, *, is_customer: bool) -> CleanTouchpoint:
    """Take in what an event says of its deal. Returns the event as conditions see it: with what the deal is now.

    `is_customer`: the account's phase before the event is a customer's.
    """
    touchpoint = item.touchpoint
    if not is_about_deal(touchpoint):
        return touchpoint
    subject, at = touchpoint.subject, touchpoint.ordered_at
    known = state.opportunities.get(subject)
    before = known or Opportunity(
        opportunity_id=subject,
        kind="expansion" if is_customer else "new",
        status="open",
        opened_at=at,
        changed_at=at,
    )
    words = state.deal_words.get(subject, DealWords())
    said = _said(touchpoint)
    heard = words.after(*stage_and_flags(touchpoint), at)
    standing, stood = heard.standing(deals.meaning), words.standing(deals.meaning)
    is_removed = touchpoint.action == "crm_removed"
    after = _after(deals, before, said | {"status": "removed" if is_removed else standing}, heard, at)
    if after.reopened > before.reopened:
        heard = replace(heard, reopened_at=at)
    if after is not known or heard is not words:
        state.opportunities, state.deal_words = _bounded(
            state.opportunities | {subject: after}, state.deal_words | {subject: heard}
        )
    became = "removed" if is_removed and before.status != "removed" else standing if standing != stood else ""
    is_back = not became and after.status == "open" and after.regressions > before.regressions
    return with_deal(touchpoint, after.status, "earlier" if is_back else became)


def stage_and_flags(touchpoint: CleanTouchpoint) -> tuple[str | None, dict[str, bool]]:
    """(the stage, the flags) that an event tells of its deal."""
    return _said(touchpoint).get("stage"), flags_of(_named(touchpoint))


def _after(deals: Deals, before: Opportunity, said: dict[str, Any], words: DealWords, at: datetime) -> Opportunity:
    changes = {"stage": before.stage} | said
    if all(getattr(before, name) == value for name, value in changes.items()):
        return before
    stage, status = changes["stage"], changes["status"]
    changes["changed_at"] = at
    changes["regressions"] = before.regressions + deals.goes_back(before.stage, stage)
    if status != before.status:
        changes["closed_at"] = None if status == "open" else at
        changes["reopened"] = before.reopened + _reopening(before.status, status, words, at)
    return before.changed(**changes)


def _reopening(before: str, status: str, words: DealWords, at: datetime) -> int:
    """1 for a deal that opens again; -1 for one that did so only within the save that ends it the other way."""
    if status == "open":
        return 1
    opened, is_ending = words.reopened_at, before == "open" and status != "removed"
    return -1 if is_ending and opened is not None and at - opened <= SAVE else 0


def _said(touchpoint: CleanTouchpoint) -> dict[str, Any]:
    """The fields of an opportunity that an event tells."""
    named = _named(touchpoint)
    read = {name: reader(named.get(name)) for name, reader in _READERS.items()}
    return {name: value for name, value in read.items() if value is not None}


def _named(touchpoint: CleanTouchpoint) -> dict[str, Scalar]:
    """What an event tells by its names, read from one changed property or from a whole record."""
    properties = touchpoint.properties
    changed = str(properties.get("property") or "")
    if touchpoint.action == "deal_stage_changed" and changed not in FLAG_NAMES:
        properties = {"stage": properties.get("value")} | properties
    if changed:
        properties = {changed: properties.get("value")} | properties
    return {_NAMES.get(name, name): value for name, value in properties.items()}


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


def _bounded(
    deals: dict[str, Opportunity], words: dict[str, DealWords]
) -> tuple[dict[str, Opportunity], dict[str, DealWords]]:
    """At most so many: the one that has rested longest goes, closed ones first."""
    if len(deals) > MAX_OPPORTUNITIES:
        resting = min(deals.values(), key=lambda o: (o.status == "open", o.changed_at, o.opportunity_id))
        del deals[resting.opportunity_id]
        words.pop(resting.opportunity_id, None)
    return deals, words


def _folded(stage: str) -> str:
    return stage.strip().casefold()
