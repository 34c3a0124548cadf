"""Carries over what was stored before ids carried their source: it is attributed again, by those who always do that.

The leader of the attribute workers asks the store which accounts hold such touchpoints and sends each a recall: its
writer sends them back, they are attributed under the ids they have now, and the old account is left empty, all of it
with the guarantees of every late truth. An account that is still called as it was is asked to write its rows anew. It
goes on until nothing is left, through any number of crashes, since it only asks what is there; then it says so, once
and for all.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from schemas.errors import StoreUnavailable
from schemas.facts import ProposalFact
from schemas.ids import FAMILY, SUBJECTS
from schemas.links import Carried
from schemas.topics import TopicName
from schemas.touchpoints import Recall, Refold
from streams.identity.directory import NAMESPACES
from streams.journey.causes import IDS_OF_BEFORE
from streams.journey.stored import aware
from streams.processors.links import LinksReader, RecallLeader, published
from streams.runtime.outbox import Outbox, Output, slices
from streams.runtime.payloads import RULES

ACCOUNTS: TopicName = "touchpoints.attributed.v1"
FACTS: TopicName = "journey.facts.v1"
PAGE = 500
FIRST_LOOK_S = 1.0
LOOK_EVERY_S = 30.0
#: Nothing found so many times in a row: nothing is on its way either.
SURE_AFTER = 3
#: An id of a numbered kind as a whole JSON text. Also true of ids that carry their source, which `scoped` excludes.
_NUMBERED = '"(?:' + "|".join(re.escape(kind) for kind in sorted({*FAMILY, *SUBJECTS})) + "|object_[0-9-]+):"
_ACCOUNT = "^(?:" + "|".join(sorted(kind for kind in FAMILY if kind in NAMESPACES)) + "):"
#: The first rules that gave accounts ids that carry their source. A row may be written anew before it is moved.
SCOPED_BY_RULES = 5
_LEFT = f"""
WITH {RULES} AS attributed_by
SELECT DISTINCT account_id FROM histories FINAL
WHERE account_id > {{after:String}} AND is_deleted = 0
  AND (position(payload, '"scoped":true') = 0 AND match(payload, {{numbered:String}})
       OR match(account_id, {{account:String}}) AND attributed_by < {{rules:UInt32}}
       OR arrayExists(prefix -> startsWith(account_id, prefix), {{renamed:Array(String)}}))
ORDER BY account_id LIMIT {{most:UInt32}}
"""
_RENAMED = """
SELECT account_id FROM account_journeys FINAL
WHERE account_id > {after:String} AND arrayExists(prefix -> startsWith(account_id, prefix), {renamed:Array(String)})
ORDER BY account_id LIMIT {most:UInt32}
"""
_ASKED = "SELECT * EXCEPT (written_at) FROM proposals FINAL WHERE status != 'settled'"
_log = logging.getLogger("touchline.carrying")


class Rows(Protocol):
    """The part of transport.clickhouse.Store that is used here; blocks."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]: ...


class Carrying:
    """A task of every attribute worker; only the leader does anything."""

    def __init__(
        self,
        reader: LinksReader,
        leader: RecallLeader,
        outbox: Outbox,
        store: Rows,
        all_stored: Callable[[], Awaitable[bool]],
    ) -> None:
        """`all_stored`: whether the store has what had been told before; until then nothing is over."""
        self._reader, self._leader, self._outbox, self._store = reader, leader, outbox, store
        self._all_stored = all_stored
        self._position = 0
        renamed = reader.directories.renamed.items()
        self._renamed = [
            f"{kind}:{name}:" for (family, name), _ in renamed for kind in FAMILY if FAMILY[kind] == family
        ]

    async def run(self) -> None:
        """Look, and look again, until nothing is left; then no more until the next start."""
        found_none = 0
        while found_none < SURE_AFTER:
            await asyncio.sleep(LOOK_EVERY_S if found_none else FIRST_LOOK_S)
            if not self._leader.is_ours:
                continue
            try:
                is_sure = await self._all_stored()
                found = await self.carry()
            except (StoreUnavailable, KafkaError) as error:
                _log.warning("ids of before wait: %s", error)
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            found_none = 0 if found or not is_sure else found_none + 1
            if found:
                await asyncio.sleep(LOOK_EVERY_S)
        if not self._is_done:
            await self._say(Carried(how="done", evidence="", source=""))
        await asyncio.Event().wait()

    async def carry(self) -> int:
        """Send for everything that is left; returns how many accounts that were."""
        count, after = 0, ""
        while accounts := await self._left(after):
            position = await self._begun()
            await self._send([output for account in accounts for output in _asks(account, position)])
            count, after = count + len(accounts), accounts[-1]
        if count:
            await self._send(self._questions(await self._ask(_ASKED, {})))
            _log.info("ids of before are carried over", extra={"accounts": count})
        return count

    @property
    def _is_done(self) -> bool:
        """Whether nothing of before is left. A directory that was given another name is looked for at each start."""
        return "done" in self._reader.carried

    async def _left(self, after: str) -> list[str]:
        asked: dict[str, object] = {"after": after, "most": PAGE, "renamed": self._renamed}
        if not self._is_done:
            asked |= {"numbered": _NUMBERED, "account": _ACCOUNT, "rules": SCOPED_BY_RULES}
            return [row["account_id"] for row in await self._ask(_LEFT, asked)]
        rows = await self._ask(_RENAMED, asked) if self._renamed else []
        return [row["account_id"] for row in rows]

    async def _begun(self) -> int:
        """A position of the links that nothing of before was attributed with: of a link that this worker tells."""
        if not self._position:
            self._position = await self._say(Carried(how="begun", evidence="", source=""))
        return self._position

    async def _say(self, news: Carried) -> int:
        ((_, offset),) = await self._outbox.deliver([published(news)], at_once=True)
        await self._reader.wait_for(offset + 1)
        return offset + 1

    def _questions(self, rows: list[dict[str, Any]]) -> list[Output]:
        """Questions that are asked by other ids now are settled under the old ones, and told under the new."""
        position, standing = self._reader.knowledge.position, self._reader.knowledge.proposals
        now = {proposal.proposal_id: proposal.fact(position) for proposal in standing}
        told_before = {row["proposal_id"] for row in rows}
        gone = [_settled(row, position) for row in rows if row["proposal_id"] not in now]
        new = [fact for key, fact in now.items() if key not in told_before]
        return [(FACTS, fact.proposal_id, fact.encoded()) for fact in (*gone, *new)]

    async def _send(self, outputs: list[Output]) -> None:
        for some in slices(outputs, 200):
            await self._outbox.deliver(some)

    async def _ask(self, sql: str, asked: Mapping[str, object]) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self._store.rows, sql, asked)


def _asks(account_id: str, position: int) -> list[Output]:
    """A recall; an account that keeps its name must write anew what stays with it, too."""
    recall = Recall(account_id=account_id, person_ids=(), knowledge=position, cause=IDS_OF_BEFORE)
    stays = account_id.partition(":")[0] not in FAMILY
    asked = (recall, Refold(account_id=account_id, cause=IDS_OF_BEFORE)) if stays else (recall,)
    return [(ACCOUNTS, account_id, item.encoded()) for item in asked]


def _settled(row: Mapping[str, Any], position: int) -> ProposalFact:
    fields = {
        **row,
        "question": row["kind"],
        "since": aware(row["since"]),
        "decided_at": None,
        "by": "",
    }
    return ProposalFact.of(fields | {"revision": position, "status": "settled"})
