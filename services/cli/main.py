"""`touchline`: the commands. Each imports what it needs when it is called, so that `--help` stays quick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import did_you_mean
from schemas.processes import STAGES
from schemas.touchpoints import DeadLetter
from services.cli.commands.access import access
from services.cli.commands.alerts import alerts
from services.cli.commands.backups import backup, restore
from services.cli.commands.demo import demo
from services.cli.commands.incidents import incidents
from services.cli.commands.privacy import erase, person
from services.cli.commands.sources import sources
from services.cli.console import EXIT_CONFIGURATION, EXIT_FINDINGS, EXIT_OK, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, KafkaOption, Target
from services.cli.exporting.command import export
from services.cli.importing.command import import_files

app = typer.Typer(
    name="touchline",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="The journey your B2B customers really take, while they take it.",
    epilog="Exit codes: 0 ok, 1 findings, 2 usage or unexpected, 78 configuration, 130 interrupted. No telemetry.",
)

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0 picks a free port; default: the configuration's.")]
SqlPort = Annotated[int, typer.Option(min=0, max=65535, help="Port for SQL clients; 0 picks a free one and keeps it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
StageOption = Annotated[str, typer.Option(help="Only of this stage.")]
ReasonOption = Annotated[str, typer.Option(help="Only for this reason.")]


@app.command()
def up(  # noqa: PLR0913 - one parameter per flag
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    gateway_port: Port = None,
    dashboard_port: Port = None,
    sql_port: SqlPort = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line on stdout when everything is ready.")] = False,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Run everything on this machine until Ctrl-C."""
    from services.supervisor.main import UpOptions, run_up

    with exit_codes():
        options = UpOptions(
            data_dir=data,
            config_path=config,
            gateway_port=gateway_port,
            dashboard_port=dashboard_port,
            sql_port=sql_port,
            kafka=kafka,
            clickhouse=clickhouse,
        )
        raise typer.Exit(run_up(options, say, emit if as_json else _tell))


