"""`touchline incidents`: what hurts now and what people do about it: take, assign, note, silence, done."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from services.cli.console import EXIT_OK, UsageError, emit, exit_codes, say
from services.cli.context import DATA_DIR, ConfigOption, DataOption, KafkaOption, Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.config import KafkaConfig
    from schemas.incidents import Desk, IncidentAction
    from streams.incidents.actions import ActionLog
    from streams.incidents.intake import Lens
    from streams.incidents.listing import Listed

REACH = timedelta(days=37)
"""As far as the page reads for a week: what is older is evidence of nothing that hurts now."""
incidents = typer.Typer(no_args_is_help=True, help="What hurts now, and who takes care of it.")
Which = Annotated[str, typer.Argument(help="The incident's id, or its first characters.")]
By = Annotated[str, typer.Option("--by", help="Who says so; default: the user of this machine.")]


@incidents.command("ls")
def incidents_list(
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """List the incidents as JSON lines, the worst first, whether or not somebody was told of them."""
    from streams.incidents.intake import Lens
    from streams.journey.blueprints import load

    with exit_codes():
        target = Target(data, config, kafka)
        lens = Lens(load(target.load().journey.blueprint).source)
        desks, log = hurt(target, lens)
    for row in rows_of(desks, lens, log, datetime.now(UTC), everything=everything):
        emit(row)


@incidents.command("take")
def take(
    incident: Which, by: By = "", data: DataOption = DATA_DIR, config: ConfigOption = None, kafka: KafkaOption = None
) -> None:
    """Take care of an incident yourself."""
    _act(Target(data, config, kafka), incident, {"verb": "take", "by": by})


@incidents.command("assign")
def assign(  # noqa: PLR0913 - one parameter per flag
    incident: Which,
    to: Annotated[str, typer.Argument(help="Who is to take care of it.")],
    by: By = "",
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Give an incident to somebody."""
    _act(Target(data, config, kafka), incident, {"verb": "assign", "to": to, "by": by})


