from pathlib import Path
from typing import Self

import pytest

from services.embedded.kafka import setup
from services.embedded.kafka.errors import StartFailed
from services.embedded.kafka.runtime import JavaRuntime
from services.embedded.kafka.settings import BrokerSettings


class FakeBroker:
    """Stands for a training run: writes the cache when it stops, unless it is told to fail."""

    runs = 0
    fails = False

    def __init__(self, settings: BrokerSettings, runtime: JavaRuntime, *, aot_output: Path) -> None:
        self._output = aot_output

    def __enter__(self) -> Self:
        FakeBroker.runs += 1
        if FakeBroker.fails:
            raise StartFailed("no memory")
        return self

    def __exit__(self, *_: object) -> None:
        self._output.write_bytes(b"classes")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBroker, "runs", 0)
    monkeypatch.setattr(FakeBroker, "fails", False)
    monkeypatch.setattr(setup, "EmbeddedBroker", FakeBroker)
    monkeypatch.setattr(setup, "fetch_jars", lambda _cache, _progress: [Path("/jars/a.jar")])
    monkeypatch.setattr(setup, "bundled_java", lambda: (Path("/java"), "25.0.2"))


def test_the_cache_is_made_once(tmp_path: Path) -> None:
    first = setup.prepare_runtime(tmp_path)
    assert first.aot_cache is not None
    assert first.aot_cache.read_bytes() == b"classes"
    assert setup.prepare_runtime(tmp_path) == first
    assert FakeBroker.runs == 1
    assert not list(tmp_path.glob("training-*"))


def test_another_jvm_gets_its_own_cache_and_the_old_one_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = setup.prepare_runtime(tmp_path).aot_cache
    monkeypatch.setattr(setup, "bundled_java", lambda: (Path("/java"), "25.0.3"))
    new = setup.prepare_runtime(tmp_path).aot_cache
    assert old != new
    assert list(tmp_path.glob("*.aot")) == [new]


def test_a_failed_training_is_told_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBroker, "fails", True)
    lines: list[str] = []
    first = setup.prepare_runtime(tmp_path, lines.append)
    assert "no memory" in lines[-1]
    assert first.aot_cache is not None
    assert first.aot_cache.read_bytes() == b"", "the JVM passes over an empty cache"
    assert setup.prepare_runtime(tmp_path) == first
    assert FakeBroker.runs == 1
