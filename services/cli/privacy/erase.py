"""`touchline erase`: tell the ledger, call back what is stored, wait for it, and take it out of the files.

Each step may be repeated. What is in the ledger is done in the end, whoever is killed when: `--again` goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from clickhouse_connect.driver.client import Client

from schemas.base import EPOCH
from schemas.config import Config
from schemas.errors import ConfigurationError, TransientError
from schemas.links import Erasure
from services.cli.console import UsageError
from services.cli.finding.missing_events import flowed
from services.cli.privacy import store
from services.cli.privacy.blanking import blank_notes, blank_refusals
from services.cli.privacy.folder import PrivacyFolder
from services.cli.privacy.receipt import Receipt, left, words
from services.cli.privacy.subject import Subject, late_in_links, person_with
from services.cli.privacy.topics import call_back, empty, ledger_of, publish, take_apart
from services.common.linked import LinkSource
from services.common.records import consumer, producer
from streams.identity.directories import Directories
from streams.identity.erasures import Ledger, sweep

Say = Callable[[str], None]
LOOKS: Final = 60
LOOK_S: Final = 1.0
WIDENINGS: Final = 3
MARKS_IN_A_PART: Final = 5_000


class NotErased(TransientError):
    """Something of it is still there."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What an erasure works with."""

    config: Config
    client: Client
    source: LinkSource
    directories: Directories
    folder: PrivacyFolder
    key: bytes
    say: Say


@dataclass(slots=True)
class Work:
    """An erasure under way: the ledger, of whom (None: of everybody in it), and what was found."""

    ledger: Ledger
    names: set[str] | None
    position: int = 0
    found: store.Found = field(default_factory=store.Found)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    subject: Subject
    suppress: bool = False
    by: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    erasure_id: str = field(default_factory=lambda: str(uuid4()))


async def erase(tools: Tools, wish: Wish) -> Receipt:
    """Erase one person or account; returns the receipt, which is also kept. Raises NotErased, KafkaAway."""
    ledger = ledger_with(tools.key)
    names, parts = set(wish.subject.names), list[Erasure]()
    async with consumer(tools.config.kafka) as reader, producer(tools.config.kafka) as writer:
        async for known in ledger_of(reader, tools.config.kafka):
            ledger.take(known)
        work = Work(ledger, names)
        for _ in range(WIDENINGS):
            parts += await _publish(tools, writer, work, wish, names, len(parts))
            await gone(tools, reader, writer, work)
            names = _wider(tools, wish, work)
            if not names:
                break
        done = await finish(tools, reader, writer, work)
    return _receipt(tools, wish, work, done)


async def erase_again(tools: Tools, other: Path | None = None) -> dict[str, object]:
    """Apply the whole ledger once more: after a restore, or an erasure that was broken off. Reads all touchpoints.

    `other`: the ledger of the folder that the restored one replaces. Raises NotErased, KafkaAway.
    """
    if other is not None:
        tools.folder.add(tools.folder.ledger(other))
    async with consumer(tools.config.kafka) as reader, producer(tools.config.kafka) as writer:
        known = {one.link_id: one async for one in ledger_of(reader, tools.config.kafka)}
        for kept in tools.folder.ledger():
            if kept.link_id not in known or known[kept.link_id].round < kept.round:
                known[kept.link_id] = kept
        again = [one.changed(round=one.round + 1) for one in known.values()]
        ledger = ledger_with(tools.key, again)
        again += late_in_links(tools.source, store.erased_in_links(tools.client, ledger), ledger, tools.directories)
        work = Work(ledger, None)
        tools.say(f"erase       {len(again)} erasures are applied again")
        for item in store.touchpoints(tools.client, ledger, None, physical=True):  # before they are gone
            work.found.take(item)
        work.position = await publish(writer, tools.config.kafka, again)
        if again:
            await gone(tools, reader, writer, work)
        done = await finish(tools, reader, writer, work) if again else {}
    tools.folder.add(again)
    return {"erasures": len(again), "erased": done}


async def lift(tools: Tools, names: Iterable[str]) -> dict[str, object]:
    """End a suppression: what occurs of these ids from now on is kept again; what is gone stays gone.

    All ids that were suppressed with one of them are freed. Raises UsageError where none is suppressed, KafkaAway.
    """
    ledger, now = ledger_with(tools.key), datetime.now(UTC)
    async with consumer(tools.config.kafka) as reader, producer(tools.config.kafka) as writer:
        async for known in ledger_of(reader, tools.config.kafka):
            ledger.take(known)
        held = {one.link_id: one for name in names for one in ledger.suppressed(name)}
        if not held:
            raise UsageError("nobody of that name is suppressed")
        marks = sorted({mark for one in held.values() for mark in one.marks})
        parts = [one.changed(before=now, suppress=False, lifts=True) for one in _of_marks(ledger, str(uuid4()), marks)]
        tools.folder.note(parts)
        await publish(writer, tools.config.kafka, parts)
    return {"lifted_at": _stamp(now), "ids": len(marks), "of": sorted({one.erasure_id for one in held.values()})}


