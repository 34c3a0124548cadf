"""A backup and its way back, on a small folder without processes: what is refused, and what a kill leaves."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from schemas.errors import ConfigurationError
from services.cli.backup import copying, database, folder, picture, restoring
from services.cli.backup.folder import back_up
from services.cli.backup.manifest import (
    CONTENT,
    MANIFEST,
    PARTIAL,
    BackupRefused,
    FileEntry,
    LinkEntry,
    read_manifest,
    write_manifest,
)
from services.cli.backup.outside import outside
from services.cli.backup.picture import PICTURE, is_fixed
from services.cli.backup.records import FILLER_VALUE, Record, read, without_holes, write
from services.cli.backup.restoring import damages, restore
from services.cli.backup.target import unfinished
from services.cli.backup.written_by import installed, refuse_newer
from services.cli.main import app
from services.embedded.kafka.lock import FileLock
from services.supervisor.folder import RESTORING, DataFolder

PART = "clickhouse/engine/store/abc/abc-def/202601_1_2_1/data.packed"
LOG = "kafka/kafka/touchpoints.raw.v1-0/00000000000000000000.log"
FILES = {
    PART: "rows",
    LOG: "records",
    "kafka/kafka/.kafka_cleanshutdown": "1",
    "kafka/broker.json": '{"kafka_version": "4.1.0"}',
    "touchline.yaml": "sources: [{name: web, vendor: segment, secrets: [{file: secrets/web}]}]\n",
    "secrets/web": "key",
}
OF_THE_RUN = {"run.json": "{}", "logs/sink.log": "…", "touchline.lock": "", "kafka/server.properties": "log.dirs=/x"}


def _quiet(_: str) -> None: ...


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder in small."""
    root = tmp_path / "data"
    for name, text in (FILES | OF_THE_RUN).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "clickhouse/engine/store/abc/abc-def/detached").mkdir()
    (root / "clickhouse/engine/data").mkdir()
    (root / "clickhouse/engine/data/table").symlink_to("../store/abc/abc-def")
    return root


@pytest.fixture
def backup(data: Path, tmp_path: Path) -> Path:
    """A whole backup of it."""
    back_up(data, tmp_path / "backup", _quiet)
    return tmp_path / "backup"


def _told(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*") if p.is_file() and not p.is_symlink()
    }


def test_what_is_restored_is_what_was_backed_up_and_nobody_elses(backup: Path, data: Path, tmp_path: Path) -> None:
    done = restore(backup, tmp_path / "again", _quiet)
    assert _told(tmp_path / "again") == FILES
    assert (tmp_path / "again/clickhouse/engine/store/abc/abc-def/detached").is_dir()
    assert (tmp_path / "again/clickhouse/engine/data/table/202601_1_2_1/data.packed").read_text() == "rows"
    assert done["bytes"] == sum(len(text) for text in FILES.values())
    for root in (backup, tmp_path / "again"):
        for path in (root, *root.rglob("*")):
            if not path.is_symlink():
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not (data / PICTURE).exists()


def test_a_link_and_a_size_hold_what_a_log_had(data: Path) -> None:
    taken = picture.take(data)
    with (data / LOG).open("a") as log:
        log.write(" that came later")
    size = dict(taken.files)[LOG]
    assert os.path.samefile(taken.root / LOG, data / LOG)
    copying.copy(taken.root / LOG, data.parent / "copy", size)
    assert (data.parent / "copy").read_text() == "records"


@pytest.mark.parametrize(
    ("name", "in_order", "fixed"),
    [
        (PART, False, True),
        (LOG, True, True),
        (LOG, False, False),
        ("kafka/kafka/recovery-point-offset-checkpoint", True, False),
        (LOG.replace(".log", ".index"), True, False),
        ("clickhouse/engine/store/abc/abc-def/deduplication_logs/deduplication_log_1.txt", True, False),
        ("clickhouse/engine/metadata/touchline/signals.sql", True, False),
    ],
)
def test_only_what_never_changes_again_is_linked(name: str, in_order: bool, fixed: bool) -> None:
    """Known bad: a log of a broker that was killed loses its torn end at the next start, under the link."""
    assert is_fixed(name, in_order) is fixed


def _cut(path: Path) -> None:
    path.write_text(path.read_text()[:-1])


def _flip(path: Path) -> None:
    path.write_text(path.read_text().swapcase())


