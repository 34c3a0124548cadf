"""The broker as a foreground process: one JSON line on stdout when it is ready, errors as JSON on stderr."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TextIO

from services.embedded.kafka.errors import BrokerError, ConfigurationError
from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.settings import BrokerSettings
from services.embedded.kafka.setup import prepare_runtime

EXIT_STOPPED, EXIT_FAILED, EXIT_CONFIGURATION = 0, 1, 78


def run(settings: BrokerSettings, cache_dir: Path | None = None) -> int:
    """Run until SIGTERM or SIGINT (0) or until the JVM ends (1); 78 when the user must change something.

    Restarts nothing: that is the supervisor's part. Call from the main thread.
    """
    previous = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _serve(settings, cache_dir)
    except _StopRequested:
        return EXIT_STOPPED
    except (BrokerError, OSError) as error:
        _say(sys.stderr, event="broker_failed", error=type(error).__name__, detail=str(error))
        return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else EXIT_FAILED
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _serve(settings: BrokerSettings, cache_dir: Path | None) -> int:
    runtime = prepare_runtime(cache_dir, lambda line: _say(sys.stderr, event="progress", detail=line))
    with EmbeddedBroker(settings, runtime) as broker:
        _say(sys.stdout, ready=True, bootstrap=broker.bootstrap)
        code = None
        # Python runs signal handlers between short waits, not within a long one on a lock.
        while code is None:
            code = broker.wait(0.5)
        raise broker.explain_exit(code)


class _StopRequested(BaseException):
    """Raised by the signal handler wherever the main thread is, so that even a download ends at once."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    # A second signal must not cut the orderly stop short.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise _StopRequested


def _say(stream: TextIO, **fields: object) -> None:
    print(json.dumps(fields), file=stream, flush=True)


def _settings(arguments: list[str]) -> BrokerSettings:
    parser = argparse.ArgumentParser(prog="python -m services.embedded.kafka.main", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 picks one and keeps it")
    parser.add_argument("--heap-mb", type=int, default=384, help="largest Java heap in MiB")
    given = parser.parse_args(arguments)
    return BrokerSettings(data_dir=given.data, port=given.port, heap_mb=given.heap_mb)


if __name__ == "__main__":
    sys.exit(run(_settings(sys.argv[1:])))
