"""Faults of the disk: full to the last byte, and a log of Kafka that lost its tail."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.kit.campaign import Sent, load_of, report
from tests.faults.kit.checks import settled
from tests.faults.kit.driver import sending
from tests.faults.kit.report import Report
from tests.faults.kit.system import System
from tests.faults.kit.tail import truncate_logs

TMPFS_MIB = 700
"""Kafka wants 256 MiB free to start."""
CHUNK = 64 << 10


class NotHere(Exception):
    """This machine cannot do that, and how it could."""


# -- a disk that is full


def full_disk(data: Path, seed: int, rate_per_s: float, lasts_s: float) -> Report:
    """Nothing that is acked may be missing; it goes on by itself once there is room."""
    sent, load = Sent(), load_of("full", seed, events=(lasts_s + 20) * rate_per_s)
    with small_disk(data, TMPFS_MIB), System(data) as system:
        sent.probe(system)
        with sending(load, system, rate_per_s) as running:
            time.sleep(5)
            with full(data):
                time.sleep(lasts_s)
            over = time.monotonic()
            sent.probe(system, timeout_s=150)
            recovered_s = time.monotonic() - over
            answers = running.finish()
        acked = sent.took(load, answers)
        verdict = settled(system, sent.pairs)
    said = f"{sum(answer.put_off for answer in answers)} × 503"
    return report("disk-full", "", seed, acked, verdict, [recovered_s], said=said)


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[None]:
    """A file system of its own at `folder`, in memory. Raises NotHere where none may be mounted."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "touchline", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotHere(
            f"no tmpfs can be mounted ({done.stderr.strip()}): run as root, or under `unshare --map-root-user --mount`"
        )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No byte is free on the file system of `folder` while the block runs, whatever is deleted on it meanwhile."""
    over = threading.Event()
    ballast = folder / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as out:
            while not over.is_set():
                with suppress(OSError):
                    while not over.is_set():
                        out.write(bytes(CHUNK))
                with suppress(OSError):
                    while not over.is_set():
                        out.write(bytes(512))
                over.wait(0.02)

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        until = time.monotonic() + 20
        while os.statvfs(folder).f_bavail and time.monotonic() < until:
            time.sleep(0.05)
        yield
    finally:
        over.set()
        filling.join()
        ballast.unlink()


# -- a log without its tail


def truncated_log(data: Path, seed: int, rate_per_s: float) -> Report:
    """What was on the map stays, and what is sent afterwards is not taken for something already done."""
    sent, first = Sent(), load_of("before", seed, events=8 * rate_per_s)
    after = load_of("after", seed, events=8 * rate_per_s)
    system = System(data)
    try:
        system.start()
        with sending(first, system, rate_per_s) as running:
            acked = sent.took(first, running.finish())
        verdict = settled(system, sent.pairs)
        assert verdict, f"before anything was done: {verdict}"
        system.kill_all()
        cut = truncate_logs(data / "kafka", share=1 / 3)
        over = time.monotonic()
        system.start()
        sent.probe(system)
        recovered_s = time.monotonic() - over
        with sending(after, system, rate_per_s) as running:
            acked += sent.took(after, running.finish())
        verdict = settled(system, sent.pairs)
    finally:
        system.stop()
    said = f"{cut} logs cut"
    return report("truncated-log", "", seed, acked, verdict, [recovered_s], said=said)
