"""One part of the benchmarks that fails, dies or hangs loses its own figures, and the table says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from multiprocessing import Pipe
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks import guarded as module
from benchmarks.__main__ import Part, measure
from benchmarks.figures import LONG, QUICK, Figure, Pace, Say
from benchmarks.guarded import PartFailed, Run, each, guarded, of_module

_CHILD_FILE = "TOUCHLINE_TEST_CHILD_FILE"


def works(pace: Pace, say: Say) -> list[Figure]:
    return [Figure("a part", "what it measures", "42")]


def raises(pace: Pace, say: Say) -> list[Figure]:
    raise TimeoutError("4,265 of 7,000 events after 300 s")


def dies(pace: Pace, say: Say) -> list[Figure]:
    os._exit(7)


def tells_then_raises(pace: Pace, say: Say) -> Iterator[Figure]:
    yield Figure("a part", "what it measures", "42")
    yield Figure("a part", "what it measures twice", "1")
    yield Figure("a part", "what it measures twice", "2")
    raise TimeoutError("the rest is not known")


def tells_then_dies(pace: Pace, say: Say) -> Iterator[Figure]:
    yield from works(pace, say)
    os._exit(7)


def steps_of_which_one_fails(pace: Pace, say: Say) -> Iterator[Figure]:
    yield from each({"one": lambda: raises(pace, say), "two": lambda: works(pace, say)}, say)


def hangs(pace: Pace, say: Say) -> list[Figure]:
    """With a child of its own, and deaf to Ctrl-C."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(os.environ[_CHILD_FILE]).write_text(str(child.pid))
    until = time.monotonic() + 600
    while time.monotonic() < until:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            continue
    return []


def test_a_part_that_works_has_its_figures() -> None:
    assert guarded(works, QUICK, 60) == works(QUICK, print)


@pytest.mark.parametrize(
    ("part", "said"),
    [(raises, "TimeoutError: 4,265 of 7,000 events after 300 s"), (dies, "its process ended with 7")],
)
def test_a_part_that_fails_says_why(part: Run, said: str) -> None:
    with pytest.raises(PartFailed, match=said):
        guarded(part, QUICK, 60)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (tells_then_dies, "its process ended with 7"),
        (steps_of_which_one_fails, "^one: TimeoutError: 4,265 of 7,000 events after 300 s$"),
    ],
)
def test_what_a_part_told_before_it_failed_stays(part: Run, said: str) -> None:
    with pytest.raises(PartFailed, match=said) as failed:
        guarded(part, QUICK, 60)
    assert failed.value.figures == works(QUICK, print)


def test_what_a_part_told_before_it_took_too_long_stays() -> None:
    receiving, sending = Pipe(duplex=False)
    for figure in works(QUICK, print):
        sending.send(figure)
    found: list[Figure] = []
    assert module._outcome(SpawnProcess(), receiving, 0.1, found) == "it took longer than 0 s"
    assert found == works(QUICK, print)


def test_a_figure_told_again_takes_the_place_of_the_first() -> None:
    with pytest.raises(PartFailed, match="the rest is not known") as failed:
        guarded(tells_then_raises, QUICK, 60)
    assert [figure.value for figure in failed.value.figures] == ["42", "2"]


def test_a_part_that_hangs_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pid"
    monkeypatch.setenv(_CHILD_FILE, str(file))
    outcome = module._outcome

    def once_it_hangs(child: Any, receiving: Any, limit_s: float, found: list[Figure]) -> str:
        until = time.monotonic() + 60
        while not (file.exists() and file.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        return outcome(child, receiving, limit_s, found)

    monkeypatch.setattr(module, "_outcome", once_it_hangs)
    with pytest.raises(PartFailed, match="it took longer than 0 s"):
        guarded(hangs, QUICK, 0.1, grace_s=0.5)
    child = Path(f"/proc/{file.read_text()}/stat")
    until = time.monotonic() + 20  # a killed process is gone once the kernel has come to it
    while not _is_over(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert _is_over(child)


def _is_over(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_table_has_every_other_part_and_the_exit_code_tells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: dict[str, Run] = {"first": works, "second": raises, "third": works}
    monkeypatch.setattr(program, "of_module", lambda name: parts[name])
    assert measure({name: Part(name, 60) for name in parts}, QUICK) == 1
    printed = capsys.readouterr().out
    assert printed.count("what it measures") == 2
    assert printed.splitlines()[-1] == "Not measured: second: TimeoutError: 4,265 of 7,000 events after 300 s"
    assert measure({"first": Part("first", 60)}, QUICK) == 0
    assert "Not measured" not in capsys.readouterr().out


def test_the_table_has_what_a_failed_part_had_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "of_module", lambda name: tells_then_raises)
    assert measure({"first": Part("first", 60)}, QUICK) == 1
    printed = capsys.readouterr().out
    assert printed.count("what it measures") == 2
    assert printed.splitlines()[-1] == "Not measured: first: TimeoutError: the rest is not known"


def test_one_that_hangs_leaves_those_behind_it_what_they_need(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, limits = [0.0], list[float]()

    def takes_its_limit(run: Run, pace: Pace, limit_s: float) -> list[Figure]:
        limits.append(limit_s)
        clock[0] += limit_s
        raise PartFailed("it hangs")

    monkeypatch.setattr(program, "guarded", takes_its_limit)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    needs = {"first": 20, "second": 40, "third": 60, "fourth": 30}
    parts = {name: Part(name, 80, quick_s=needed) for name, needed in needs.items()}
    assert measure(parts, QUICK.model_copy(update={"within_s": 200.0})) == 1
    assert limits == [70, 40, 60, 30]
    # where there is too little for all, each has its part of what is left
    limits.clear()
    assert measure(parts, QUICK.model_copy(update={"within_s": 135.0})) == 1
    assert limits == [18, 36, 54, 27]
    told = capsys.readouterr().out
    assert "no time was left" not in told
    limits.clear()
    assert measure(parts, QUICK.model_copy(update={"within_s": 19.0})) == 1
    assert limits == []
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "Not measured: fourth: no time was left of 0 minutes; --within gives more"


def test_without_a_limit_for_all_each_part_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = list[float]()

    def quick(run: Run, pace: Pace, limit_s: float) -> list[Figure]:
        limits.append(limit_s)
        return []

    monkeypatch.setattr(program, "guarded", quick)
    measure({"first": Part("first", 80), "second": Part("second", 70)}, LONG)
    assert limits == [800, 700]


def test_a_quick_run_has_time_for_every_part() -> None:
    assert sum(part.quick_s for part in program.PARTS.values()) <= QUICK.within_s


def test_a_part_that_cannot_be_imported_is_one_that_fails() -> None:
    with pytest.raises(PartFailed, match="No module named 'benchmarks.nowhere'"):
        guarded(of_module("benchmarks.nowhere"), QUICK, 60)


def test_every_part_has_a_module() -> None:
    assert all(find_spec(part.module) for part in program.PARTS.values())