@incidents.command("note")
def note(  # noqa: PLR0913 - one parameter per flag
    incident: Which,
    text: Annotated[str, typer.Argument(help="What the others should know.")],
    by: By = "",
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Write a note to an incident."""
    _act(Target(data, config, kafka), incident, {"verb": "note", "text": text, "by": by})


@incidents.command("silence")
def silence(  # noqa: PLR0913 - one parameter per flag
    incident: Which,
    until: Annotated[str, typer.Argument(help="How long: 90m, 36h, 7d; or until when (UTC).")],
    by: By = "",
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Hear no more of an incident for a while; its end is still told."""
    from services.cli.moments import moment

    now = datetime.now(UTC)
    at = moment(until, now, "UNTIL")
    at = now + (now - at) if at < now else at  # 36h is a span: here it lies ahead
    _act(Target(data, config, kafka), incident, {"verb": "silence", "until": at, "by": by})


@incidents.command("done")
def done(
    incident: Which, by: By = "", data: DataOption = DATA_DIR, config: ConfigOption = None, kafka: KafkaOption = None
) -> None:
    """Call an incident done; when it hurts again, that is told."""
    _act(Target(data, config, kafka), incident, {"verb": "done", "by": by})


def rows_of(
    desks: Iterable[Desk], lens: Lens, log: ActionLog, now: datetime, *, everything: bool
) -> list[dict[str, object]]:
    """The lines, the worst first; pure. `everything`: also what is done, or over."""
    from streams.incidents.listing import listed, worst_first

    accounts = {one.incident_id: (desk.account_id, one) for desk in desks for one in listed(desk, lens, log, now)}
    ranked = worst_first(one for _, one in accounts.values())
    shown = [one for one in ranked if everything or one.state not in ("done", "over")]
    return [_row(accounts[one.incident_id][0], one) for one in shown]


def _row(account_id: str, one: Listed) -> dict[str, object]:
    standing, thread = one.standing, one.thread
    return {
        "incident": one.incident_id,
        "state": one.state,
        "is_back": one.is_back,
        "level": one.level,
        "account_id": account_id,
        "account": one.account,
        "what": one.incident.lead.words,
        "since": one.incident.opened_at,
        "told": thread.state if thread is not None else "nobody",
        "told_at": thread.told_at if thread is not None else None,
        "channels": thread.channels if thread is not None else (),
        "waiting_for": sorted({one.channel for notice in thread.notices for one in notice.sendings}) if thread else [],
        "held_for": thread.held_for if thread is not None else "",
        "held_why": thread.held_why if thread is not None else "",
        "taken_by": standing.taken_by,
        "silenced_until": standing.silenced_until,
        "done_by": standing.done_by,
        "done_at": standing.done_at,
        "notes": [{"at": one.at, "by": one.by, "text": one.text} for one in standing.notes],
    }


def found(desks: Iterable[Desk], lens: Lens, which: str) -> tuple[str, tuple[str, ...]]:
    """The one incident whose id begins so, and its evidence. Raises UsageError."""
    from streams.incidents.actions import ActionLog
    from streams.incidents.listing import listed

    now, log = datetime.now(UTC), ActionLog()
    named = {one.incident_id: one.incident.events for desk in desks for one in listed(desk, lens, log, now)}
    named = {name: events for name, events in named.items() if name.startswith(which)}
    if not which or len(named) != 1:
        count = f"{len(named)} incidents begin" if named else "no incident begins"
        raise UsageError(f"{count} with `{which[:40]}`; `touchline incidents ls` lists them")
    return next(iter(named.items()))


def _act(target: Target, which: str, fields: dict[str, object]) -> None:
    from schemas.incidents import MAX_EVENTS, IncidentAction
    from streams.incidents.intake import Lens
    from streams.journey.blueprints import load

    with exit_codes():
        loaded = target.load()
        lens = Lens(load(loaded.journey.blueprint).source)
        incident_id, events = found(hurt(target, lens)[0], lens, which)
        made = IncidentAction.model_validate(
            fields
            | {
                "action_id": str(uuid4()),
                "at": datetime.now(UTC),
                "by": str(fields["by"] or getpass.getuser()),
                "events": events[:MAX_EVENTS],
            }
        )
        asyncio.run(_publish(loaded.kafka, made))
    emit({"incident": incident_id, "verb": made.verb, "by": made.by})
    say("It is in the log.")
    raise typer.Exit(EXIT_OK)


def hurt(target: Target, lens: Lens) -> tuple[list[Desk], ActionLog]:
    """What hurt accounts as the store has it, with what people were told and did. Raises KafkaAway, StoreUnavailable.

    Not from the desks of the alerts: they forget what was over two days ago, which cuts long incidents into pieces.
    """
    from services.cli.commands.previewing import history

    known, log = asyncio.run(_known(target.load().kafka))
    with target.store() as client:
        desks = history(client, lens, datetime.now(UTC) - REACH)
    threads = {name: desk.threads for name, desk in known.items()}
    return [desk.changed(threads=threads.get(desk.account_id, ())) for desk in desks], log


async def _known(kafka: KafkaConfig) -> tuple[dict[str, Desk], ActionLog]:
    """Every desk and every action, as their topics have them. Raises KafkaAway."""
    from schemas.incidents import ACTIONS, Desk, is_desk
    from services.common.records import consumer, history
    from streams.incidents.actions import ActionLog
    from streams.runtime.decode import decode

    desks: dict[str, Desk] = {}
    async with consumer(kafka) as reader:
        async for record in history(reader, kafka, "alerts.desks.v1"):
            name = record.key.decode()
            if record.value is None:
                desks.pop(name, None)
            elif is_desk(name):
                desks[name] = Desk.model_validate_json(record.value[1:-1])
        actions = [
            action
            async for record in history(reader, kafka, "incidents.actions.v1")
            for _, action in decode(record.value or b"[]", ACTIONS).items
        ]
    return desks, ActionLog(actions)


async def _publish(kafka: KafkaConfig, action: IncidentAction) -> None:
    from services.common.records import producer

    async with producer(kafka) as writer:
        topic = f"{kafka.topic_prefix}incidents.actions.v1"
        value = b"[" + action.encoded() + b"]"
        await writer.send_and_wait(topic, value, key=action.action_id.encode(), partition=0)
