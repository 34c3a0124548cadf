"""Who is who, as broadcast facts. One compacted partition, so that everyone reads them in one order.

A link record is keyed by `link_id`; a later record with the same key replaces the earlier one.
`since` is the time of the earliest evidence: deriving clusters from (since, link_id) makes them
independent of the order in which links were learned.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.base import Contract, UtcTime
from schemas.touchpoints import Alias


class Edge(Contract):
    """Two aliases seen on one event: the same person, unless a veto says otherwise."""

    kind: Literal["edge"] = "edge"
    a: Alias
    b: Alias
    since: UtcTime
    evidence: str = Field(description="event id of the earliest evidence")
    source: str

    @property
    def link_id(self) -> str:
        return f"edge|{self.a}|{self.b}"


class Membership(Contract):
    """A person (or a deal, a ticket …) belongs to an account from `since` on."""

    kind: Literal["membership"] = "membership"
    alias: Alias
    account_id: str
    since: UtcTime
    evidence: str
    source: str

    @property
    def link_id(self) -> str:
        return f"membership|{self.alias}|{self.account_id}"


class AccountClaim(Contract):
    """One trait of an account (`name`, `domain`, `industry` …), the latest by (since, evidence)."""

    kind: Literal["account"] = "account"
    account_id: str
    trait: str
    value: str
    since: UtcTime
    evidence: str
    source: str

    @property
    def link_id(self) -> str:
        suffix = f"|{self.value}" if self.trait == "domain" else ""
        return f"account|{self.account_id}|{self.trait}{suffix}"


Link = Edge | Membership | AccountClaim
LINKS = TypeAdapter[list[Link]](list[Annotated[Link, Field(discriminator="kind")]])
