import hashlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pytest

from services.embedded.kafka import jars
from services.embedded.kafka.errors import CacheUnusable, JarMismatch, JarsUnavailable

CONTENT = {"kafka-a.jar": b"bytes of a", "kafka-b.jar": b"bytes of b"}
Download = Callable[[Path, jars.Progress], list[Path]]


class FakeRepository:
    """Stands for the Maven repository: hands out CONTENT, after failing as often as told."""

    def __init__(self) -> None:
        self.content = dict(CONTENT)
        self.failures: list[Exception] = []
        self.downloads = 0

    def download(self, folder: Path, _progress: jars.Progress) -> list[Path]:
        self.downloads += 1
        folder.mkdir()
        if self.failures:
            raise self.failures.pop()
        for name, content in self.content.items():
            (folder / name).write_bytes(content)
        return [folder / name for name in self.content]


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> FakeRepository:
    fake = FakeRepository()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    monkeypatch.setattr(jars, "_download", fake.download)
    monkeypatch.setattr(jars, "read_sums", lambda: sums)
    return fake


def test_the_committed_list_names_each_jar_once() -> None:
    sums = jars.read_sums()
    assert len(sums) == len(jars.SUMS_FILE.read_text().splitlines()) == 46
    assert "kafka-server-4.1.0.jar" in sums
    assert all(len(digest) == 64 for digest in sums.values())


def test_jars_are_fetched_once(tmp_path: Path, repository: FakeRepository) -> None:
    first = jars.fetch_jars(tmp_path)
    assert [jar.read_bytes() for jar in first] == list(CONTENT.values())
    assert jars.fetch_jars(tmp_path) == first
    assert repository.downloads == 1
    assert not list(tmp_path.glob("download-*"))


def test_a_tampered_jar_is_refused_by_name(tmp_path: Path, repository: FakeRepository) -> None:
    repository.content["kafka-b.jar"] += b"!"
    with pytest.raises(JarMismatch, match=r"kafka-b\.jar"):
        jars.fetch_jars(tmp_path)
    assert repository.downloads == 1, "a wrong checksum is not a hiccup of the network"
    assert not (tmp_path / "jars").exists()


@pytest.mark.parametrize("odd", ["kafka-b.jar", "new.jar"])
def test_a_missing_or_unlisted_jar_is_refused(tmp_path: Path, repository: FakeRepository, odd: str) -> None:
    if repository.content.pop(odd, None) is None:
        repository.content[odd] = b""
    with pytest.raises(JarMismatch, match=odd):
        jars.fetch_jars(tmp_path)


@pytest.mark.parametrize(
    "failure", [ConnectionError("reset"), RuntimeError("status 503"), ParseError("a proxy's page")]
)
def test_one_network_failure_is_retried(tmp_path: Path, repository: FakeRepository, failure: Exception) -> None:
    repository.failures = [failure]
    lines: list[str] = []
    assert jars.fetch_jars(tmp_path, lines.append)
    assert any("trying once more" in line for line in lines)


def test_two_network_failures_are_an_error_and_the_next_call_starts_anew(
    tmp_path: Path, repository: FakeRepository
) -> None:
    repository.failures = [ConnectionError("reset"), TimeoutError("slow")]
    with pytest.raises(JarsUnavailable, match="reset"):
        jars.fetch_jars(tmp_path)
    assert jars.fetch_jars(tmp_path)


def test_a_cache_without_its_marker_is_made_anew(tmp_path: Path, repository: FakeRepository) -> None:
    jars.fetch_jars(tmp_path)
    (tmp_path / "complete").unlink()
    (tmp_path / "jars" / "kafka-a.jar").write_bytes(b"cut short")
    assert jars.fetch_jars(tmp_path)[0].read_bytes() == CONTENT["kafka-a.jar"]


def test_a_cache_that_lost_jars_is_made_anew(tmp_path: Path, repository: FakeRepository) -> None:
    jars.fetch_jars(tmp_path)
    shutil.rmtree(tmp_path / "jars")
    assert all(jar.exists() for jar in jars.fetch_jars(tmp_path))


def test_callers_at_once_download_once(tmp_path: Path, repository: FakeRepository) -> None:
    lines: list[str] = []
    callers = [threading.Thread(target=jars.fetch_jars, args=(tmp_path, lines.append)) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert repository.downloads == 1


def test_a_cache_that_cannot_be_written_is_refused_with_a_way_out(repository: FakeRepository, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheUnusable, match="set XDG_CACHE_HOME"):
        jars.fetch_jars(tmp_path / "file" / "kafka")
    assert repository.downloads == 0
