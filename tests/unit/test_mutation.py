"""The mutation run's own judgements: its table names what is there, and a survivor cannot pass in silence."""

from __future__ import annotations

import functools
import gc
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mutation import __main__ as mutation
from tests.mutation import bench, page, quick
from tests.mutation.__main__ import told
from tests.mutation.bench import Mutant, Tally
from tests.mutation.explained import FILE, explained
from tests.mutation.groups import GROUPS, NOT_TRIED, ROOT, WHOLE
from tests.mutation.page import Line

MUTANT = Mutant("streams/a.py", "f", "return 1", "return 2")


def test_what_the_table_names_is_there_and_no_file_is_in_two_groups() -> None:
    files = [file for group in GROUPS.values() for file in group.files]
    tests = {test for group in GROUPS.values() for test in group.tests}
    assert [name for name in {*files, *tests} if not (ROOT / name).exists()] == []
    assert len(files) == len(set(files))


def test_a_module_of_the_core_is_in_a_group_or_said_to_be_in_none() -> None:
    named = {file for group in GROUPS.values() for file in group.files}
    for package in WHOLE:
        there = {file.stem for file in (ROOT / package).glob("*.py")} - {"__init__"}
        tried = {name for name in there if f"{package}/{name}.py" in named}
        assert there - tried <= set(NOT_TRIED.get(package, "").split()), package


def test_a_mutant_nobody_noticed_or_that_has_no_verdict_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally("streams/a.py", mutants=9, tried=3, killed=1, survived=(MUTANT,), unclear=1)
    assert told(tally, {}) == 2
    assert "1 of 3 noticed, 1 open, 1 without a verdict" in capsys.readouterr().out
    assert told(tally, {MUTANT: "it is the same"}) == 1


@pytest.mark.parametrize(("unclear", "kept"), [(0, 1), (1, 0)])
def test_a_score_without_all_its_verdicts_is_not_recorded(
    unclear: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[Line] = []
    found = Tally("streams/a.py", mutants=9, tried=3, killed=3 - unclear, survived=(), unclear=unclear)
    monkeypatch.setattr(sys, "argv", ["mutation", "timers", "--record"])
    monkeypatch.setattr(mutation, "_run", lambda name, options: [found])
    monkeypatch.setattr(mutation, "keep", recorded.extend)
    assert mutation.main() == unclear and len(recorded) == kept


def test_an_explanation_says_of_which_file_and_why() -> None:
    entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get("mutant", [])
    assert len(explained()) == len(entries), "explained twice"
    for mutant, why in explained().items():
        assert mutant.file in {file for group in GROUPS.values() for file in group.files}
        assert len(why) > 20 and mutant.was != mutant.became
        line = mutant.was.split(" ")[0]
        assert line in (ROOT / mutant.file).read_text(encoding="utf-8"), "the code has changed: is it still the same?"


@pytest.mark.parametrize(
    ("code", "noticed", "unclear", "survived"),
    [
        (1, 1, 0, 0),
        (3, 1, 0, 0),
        (-24, 1, 0, 0),
        (36, 1, 0, 0),
        (0, 0, 0, 1),
        (33, 0, 0, 1),
        (2, 0, 1, 0),
        (None, 0, 1, 0),
        (-11, 0, 1, 0),
    ],
)
def test_only_a_failing_test_or_too_much_time_is_a_notice(
    code: int | None, noticed: int, unclear: int, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "verdicts", lambda file: {"streams.a.x_f__mutmut_1": code})
    monkeypatch.setattr(bench, "mutant", lambda file, name: MUTANT)
    tally = bench.tally("streams/a.py", ["streams.a.x_f__mutmut_1"], ["streams.a.x_f__mutmut_1"])
    assert (tally.killed, tally.unclear, len(tally.survived)) == (noticed, unclear, survived)


def test_a_sample_is_the_same_each_time_and_of_all_where_there_are_few() -> None:
    names = [f"m{n}" for n in range(100)]
    assert bench.sample("a.py", names, 7) == bench.sample("a.py", names, 7) != bench.sample("b.py", names, 7)
    assert len(set(bench.sample("a.py", names, 7))) == 7 and bench.sample("a.py", names, 100) == names


@pytest.mark.parametrize(
    ("name", "function"),
    [("streams.a.x_pain_of__mutmut_3", "pain_of"), ("streams.a.xǁLeftǁwith___mutmut_11", "Left.with_")],
)
def test_a_mutant_is_called_by_its_function(name: str, function: str) -> None:
    assert bench.function_of(name) == function


def test_the_table_counts_by_package_and_leaves_out_what_cannot_be_noticed() -> None:
    lines = [
        Line("streams/a/x.py", 50, 10, 8, 1),
        Line("streams/a/y.py", 10, 10, 10, 0),
        Line("schemas/z.py", 4, 4, 1, 0),
    ]
    assert page.table(lines).splitlines()[2:] == [
        "| `schemas` | 1 | 4 | 4 | 1 | 0 | 3 | 25.0 % |",
        "| `streams/a` | 2 | 60 | 20 | 18 | 1 | 1 | 94.7 % |",
        "| all | 3 | 64 | 24 | 19 | 1 | 4 | 82.6 % |",
    ]


def test_the_page_shows_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.shown(page.PAGE.read_text(encoding="utf-8"), page.read())
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "KEPT", tmp_path / "score.jsonl")
    page.PAGE.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    page.keep([Line("streams/a/x.py", 50, 10, 8, 1), Line("schemas/z.py", 4, 4, 1, 0)])
    page.keep([Line("schemas/z.py", 4, 4, 4, 0)])
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{page.BEGIN}\n| package") and text.endswith(f"\n{page.END}\nafter\n")
    assert "| all | 2 | 54 | 14 | 12 | 1 | 1 | 92.3 % |" in text and "old" not in text


