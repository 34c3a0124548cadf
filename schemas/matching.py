"""Conditions on a touchpoint, as a blueprint writes them."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from schemas.actions import ACTIONS
from schemas.base import Strict
from schemas.errors import did_you_mean
from schemas.touchpoints import Scalar

DealStatus = Literal["open", "won", "lost", "removed"]
DealTurn = Literal["open", "won", "lost", "removed", "earlier"]

#: Actions by which a CRM tells of a deal.
DEAL_ACTIONS: Final = frozenset({"deal_created", "deal_stage_changed", "crm_record", "crm_removed"})


class Match(Strict):
    """Conditions that must all hold. Empty conditions are not asked."""

    action: str = Field("", description="the touchpoint's action")
    name: tuple[str, ...] = Field(
        (), description="the event's own name, any of these, from any vendor; case, spaces and punctuation are ignored"
    )
    vendor: str = Field("", description="the vendor's registry key")
    vendor_type: str = Field("", description="glob over the vendor's own event name")
    page: str = Field("", description="glob over the page's path")
    channel: str = Field("", description="the channel")
    title: str = Field("", description="glob over the title")
    properties: dict[str, tuple[Scalar, ...]] = Field({}, description="property name → accepted values")

    deal: tuple[DealStatus, ...] = Field(
        (), description="what the deal it is about is then, by all that the CRM said of it, any of these"
    )
    deal_becomes: tuple[DealTurn, ...] = Field(
        (),
        description="what the deal became by this event, any of these; `earlier`: it is open and went back a stage",
    )

    @model_validator(mode="after")
    def _known_action(self) -> Match:
        if self.action and self.action not in ACTIONS:
            known = did_you_mean(self.action, ACTIONS) or f"; known: {', '.join(ACTIONS)}"
            raise ValueError(f"unknown action `{self.action}`{known}")
        if self.asks_deal and self.action and self.action not in DEAL_ACTIONS:
            raise ValueError(f"`{self.action}` is about no deal; actions that are: {', '.join(sorted(DEAL_ACTIONS))}")
        return self

    @property
    def asks_deal(self) -> bool:
        """Whether it asks what becomes of a deal, which only the account's whole story tells."""
        return bool(self.deal or self.deal_becomes)


class Compare(Strict):
    """A boundary on a number of the event: exactly one of `at_most`, `at_least` (inclusive), `above` (exclusive)."""

    field: str = Field(description="`score`, `sentiment` or a property")
    at_most: float | None = Field(None, description="fires when the value is ≤ this")
    at_least: float | None = Field(None, description="fires when the value is ≥ this")
    above: float | None = Field(None, description="fires when the value is > this")
    above_target: str = Field("", description="fires when the value is > this target of the touchpoint's type")
    worst_at: float | None = Field(None, description="value at which severity reaches `worst`")
    score_kind: str = Field("", description="only for this kind of score")

    @model_validator(mode="after")
    def _one_boundary(self) -> Compare:
        stated = [self.at_most, self.at_least, self.above, self.above_target or None]
        if sum(boundary is not None for boundary in stated) != 1:
            raise ValueError("give exactly one of `at_most`, `at_least`, `above` and `above_target`")
        return self
