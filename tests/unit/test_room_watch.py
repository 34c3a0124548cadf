"""Too little room at any moment of a write makes it an error; merges stop before and go on after."""

from __future__ import annotations

import time

import pytest

from services.embedded.clickhouse.errors import NOT_ENOUGH_SPACE, ClickHouseError
from services.embedded.clickhouse.room import RoomWatch

MIB = 1 << 20


class Disk:
    def __init__(self) -> None:
        self.free, self.told, self.fails = 1000 * MIB, list[bool](), False
        self.watch = RoomWatch(lambda: self.free, self._merges, needed_bytes=16 * MIB, merge_bytes=128 * MIB)

    def _merges(self, may: bool) -> None:
        if self.fails:
            raise RuntimeError
        self.told.append(may)

    def has(self, mib: int) -> None:
        self.free = mib * MIB
        self.watch.look()


def test_little_room_in_the_middle_of_a_write_is_an_error_though_there_is_room_again() -> None:
    disk, began = Disk(), time.monotonic()
    disk.watch.check(began)
    disk.has(15)
    disk.has(1000)
    with pytest.raises(ClickHouseError, match="may not be whole") as refused:
        disk.watch.check(began)
    assert refused.value.code == NOT_ENOUGH_SPACE
    disk.watch.check(time.monotonic())  # a later write


def test_a_disk_that_is_full_at_the_end_of_a_write_is_noticed_at_once() -> None:
    disk, began = Disk(), time.monotonic()
    disk.free = 0
    with pytest.raises(ClickHouseError):
        disk.watch.check(began)


def test_merges_stop_early_and_go_on_with_room_to_spare() -> None:
    disk = Disk()
    for mib in (200, 127, 100, 130, 190, 193, 150):
        disk.has(mib)
    assert disk.told == [False, True]


def test_what_could_not_be_told_is_told_again() -> None:
    disk = Disk()
    disk.fails = True
    with pytest.raises(RuntimeError):
        disk.has(100)
    disk.fails = False
    disk.has(100)
    assert disk.told == [False]


def test_it_looks_by_itself() -> None:
    disk = Disk()
    disk.watch.start()
    began, disk.free = time.monotonic(), 0
    while not disk.told and time.monotonic() < began + 10:
        time.sleep(0.005)
    disk.watch.stop()
    disk.watch.stop()
    assert disk.told == [False]


@pytest.mark.parametrize(
    ("mib", "looks"), [(0, 0.02), (127, 0.02), (128 + 2 * 1024, 0.25), (128 + 64 * 1024, 1.0)], ids=str
)
def test_it_looks_often_where_little_is_free_and_never_later_than_a_disk_can_be_full(mib: int, looks: float) -> None:
    """Fifty looks a second cost as much as all else an embedded ClickHouse does at rest."""
    disk = Disk()
    disk.has(mib)
    assert disk.watch._pause_s == pytest.approx(looks)
