import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.supervisor.private import keep_private
from tests.permissions import open_to_others


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As an earlier version left it."""
    data = tmp_path / "data"
    for place in ("secrets/web", "kafka/kafka/t-0/0.log", "clickhouse/store/a.bin", "logs/sink.log", "mine/notes"):
        (data / place).parent.mkdir(parents=True, exist_ok=True)
        (data / place).write_text("x")
    (data / "run.json").write_text("{}")
    (data / "run.json").chmod(0o664)
    return data


def test_what_an_earlier_version_left_open_is_closed_and_said(folder: Path) -> None:
    assert open_to_others(folder)
    said: list[str] = []
    keep_private(folder, said.append)
    assert [path.name for path in open_to_others(folder)] == ["mine", "notes"]
    assert len(said) == 1 and "closed to other users" in said[0]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "secrets" / "web").stat().st_mode & 0o777 == 0o600


def test_what_is_written_from_now_on_is_private(folder: Path) -> None:
    keep_private(folder, lambda _: None)
    (folder / "later").mkdir()
    (folder / "later" / "file").write_text("x")
    assert not [path for path in open_to_others(folder) if "later" in path.parts]


def test_a_closing_that_was_cut_short_is_finished_at_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, done = Path.chmod, list[Path]()

    def die(path: Path, mode: int) -> None:
        done.append(path)
        if len(done) > 3:
            raise KeyboardInterrupt
        closing(path, mode)

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(Path, "chmod", die)
        keep_private(folder, lambda _: None)
    keep_private(folder, lambda _: None)
    assert [path.name for path in open_to_others(folder)] == ["mine", "notes"]


def test_links_are_left_alone_and_a_closed_folder_says_nothing(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (folder / "secrets" / "linked").symlink_to(outside)
    keep_private(folder, lambda _: None)
    said: list[str] = []
    keep_private(folder, said.append)
    assert said == []
    assert outside.stat().st_mode & 0o777 == 0o644


def test_a_file_of_another_owner_is_said_and_does_not_end_the_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    said: list[str] = []
    keep_private(folder, said.append)
    assert len(said) == 1 and "can be read by others" in said[0]
