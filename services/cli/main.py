"""`touchline`: the commands. Each imports what it needs when it is called, so that `--help` stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, KafkaOption, Target

app = typer.Typer(
    name="touchline",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="The journey your B2B customers really take, while they take it.",
    epilog="Exit codes: 0 ok, 1 findings, 2 usage or unexpected, 78 configuration, 130 interrupted. No telemetry.",
)

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0 picks a free port; default: the configuration's.")]
SqlPort = Annotated[int, typer.Option(min=0, max=65535, help="Port for SQL clients; 0 picks a free one and keeps it.")]


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
        from services.common.documents import did_you_mean

        raise typer.BadParameter(f"no service {service!r}{did_you_mean(service, names)}")
    with exit_codes():
        raise typer.Exit(run_service(service, Target(data, config, kafka, clickhouse).load(), data_dir=data))


@app.command()
def setup() -> None:
    """Fetch what the embedded broker needs, once per user."""
    from services.broker.errors import BrokerError
    from services.broker.setup import prepare_runtime
    from services.supervisor.supervisor import StartFailed

    with exit_codes():
        try:
            prepare_runtime(None, say)
        except BrokerError as error:
            raise StartFailed(str(error)) from error
    say("The embedded broker is ready to start.")


@app.command()
def validate(
    path: Annotated[
        Path | None, typer.Argument(help="Configuration; default: touchline.yaml in the data folder.")
    ] = None,
    data: DataOption = DATA_DIR,
) -> None:
    """Check the configuration, its secrets and its blueprint."""
    from services.cli.validate import problems

    with exit_codes():
        found = problems(path or data / "touchline.yaml")
    for line in found:
        say(line)
    say("The configuration is valid." if not found else f"{len(found)} problem(s).")
    raise typer.Exit(78 if found else 0)


@app.command()
def migrate(data: DataOption = DATA_DIR, config: ConfigOption = None, clickhouse: ClickHouseOption = None) -> None:
    """Bring the database up to date."""
    from services.cli.context import clickhouse_password
    from services.store.migrate import migrate as apply

    with exit_codes():
        target = Target(data, config, None, clickhouse).load()
        applied = apply(target.clickhouse, clickhouse_password(target))
    for name in applied:
        emit({"applied": name})
    say(f"{len(applied)} migration(s) applied.")


def _tell(ready: dict[str, object]) -> None:
    places = {"the map": "dashboard_url", "send to": "gateway_url", "SQL and BI": "sql_url", "data": "data_dir"}
    say("\n" + "\n".join(f"  {label:<11} {ready[key]}" for label, key in places.items()) + "\n\n  Ctrl-C stops it.\n")


def main() -> None:
    """Entry point of the `touchline` script."""
    app()


if __name__ == "__main__":
    main()
