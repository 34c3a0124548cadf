"""`touchline erase` and `touchline person`: what a data protection officer asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import EXIT_FINDINGS, EXIT_OK, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, KafkaOption, Target

if TYPE_CHECKING:
    from services.cli.privacy.erase import Tools

person = typer.Typer(no_args_is_help=True, help="What is known of one person.")


@person.callback()
def _person() -> None: ...


def erase(  # noqa: PLR0913 - one parameter per flag
    who: Annotated[
        str, typer.Argument(help="A person id, an e-mail address, an alias such as crm_contact:51, or an account.")
    ] = "",
    suppress: Annotated[bool, typer.Option("--suppress", help="Also drop what occurs from now on.")] = False,
    lift: Annotated[
        bool, typer.Option("--lift", help="End a suppression: keep again what occurs from now on. Erases nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Apply all erasures once more: after a restore, or one that was broken off.")
    ] = False,
    ledger: Annotated[
        Path | None, typer.Option(help="With --again: also privacy/ledger.jsonl of the folder that was there before.")
    ] = None,
    requested: Annotated[
        bool,
        typer.Option("--requested", help="Whom senders and POST /api/privacy asked to erase; for a schedule."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    by: Annotated[str, typer.Option(help="Who asked for it; stands in the receipt.")] = "",
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Erase a person or an account everywhere; the receipt says what is gone, and when the rest is."""
    import asyncio

    from services.cli.privacy.erase import Wish, erase_again, foreseen
    from services.cli.privacy.erase import erase as run
    from services.cli.privacy.erase import lift as run_lift
    from services.cli.privacy.schedule import on_schedule
    from services.cli.privacy.subject import names_of, subject_of

    if [bool(who), again, requested].count(True) != 1 or (ledger and not again):
        raise typer.BadParameter(
            "name a person or an account, or say --again or --requested; --ledger goes with --again"
        )
    if lift and (suppress or dry_run or by or not who):
        raise typer.BadParameter("--lift goes with a person or an account, and with nothing else")
    if (again or requested) and (suppress or dry_run or by):
        raise typer.BadParameter("--suppress, --dry-run and --by go with a person or an account")
    with exit_codes(), _tools(Target(data, config, kafka, clickhouse)) as tools:
        if again:
            emit(asyncio.run(erase_again(tools, ledger)))
            return
        if requested:
            for done in on_schedule(tools):
                emit(done)
            return
        if lift:
            emit(asyncio.run(run_lift(tools, names_of(who, tools.directories))))
            return
        subject = subject_of(tools.client, tools.source, who, tools.directories)
        if subject.is_cut:
            say("erase       more ids hang together there than were read: some may be left, see `touchline identity`")
        wish = Wish(subject, suppress=suppress, by=by)
        emit(foreseen(tools, wish) if dry_run else asyncio.run(run(tools, wish)))


@person.command("export")
def person_export(
    who: Annotated[str, typer.Argument(help="A person id, an e-mail address, or an alias such as crm_contact:51.")],
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """All that is known of a person, as JSON: ids, touchpoints, emotions, explanations, incidents."""
    from datetime import UTC, datetime

    from services.cli.privacy.export import export
    from services.common.linked import StoredLinks
    from streams.connectors.registry import directories_of

    target = Target(data, config, None, clickhouse)
    with exit_codes(), target.store() as client:
        directories = directories_of(target.load())
        found = export(client, StoredLinks(client, directories), who, datetime.now(UTC), directories)
    emit(found)
    say(f"{len(found['touchpoints'])} touchpoints" if found["found"] else f"{who}: nothing is known of it")
    raise typer.Exit(EXIT_OK if found["found"] else EXIT_FINDINGS)


@contextmanager
def _tools(target: Target) -> Iterator[Tools]:
    from services.cli.privacy.erase import Tools
    from services.cli.privacy.folder import PrivacyFolder
    from services.common.linked import StoredLinks
    from services.common.secrets import erasure_key
    from streams.connectors.registry import directories_of

    config = target.load()
    with target.store() as client:
        directories = directories_of(config)
        links = StoredLinks(client, directories)
        yield Tools(config, client, links, directories, PrivacyFolder(target.data), erasure_key(config), say)
