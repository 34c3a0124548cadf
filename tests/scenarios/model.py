"""The form of a scenario: what vendors sent, and what an analyst says it means. See docs/explanation/scenarios.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from schemas.base import Strict, UtcTime
from schemas.config import AttributionConfig, SourceConfig
from streams.connectors.registry import systems_of
from streams.identity.directories import Directories

HERE = Path(__file__).parent
VENDORS = {
    "segment": "web",
    "rudderstack": "product",
    "posthog": "app",
    "hubspot": "crm",
    "salesforce": "sales",
    "zendesk": "support",
    "intercom": "desk",
    "touchline": "operators",
}
"""Vendor → the source its messages come from unless the event says otherwise."""


Row = dict[str, Any]
"""Expected fields of one event, account, proposal or deal; fields that are not named are not asked."""


class Event(Strict):
    """One vendor message, short: ids and stamps that every real message has are filled in from name and time."""

    at: UtcTime = Field(description="when it happened, by the sender's clock")
    received: UtcTime | None = Field(None, description="when it reached us; empty: a second later")
    source: str = Field("", description="configured source; empty: the vendor's usual one")
    copies: int = Field(1, ge=1, description="how often it is sent, a minute apart")
    each: int = Field(0, description="stands for that many events, a minute apart; `{n}` in texts is their number")
    segment: Row | None = None
    rudderstack: Row | None = None
    posthog: Row | None = None
    hubspot: Row | None = None
    salesforce: Row | None = None
    zendesk: Row | None = None
    intercom: Row | None = None
    touchline: Row | None = None

    @model_validator(mode="after")
    def _one_vendor(self) -> Event:
        if sum(getattr(self, vendor) is not None for vendor in VENDORS) != 1:
            raise ValueError(f"give the message of exactly one of {', '.join(VENDORS)}")
        return self

    @property
    def message(self) -> tuple[str, Row]:
        """(vendor, its short message)."""
        return next((vendor, found) for vendor in VENDORS if (found := getattr(self, vendor)) is not None)


class Scenario(Strict):
    """Events in; person, account, method, phase and persona out.

    Ids in expectations are as people write them: without a directory they are of the usual source's.
    """

    name: str = Field(description="what is shown, as a sentence")
    why: str = Field("", description="the reason, where the sentence does not say it")
    expected_failure: str = Field("", description="why the code does not do this yet; empty: it must hold")
    networks: dict[str, list[str]] = Field({}, description="account → address ranges the operator listed")
    sources: dict[str, Row] = Field({}, description="source → what the operator configured of it besides its name")
    leading: str = Field("", description="directory that leads; empty: the usual CRM's")
    blueprint: Row = Field({}, description="keys of the default blueprint to replace")
    events: dict[str, Event] = Field(min_length=1)
    expect: dict[str, Row] = Field({}, description="event → its fields")
    accounts: dict[str, Row | str] = Field({}, description="account id, or `account of EVENT` → its fields, or `gone`")
    proposals: list[Row] | None = Field(None, description="all of them, whatever their status; null: not asked")
    opportunities: dict[str, Row] = Field({}, description="`DEAL of ACCOUNT` → its fields")

    @model_validator(mode="after")
    def _known_events(self) -> Scenario:
        names = {name for name, _ in self.spread()}
        if unknown := self.expect.keys() - names:
            raise ValueError(f"expectations of unknown events: {sorted(unknown)}")
        if not (self.expect or self.accounts or self.proposals or self.opportunities):
            raise ValueError("expects nothing")
        return self

    @cached_property
    def directories(self) -> Directories:
        """Of the sources that the scenario's events come from and those it names, each with its vendor."""
        vendors = [(event.source or VENDORS[event.message[0]], event.message[0]) for _, event in self.spread()]
        told = {source: {"vendor": vendor} for source, vendor in vendors}
        if "web" in told:
            told["web"]["directory"] = "product"  # as in a fresh configuration
        rows = {name: told.get(name, {}) | self.sources.get(name, {}) for name in told | self.sources}
        key = ({"env": "NONE"},)
        sources = tuple(SourceConfig.model_validate({"name": n, "secrets": key, **row}) for n, row in rows.items())
        return Directories(sources, AttributionConfig(leading_directory=self.leading or "crm"), systems=systems_of())

    def spread(self) -> Iterator[tuple[str, Event]]:
        """Every event by name; one that stands for several is written out as `name1`, `name2`, …"""
        for name, event in self.events.items():
            if not event.each:
                yield name, event
            for number in range(1, event.each + 1):
                vendor, message = event.message
                update = {"each": 0, "at": event.at + timedelta(minutes=number - 1), vendor: _numbered(message, number)}
                yield f"{name}{number}", event.model_copy(update=update)


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, dict):
        return {key: _numbered(inner, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_numbered(inner, number) for inner in value]
    return value.replace("{n}", str(number)) if isinstance(value, str) else value


class Theme(Strict):
    """One file: scenarios that belong together, and messages several of them begin with."""

    theme: str = Field(description="what the scenarios have in common")
    given: dict[str, Any] = Field({}, description="a place for YAML anchors; not read")
    scenarios: list[Scenario] = Field(min_length=1)


@cache
def scenarios() -> dict[str, Scenario]:
    """All scenarios by `file: name`."""
    found: dict[str, Scenario] = {}
    for path in sorted(HERE.glob("*.yaml")):
        theme = Theme.model_validate(yaml.safe_load(path.read_text()))
        for scenario in theme.scenarios:
            key = f"{path.stem}: {scenario.name}"
            assert key not in found, f"{key} stands twice"
            found[key] = scenario
    return found
