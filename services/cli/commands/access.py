"""`touchline access`: who may use the page and the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.errors import ConfigurationError
from services.cli.console import UsageError, emit, exit_codes, say
from services.cli.context import DATA_DIR, ConfigOption, DataOption, Target

if TYPE_CHECKING:
    from schemas.access import Role

access = typer.Typer(no_args_is_help=True, help="Who may use the page and the API: give out tokens, take them back.")
Name = Annotated[str, typer.Argument(help="Whose token it is: a person or a program. It stands in the audit.")]
ROLES: tuple[Role, ...] = ("viewer", "operator")


@access.command("add")
def access_add(
    name: Name,
    role: Annotated[str, typer.Option(help="viewer (looks, people masked) or operator (sees and changes all).")],
    days: Annotated[int, typer.Option(min=0, help="It ends after so many days; 0: never.")] = 0,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
) -> None:
    """Give out a token, and show it this once. Only its hash is kept; a running page knows it at once."""
    from services.common.access import add_token

    with exit_codes():
        known = next((one for one in ROLES if one == role), None)
        if known is None:
            raise UsageError(f"no role {role!r}; there are {', '.join(ROLES)}")
        path, now = _file(data, config), datetime.now(UTC)
        token = add_token(path, name, known, now, now + timedelta(days=days) if days else None)
        emit({"name": name, "role": known, "token": token})
        say(f"Shown this once; {path} keeps its hash alone. Sign in with it at /login, programs send it as a Bearer.")


@access.command("ls")
def access_list(data: DataOption = DATA_DIR, config: ConfigOption = None) -> None:
    """List who has a token, as JSON lines."""
    from services.common.access import read_access

    with exit_codes():
        for token in read_access(_file(data, config)).tokens:
            emit(token.model_dump(mode="json", exclude={"sha256"}))


@access.command("remove")
def access_remove(name: Name, data: DataOption = DATA_DIR, config: ConfigOption = None) -> None:
    """Take a token back. Its sessions end at once."""
    from services.common.access import remove_token

    with exit_codes():
        path = _file(data, config)
        if not remove_token(path, name):
            raise UsageError(f"nobody called {name!r} has a token in {path}")
        say(f"{name} is let in no more.")


def _file(data: Path, config: Path | None) -> Path:
    path = Target(data, config).load().dashboard.access_file
    if not path:
        raise ConfigurationError(
            "no file of tokens is configured: add `access_file: secrets/access.json` to section `dashboard`"
        )
    return Path(path)
