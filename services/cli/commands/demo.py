"""`touchline demo`: everything of `touchline up`, and a feed of invented customers that talks to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import emit, exit_codes

if TYPE_CHECKING:
    from services.demo.progress import Terminal

DEMO_DIR = Path("data/demo")

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0 picks a free port; default: the configuration's.")]


def demo(  # noqa: PLR0913 - one parameter per flag
    data: Annotated[
        Path, typer.Option("--data", help="Data folder of the demo; a second run goes on there.")
    ] = DEMO_DIR,
    seed: Annotated[int | None, typer.Option(min=0, max=999, help="Another seed, another story. Default: 7.")] = None,
    days: Annotated[int | None, typer.Option(min=5, max=365, help="Days of history. Default: 60.")] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0, max=200, help="Live events per second; 0: only the history. Default: as many as the history has."
        ),
    ] = None,
    duration: Annotated[float | None, typer.Option(min=0, help="Seconds of live events, then stop.")] = None,
    gateway_port: Port = None,
    dashboard_port: Port = None,
    sql_port: Annotated[int, typer.Option(min=0, max=65535, help="Port for SQL clients; 0 picks one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines on stdout: ready, history, live.")] = False,
) -> None:
    """A map that fills before your eyes: 40 invented companies, 60 days, then live until Ctrl-C."""
    from services.cli.demo_player import Player
    from services.demo.memory import recall, remember
    from services.demo.progress import Terminal
    from services.supervisor.main import UpOptions, run_up

    terminal = Terminal()
    report = emit if as_json else _silent
    with exit_codes():
        memory = recall(data, seed, days, datetime.now(UTC))
        remember(data, memory)
        options = UpOptions(
            data_dir=data, config_path=None, gateway_port=gateway_port, dashboard_port=dashboard_port, sql_port=sql_port
        )
        player = Player(data, memory, terminal, report, events_per_s=speed, duration_s=duration)
        terminal.say(
            f"demo        {memory.days} days of 40 invented companies (seed {memory.seed}) in {data}; Ctrl-C stops"
        )
        with player:

            def on_ready(ready: dict[str, object]) -> None:
                player.everything_runs.set()
                _ready(ready, data, terminal, report)

            code = run_up(options, terminal.say, on_ready)
    raise typer.Exit(player.exit_code or code)


def _ready(
    ready: dict[str, object], data: Path, terminal: Terminal, report: Callable[[dict[str, object]], None]
) -> None:
    report({"step": "ready", **ready})
    terminal.say(
        f"\n  the map     {ready['dashboard_url']}/?window=90d\n  SQL and BI  {ready['sql_url']}\n"
        f"  more        touchline doctor --data {data}\n"
    )


def _silent(_: dict[str, object]) -> None:
    """Without --json nothing goes to stdout."""
