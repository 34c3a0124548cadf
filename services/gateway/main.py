"""The process: listens at once, tells the truth about Kafka, and answers what is in flight before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from schemas.config import Config
from schemas.errors import TransientError
from services.common.link_keys import link_keys
from services.common.secrets import read_secret
from services.common.server import UnsignalledServer
from services.common.sockets import listen
from services.gateway.app import Gateway
from services.gateway.bootstrap import build
from services.gateway.connection import settings
from services.gateway.outlet import Outlet, connection
from services.gateway.sdk import files_of
from services.gateway.trim import Trim
from streams.runtime.at_rest import to_the_system
from streams.runtime.garbage import settle
from streams.runtime.lifetime import stop_on_signals
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import OpsServer

DRAIN_S = 20
REPORT_EVERY_S = 60.0
TELL_EVERY_S = 5.0
_log = logging.getLogger("touchline.gateway")


async def serve(
    config: Config, *, stop: asyncio.Event | None = None, on_listening: Callable[[str], None] | None = None
) -> None:
    """Runs until SIGTERM, SIGINT or `stop`; `on_listening` gets the URL.

    Raises ConfigurationError for missing secrets, a doubled write key, an `sdk_folder` without the SDK or an unknown
    host, OSError for a taken port.
    """
    stop = stop or asyncio.Event()
    secrets = {source.name: tuple(read_secret(ref) for ref in source.secrets) for source in config.sources}
    outlet = Outlet(config.kafka, lambda: connection(config.kafka, config.gateway.ack_timeout_s))
    metrics = Metrics()
    files = {source.name: files_of(source) for source in config.sources}
    app = build(
        config,
        secrets=secrets,
        writer=outlet,
        metrics=metrics,
        health=outlet.health,
        sdk_files=files,
        act_keys=link_keys(config.alerts),
    )
    outlet.oldest_wait_s = app.intake.oldest_wait_s
    with _listener(config) as listener:
        async with OpsServer(metrics, app.health, host=config.metrics_host):
            trim = Trim(lambda: app.intake.in_flight_bytes, to_the_system)
            works = (outlet.run(), _report(app), _tell(app, outlet), trim.run())
            helpers = [asyncio.create_task(each) for each in works]
            settle()
            try:
                await _serve_until(app, listener, stop, on_listening)
                await app.intake.drain(DRAIN_S)
                _reported(app, outlet)
                await outlet.flush()
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)
                await outlet.close()


async def _serve_until(
    app: Gateway, listener: socket.socket, stop: asyncio.Event, on_listening: Callable[[str], None] | None
) -> None:
    """Answers until `stop`, then takes no new connections and finishes those under way."""
    server = UnsignalledServer(settings(app, timeout_keep_alive=75, timeout_graceful_shutdown=DRAIN_S))
    stop_on_signals(stop)
    host, port = listener.getsockname()[:2]
    url = f"http://{host}:{port}"
    _log.info("gateway listens", extra={"url": url, "sources": len(app.sources)})
    if on_listening is not None:
        on_listening(url)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def _listener(config: Config) -> socket.socket:
    listener = listen(config.gateway.host, config.gateway.port, "gateway.host")
    listener.setblocking(False)
    return listener


async def _tell(app: Gateway, outlet: Outlet) -> None:
    """What was refused, to everyone who asks about sources; while Kafka is away the next count says it."""
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        _reported(app, outlet)


def _reported(app: Gateway, outlet: Outlet) -> None:
    with contextlib.suppress(TransientError):
        for topic, key, item in app.not_taken.changed():
            outlet.put(topic, key, item).add_done_callback(lambda put: put.cancelled() or put.exception())


async def _report(app: Gateway) -> None:
    """Counts by status, once a minute, when there was anything to count."""
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        counts, app.answered = app.answered, type(app.answered)()
        if counts:
            _log.info("answered", extra={f"status_{status}": count for status, count in sorted(counts.items())})
