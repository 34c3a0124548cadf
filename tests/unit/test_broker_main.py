import json
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.embedded.kafka import main
from services.embedded.kafka.probe import answers
from services.embedded.kafka.runtime import JavaRuntime
from services.embedded.kafka.settings import BrokerSettings

RUNTIME = JavaRuntime(Path("/bin/false"), (Path("/jars/a.jar"), Path("/jars/b.jar")), Path("/cache.aot"))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


@pytest.fixture(autouse=True)
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "prepare_runtime", lambda _cache, _progress: RUNTIME)


def test_a_taken_port_is_a_configuration_error(
    tmp_path: Path, listener: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    port = listener.getsockname()[1]
    assert main.run(BrokerSettings(data_dir=tmp_path, port=port)) == 78
    said = json.loads(capsys.readouterr().err)
    assert said["error"] == "PortInUse"
    assert str(port) in said["detail"]


def test_a_jvm_that_cannot_run_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(BrokerSettings(data_dir=tmp_path)) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.err)["error"] == "StartFailed"
    assert captured.out == ""


def test_a_full_disk_is_named_and_no_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The supervisor tries again after exit code 1, so freeing space is enough."""
    free = iter([2**30, 0, 0])
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=next(free)))
    assert main.run(BrokerSettings(data_dir=tmp_path)) == 1
    assert json.loads(capsys.readouterr().err)["error"] == "DiskFull"


def test_an_unwritable_folder_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main.run(BrokerSettings(data_dir=tmp_path / "file" / "data")) == 1
    assert json.loads(capsys.readouterr().err)["error"] == "NotADirectoryError"


def test_a_signal_during_set_up_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> JavaRuntime:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the signal was not heeded")

    monkeypatch.setattr(main, "prepare_runtime", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    assert main.run(BrokerSettings(data_dir=tmp_path)) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_command_uses_the_cache_or_writes_it_never_both(tmp_path: Path) -> None:
    using = RUNTIME.command("kafka.Kafka", "p", heap_mb=384)
    writing = RUNTIME.command("kafka.Kafka", "p", heap_mb=384, aot_output=tmp_path)
    assert using[-4:] == ["-cp", "/jars/a.jar:/jars/b.jar", "kafka.Kafka", "p"]
    assert "-XX:AOTCache=/cache.aot" in using
    assert "-XX:+VerifySharedSpaces" in using, "a cache with a flipped bit crashes an unverifying JVM"
    assert not any(flag.startswith("-XX:AOTCache=") for flag in writing)


@pytest.mark.parametrize(("brokers", "expected"), [(1, True), (0, False)])
def test_the_probe_wants_a_live_broker_in_the_answer(listener: socket.socket, brokers: int, expected: bool) -> None:
    def reply() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(struct.pack(">iii", 8, 7, brokers))

    server = threading.Thread(target=reply)
    server.start()
    assert answers(listener.getsockname()[1]) is expected
    server.join()


def test_the_probe_is_patient_with_silence_and_closed_ports(listener: socket.socket) -> None:
    assert not answers(listener.getsockname()[1], timeout_s=0.05)
    listener.close()
    assert not answers(1, timeout_s=0.05)
