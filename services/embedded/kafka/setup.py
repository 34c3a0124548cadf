"""Everything an embedded broker needs, made once per user: jars, and a cache that starts them fast."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from services.embedded.kafka.errors import BrokerError
from services.embedded.kafka.jars import Progress, default_cache_dir, fetch_jars
from services.embedded.kafka.lock import locked
from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.runtime import JavaRuntime, bundled_java
from services.embedded.kafka.settings import BrokerSettings


def prepare_runtime(cache_dir: Path | None = None, progress: Progress = lambda line: None) -> JavaRuntime:
    """Return the JVM and jars to run the broker with; quick when both caches exist.

    The first call downloads the jars and starts a broker once on a throw-away folder, so that the JVM can
    keep its loaded and linked classes. Without that cache the broker works all the same, only slower.
    """
    cache_dir = cache_dir or default_cache_dir()
    jars = fetch_jars(cache_dir, progress)
    java, version = bundled_java()
    runtime = JavaRuntime(java, tuple(jars))
    aot_cache = cache_dir / f"fast-start-{runtime.fingerprint(version)}.aot"
    if not aot_cache.exists():
        with locked(cache_dir / "lock", lambda: progress("Waiting for another process that prepares fast starts")):
            if not aot_cache.exists():
                progress("Preparing fast starts of the broker (once, about 10 s)")
                _train(runtime, aot_cache, progress)
    return replace(runtime, aot_cache=aot_cache)


def _train(runtime: JavaRuntime, aot_cache: Path, progress: Progress) -> None:
    for outdated in aot_cache.parent.glob("fast-start-*.aot"):
        outdated.unlink()
    with tempfile.TemporaryDirectory(prefix="training-", dir=aot_cache.parent) as folder:
        # The JVM writes the cache while it stops, which takes some seconds.
        settings = BrokerSettings(data_dir=Path(folder) / "data", stop_deadline_s=60)
        output = Path(folder) / "fresh.aot"
        try:
            with EmbeddedBroker(settings, runtime, aot_output=output):
                progress("Preparing fast starts of the broker: writing the cache")
        except BrokerError as error:
            progress(f"Fast starts are not available: {error}")
        # An empty file says "tried": the JVM passes over it, and the next start does not try again.
        if not output.exists():
            output.touch()
        output.replace(aot_cache)
