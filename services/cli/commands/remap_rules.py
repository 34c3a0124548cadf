"""`touchline remap`, its second part: what older rules attributed is attributed again, by the rules of today.

Each account that holds such touchpoints is asked to send them back, as it is for a late link: they are attributed by
what is known now, and only what comes out otherwise is told again, with a line in `corrections`. That it is done is
said in the links topic, since what comes out the same keeps the version of the rules that attributed it first. A run
that was broken off is simply started again.
"""

from __future__ import annotations

import asyncio
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.config import KafkaConfig
from schemas.links import LINKS, Carried
from schemas.topics import TopicName
from schemas.touchpoints import Recall
from services.cli.commands.refold_run import TOPIC, WINDOW, Pace, Say
from services.cli.commands.remap_mappings import gone_through, send
from services.common.records import consumer, history
from streams.identity.attribution_rules import RULE_VERSION
from streams.processors.links import published
from streams.runtime.clickhouse import query_rows
from streams.runtime.decode import decode
from streams.runtime.payloads import RULES

LINKS_TOPIC: Final[TopicName] = "identity.links.v1"
_OLDER = f"FROM histories FINAL WHERE is_deleted = 0 AND {RULES} < {{rules:UInt32}}"
_COUNT = f"SELECT uniqExact(account_id) AS n {_OLDER}"
_PAGE = f"""
SELECT DISTINCT account_id {_OLDER} AND account_id > {{after:String}} ORDER BY account_id LIMIT {{most:UInt32}}
"""


def count_older(client: Client) -> int:
    """How many accounts hold touchpoints that older rules attributed. Raises StoreUnavailable."""
    return int(str(query_rows(client, _COUNT, {"rules": RULE_VERSION})[0]["n"]))


async def applied(kafka: KafkaConfig) -> int:
    """The rules by which everything that is stored was attributed again; 0: none. Raises KafkaAway."""
    found = 0
    async with consumer(kafka) as reader:
        async for record in history(reader, kafka, LINKS_TOPIC):
            for _, link in decode(record.value or b"[]", LINKS).items:
                if isinstance(link, Carried) and link.how == "ruled":
                    found = max(found, int(link.evidence))
    return found


async def attribute_anew(kafka: KafkaConfig, client: Client, say: Say, *, rate_per_s: float = 0.0) -> dict[str, object]:
    """Have what older rules attributed attributed again; what was done.

    Raises KafkaAway, StoreUnavailable and NothingMoves.
    """
    total = await asyncio.to_thread(count_older, client)
    if not total or await applied(kafka) >= RULE_VERSION:
        return {"accounts_attributed_anew": 0}
    begun = await _say(kafka, Carried(how="begun", evidence="", source=""))
    cause = f"the rules of attribution are version {RULE_VERSION} now"
    pace, done, after = Pace("remap", total, say, rate_per_s), 0, ""
    while accounts := await asyncio.to_thread(_page, client, after):
        await asyncio.sleep(pace.early_s(done))
        asked = [Recall(account_id=account_id, knowledge=begun, cause=cause) for account_id in accounts]
        await send(kafka, [(TOPIC, recall.account_id, recall.encoded()) for recall in asked])
        done, after = done + len(accounts), accounts[-1]
        pace.at(done)
    say(f"remap       {done:,} accounts are attributed by the rules of today; waiting until they have gone through")
    await gone_through(kafka)
    await _say(kafka, Carried(how="ruled", evidence=str(RULE_VERSION), source=""))
    return {"accounts_attributed_anew": done}


def _page(client: Client, after: str) -> list[str]:
    rows = query_rows(client, _PAGE, {"rules": RULE_VERSION, "after": after, "most": WINDOW})
    return [str(row["account_id"]) for row in rows]


async def _say(kafka: KafkaConfig, news: Carried) -> int:
    """Tell it; returns how far the links must be known to know it."""
    ((_, offset),) = await send(kafka, [published(news)])
    return offset + 1
