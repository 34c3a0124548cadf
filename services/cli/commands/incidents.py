"""`touchline incidents`: what hurts now and what people do about it: take, assign, note, silence, done."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from services.cli.console import EXIT_OK, UsageError, emit, exit_codes, say
from services.cli.context import DATA_DIR, ConfigOption, DataOption, KafkaOption, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config import KafkaConfig
    from schemas.incidents import Desk, IncidentAction, Thread
    from streams.incidents.actions import ActionLog

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
    """List the incidents that people were told of as JSON lines, the worst first."""
    from schemas.policies import LEVELS

    with exit_codes():
        desks, log = asyncio.run(_known(Target(data, config, kafka).load().kafka))
    listed = [(thread, desk) for desk in desks.values() for thread in desk.threads]
    for thread, desk in sorted(listed, key=lambda one: (-LEVELS.index(one[0].level), str(one[0].opened_at))):
        if everything or thread.state in ("told", "held"):
            emit(row_of(desk, thread, log))


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
    from services.cli.commands.moments import moment

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


def row_of(desk: Desk, thread: Thread, log: ActionLog) -> dict[str, object]:
    """One line; pure."""
    standing, last = log.standing(thread.events), thread.last
    return {
        "incident": thread.thread_id,
        "state": thread.state,
        "level": thread.level,
        "account_id": desk.account_id,
        "account": desk.name or desk.account_id,
        "what": last.headline if last is not None else ", ".join(thread.policies),
        "since": thread.opened_at,
        "told_at": thread.told_at,
        "channels": thread.channels,
        "waiting_for": sorted({one.channel for notice in thread.notices for one in notice.sendings}),
        "held_for": thread.held_for,
        "held_why": thread.held_why,
        "taken_by": standing.taken_by,
        "silenced_until": standing.silenced_until,
        "done_by": standing.done_by,
        "done_at": standing.done_at,
        "notes": [{"at": one.at, "by": one.by, "text": one.text} for one in standing.notes],
    }


def found(desks: Mapping[str, Desk], which: str) -> Thread:
    """The one conversation whose id begins so. Raises UsageError."""
    threads = {t.thread_id: t for desk in desks.values() for t in desk.threads if t.thread_id.startswith(which)}
    if not which or len(threads) != 1:
        count = f"{len(threads)} incidents begin" if threads else "no incident begins"
        raise UsageError(f"{count} with `{which[:40]}`; `touchline incidents ls` lists them")
    return next(iter(threads.values()))


def _act(target: Target, which: str, fields: dict[str, object]) -> None:
    from schemas.incidents import MAX_EVENTS, IncidentAction

    with exit_codes():
        kafka = target.load().kafka
        desks, _ = asyncio.run(_known(kafka))
        thread = found(desks, which)
        made = IncidentAction.model_validate(
            fields
            | {
                "action_id": str(uuid4()),
                "at": datetime.now(UTC),
                "by": str(fields["by"] or getpass.getuser()),
                "events": thread.events[:MAX_EVENTS],
            }
        )
        asyncio.run(_publish(kafka, made))
    emit({"incident": thread.thread_id, "verb": made.verb, "by": made.by})
    say("It is in the log.")
    raise typer.Exit(EXIT_OK)


async def _known(kafka: KafkaConfig) -> tuple[dict[str, Desk], ActionLog]:
    """Every desk and every action, as their topics have them. Raises KafkaAway."""
    from schemas.incidents import ACTIONS, Desk
    from services.cli.commands.records import consumer, history
    from streams.incidents.actions import ActionLog
    from streams.runtime.decode import decode

    desks: dict[str, Desk] = {}
    async with consumer(kafka) as reader:
        async for record in history(reader, kafka, "alerts.desks.v1"):
            name = record.key.decode()
            if record.value is None:
                desks.pop(name, None)
            elif not name.startswith(("ward:", "past:")):
                desks[name] = Desk.model_validate_json(record.value[1:-1])
        actions = [
            action
            async for record in history(reader, kafka, "incidents.actions.v1")
            for _, action in decode(record.value or b"[]", ACTIONS).items
        ]
    return desks, ActionLog(actions)


async def _publish(kafka: KafkaConfig, action: IncidentAction) -> None:
    from services.cli.commands.records import producer

    async with producer(kafka) as writer:
        topic = f"{kafka.topic_prefix}incidents.actions.v1"
        value = b"[" + action.encoded() + b"]"
        await writer.send_and_wait(topic, value, key=action.action_id.encode(), partition=0)
