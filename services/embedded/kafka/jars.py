"""The broker's jars: resolved once from Maven coordinates, checked against committed sums, kept per user."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

from services.embedded.kafka.errors import CacheUnusable, ExtraMissing, JarMismatch, JarsUnavailable
from services.embedded.kafka.lock import locked
from services.embedded.kafka.settings import KAFKA_VERSION

Progress = Callable[[str], None]

COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-server:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
)
# In the format of `sha256sum`; a new Kafka version needs a new list, made from jars checked at their source.
SUMS_FILE = Path(__file__).parents[3] / "infra" / "kafka" / "jars.sha256"
DOWNLOADS_AT_ONCE = 4
# Beside the network's own errors: a status other than 200, and a proxy's page where a POM should be.
_DOWNLOAD_ERRORS = (OSError, RuntimeError, ValueError, ElementTree.ParseError)


def default_cache_dir() -> Path:
    """Return the per-user folder of the jars: $XDG_CACHE_HOME/touchline/kafka-VERSION or below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "touchline" / f"kafka-{KAFKA_VERSION}"


def fetch_jars(cache_dir: Path | None = None, progress: Progress = lambda line: None) -> list[Path]:
    """Return the paths of the broker's jars, downloading and checking them on the first call.

    A finished cache is believed by its marker: no network, no hashing. Two processes may call at once;
    the second waits for the first. Raises JarMismatch (names the jar), JarsUnavailable or CacheUnusable.
    """
    cache_dir = cache_dir or default_cache_dir()
    sums = read_sums()
    if not _finished(cache_dir, sums):
        _make(cache_dir)
        with locked(cache_dir / "lock", lambda: progress("Waiting for another process that fetches the jars")):
            if not _finished(cache_dir, sums):
                _fill(cache_dir, sums, progress)
    return [cache_dir / "jars" / name for name in sums]


def read_sums(path: Path = SUMS_FILE) -> dict[str, str]:
    """Read a `sha256sum` list into {jar name: hex digest}, in the order of the file."""
    lines = path.read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def check_jars(jars: Iterable[Path], sums: dict[str, str]) -> None:
    """Raise JarMismatch unless `jars` are exactly the listed ones, byte for byte."""
    found = {jar.name: jar for jar in jars}
    if odd := sorted(found.keys() ^ sums.keys()):
        raise JarMismatch(f"the resolved jars are not the listed ones: {', '.join(odd)}")
    for name, jar in found.items():
        digest = _sha256(jar)
        if digest != sums[name]:
            raise JarMismatch(f"{name} has SHA-256 {digest}, expected {sums[name]}; it is not used")


def _make(cache_dir: Path) -> None:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_dir):
            pass
    except OSError as error:
        raise CacheUnusable(
            f"the jars of the embedded broker cannot be kept in {cache_dir} ({error.strerror}); "
            "set XDG_CACHE_HOME to a folder that can be written"
        ) from error


def _fill(cache_dir: Path, sums: dict[str, str], progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="download-", dir=cache_dir) as folder:
        staging = Path(folder)
        downloaded = _download_with_retry(staging / "repository", progress)
        check_jars(downloaded, sums)
        (staging / "jars").mkdir()
        for jar in downloaded:
            jar.rename(staging / "jars" / jar.name)
        shutil.rmtree(cache_dir / "jars", ignore_errors=True)
        (staging / "jars").rename(cache_dir / "jars")
    # Last, and only after every check: whoever sees the marker may use the jars.
    _marker(cache_dir).write_text(_fingerprint(sums), encoding="ascii")
    progress(f"Apache Kafka {KAFKA_VERSION}: {len(sums)} jars checked and kept in {cache_dir}")


def _download_with_retry(repository: Path, progress: Progress) -> list[Path]:
    try:
        return _download(repository, progress)
    except _DOWNLOAD_ERRORS as error:
        progress(f"Download failed ({error}); trying once more")
    shutil.rmtree(repository, ignore_errors=True)
    try:
        return _download(repository, progress)
    except _DOWNLOAD_ERRORS as error:
        raise JarsUnavailable(f"the jars of Apache Kafka {KAFKA_VERSION} cannot be had: {error}") from error


def _download(repository: Path, progress: Progress) -> list[Path]:
    """Resolve and download into an own local repository, so that no damaged file of another tool is met.

    `jgo.build` would do the same but also fetches a whole JDK, only to classify the jars.
    """
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise ExtraMissing("the embedded broker needs the extra: pip install 'touchline[embedded]'") from error
    context = MavenContext(repo_cache=repository, timeout=30)
    progress(f"Apache Kafka {KAFKA_VERSION}: resolving its jars (once per user, about 45 MB)")
    roots, rest = context.resolver.resolve([context.create_dependency(name) for name in COORDINATES])
    jars: list[Path] = []
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        for jar in pool.map(lambda dependency: dependency.artifact.resolve(), roots + rest):
            jars.append(jar)
            if len(jars) % 10 == 0:
                progress(f"Apache Kafka {KAFKA_VERSION}: {len(jars)} of {len(roots + rest)} jars downloaded")
    return jars


def _finished(cache_dir: Path, sums: dict[str, str]) -> bool:
    try:
        marked = _marker(cache_dir).read_text(encoding="ascii")
        present = set(os.listdir(cache_dir / "jars"))
    except OSError:
        return False
    return marked == _fingerprint(sums) and sums.keys() <= present


def _marker(cache_dir: Path) -> Path:
    return cache_dir / "complete"


def _fingerprint(sums: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(sums.items())).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
