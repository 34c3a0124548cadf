"""The configured retention becomes the tables' TTL, and nothing but it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.config import Config, RetentionConfig
from schemas.retention import TTL_COLUMN
from services.sink.retention import apply
from services.sink.verify import verify
from tests.clickhouse_fixture import ClickHouse
from tests.store_fixture import fresh_store

pytestmark = pytest.mark.clickhouse


def test_tables_forget_as_configured(clickhouse_url: ClickHouse) -> None:
    with fresh_store(clickhouse_url, "aged") as (store, clickhouse):
        token = clickhouse_url.token
        assert apply(Config(clickhouse=clickhouse), token) == []  # what the migrations make is the default
        shorter = Config(clickhouse=clickhouse, retention=RetentionConfig(journey_days=400, ignored_days=7))
        assert set(apply(shorter, token)) == TTL_COLUMN.keys()
        assert apply(shorter, token) == []
        row = "(received_at, source, reason, request_id, messages) VALUES ({at:DateTime}, 'a', 'ping', 'r', 1)"
        store.command(f"INSERT INTO ignored {row}", {"at": datetime(2020, 1, 1)})
        store.command("OPTIMIZE TABLE ignored FINAL")
        assert store.rows("SELECT count() AS n FROM ignored") == [{"n": 0}]
        assert verify(store.client, datetime(2024, 1, 1, tzinfo=UTC)) == []
        assert "touchpoints" in apply(Config(clickhouse=clickhouse), token)
