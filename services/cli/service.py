"""One service as this process: `python -m services.cli.service NAME --config FILE`, as the supervisor starts it.

Each entry of SERVICES imports its service, so that a service is only as large as what it needs, and runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from schemas.config import Config
from schemas.errors import ConfigurationError, TransientError
from schemas.processes import STAGES
from services.common.config import load_config
from streams.runtime.logs import configure_logging

EXIT_OK, EXIT_FAILED, EXIT_CONFIGURATION, EXIT_INTERRUPTED = 0, 1, 78, 130
KAFKA_PATIENCE_S = 600.0
"""A broker that reads its logs again after a crash, or waits for disk space, takes its time."""
_log = logging.getLogger(__name__)


def run_service(name: str, config: Config, *, data_dir: Path = Path("data")) -> int:
    """Run service `name` until it is told to stop; its exit code. `data_dir` is for `kafka` and `clickhouse`.

    SIGTERM ends with 0 once the service has stopped in order, Ctrl-C with 130.
    """
    configure_logging(name, config.log_format)
    _quicken()
    signal.signal(signal.SIGTERM, _leave)  # until the service has its own, and after it (uvicorn raises it again)
    if name in STORES:
        os.umask(0o077)  # as `touchline up` has it: what a store writes is its owner's alone
    try:
        return STORES[name](config, data_dir) if name in STORES else SERVICES[name](config)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIGURATION
    except TransientError as error:
        _log.error("ended, to be started again: %s", error)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _quicken() -> None:
    """uvloop for every loop of this process, also the one of Faust's consumer thread; Windows has none."""
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(EXIT_OK)


def _gateway(config: Config) -> int:
    from services.gateway.main import serve

    return _until_done(serve(config))


def _dashboard(config: Config) -> int:
    from services.dashboard.main import serve

    return _until_done(serve(config))


def _sink(config: Config) -> int:
    from services.sink.main import serve

    return _until_done(serve(config))


def _alerts(config: Config) -> int:
    from services.alerting.main import serve

    return _until_done(serve(config))


def _processor(stage: str, config: Config) -> int:
    from services.common.secrets import clickhouse_password, erasure_key
    from streams.processors.main import run

    key = erasure_key(config) if stage == "attribute" else b""
    return run(stage, config, clickhouse_password(config) if STAGES[stage].asks_clickhouse else "", key)


def _topics(config: Config) -> int:
    from streams.runtime.topics_admin import ensure_topics

    return _until_done(ensure_topics(config.kafka, deadline_s=KAFKA_PATIENCE_S))


def _migrate(config: Config) -> int:
    from services.common.secrets import clickhouse_password
    from services.sink.directory_check import refuse_parted
    from services.sink.migrate import migrate
    from services.sink.retention import apply

    password = clickhouse_password(config)
    applied = migrate(config.clickhouse, password)
    apply(config, password)
    refuse_parted(config, password)
    _log.info("database is up to date", extra={"applied": len(applied)})
    return EXIT_OK


def _until_done(service: Coroutine[Any, Any, object]) -> int:
    asyncio.run(service)
    return EXIT_OK


def _kafka(config: Config, data_dir: Path) -> int:
    from services.embedded.kafka.main import run
    from services.embedded.kafka.settings import BrokerSettings

    port = int(config.kafka.bootstrap[0].rpartition(":")[2])
    return run(BrokerSettings(data_dir=data_dir / "kafka", port=port))


def _clickhouse(config: Config, data_dir: Path) -> int:
    from services.common.secrets import ensure_secret_file
    from services.embedded.clickhouse.main import run
    from services.embedded.clickhouse.settings.process import WarehouseSettings

    token = ensure_secret_file(data_dir / "secrets" / "clickhouse")
    port = urlsplit(config.clickhouse.url).port or 8123
    access = Path(config.dashboard.access_file) if config.dashboard.access_file else None
    return run(
        WarehouseSettings(
            data_dir=data_dir / "clickhouse",
            port=port,
            internal_token_file=token,
            access_file=access,
            sql=config.sql,
        )
    )


#: What runs anywhere.
SERVICES: dict[str, Callable[[Config], int]] = {
    "gateway": _gateway,
    "attribute": partial(_processor, "attribute"),
    "journey": partial(_processor, "journey"),
    "sink": _sink,
    "alerts": _alerts,
    "dashboard": _dashboard,
    "topics": _topics,
    "migrate": _migrate,
}

#: The embedded stores, which own a folder.
STORES: dict[str, Callable[[Config, Path], int]] = {"kafka": _kafka, "clickhouse": _clickhouse}


def main(arguments: Sequence[str]) -> int:
    """`NAME --config FILE`, nothing else: the supervisor is the only caller."""
    name, _, path = arguments
    try:
        config = load_config(Path(path))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIGURATION
    return run_service(name, config)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
