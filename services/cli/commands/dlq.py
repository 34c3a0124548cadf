"""`touchline dlq`: what could not be processed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from schemas.errors import did_you_mean
from schemas.processes import FORMER_STAGES, STAGES
from schemas.touchpoints import DeadLetter
from services.cli.console import EXIT_FINDINGS, EXIT_OK, emit, exit_codes, say
from services.cli.context import DATA_DIR, ConfigOption, DataOption, KafkaOption, Target

StageOption = Annotated[str, typer.Option(help="Only of this stage.")]
ReasonOption = Annotated[str, typer.Option(help="Only for this reason.")]
dlq = typer.Typer(no_args_is_help=True, help="What could not be processed: list, show, send again.")


@dlq.command("ls")
def dlq_list(
    stage: StageOption = "",
    reason: ReasonOption = "",
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """List dead letters as JSON lines, oldest first."""
    from services.common.dead_letters import summary

    for letter in _letters(Target(data, config, kafka), (), stage, reason):
        emit(summary(letter))


@dlq.command("show")
def dlq_show(
    letter_ids: list[str], data: DataOption = DATA_DIR, config: ConfigOption = None, kafka: KafkaOption = None
) -> None:
    """Dead letters with their original bytes, one line of JSON each."""
    letters = _letters(Target(data, config, kafka), letter_ids)
    for letter in letters:
        emit(letter.model_dump(mode="json"))
    unknown = sorted(set(letter_ids) - {letter.letter_id for letter in letters})
    for letter_id in unknown:
        say(f"no dead letter {letter_id}; `touchline dlq ls` lists them")
    if unknown:
        raise typer.Exit(EXIT_FINDINGS)


@dlq.command("replay")
def dlq_replay(
    letter_ids: Annotated[list[str] | None, typer.Argument(help="Letters to send again; none: all chosen.")] = None,
    stage: StageOption = "",
    reason: ReasonOption = "",
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Send the records of dead letters to the topics they came from; once more never counts twice."""
    import asyncio

    from services.common.dead_letters import replay as send

    target = Target(data, config, kafka)
    letters = _letters(target, letter_ids or (), stage, reason)
    unknown = set(letter_ids or ()) - {letter.letter_id for letter in letters}
    with exit_codes():
        done = asyncio.run(send(target.load().kafka, letters))
    for line in (
        *done.lost,
        *done.waiting,
        *(f"no dead letter {letter_id} among those chosen" for letter_id in sorted(unknown)),
    ):
        say(line)
    emit(
        {
            "letters": len(letters),
            "records_sent": done.records,
            "lost": len(done.lost),
            "waiting_unread": len(done.waiting),
        }
    )
    raise typer.Exit(EXIT_FINDINGS if done.lost or unknown else EXIT_OK)


def _letters(target: Target, ids: Sequence[str], stage: str = "", reason: str = "") -> list[DeadLetter]:
    import asyncio

    from services.common.dead_letters import find, wanted

    if stage and stage not in STAGES | FORMER_STAGES:
        raise typer.BadParameter(f"no stage {stage!r}{did_you_mean(stage, STAGES)}", param_hint="--stage")
    with exit_codes():
        return asyncio.run(find(target.load().kafka, wanted(ids, stage, reason)))
