"""`touchline verify`: Kafka against the store, then the store against itself; `--fix` stores what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from schemas.config import Config
from schemas.errors import TransientError
from schemas.links import Erasure
from schemas.touchpoints import CleanTouchpoint
from services.cli.commands.refold_commands import run_refold
from services.cli.context import Target
from services.cli.finding.missing_events import find_unseen
from services.cli.finding.missing_facts import Holes, Repair, find_holes
from services.common.secrets import clickhouse_password, erasure_key
from services.sink.batch import Item
from services.sink.erased import LEDGER, Erased
from services.sink.presence import Ask
from services.sink.retention import kept_since
from services.sink.sink import Sink
from services.sink.verify import Finding, settled
from streams.connectors.registry import connectors_of, directories_of
from streams.identity.erasures import Ledger
from streams.runtime.clickhouse import Store, query_rows
from streams.runtime.metrics import NoMetrics
from streams.sentences import said

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Say = Callable[[str], None]
CAUSE = said("facts_lost")
TOLD_ACCOUNTS = 5


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. `from_at`: only what Kafka took in from then on; None: everything it has."""

    from_at: datetime | None = None
    fix: bool = False
    with_kafka: bool = True


@dataclass(frozen=True, slots=True)
class Verified:
    """What does not add up, and what was done about it."""

    findings: list[Finding]
    done: dict[str, object] = field(default_factory=dict)


def run_verify(target: Target, options: Options, say: Say) -> Verified:
    """Compares, and repairs where asked to. Raises ConfigurationError, KafkaAway, StoreUnavailable."""
    with target.store() as client:
        found: list[Finding] = []
        done: dict[str, object] = {}
        if options.with_kafka:
            found, done = _against_kafka(target, client, options, say)
        return Verified(found + settled(client, say, since=_since(target.load())), done)


def _against_kafka(
    target: Target, client: Client, options: Options, say: Say
) -> tuple[list[Finding], dict[str, object]]:
    """First the facts themselves; then, for what has no fact any more, the requests they came from."""
    config = target.load()
    kafka, connectors = config.kafka, connectors_of(config.sources)

    def ask(sql: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        return query_rows(client, sql, parameters)

    holes = _holes(target, ask, options, say)
    if holes.repaired:
        _refold(target, sorted(holes.accounts), say)
    unseen = asyncio.run(
        find_unseen(
            kafka,
            ask,
            say,
            from_at=options.from_at,
            send=options.fix,
            connectors=connectors,
            since=_since(config),
            is_erased=_erased(config, ask),
        )
    )
    done: dict[str, object] = {
        "records_compared": holes.records,
        "facts_compared": holes.items,
        "facts_stored_again": holes.repaired,
        "requests_compared": unseen.requests,
        "requests_parked": unseen.parked,
        "requests_sent_again": unseen.sent,
    }
    if unseen.parked:
        say(f"{unseen.parked} requests wait unread: their source is set aside, see `touchline sources ls`")
    if options.fix and unseen.ids:
        say(f"still not stored: {' '.join(unseen.ids)}\nWhat is listed is gone, but for a backup.")
    return holes.findings() + unseen.findings(), done


def _holes(target: Target, ask: Ask, options: Options, say: Say) -> Holes:
    config = target.load()
    with Store(config.clickhouse, clickhouse_password(config)) as store:
        repair = _repairing(store, erasure_key(config)) if options.fix else None
        return asyncio.run(
            find_holes(
                config.kafka,
                ask,
                say,
                from_at=options.from_at,
                repair=repair,
                since=_since(config),
                kept=Erased(store, Ledger(erasure_key(config))).kept,
            )
        )


def _erased(config: Config, ask: Ask) -> Callable[[CleanTouchpoint], bool]:
    """Whether a touchpoint is of somebody who was erased."""
    ledger, directories = Ledger(erasure_key(config)), directories_of(config)
    for row in ask(LEDGER, {}):
        ledger.take(Erasure.model_validate_json(str(row["payload"])))
    return lambda touchpoint: bool(ledger) and ledger.covers(directories.touchpoint(touchpoint))


def _since(config: Config) -> datetime:
    return kept_since(config, datetime.now(UTC))


def _repairing(store: Store, key: bytes) -> Repair:
    """The sink's own way in: rows replace one another by id, and the cells of the map are computed anew."""
    sink = Sink(store, NoMetrics(), lambda: datetime.now(UTC), Ledger(key))

    def repair(items: Sequence[Item]) -> None:
        sink.write(items)
        sink.recompute(items)

    return repair


def _refold(target: Target, accounts: Sequence[str], say: Say) -> None:
    """What was concluded meanwhile did not know the facts that were missing."""
    if not accounts:
        return
    try:
        run_refold(target, accounts, cause=CAUSE, rate_per_s=0, say=say)
    except (TransientError, KafkaError) as error:
        some = " ".join(accounts[:TOLD_ACCOUNTS]) + (" …" if len(accounts) > TOLD_ACCOUNTS else "")
        say(f"{error}\nOnce the services run: `touchline refold {some}` ({len(accounts)} accounts), or `--all`")
