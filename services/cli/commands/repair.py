"""What puts stored figures right: `touchline verify`, `refold`, `remap` and `replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.console import EXIT_FINDINGS, EXIT_OK, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, KafkaOption, Target


def verify(  # noqa: PLR0913 - one parameter per flag
    since: Annotated[str, typer.Option(help="Only what Kafka took in from then on: 36h, 7d, or a time (UTC).")] = "",
    fix: Annotated[bool, typer.Option("--fix", help="Store again, from Kafka, what the store has lost.")] = False,
    store_only: Annotated[bool, typer.Option("--store-only", help="Do not read Kafka.")] = False,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Compare Kafka's facts with the stored rows by id, and the map with its touchpoints; differences as JSON lines."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from services.cli.commands.verifying import Options, run_verify
    from services.cli.moments import moment

    if store_only and (since or fix):
        raise typer.BadParameter("--since and --fix read Kafka, --store-only does not")
    from_at = moment(since, datetime.now(UTC), "--since") if since else None
    with exit_codes():
        options = Options(from_at, fix, with_kafka=not store_only)
        verified = run_verify(Target(data, config, kafka, clickhouse), options, say)
    findings = verified.findings
    for finding in findings:
        emit(asdict(finding))
    if fix:
        emit(verified.done)
    say(f"{len(findings)} kind(s) of difference." if findings else "Everything adds up.")
    raise typer.Exit(EXIT_FINDINGS if findings else EXIT_OK)


def refold(  # noqa: PLR0913 - one parameter per flag
    accounts: Annotated[list[str] | None, typer.Argument(help="Accounts to compute anew, e.g. crm:51.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    cause: Annotated[str, typer.Option(help="Why; stands in the corrections.")] = "asked for by an operator",
    rate: Annotated[float, typer.Option(min=0, help="Accounts a second at most; 0: as fast as it goes.")] = 0.0,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Compute accounts anew from their stored touchpoints; corrections say what that changed."""
    from services.cli.commands.refold_commands import run_refold

    if bool(accounts) == everyone:
        raise typer.BadParameter("name accounts, or say --all")
    with exit_codes():
        target = Target(data, config, kafka, clickhouse)
        done, unknown = run_refold(target, accounts or [], cause=cause, rate_per_s=rate, say=say)
    for account_id in unknown:
        say(f"no account {account_id}")
    emit(done)
    raise typer.Exit(EXIT_FINDINGS if unknown else EXIT_OK)


def remap(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the accounts; exit code 1 when any.")] = False,
    rate: Annotated[float, typer.Option(min=0, help="Accounts a second at most; 0: as fast as it goes.")] = 0.0,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Read history anew: stored requests by today's mappings, all accounts by today's blueprint.

    Can be broken off and started again.
    """
    from services.cli.commands.refold_commands import run_remap

    with exit_codes():
        target = Target(data, config, kafka, clickhouse)
        done = run_remap(target, dry_run=dry_run, rate_per_s=rate, say=say)
    emit(done)
    is_due = done["accounts"] or done.get("outdated_touchpoints")
    raise typer.Exit(EXIT_FINDINGS if dry_run and is_due else EXIT_OK)


def replay(
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Everything Kafka still has.")] = False,
    since: Annotated[str, typer.Option(help="What came from then on: 36h, or a time.", metavar="TIME")] = "",
    rate: Annotated[float, typer.Option(min=0, help="Records a second at most; 0: as fast as it goes.")] = 0.0,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Send the raw requests through the pipeline again; no figure changes by it."""
    import asyncio
    from datetime import UTC, datetime

    from services.cli.commands.replaying import replay_raw
    from services.cli.moments import moment

    if from_beginning == bool(since):
        raise typer.BadParameter("say --from-beginning, or --since TIME")
    at = moment(since, datetime.now(UTC), "--since") if since else None
    with exit_codes():
        emit(asyncio.run(replay_raw(Target(data, config, kafka).load().kafka, say, since=at, rate_per_s=rate)))