def foreseen(tools: Tools, wish: Wish) -> dict[str, object]:
    """What would be erased; changes nothing."""
    ledger = ledger_with(tools.key)
    for part in _parts(ledger, wish, wish.subject.names, 0):
        ledger.take(part)
    found = store.Found()
    for item in store.touchpoints(tools.client, ledger, wish.subject.names):
        found.take(item)
    return {
        "kind": wish.subject.kind,
        "ids": sorted(wish.subject.names),
        "touchpoints": len(found.events),
        "accounts": sorted(found.accounts),
        "people": sorted(found.people - {""}),
        "left": list(left(tools.config, wish.at)),
    }


def ledger_with(key: bytes, known: Iterable[Erasure] = ()) -> Ledger:
    """A ledger of these. Raises ConfigurationError without a key, or where they were made with another."""
    if not key:
        raise ConfigurationError(
            "privacy.key is not configured: the ledger of erasures needs a secret of its own, e.g. from `openssl rand "
            "-base64 32`; `touchline up` makes one at its start"
        )
    ledger = Ledger(key)
    for one in known:
        ledger.take(one)
    if ledger.unread:
        raise ConfigurationError(f"{len(ledger.unread)} erasures were made with another `privacy.key`: put it back")
    return ledger


async def _publish(  # noqa: PLR0913 - what is published of whom
    tools: Tools, writer: Any, work: Work, wish: Wish, names: Iterable[str], published: int
) -> list[Erasure]:
    """Tell the ledger of more ids of theirs: on disk first, then in Kafka."""
    parts = _parts(work.ledger, wish, names, published)
    tools.folder.note(parts)
    for part in parts:
        work.ledger.take(part)
    for item in store.touchpoints(tools.client, work.ledger, names):  # before they are gone
        work.found.take(item)
    work.position = await publish(writer, tools.config.kafka, parts)
    return parts


def _parts(ledger: Ledger, wish: Wish, names: Iterable[str], published: int) -> list[Erasure]:
    """The records of the ledger, from the number `told` on."""
    marks = sorted(map(ledger.mark, names))
    parts = _of_marks(ledger, wish.erasure_id, marks)
    return [one.changed(part=published + one.part, before=wish.at, suppress=wish.suppress) for one in parts]


def _of_marks(ledger: Ledger, erasure_id: str, marks: list[str]) -> list[Erasure]:
    """Records that together hold these marks; of when is up to the caller."""
    return [
        Erasure(
            erasure_id=erasure_id,
            part=number,
            before=EPOCH,
            key_id=ledger.key_id,
            marks=tuple(marks[start : start + MARKS_IN_A_PART]),
            evidence="",
            source="",
            scoped=True,
        )
        for number, start in enumerate(range(0, len(marks), MARKS_IN_A_PART))
    ]


async def gone(tools: Tools, reader: Any, writer: Any, work: Work) -> None:
    """Return once nothing that is covered is visible; what is, is called back."""
    for look in range(LOOKS):
        if not await flowed(reader, tools.config.kafka):
            tools.say("erase       the services are behind: waiting")
            continue
        there = list(store.touchpoints(tools.client, work.ledger, work.names))
        for item in there:
            work.found.take(item)
        if not there and look:  # what was under way when the ledger was published has come through by the second look
            return
        tools.say(f"erase       {len(there)} touchpoints are called back")
        await call_back(writer, tools.config.kafka, sweep(there, work.ledger, work.position))
        await asyncio.sleep(LOOK_S if there else 0)
    raise NotErased(
        "not everything is gone yet. Are all services running? `touchline erase --again` goes on with what is noted"
    )


def _wider(tools: Tools, wish: Wish, work: Work) -> set[str]:
    """Ids that turned out to be theirs since the last look: what was learned while the ledger was told."""
    if wish.subject.kind != "person" or work.names is None:
        return set()
    aliases = [name for name in work.names if not name.startswith(("ticket:", "crm_ticket:"))]
    more = set(person_with(tools.source, aliases, tools.directories).names) - work.names
    work.names |= more
    return more


async def finish(tools: Tools, reader: Any, writer: Any, work: Work) -> dict[str, int]:
    """Take it out of the files: of ClickHouse, of the links topic, of notes and words of refusals, of the logs."""
    for item in store.touchpoints(tools.client, work.ledger, work.names, physical=True):
        work.found.take(item)
    link_ids = store.links(tools.client, work.ledger)
    await empty(writer, tools.config.kafka, link_ids)
    await take_apart(reader, writer, tools.config.kafka, work.ledger)
    done = store.take_out(tools.client, work.ledger, work.found, link_ids, tools.say)
    done["notes"] = await blank_notes(reader, writer, tools.config.kafka, work.found.events, work.names or ())
    done["words of refusals"] = await blank_refusals(reader, writer, tools.config.kafka, work.names or ())
    done["places in logs"] = tools.folder.blank_logs(work.names or ())
    return done


def _receipt(tools: Tools, wish: Wish, work: Work, done: dict[str, int]) -> Receipt:
    now = datetime.now(UTC)
    receipt: Receipt = {
        "erasure_id": wish.erasure_id,
        "kind": wish.subject.kind,
        "requested_at": _stamp(wish.at),
        "finished_at": _stamp(now),
        "before": _stamp(wish.at),
        "suppress": wish.suppress,
        "by": wish.by,
        "ids": len(work.names or ()),
        "marks": sorted(map(work.ledger.mark, work.names or ())),
        "erased": done,
        "left": list(left(tools.config, now)),
    }
    path = tools.folder.keep(receipt, words(receipt))
    tools.say(f"erase       receipt: {path}")
    return receipt


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
