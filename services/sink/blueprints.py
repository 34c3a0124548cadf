"""The blueprint in force, kept beside the facts: `bi.touchpoint_types`, `bi.phases` and `bi.personas` read it."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

import orjson

from schemas.config import Config
from schemas.errors import ConfigurationError, StoreUnavailable
from services.common.secrets import clickhouse_password
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.runtime.clickhouse import Columns, Store

TABLE: Final = "blueprints"
TYPES: Final = {
    "blueprint_version": "UInt32",
    "blueprint_digest": "UInt64",
    "payload": "String",
    "written_at": "DateTime64(3, 'UTC')",
}
_RETRY_S: Final = 5.0
_WITHOUT: Final = {"rules": {"__all__": {"tests"}}, "policies": {"__all__": {"tests"}}}
_log = logging.getLogger("touchline.sink")


def row(blueprint: CompiledBlueprint, written_at: datetime) -> Columns:
    """The one row of a blueprint. Golden tests are left out: they say nothing about the journey."""
    payload = orjson.dumps(blueprint.source.model_dump(mode="json", exclude=_WITHOUT), option=orjson.OPT_NON_STR_KEYS)
    return {
        "blueprint_version": [blueprint.version],
        "blueprint_digest": [blueprint.digest],
        "payload": [payload.decode()],
        "written_at": [written_at],
    }


async def keep(config: Config, written_at: datetime) -> None:
    """Store the configured blueprint, waiting for ClickHouse as long as it is away.

    One that is refused is said and left: the journey's worker ends over it, what is on its way must still be stored.
    """
    try:
        columns = row(load(config.journey.blueprint), written_at)
    except ConfigurationError as error:
        _log.error("the blueprint is refused: %s", error)
        return
    while not await asyncio.to_thread(_stored, config, columns):
        await asyncio.sleep(_RETRY_S)


def _stored(config: Config, columns: Columns) -> bool:
    try:
        with Store(config.clickhouse, clickhouse_password(config)) as store:
            store.insert(TABLE, TYPES, columns)
    except StoreUnavailable:
        return False
    return True
