"""Accounts and domain claims as ClickHouse has them."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client
from pydantic import TypeAdapter

from schemas.links import AccountClaim, RecordChange
from services.cli.importing.placing import Known
from streams.identity.directories import Directories
from streams.runtime.clickhouse import query_rows

_CLAIMS: Final = """
SELECT payload FROM links FINAL
WHERE kind = 'record' OR (kind = 'account' AND JSONExtractString(payload, 'trait') = 'domain')
"""
_LINK: TypeAdapter[AccountClaim | RecordChange] = TypeAdapter(AccountClaim | RecordChange)
_ACCOUNTS: Final = """
SELECT account_id FROM account_journeys FINAL WHERE NOT startsWith(account_id, 'anon:')
"""
_THERE: Final = "SELECT count() AS there FROM histories WHERE event_id = {event_id:String}"


def stored(client: Client, directories: Directories | None = None) -> Known:
    """What is known before an import; `directories` say whose an id is. Raises StoreUnavailable."""
    current = directories or Directories()
    known = Known.of(current, accounts={str(row["account_id"]) for row in query_rows(client, _ACCOUNTS)})
    for row in query_rows(client, _CLAIMS):
        known.take(current.link(_LINK.validate_json(str(row["payload"]))))
    return known


def is_there(client: Client, event_id: str) -> bool:
    """Whether an event has come through the pipeline. Raises StoreUnavailable."""
    return query_rows(client, _THERE, {"event_id": event_id})[0]["there"] != 0
