import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest

from services.embedded.kafka.errors import DataFolderInUse, DataFolderMismatch, DiskFull, PortInUse
from services.embedded.kafka.folder import DataFolder

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    opened = DataFolder(tmp_path / "data")
    opened.acquire()
    yield opened
    opened.release()


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def _formatted(folder: DataFolder, cluster_id: str) -> None:
    folder.records.mkdir(parents=True, exist_ok=True)
    (folder.records / "meta.properties").write_text(f"#\nversion=1\ncluster.id={cluster_id}\n")


def test_identity_and_port_survive(folder: DataFolder) -> None:
    first = folder.identify(0)
    assert folder.identify(0) == first
    assert first.port != first.controller_port


def test_a_wanted_port_is_taken_and_kept(folder: DataFolder) -> None:
    wanted = folder.identify(0).port + 1
    assert folder.identify(wanted).port == wanted
    assert folder.identify(0).port == wanted


def test_a_busy_port_is_refused(folder: DataFolder, busy_port: int) -> None:
    with pytest.raises(PortInUse, match=str(busy_port)):
        folder.identify(busy_port)


def test_a_busy_controller_port_moves(folder: DataFolder) -> None:
    first = folder.identify(0)
    with socket() as listener:
        listener.bind(("127.0.0.1", first.controller_port))
        listener.listen()
        second = folder.identify(0)
    assert second.controller_port != first.controller_port
    assert (second.port, second.cluster_id) == (first.port, first.cluster_id)


def test_a_second_owner_is_refused_until_the_first_goes(folder: DataFolder) -> None:
    second = DataFolder(folder.root)
    with pytest.raises(DataFolderInUse):
        second.acquire()
    folder.release()
    second.acquire()
    second.release()


@pytest.mark.parametrize("text", ['{"kafka_version": "99.0.0"}', "{", ""])
def test_an_unreadable_identity_is_refused(folder: DataFolder, text: str) -> None:
    (folder.root / "broker.json").write_text(text)
    with pytest.raises(DataFolderMismatch):
        folder.identify(0)


def test_a_folder_of_a_newer_kafka_is_refused(folder: DataFolder) -> None:
    newer = folder.identify(0).model_copy(update={"kafka_version": "4.10.0"})
    (folder.root / "broker.json").write_text(newer.model_dump_json())
    with pytest.raises(DataFolderMismatch, match=r"4\.10\.0"):
        folder.identify(0)


def test_formatted_storage_is_recognised(folder: DataFolder) -> None:
    identity = folder.identify(0)
    assert not folder.is_formatted(identity)
    _formatted(folder, identity.cluster_id)
    assert folder.is_formatted(identity)


def test_storage_of_another_cluster_is_refused(folder: DataFolder) -> None:
    _formatted(folder, "AAAAAAAAAAAAAAAAAAAAAA")
    with pytest.raises(DataFolderMismatch, match="AAAAAAAA"):
        folder.is_formatted(folder.identify(0))


def test_a_format_cut_short_is_cleared_but_records_never_are(folder: DataFolder) -> None:
    identity = folder.identify(0)
    folder.records.mkdir()
    (folder.records / "bootstrap.checkpoint").touch()
    assert not folder.is_formatted(identity)
    assert not folder.records.exists()
    (folder.records / "touchpoints.raw.v1-0").mkdir(parents=True)
    with pytest.raises(DataFolderMismatch):
        folder.is_formatted(identity)
    assert (folder.records / "touchpoints.raw.v1-0").exists()


def test_too_little_space_is_refused(folder: DataFolder) -> None:
    folder.check_space(0)
    with pytest.raises(DiskFull):
        folder.check_space(2**62)


def test_a_left_behind_jvm_is_ended(folder: DataFolder) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP, str(folder.properties)]) as orphan:
        folder.remember_pid(orphan.pid)
        folder.release()
        folder.acquire()
        assert orphan.wait(5) == -9


def test_an_innocent_process_with_the_remembered_pid_lives(folder: DataFolder) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as innocent:
        folder.remember_pid(innocent.pid)
        folder.release()
        folder.acquire()
        assert innocent.poll() is None
        innocent.kill()
