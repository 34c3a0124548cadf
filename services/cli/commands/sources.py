"""`touchline sources`: where each sender stands, what became of what it sent, and resuming one that was set aside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from schemas.config import Config
from schemas.errors import StoreUnavailable, did_you_mean
from services.cli.console import EXIT_FINDINGS, EXIT_OK, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, KafkaOption, Target

if TYPE_CHECKING:
    from streams.runtime.standings import Standings

sources = typer.Typer(no_args_is_help=True, help="Who sends: list, and resume what was set aside.")
Counts = Mapping[str, int]
REFUSED_WITHIN: Final = timedelta(days=7)
_STORED: Final = "SELECT source, count() AS n FROM touchpoints FINAL GROUP BY source"
_OTHERS: Final = """
SELECT source, traffic, toInt64(count()) AS n FROM touchpoints FINAL WHERE traffic != '' GROUP BY source, traffic
ORDER BY source, traffic
"""
_IGNORED: Final = "SELECT source, sum(messages) AS n FROM ignored FINAL GROUP BY source"


@sources.command("ls")
def sources_list(
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """List every source as JSON lines: whether it is read, and what it sent: stored, dead, ignored, parked, not taken.

    `not_taken`: of the last 7 days, what the gateway refused and what became dead letters, by reason, since when, and
    the last one's words. A line without a source is of senders that nobody knows.

    Exit code 1 while one is set aside.
    """
    target = Target(data, config, kafka, clickhouse)
    with exit_codes():
        loaded = target.load()
        standings, dead = asyncio.run(_of_kafka(loaded))
        stored, ignored, others = _of_store(target)
    for row in rows_of(loaded, standings, dead, stored, ignored, others):
        emit(row)
    for standing in standings.aside:
        say(f"{standing.source} is set aside: {standing.cause}. `touchline sources resume {standing.source}`")
    raise typer.Exit(EXIT_FINDINGS if standings.aside else EXIT_OK)


@sources.command("resume")
def sources_resume(
    name: Annotated[str, typer.Argument(help="The source, as `touchline.yaml` names it.")],
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Read what a source that was set aside has sent since, then let it flow; what is refused becomes dead letters."""
    from services.common.parked import resume, standings_of

    with exit_codes():
        loaded = Target(data, config, kafka).load()
        known = [source.name for source in loaded.sources]
        if name not in known:  # its backlog outlives its place in the configuration
            known += asyncio.run(standings_of(loaded.kafka)).of
        if name not in known:
            raise typer.BadParameter(f"no source {name!r}{did_you_mean(name, known)}")
        emit(asyncio.run(resume(loaded.kafka, name, say)))


def rows_of(  # noqa: PLR0913, PLR0917 - what is known of sources, from five places
    config: Config,
    standings: Standings,
    dead: Counts,
    stored: Counts | None,
    ignored: Counts | None,
    others: Mapping[str, Counts] | None = None,
) -> Iterable[dict[str, object]]:
    """One line a source, those of the configuration first; None: the store does not answer."""
    vendors = {source.name: source.vendor for source in config.sources}
    refused: dict[str, list[dict[str, object]]] = {}
    for one in standings.not_taken(datetime.now(UTC) - REFUSED_WITHIN):
        row = {"stage": one.stage, "reason": one.reason, "count": one.count, "since": one.since}
        refused.setdefault(one.source, []).append(row | {"last_at": one.last_at, "last": one.detail})
    unlisted = sorted((standings.of.keys() | dead.keys()) - vendors.keys() - {""} | refused.keys() - vendors.keys())
    for source in (*vendors, *unlisted):
        standing, backlog = standings.of.get(source), standings.backlogs.get(source)
        aside = standing if standing is not None and standing.state != "flowing" else None
        yield {
            "source": source,
            "vendor": vendors.get(source, ""),
            "state": aside.state if aside else "flowing",
            "since": aside.since if aside else None,
            "cause": aside.cause if aside else "",
            "parked_requests": backlog.requests if backlog else 0,
            "oldest_parked_at": backlog.oldest_at if backlog else None,
            "lost_requests": backlog.lost if backlog else 0,
            "not_taken": refused.get(source, []),
            "dead_letters": dead.get(source, 0),
            "stored_touchpoints": None if stored is None else stored.get(source, 0),
            "ignored_messages": None if ignored is None else ignored.get(source, 0),
            "not_of_customers": None if others is None else dict(others.get(source, {})),
        }


async def _of_kafka(config: Config) -> tuple[Standings, Counts]:
    from services.common.dead_letters import each_letter
    from services.common.parked import standings_now
    from services.common.records import consumer

    async with consumer(config.kafka) as reader:
        standings = await standings_now(reader, config.kafka)
        letters = {letter.letter_id: letter.source async for letter in each_letter(reader, config.kafka)}
    return standings, Counter(letters.values())


def _of_store(target: Target) -> tuple[Counts | None, Counts | None, Mapping[str, Counts] | None]:
    from streams.runtime.clickhouse import query_rows

    try:
        with target.store() as client:
            stored, ignored = (
                {str(row["source"]): int(str(row["n"])) for row in query_rows(client, sql)}
                for sql in (_STORED, _IGNORED)
            )
            others: dict[str, dict[str, int]] = {}
            for row in query_rows(client, _OTHERS):
                others.setdefault(str(row["source"]), {})[str(row["traffic"])] = int(str(row["n"]))
            return stored, ignored, others
    except StoreUnavailable as error:
        say(f"ClickHouse does not answer, so what is stored is not known: {str(error).splitlines()[0][:200]}")
        return None, None, None
