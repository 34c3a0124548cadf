"""One service as this process: `python -m services.cli.service NAME --config FILE`, as the supervisor starts it.

Each entry of SERVICES imports its service and returns what to call; a gated child calls it only after the
supervisor's line on stdin, so that slow imports happen while the broker starts.
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
from services.common.config import load_config
from services.supervisor.child import GATE_ENV
from streams.ops.logs import configure_logging

EXIT_OK, EXIT_FAILED, EXIT_CONFIGURATION, EXIT_INTERRUPTED = 0, 1, 78, 130
Work = Callable[[], int]
_log = logging.getLogger(__name__)


def run_service(name: str, config: Config, *, data_dir: Path = Path("data")) -> int:
    """Run service `name` until it is told to stop; its exit code. `data_dir` is for `kafka` and `clickhouse`.

    SIGTERM ends with 0 once the service has stopped in order, Ctrl-C with 130.
    """
    configure_logging(name, config.log_format)
    _quicken()
    signal.signal(signal.SIGTERM, _leave)  # until the service has its own, and after it (uvicorn raises it again)
    try:
        work = STORES[name](config, data_dir) if name in STORES else SERVICES[name](config)
        return work() if _gate_opens() else EXIT_OK
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIGURATION
    except TransientError as error:
        _log.error("a dependency is away: %s", error)
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


def _gate_opens() -> bool:
    """Whether to go on; False when the supervisor has gone before it said so."""
    return GATE_ENV not in os.environ or bool(sys.stdin.readline())


def _until_done(work: Callable[[], Coroutine[Any, Any, object]]) -> int:
    asyncio.run(work())
    return EXIT_OK


def _gateway(config: Config) -> Work:
    from services.gateway.main import serve

    return partial(_until_done, partial(serve, config))


def _dashboard(config: Config) -> Work:
    from services.dashboard.main import serve

    return partial(_until_done, partial(serve, config))


def _sink(config: Config) -> Work:
    from services.store.main import serve

    return partial(_until_done, partial(serve, config))


def _processor(stage: str, config: Config) -> Work:
    from services.common.secrets import read_secret
    from streams.agents.main import run

    secret = config.clickhouse.password if stage == "journey" else None  # the others never ask the store
    return partial(run, stage, config, read_secret(secret).decode() if secret else "")


def _topics(config: Config) -> Work:
    from streams.transport.topics_admin import ensure_topics

    return partial(_until_done, partial(ensure_topics, config.kafka))


def _migrate(config: Config) -> Work:
    from services.common.secrets import read_secret
    from services.store.migrate import migrate

    def work() -> int:
        secret = config.clickhouse.password
        applied = migrate(config.clickhouse, read_secret(secret).decode() if secret else "")
        _log.info("database is up to date", extra={"applied": len(applied)})
        return EXIT_OK

    return work


def _kafka(config: Config, data_dir: Path) -> Work:
    from services.broker.main import run
    from services.broker.settings import BrokerSettings

    port = int(config.kafka.bootstrap[0].rpartition(":")[2])
    return partial(run, BrokerSettings(data_dir=data_dir / "kafka", port=port))


def _clickhouse(config: Config, data_dir: Path) -> Work:
    from services.common.secrets import ensure_secret_file
    from services.warehouse.main import run
    from services.warehouse.settings import WarehouseSettings

    token = ensure_secret_file(data_dir / "secrets" / "clickhouse")
    port = urlsplit(config.clickhouse.url).port or 8123
    return partial(run, WarehouseSettings(data_dir=data_dir / "clickhouse", port=port, internal_token_file=token))


#: What runs anywhere.
SERVICES: dict[str, Callable[[Config], Work]] = {
    "gateway": _gateway,
    "normalise": partial(_processor, "normalise"),
    "resolve": partial(_processor, "resolve"),
    "journey": partial(_processor, "journey"),
    "sink": _sink,
    "dashboard": _dashboard,
    "topics": _topics,
    "migrate": _migrate,
}

#: The embedded stores, which own a folder.
STORES: dict[str, Callable[[Config, Path], Work]] = {"kafka": _kafka, "clickhouse": _clickhouse}


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
