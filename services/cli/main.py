"""`touchline`: the commands. Each imports what it needs when it is called, so that `--help` stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import did_you_mean
from services.cli.commands.access import access
from services.cli.commands.alerts import alerts
from services.cli.commands.backups import backup, restore
from services.cli.commands.demo import demo
from services.cli.commands.dlq import dlq
from services.cli.commands.incidents import incidents
from services.cli.commands.privacy import erase, person
from services.cli.commands.repair import refold, remap, replay, verify
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
        raise typer.Exit(run_up(options, say, emit if as_json else _show))


@app.command()
def run(
    service: Annotated[str, typer.Argument(help="gateway, attribute, journey, sink, dashboard, …")],
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Run one service in the foreground."""
    from schemas.processes import FORMER_STAGES
    from services.cli.service import SERVICES, STORES, run_service

    names = [*SERVICES, *STORES]
    if service in FORMER_STAGES:
        raise typer.BadParameter(f"`{service}` is a part of `{FORMER_STAGES[service]}` now; run that one instead")
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
        said = [] if found else [note for path in chosen for note in notes(path)]
    for problem in found:
        emit(problem.as_dict()) if as_json else say(str(problem))
    for note in said:
        say(f"note: {note}")
    what = "The configuration is" if len(chosen) == 1 else "All are"
    say(f"{what} valid." if not found else f"{len(found)} problem(s).")
    raise typer.Exit(EXIT_CONFIGURATION if found else EXIT_OK)


@app.command()
def migrate(data: DataOption = DATA_DIR, config: ConfigOption = None, clickhouse: ClickHouseOption = None) -> None:
    """Bring the database up to date."""
    from services.common.secrets import clickhouse_password
    from services.sink.directory_check import refuse_parted
    from services.sink.migrate import migrate as apply
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


app.command()(verify)
app.command()(refold)
app.command()(remap)
app.command()(replay)
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
app.add_typer(dlq, name="dlq")


def _show(ready: dict[str, object]) -> None:
    places = {"the map": "dashboard_url", "send to": "gateway_url", "SQL and BI": "sql_url", "data": "data_dir"}
    say("\n" + "\n".join(f"  {label:<11} {ready[key]}" for label, key in places.items()) + "\n\n  Ctrl-C stops it.\n")


def main() -> None:
    """Entry point of the `touchline` script."""
    app()


if __name__ == "__main__":
    main()
