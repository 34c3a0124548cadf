"""The first `touchline.yaml`: commented, with working sources and fresh secrets."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import ConfigurationError
from services.common.secrets import ensure_secret_file

_HEAD = """\
# Touchline's configuration. Anything left out has its default; `touchline validate` checks this file.
# Every setting can be overridden: flag > TOUCHLINE_<SECTION>_<SETTING> in the environment > this file.
# Secrets never stand here: `file:` names a file that holds one, `env:` an environment variable.

# kafka:
#   bootstrap: [127.0.0.1:9092]   # an existing cluster; `touchline up` brings its own
#   partitions: 2
#   replication: 1
# clickhouse:
#   url: http://127.0.0.1:8123    # an existing server; `touchline up` brings its own
#   user: internal
#   password: {file: secrets/clickhouse}

gateway:
  host: 127.0.0.1
  port: 8080

dashboard:
  host: 127.0.0.1                 # any other address asks for a token; `touchline access add NAME` gives one out
  port: 8090
  access_file: secrets/access.json

# journey:
#   blueprint: blueprint.yaml     # your own desired journey; without it the one that ships with Touchline

sources:
"""


def write_fresh(path: Path, data_dir: Path) -> bool:
    """Write a commented configuration and its secrets (0600, `<data_dir>/secrets/`). Nothing is ever overwritten.

    Returns whether `path` was written. Raises ConfigurationError where it cannot be.
    """
    if path.exists():
        return False
    text = _HEAD + "".join(_source(path, data_dir, *source) for source in fresh_sources())
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        partial.unlink()
    return True


def fresh_sources() -> list[tuple[str, str, str, str]]:
    """(name, connector, what to tell the operator, directory) of every source that a first configuration has."""
    from streams.connectors.registry import CONNECTORS

    found = [(connector.fresh, name) for name, connector in CONNECTORS.items()]
    return [(fresh.source, name, fresh.hint, fresh.directory) for fresh, name in found if fresh is not None]


def _source(path: Path, data_dir: Path, name: str, vendor: str, hint: str, directory: str) -> str:  # noqa: PLR0913
    secret = ensure_secret_file(data_dir / "secrets" / name)
    folder = path.resolve().parent
    shown = secret.resolve()
    place = shown.relative_to(folder) if shown.is_relative_to(folder) else shown
    shared = f"    directory: {directory}            # shared with the source of that name\n" if directory else ""
    secrets = f'    secrets: [{{file: "{place}"}}]\n'
    return f"  - name: {name}                     # {hint}\n    vendor: {vendor}\n{secrets}{shared}"
