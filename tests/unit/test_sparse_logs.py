from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from streams.runtime import logs
from streams.runtime.kafka_log_limit import EVERY_S, Sparse


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def line(name: str, lineno: int = 1, message: str = "x") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "client.py", lineno, message, None, None)


def test_the_same_statement_is_written_once_in_a_while_and_says_how_often_it_was_not(clock: Clock) -> None:
    sparse = Sparse(clock)
    written = []
    for _ in range(250):
        clock.now_s += 0.1
        record = line("aiokafka.conn")
        if sparse.filter(record):
            written.append(getattr(record, "more_like_it", 0))
    assert len(written) == 250 * 0.1 // EVERY_S + 1
    assert written[0] == 0 and sum(written) > 0.7 * 250


def test_other_statements_and_our_own_lines_are_written(clock: Clock) -> None:
    sparse = Sparse(clock)
    assert [sparse.filter(line("aiokafka.conn", number)) for number in (1, 2, 1)] == [True, True, False]
    assert all(sparse.filter(line("touchline.sink")) for _ in range(3))


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    found = logging.getLogger()
    handlers, level = found.handlers[:], found.level
    yield found
    found.handlers[:] = handlers
    found.setLevel(level)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_every_service_logs_so(log_format: str) -> None:
    out = io.StringIO()
    logs.configure_logging("sink", log_format, stream=out)  # type: ignore[arg-type]
    for _ in range(50):
        logging.getLogger("aiokafka.client").error("Unable to update metadata from %s", [1])
    assert out.getvalue().count("Unable to update metadata from [1]") == 1