def test_properties_are_capped_and_quick_tests_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    @settings(max_examples=50, database=None)
    @given(st.integers())
    def test_many(number: int) -> None:
        drawn.append(number)

    class Item:
        def __init__(self, nodeid: str, obj: object) -> None:
            self.nodeid, self.obj = nodeid, obj

    monkeypatch.setattr(quick, "measured", lambda: {"slow": 3.0, "quick": 0.1})
    items = [Item("slow", test_many), Item("quick", print), Item("new", print)]
    quick.pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [item.nodeid for item in items] == ["new", "quick", "slow"]
    test_many()
    assert 0 < len(drawn) <= quick.EXAMPLES


@pytest.mark.parametrize(("under_test", "left"), [("a.x_f__mutmut_1", 0), ("", 0), ("stats", 5), ("list_all_tests", 5)])
def test_only_a_run_on_a_mutant_leaves_tests_out(under_test: str, left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quick.UNDER_TEST, under_test)
    many = [SimpleNamespace(nodeid=f"t{n}", obj=print) for n in range(quick.TESTS + 5)]
    quick.pytest_collection_modifyitems(many)  # type: ignore[arg-type]
    assert len(many) == quick.TESTS + left


@pytest.mark.parametrize(("took", "left"), [(10.0, 3), (29.0, 1), (31.0, 1), (0.1, 5)])
def test_quick_tests_come_until_their_time_is_up(took: float, left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quick.UNDER_TEST, "a.x_f__mutmut_1")
    monkeypatch.setattr(quick, "measured", lambda: {f"t{n}": took for n in range(5)})
    some = [SimpleNamespace(nodeid=f"t{n}", obj=print) for n in range(5)]
    quick.pytest_collection_modifyitems(some)  # type: ignore[arg-type]
    assert len(some) == left


@functools.lru_cache
def remembered(number: int) -> list[int]:
    return [number]


@pytest.mark.parametrize(("under_test", "is_kept"), [("a.x_f__mutmut_1", False), ("", True), ("stats", True)])
def test_a_mutant_is_not_asked_from_memory(under_test: str, is_kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quick.UNDER_TEST, under_test)
    before = remembered(1)
    gc.freeze()
    quick.pytest_sessionstart()
    gc.unfreeze()
    assert (remembered(1) is before) is is_kept


def test_a_test_reaches_what_a_cache_would_spare_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_of_mutated", lambda: [remembered])
    for under_test, is_kept in (("a.x_f__mutmut_1", True), ("stats", False)):
        monkeypatch.setenv(quick.UNDER_TEST, under_test)
        before = remembered(2)
        quick.pytest_runtest_setup()
        assert (remembered(2) is before) is is_kept


def test_caches_of_modules_with_mutants_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "OURS", ("tests.",))
    quick._of_mutated.cache_clear()
    assert remembered not in quick._of_mutated()
    monkeypatch.setattr(sys.modules[__name__], "x_f__mutmut_1", print, raising=False)
    quick._of_mutated.cache_clear()
    assert remembered in quick._of_mutated()
    quick._of_mutated.cache_clear()
