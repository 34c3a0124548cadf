"""The store over ClickHouse, by subject. `queries` has the statements; what is here asks them and reads the answers."""

from __future__ import annotations

from services.dashboard.clickhouse.accounts import AccountAnswers
from services.dashboard.clickhouse.asking import connect
from services.dashboard.clickhouse.cells import CellAnswers
from services.dashboard.clickhouse.proposals import ProposalAnswers
from services.dashboard.clickhouse.sources import SourceAnswers
from services.dashboard.clickhouse.touchpoints import TouchpointAnswers
from services.dashboard.clickhouse.types import TypeAnswers

__all__ = ["ClickHouseStore", "connect"]


class ClickHouseStore(CellAnswers, AccountAnswers, TouchpointAnswers, TypeAnswers, SourceAnswers, ProposalAnswers):
    """`JourneyStore` over clickhouse_connect."""
