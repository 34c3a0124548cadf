"""How every command speaks: data on stdout, everything else on stderr, exit codes that mean something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import orjson
import typer

from schemas.errors import ConfigurationError, TouchlineError, TransientError

EXIT_OK, EXIT_FINDINGS, EXIT_UNEXPECTED, EXIT_CONFIGURATION, EXIT_INTERRUPTED = 0, 1, 2, 78, 130


class UsageError(TouchlineError):
    """What the command was given cannot be used; the message names it and a way out."""


def say(line: str) -> None:
    """One line for people, on stderr. Where nobody reads any more, what runs goes on: its Ctrl-C must still work."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def emit(value: object) -> None:
    """One JSON line of data, on stdout. Times are told with their zone; ClickHouse's driver gives them as bare UTC."""
    utc = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
    sys.stdout.write(orjson.dumps(value, default=str, option=utc).decode() + "\n")
    sys.stdout.flush()


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what was raised on purpose into its exit code and one message, without a traceback."""
    try:
        yield
    except ConfigurationError as error:
        say(str(error))
        raise typer.Exit(EXIT_CONFIGURATION) from None
    except TransientError as error:
        say(f"{error}\nIs `touchline up` running on this --data? `touchline doctor` says what is there.")
        raise typer.Exit(EXIT_UNEXPECTED) from None
    except TouchlineError as error:
        say(str(error))
        raise typer.Exit(EXIT_UNEXPECTED) from None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