@pytest.mark.parametrize("harm", [_cut, _flip, Path.unlink], ids=["cut", "flipped", "gone"])
@pytest.mark.parametrize("name", [PART, "secrets/web"])
def test_a_damaged_file_is_named_and_nothing_is_restored(
    harm: Callable[[Path], None], name: str, backup: Path, tmp_path: Path
) -> None:
    assert damages(backup, read_manifest(backup)) == []
    harm(backup / CONTENT / name)
    assert [line for line in damages(backup, read_manifest(backup)) if line.startswith(name)]
    with pytest.raises(BackupRefused, match=f"{name}.*nothing was restored"):
        restore(backup, tmp_path / "again", _quiet)
    assert list((tmp_path / "again").iterdir()) == []


def test_what_was_added_to_a_backup_is_told(backup: Path) -> None:
    (backup / CONTENT / "secrets/other").write_text("x")
    assert damages(backup, read_manifest(backup)) == ["secrets/other does not belong to the backup"]


def test_a_changed_manifest_is_refused(backup: Path) -> None:
    _flip_digit = (backup / MANIFEST).read_text().replace('\\"bytes\\":4', '\\"bytes\\":5', 1)
    (backup / MANIFEST).write_text(_flip_digit)
    with pytest.raises(BackupRefused, match="damaged"):
        read_manifest(backup)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\0b", ""])
def test_a_manifest_that_leads_elsewhere_is_refused(path: str, backup: Path) -> None:
    """Someone else may have written it, with a checksum that fits."""
    manifest = read_manifest(backup)
    write_manifest(backup, manifest.changed(files=(FileEntry(path=path, bytes=0, sha256="0" * 64),)))
    with pytest.raises(BackupRefused, match="leads out"):
        read_manifest(backup)
    write_manifest(backup, manifest.changed(links=(LinkEntry(path="a/b", target="../../etc"),), files=()))
    with pytest.raises(BackupRefused, match="leads out"):
        read_manifest(backup)


@pytest.mark.parametrize(
    ("field", "value"), [("touchline", "99.0"), ("schema_version", 9999), ("kafka", "99.0.0"), ("engine", "99.1.0")]
)
def test_a_newer_backup_is_refused_with_the_version_that_can(field: str, value: object, backup: Path) -> None:
    manifest = read_manifest(backup)
    refuse_newer(manifest, installed())
    newer = manifest.changed(versions=manifest.versions.changed(**{field: value}))
    with pytest.raises(BackupRefused, match="newer version"):
        refuse_newer(newer, installed())
    older = manifest.changed(versions=manifest.versions.changed(touchline="0.0.1", schema_version=1, kafka="3.9.0"))
    refuse_newer(older, installed())


def test_a_newer_format_is_refused_before_anything_of_it_is_read(backup: Path) -> None:
    write_manifest(backup, read_manifest(backup).changed(format=99))
    with pytest.raises(BackupRefused, match="of format 99"):
        read_manifest(backup)


