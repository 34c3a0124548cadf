"""Questions, corrections and attribution of signals on a real ClickHouse, against the store of lists."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from schemas.base import EPOCH
from schemas.config import ClickHouseConfig
from schemas.errors import StoreUnavailable
from services.dashboard.clickhouse import ClickHouseStore, connect
from services.dashboard.scope import Scope, range_of
from services.dashboard.store import AccountQuery, ProposalQuery, SignalQuery
from tests.clickhouse_fixture import ClickHouse
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
from tests.dashboard_seed import _insert, correction, create_tables, proposal, store, world

pytestmark = pytest.mark.clickhouse


async def test_the_real_store_answers_as_the_list_does(clickhouse_url: ClickHouse, clickhouse_database: str) -> None:
    made = world(BLUEPRINT, NOW, touchpoints=80, days=2)
    account_id = made.accounts[0]["account_id"]
    made.accounts[-1] |= {"account_id": "anon:nobody", "on_map_touchpoints": 0}
    made.proposals = [
        proposal("p1", "user:a", "user:b", NOW),
        proposal("p2", "user:a", "crm:1", NOW - timedelta(hours=1)),
        proposal("p3", "user:c", "user:d", NOW, status="accepted", by="Bo", decided_at=NOW),
        proposal("p4", account_id, "crm:1", NOW - timedelta(hours=2), kind="same_account"),
    ]
    made.corrections = [correction(account_id, NOW, f"cause {n}", signals_withdrawn=n) for n in range(3)]
    fake, client = FakeStore(made), clickhouse_url.client(clickhouse_database)
    create_tables(client, clickhouse_database)
    try:
        store(client, made)
        older = {**made.proposals[2], "revision": 1, "status": "open", "by": "", "decided_at": EPOCH}
        _insert(client, "proposals", [older, *made.proposals])
        _insert(client, "corrections", made.corrections)
        config = ClickHouseConfig(url=clickhouse_url.base_url, database=clickhouse_database)
        real = ClickHouseStore(partial(connect, config, clickhouse_url.token))
        for query in (ProposalQuery(), ProposalQuery(""), ProposalQuery("", 1), ProposalQuery("accepted")):
            found = [_without(row) for row in await real.proposals(query)]
            moving = {row["proposal_id"]: row.pop("would_move") for row in found}
            assert moving.pop("p4", None) in (None, made.accounts[0]["touchpoints"]) and not any(moving.values())
            assert found == [dict(row) for row in await fake.proposals(query)]
        first: Any = (await real.proposals(ProposalQuery("", 1)))[0]
        rest = await real.proposals(ProposalQuery("", 10, (first["since"], first["proposal_id"])))
        assert [row["proposal_id"] for row in (first, *rest)] == ["p3", "p1", "p2", "p4"]
        assert await real.open_proposals() == await fake.open_proposals() == 3
        assert (await real.proposal("p3") or {})["status"] == "accepted" and await real.proposal("none") is None
        causes = [str(row["cause"]) for row in await real.corrections(account_id, 10)]
        assert sorted(causes) == ["cause 0", "cause 1", "cause 2"]
        signals = await real.signals(SignalQuery(limit=5))
        assert {(row["account_method"], row["account_confidence"]) for row in signals} == {("crm_contact", 0.95)}
        visitors = {row["account_id"] for row in await real.accounts(AccountQuery(identified=False, limit=200))}
        assert visitors == {row["account_id"] for row in await fake.accounts(AccountQuery(identified=False, limit=200))}
        assert "anon:nobody" not in visitors
        ever = range_of("all", NOW, EPOCH)
        assert [(await each.population(Scope("all"), ever))["visitors"] for each in (real, fake)] == [len(visitors)] * 2
        with pytest.raises(StoreUnavailable, match="readonly"):
            await real.rows("TRUNCATE TABLE signals")
        real.close()
    finally:
        client.command(f"DROP DATABASE IF EXISTS {clickhouse_database}_bi")
        client.close()


def _without(row: object) -> dict[str, object]:
    assert isinstance(row, dict)
    return {name: value for name, value in row.items() if name != "written_at"}
