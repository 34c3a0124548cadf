import struct
from pathlib import Path

import pytest

from tests.faults.kit.tail import batches, truncate_log, truncate_logs


def _batch(first: int, records: int) -> bytes:
    rest = struct.pack(">ib4xhi", 0, 2, 0, records - 1) + b"\0" * 40
    return struct.pack(">qi", first, len(rest)) + rest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = tmp_path / "kafka" / "t-0"
    log.mkdir(parents=True)
    (tmp_path / "kafka" / ".kafka_cleanshutdown").touch()
    (log / f"{0:020}.log").write_bytes(_batch(0, 3) + _batch(3, 2) + b"\0" * 100)
    (log / f"{5:020}.log").write_bytes(_batch(5, 1) + _batch(6, 4))
    for first in (0, 5):
        (log / f"{first:020}.index").touch()
    return tmp_path


def _offsets(folder: Path) -> list[tuple[int, int]]:
    return [(batch.first, batch.last) for batch in batches(folder / "kafka" / "t-0")]


@pytest.mark.parametrize(("records", "end"), [(1, 6), (4, 6), (5, 5), (6, 3), (9, 0), (99, 0), (0, 10)])
def test_whole_batches_go(folder: Path, records: int, end: int) -> None:
    assert truncate_log(folder, "t", 0, records) == end
    assert [last for _, last in _offsets(folder)][-1:] == ([end - 1] if end else [])


def test_half_of_a_batch_stays_and_is_none(folder: Path) -> None:
    whole = (folder / "kafka" / "t-0" / f"{5:020}.log").stat().st_size
    assert truncate_log(folder, "t", 0, 1, torn=True) == 6
    assert whole / 2 < (folder / "kafka" / "t-0" / f"{5:020}.log").stat().st_size < whole
    assert _offsets(folder)[-1] == (5, 5)


def test_each_log_of_ours_loses_its_share_and_no_other(folder: Path) -> None:
    ours, theirs = folder / "kafka" / "touchpoints.raw.v1-0", folder / "kafka" / "__consumer_offsets-0"
    for log in (ours, theirs):
        log.mkdir()
        (log / f"{0:020}.log").write_bytes(b"".join(_batch(first, 1) for first in range(9)))
    assert truncate_logs(folder, share=1 / 3) == 1
    assert (len(list(batches(ours))), len(list(batches(theirs))), _offsets(folder)[-1]) == (6, 9, (6, 9))


def test_what_was_derived_goes_with_it(folder: Path) -> None:
    truncate_log(folder, "t", 0, 6)
    log = folder / "kafka" / "t-0"
    assert sorted(path.name for path in log.iterdir()) == [f"{0:020}.log"]
    assert not (folder / "kafka" / ".kafka_cleanshutdown").exists()