@app.command()
def run(
    service: Annotated[str, typer.Argument(help="gateway, normalise, resolve, journey, sink, dashboard, …")],
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Run one service in the foreground."""
    from services.cli.service import SERVICES, STORES, run_service

    names = [*SERVICES, *STORES]
    if service not in names:
        raise typer.BadParameter(f"no service {service!r}{did_you_mean(service, names)}")
    with exit_codes():
        raise typer.Exit(run_service(service, Target(data, config, kafka, clickhouse).load(), data_dir=data))


@app.command()
def setup() -> None:
    """Fetch what the embedded broker needs, once per user."""
    from services.embedded.kafka.errors import BrokerError
    from services.embedded.kafka.setup import prepare_runtime
    from services.supervisor.supervisor import StartFailed

    with exit_codes():
        try:
            prepare_runtime(None, say)
        except BrokerError as error:
            raise StartFailed(str(error)) from error
    say("The embedded broker is ready to start.")


@app.command()
def secrets(
    folder: Annotated[Path, typer.Argument(help="Where docker-compose.yml looks: .secrets.")],
) -> None:
    """Write fresh secrets for the cluster profile; what is there stays."""
    from services.cli.commands.cluster_secrets import write_secrets

    for path in write_secrets(folder):
        emit({"wrote": str(path)})


@app.command()
def generate(
    what: Annotated[str, typer.Argument(help="What to write, or `all`; an unknown word lists what there is.")],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 when something differs.")] = False,
) -> None:
    """Write what is generated from the catalogues, in a checkout."""
    from services.cli.generate.command import ALL, GENERATED, GROUPS
    from services.cli.generate.command import generate as write

    words = (ALL, *GROUPS, *GENERATED)
    if what not in words:
        raise typer.BadParameter(f"one of {', '.join(words)}{did_you_mean(what, words)}")
    differing = write(what, check=check)
    for path in differing:
        emit({"differs" if check else "wrote": str(path)})
    raise typer.Exit(EXIT_FINDINGS if check and differing else EXIT_OK)


@app.command()
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Configurations and blueprints; default: touchline.yaml in the data folder."),
    ] = None,
    data: DataOption = DATA_DIR,
    as_json: JsonOption = False,
) -> None:
    """Check the configuration, its secrets and its blueprint, or a blueprint: every problem with its place."""
    from services.cli.commands.validate import notes, problems

    chosen = paths or [data / "touchline.yaml"]
    with exit_codes():
        found = [problem for path in chosen for problem in problems(path)]
        told = [] if found else [note for path in chosen for note in notes(path)]
    for problem in found:
        emit(problem.as_dict()) if as_json else say(str(problem))
    for note in told:
        say(f"note: {note}")
    what = "The configuration is" if len(chosen) == 1 else "All are"
    say(f"{what} valid." if not found else f"{len(found)} problem(s).")
    raise typer.Exit(EXIT_CONFIGURATION if found else EXIT_OK)


@app.command()
def migrate(data: DataOption = DATA_DIR, config: ConfigOption = None, clickhouse: ClickHouseOption = None) -> None:
    """Bring the database up to date."""
    from services.common.secrets import clickhouse_password
    from services.sink.migrate import migrate as apply
    from services.sink.parted import refuse_parted
    from services.sink.retention import apply as apply_retention

    with exit_codes():
        target = Target(data, config, None, clickhouse).load()
        say(f"ClickHouse at {target.clickhouse.url}; waiting up to a minute for it")
        applied = apply(target.clickhouse, clickhouse_password(target))
        aged = apply_retention(target, clickhouse_password(target))
        refuse_parted(target, clickhouse_password(target))
    for name in applied:
        emit({"applied": name})
    for table in aged:
        emit({"retention_set": table})
    say(f"{len(applied)} migration(s) and view(s) applied.")


@app.command()
def retention(data: DataOption = DATA_DIR, config: ConfigOption = None) -> None:
    """What is kept where, what of it is personal, and how long: a JSON line for each topic and table."""
    from services.cli.commands.retention import described

    with exit_codes():
        for line in described(Target(data, config).load()):
            emit(line)


@app.command()
def doctor(
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine, the configuration and what runs; each problem with its remedy."""
    from services.cli.commands.doctor.registry import examine

    with exit_codes():
        problems = 0
        for check in examine(Target(data, config, kafka, clickhouse)):
            emit(check.as_dict()) if as_json else say(str(check))
            problems += check.state == "problem"
    raise typer.Exit(EXIT_FINDINGS if problems else EXIT_OK)


@app.command()
def explain(
    event_id: Annotated[str, typer.Argument(help="Touchline's id of the event, or the vendor's.")],
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    clickhouse: ClickHouseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why an event counts as it does: whose it is, what it was taken for, what it set off."""
    if not event_id.strip():
        raise typer.BadParameter("it is empty: give Touchline's id of the event, or the vendor's")
    from services.sink.explain import as_text
    from services.sink.explain import explain as look_up

    with exit_codes(), Target(data, config, None, clickhouse).store() as client:
        found = look_up(client, event_id)
    emit(found) if as_json else print(as_text(found))
    raise typer.Exit(EXIT_OK if found["found"] else EXIT_FINDINGS)


@app.command()
def identity(
    who: Annotated[str, typer.Argument(help="A person id, an e-mail address, or an alias such as crm_contact:51.")],
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    clickhouse: ClickHouseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who somebody is: every edge with its evidence, their account by which rule, what is asked and decided."""
    from datetime import UTC, datetime

    from services.cli.commands.identity import as_text, identify
    from services.common.linked import StoredLinks
    from streams.connectors.registry import directories_of

    target = Target(data, config, None, clickhouse)
    with exit_codes(), target.store() as client:
        directories = directories_of(target.load())
        found = identify(StoredLinks(client, directories), who, datetime.now(UTC), directories)
    emit(found) if as_json else print(as_text(found))
    raise typer.Exit(EXIT_OK if found["found"] else EXIT_FINDINGS)


@app.command()
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

    from services.cli.commands.moments import moment
    from services.cli.commands.verifying import Options, run_verify

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


@app.command()
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


@app.command()
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


@app.command()
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

    from services.cli.commands.moments import moment
    from services.cli.commands.replaying import replay_raw

    if from_beginning == bool(since):
        raise typer.BadParameter("say --from-beginning, or --since TIME")
    at = moment(since, datetime.now(UTC), "--since") if since else None
    with exit_codes():
        emit(asyncio.run(replay_raw(Target(data, config, kafka).load().kafka, say, since=at, rate_per_s=rate)))


app.command()(demo)
app.command()(backup)
app.command()(restore)
app.command("import")(import_files)
app.command()(erase)
app.add_typer(person, name="person")
app.add_typer(export, name="export")
app.add_typer(sources, name="sources")
app.add_typer(access, name="access")
app.add_typer(alerts, name="alerts")
app.add_typer(incidents, name="incidents")

dlq = typer.Typer(no_args_is_help=True, help="What could not be processed: list, show, send again.")
app.add_typer(dlq, name="dlq")


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

    if stage and stage not in STAGES:
        raise typer.BadParameter(f"no stage {stage!r}{did_you_mean(stage, STAGES)}", param_hint="--stage")
    with exit_codes():
        return asyncio.run(find(target.load().kafka, wanted(ids, stage, reason)))


def _tell(ready: dict[str, object]) -> None:
    places = {"the map": "dashboard_url", "send to": "gateway_url", "SQL and BI": "sql_url", "data": "data_dir"}
    say("\n" + "\n".join(f"  {label:<11} {ready[key]}" for label, key in places.items()) + "\n\n  Ctrl-C stops it.\n")


def main() -> None:
    """Entry point of the `touchline` script."""
    app()


if __name__ == "__main__":
    main()
