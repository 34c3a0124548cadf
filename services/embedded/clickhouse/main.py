"""The process: owns the data folder, listens, says when it is ready, ends cleanly on SIGTERM.

`python -m services.embedded.clickhouse.main --data DIR --port N` prints one line `{"ready": true, "url": …}` on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from schemas.config import SecretRef, SqlConfig
from schemas.errors import ConfigurationError
from services.common.access import Access
from services.common.connection import Bounds, server_settings
from services.common.secrets import ensure_secret_file, read_secret
from services.common.server import UnsignalledServer
from services.embedded.clickhouse.engine import Engine
from services.embedded.clickhouse.http import WarehouseApp
from services.embedded.clickhouse.roles import Users
from services.embedded.clickhouse.settings.process import WarehouseSettings

EXIT_CONFIG: Final = 78
_GRACE_S: Final = 3
# How long a thread that reads a request may keep the event loop waiting; Python's own 5 ms add up with several.
_SWITCH_S: Final = 0.001
_PR_SET_PDEATHSIG: Final = 1
_log = logging.getLogger("touchline.warehouse")


def run(settings: WarehouseSettings) -> int:
    """Serves until SIGTERM or SIGINT; the exit code. Raises ConfigurationError when it cannot start."""
    sys.setswitchinterval(_SWITCH_S)
    os.environ["TZ"] = "UTC"  # read by chdb as it loads: times without a zone are UTC, wherever the machine stands
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with owned(settings.data_dir, settings.lock_wait_s), listening(settings) as listener:
        users = _users(settings)
        engine = Engine(settings)
        engine.open()
        app = WarehouseApp(settings, users, engine)
        try:
            asyncio.run(_serve(app, settings, engine, listener))
        finally:
            engine.cancel()
            app.close()
            engine.close()
    return 0


async def _serve(app: WarehouseApp, settings: WarehouseSettings, engine: Engine, listener: socket.socket) -> None:
    limits = settings.limits
    bounds = Bounds(
        head_s=limits.head_timeout_s,
        body_s=limits.body_timeout_s,
        stall_s=limits.stall_timeout_s,
        connections=settings.sql.max_connections,
    )
    config = server_settings(app, bounds, lifespan="off", timeout_graceful_shutdown=2 * _GRACE_S)
    server = UnsignalledServer(config)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        """Takes no new requests; statements under way have some seconds, then their clients get ClickHouse's error."""
        server.should_exit = True
        loop.call_later(_GRACE_S, engine.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    host, port = listener.getsockname()[:2]
    print(json.dumps({"ready": True, "url": f"http://{host}:{port}"}), flush=True)
    await server.serve(sockets=[listener])


def _users(settings: WarehouseSettings) -> Users:
    reader = settings.reader_password_file
    return Users(
        internal_token=_secret(ensure_secret_file(settings.token_path)),
        reader_password=_secret(reader) if reader else "",
        access=Access(settings.access_file) if settings.access_file else None,
    )


def _secret(path: Path) -> str:
    return read_secret(SecretRef(file=str(path), env=None)).decode().strip()


@contextmanager
def owned(data_dir: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the folder for this process, waiting `wait_s` for one that is ending.

    Raises ConfigurationError, naming the owner, when another holds it.
    """
    with (data_dir / "warehouse.lock").open("a+") as lock:
        if not _locked(lock.fileno(), time.monotonic() + wait_s):
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise ConfigurationError(
                f"{data_dir} is in use by another process (pid {owner}): stop it, or give another data folder"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _locked(handle: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)
        else:
            return True


@contextmanager
def listening(settings: WarehouseSettings) -> Iterator[socket.socket]:
    """A listening socket; a port picked here is kept in the data folder, so that clients find it after a restart."""
    kept = settings.data_dir / "port"
    wanted = settings.port or (int(kept.read_text()) if kept.exists() else 0)
    # asyncio turns Nagle's algorithm off only where the protocol is named: without it, 40 ms on every small answer
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, wanted))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {settings.host}:{wanted}: {error.strerror}; give another --port"
            ) from error
        listener.listen(1024)
        kept.write_text(str(listener.getsockname()[1]))
        yield listener


def _die_with_parent() -> None:
    """Asks Linux for a SIGTERM when the parent dies, however it dies; the flush below still runs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def arguments(argv: Sequence[str] | None) -> WarehouseSettings:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="touchline-warehouse", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, kept across restarts")
    parser.add_argument("--token-file", type=Path, help="internal user's token, made when missing")
    parser.add_argument("--reader-password-file", type=Path, help="required when --host is not loopback")
    parser.add_argument("--access-file", type=Path, help="tokens that readers may have as passwords")
    parser.add_argument("--lock-wait-s", type=float, default=10.0, help="wait for a process that is leaving the folder")
    parser.add_argument("--sql", type=SqlConfig.model_validate_json, default=SqlConfig(), help="section `sql`, as JSON")
    given = parser.parse_args(argv)
    return WarehouseSettings(
        data_dir=given.data,
        host=given.host,
        port=given.port,
        lock_wait_s=given.lock_wait_s,
        internal_token_file=given.token_file,
        reader_password_file=given.reader_password_file,
        access_file=given.access_file,
        sql=given.sql,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 stopped, 75 to be started again (`overdue`), 78 refused at start."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    _die_with_parent()
    try:
        return run(arguments(argv))
    except (ConfigurationError, ValidationError) as error:
        print(f"warehouse: {error}", file=sys.stderr)
        return EXIT_CONFIG


if __name__ == "__main__":
    sys.exit(main())
