"""`touchline alerts`: try a channel, see what was sent, and what the policies would have told."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import EXIT_FINDINGS, EXIT_OK, UsageError, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, KafkaOption, Target

if TYPE_CHECKING:
    from schemas.config import Config, KafkaConfig
    from schemas.incidents import Delivery

alerts = typer.Typer(
    no_args_is_help=True, help="Who is told of what hurts: try channels, preview policies, read the log."
)
NEWEST = 5_000


@alerts.command("test")
def alerts_test(
    channel: Annotated[str, typer.Argument(help="The channel, as `touchline.yaml` names it.")],
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
) -> None:
    """Send a message that says it is a test, and show what the receiver answers. Exit code 1 when it is not taken."""
    with exit_codes():
        outcome = asyncio.run(_sent(Target(data, config).load(), channel))
    emit(outcome)
    raise typer.Exit(EXIT_OK if outcome["outcome"] == "sent" else EXIT_FINDINGS)


@alerts.command("log")
def alerts_log(
    newest: Annotated[int, typer.Option(min=1, max=NEWEST, help="So many lines at most.")] = 100,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """The delivery log as JSON lines, oldest first: what was sent, answered, given up, and what nobody was told."""
    with exit_codes():
        lines = asyncio.run(deliveries(Target(data, config, kafka).load().kafka, newest))
    for line in lines:
        emit(line.model_dump(mode="json"))


@alerts.command("preview")
def alerts_preview(  # noqa: PLR0913 - one parameter per flag
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How far back.")] = 30,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Another number: burst.count=8; may be repeated.")
    ] = None,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """What the policies would have told of the last days, by policy; beside it, with --set, what with other numbers."""
    from services.cli.commands.previewing import changes_of, figures, history
    from streams.incidents.intake import Lens
    from streams.incidents.played import desks_of_figures
    from streams.incidents.preview import Tally, preview, with_changes
    from streams.incidents.rhythm import Rhythms
    from streams.journey.blueprints import load

    now = datetime.now(UTC)
    since = now - timedelta(days=days)
    target = Target(data, config, None, clickhouse)
    with exit_codes():
        settings = target.load()
        blueprint = load(settings.journey.blueprint).source
        wanted = list(changes_of(changes or [], blueprint))
        try:
            changed = with_changes(blueprint, wanted)
        except ValueError as error:
            raise UsageError(f"--set: {error}") from None
        with target.store() as client:
            desks = history(client, Lens(blueprint), since)
            found = figures(client, Lens(blueprint), since, now)
        rhythms = Rhythms(settings.lateness, settings.sources)

        def played(lens: Lens) -> list[Tally]:
            others = desks_of_figures(*found, lens, since, now, rhythms)
            return preview([*desks, *others], lens, since, now)

        before = played(Lens(blueprint))
        after = played(Lens(changed)) if wanted else None
    for index, tally in enumerate(before):
        row = {"days": days, **tally.row()}
        emit(row if after is None else row | {"changed": after[index].row()})
    total = sum(tally.opened + tally.again for tally in before)
    beside = f", {sum(tally.opened + tally.again for tally in after)} with the change" if after is not None else ""
    say(f"{total} message(s) in {days} days{beside}, about {len(desks)} account(s) that something hurt.")


@alerts.command("alertmanager")
def alerts_alertmanager(data: DataOption = DATA_DIR, config: ConfigOption = None) -> None:
    """Print a configuration of Alertmanager with your channels as receivers, by owner; secrets stay in their files."""
    from services.alerting.prometheus.receivers import left_out, rendered

    with exit_codes():
        settings = Target(data, config).load().alerts
        text = rendered(settings)
    if names := left_out(settings):
        say(f"left out, because Alertmanager cannot use them: {', '.join(names)}")
    print(text, end="")


async def _sent(config: Config, channel: str) -> dict[str, object]:
    from schemas.errors import did_you_mean
    from services.alerting.channels.registry import senders
    from services.alerting.outgoing import Outgoing
    from streams.incidents.messages import trial

    alerting = config.alerts
    outgoing = Outgoing(alerting.allow_private, timeout_s=alerting.timeout_s)
    try:
        made = senders(alerting, outgoing)
        if channel not in made:
            there = (
                did_you_mean(channel, made) if made else "; no channel is configured, see `alerts` in touchline.yaml"
            )
            raise UsageError(f"no channel is called `{channel[:40]}`{there}")
        outcome = await made[channel].send(trial(alerting.public_url, getpass.getuser(), datetime.now(UTC)))
    finally:
        await outgoing.close()
    return {"channel": channel, "outcome": outcome.kind, "answer": outcome.words}


async def deliveries(kafka: KafkaConfig, newest: int) -> list[Delivery]:
    """The last lines of the delivery log. Raises KafkaAway."""
    from schemas.incidents import DELIVERIES
    from services.common.records import consumer, history
    from streams.runtime.decode import decode

    async with consumer(kafka) as reader:
        return [
            line
            async for record in history(reader, kafka, "alerts.deliveries.v1", newest=newest)
            for _, line in decode(record.value, DELIVERIES).items
        ]