def test_a_folder_that_holds_something_else_is_not_written_to(data: Path, backup: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    for done, source in ((back_up, data), (restore, backup)):
        with pytest.raises(BackupRefused, match=r"not empty, it holds thesis\.txt"):
            done(source, mine, _quiet)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
    with pytest.raises(BackupRefused, match="not empty"):
        restore(backup, data, _quiet)
    with pytest.raises(BackupRefused, match="in the data folder itself"):
        back_up(data, data / "backups", _quiet)
    with pytest.raises(BackupRefused, match="no data folder"):
        back_up(mine, tmp_path / "b", _quiet)


class _Killed(BaseException):
    """As SIGKILL: nothing of ours is run."""


def _killing(monkeypatch: pytest.MonkeyPatch, where: object, after: int) -> None:
    left = iter(range(after, -1, -1))

    def copy(source: Path, into: Path, size: int) -> str:
        if not next(left):
            raise _Killed
        return copying.copy(source, into, size)

    monkeypatch.setattr(where, "copy", copy)
    monkeypatch.setattr(folder, "forget", lambda _: None)


@pytest.mark.parametrize("after", range(len(FILES)))
def test_a_backup_killed_at_any_file_is_no_backup_and_is_made_by_the_next_run(
    after: int, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "backup"
    with monkeypatch.context() as patched:
        _killing(patched, folder, after)
        with pytest.raises(_Killed):
            back_up(data, into, _quiet)
    assert (data / PICTURE).exists() and (into / PARTIAL).exists()
    with pytest.raises(BackupRefused, match="broken off"):
        read_manifest(into)
    back_up(data, into, _quiet)
    assert damages(into, read_manifest(into)) == []
    assert not (data / PICTURE).exists()


@pytest.mark.parametrize("after", range(len(FILES)))
def test_a_restore_killed_at_any_file_does_not_start_and_is_made_by_the_next_run(
    after: int, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    with monkeypatch.context() as patched:
        _killing(patched, restoring, after)
        with pytest.raises(_Killed):
            restore(backup, again, _quiet)
    assert (again / RESTORING).exists()
    with pytest.raises(ConfigurationError, match="half restored"):
        DataFolder(again).take()
    with pytest.raises(BackupRefused, match="half restored"):
        back_up(again, tmp_path / "of it", _quiet)
    restore(backup, again, _quiet)
    assert _told(again) == dict(FILES)
    owner = DataFolder(again)
    owner.take()
    owner.release()


def test_two_at_once_do_not_write_over_one_another(data: Path, tmp_path: Path) -> None:
    with (
        unfinished(tmp_path / "b", PARTIAL, "a backup"),
        pytest.raises(BackupRefused, match="another backup or restore"),
    ):
        back_up(data, tmp_path / "b", _quiet)
    lock = FileLock(data / picture.LOCK)
    lock.acquire(wait=False)
    with pytest.raises(BackupRefused, match="another backup of"):
        back_up(data, tmp_path / "c", _quiet)
    lock.release()


def test_a_full_disk_is_said_before_anything_is_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "SPARE_BYTES", 1 << 60)
    with pytest.raises(BackupRefused, match="make room"):
        back_up(data, tmp_path / "b", _quiet)
    assert not (tmp_path / "b" / CONTENT).exists()


HEADERS = st.lists(st.tuples(st.text(max_size=4), st.binary(max_size=4)), max_size=3)
BYTES = st.none() | st.binary(max_size=8)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(-1, 1 << 40),
            BYTES,
            BYTES,
            st.lists(st.tuples(st.text(max_size=4), st.binary(max_size=4))),
        ),
        max_size=5,
    ),
    st.integers(0, 12),
    st.integers(0, 3),
)
def test_records_come_back_at_their_offsets_without_holes(
    told: list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes]]]], since: int, beyond: int
) -> None:
    offset, kept, file = -1, [], io.BytesIO()
    for gap, at_ms, key, value, headers in told:
        offset += gap + 1
        kept.append(Record(offset, at_ms, key, value, tuple(headers)))
        write(file, kept[-1])
    end = offset + 1 + beyond
    file.seek(0)
    found = list(without_holes(read(file), since, end))
    assert [record.offset for record in found] == list(range(since, end))
    assert [record for record in found if record.value != FILLER_VALUE] == [
        record for record in kept if record.offset >= since and record.value != FILLER_VALUE
    ]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_file_of_records_that_was_cut_off_is_damaged(cut: int, tmp_path: Path) -> None:
    with (tmp_path / "r").open("w+b") as file:
        write(file, Record(0, 5, b"key", b"value", (("h", b"v"),)))
        file.truncate(file.tell() - cut)
        file.seek(0)
        with pytest.raises(copying.Damaged):
            list(read(file))


@pytest.mark.parametrize("name", ["a b", "x'y", "", "9", "a`", "x" * 200])
def test_only_plain_names_stand_in_a_statement(name: str) -> None:
    with pytest.raises(BackupRefused, match="no name that can stand"):
        database._checked(name)


def test_what_lies_outside_the_folder_is_told(data: Path, tmp_path: Path) -> None:
    assert outside(data) == []
    (data / "touchline.yaml").write_text(FILES["touchline.yaml"].replace("secrets/web", "../keys/web"))
    assert outside(data) == [str(tmp_path / "keys/web")]
    (data / "run.json").write_text(json.dumps({"addresses": {"config": "/etc/elsewhere.yaml"}}))
    assert outside(data) == ["/etc/elsewhere.yaml"]


def test_the_commands(data: Path, tmp_path: Path) -> None:
    asked = CliRunner()
    into, again = str(tmp_path / "b"), str(tmp_path / "again")
    taken = asked.invoke(app, ["backup", into, "--data", str(data)])
    assert taken.exit_code == 0 and json.loads(taken.stdout)["stopped_s"] == 0.0
    assert asked.invoke(app, ["backup", "--check", into]).exit_code == 0
    assert asked.invoke(app, ["restore", into, "--data", again]).exit_code == 0
    _flip(tmp_path / "b" / CONTENT / PART)
    checked = asked.invoke(app, ["backup", "--check", into])
    assert checked.exit_code == 1 and "another content" in checked.stderr
    assert asked.invoke(app, ["restore", into, "--data", str(tmp_path / "third")]).exit_code == 2
