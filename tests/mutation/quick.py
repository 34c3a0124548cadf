"""A pytest plugin for the runs of one mutant each: the quickest tests, and properties on few examples.

Nearly every mutant that any test notices is noticed by a quick one. A property that draws a hundred histories would
make each mutant cost a minute; ten examples, always the same ones, and the quickest of the tests that reach the
function keep it at some seconds. What only others would notice is a survivor, so the score errs on the low side.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

EXAMPLES = 10
#: So many tests at most, and so many seconds in all by what each took when it was measured.
TESTS, SECONDS = 150, 30.0
#: The mutant that runs, as mutmut says it; and what it says where it only looks which tests there are.
UNDER_TEST = "MUTANT_UNDER_TEST"
ALL_TESTS = ("stats", "list_all_tests")
OURS = ("schemas.", "streams.", "services.", "tests.")
Cache = Any  # functools._lru_cache_wrapper is generic for type checkers alone
#: Written by mutmut beside the code under test: how many seconds each test took when nothing was mutated.
STATS = Path("mutmut-stats.json")


def pytest_sessionstart() -> None:
    """A mutant's process is a copy of one that ran the tests already: what a cache remembers was never mutated."""
    if "__mutmut_" in os.environ.get(UNDER_TEST, ""):
        gc.unfreeze()  # or they would not be among the objects
        for each in _caches():
            each.cache_clear()


def pytest_runtest_setup() -> None:
    """Where it is noted which tests reach a function, those reach it, too, that a cache would spare it."""
    if os.environ.get(UNDER_TEST) == "stats":
        for each in _of_mutated():
            each.cache_clear()


def _caches() -> Iterator[Cache]:
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper) and str(each.__module__).startswith(OURS):
            yield each


@functools.cache
def _of_mutated() -> list[Cache]:
    """Caches of the modules that have mutants."""
    named = {name for name, module in list(sys.modules.items()) if any("__mutmut_" in each for each in vars(module))}
    return [each for each in _caches() if each.__module__ in named]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cap the properties, sort by the seconds measured, and keep the first."""
    for item in items:
        _cap(getattr(item, "obj", None))
        # mutmut 3.7 reads what pytest 9 no longer has; mutmut 3.8 needs a newer click than Faust allows.
        item._nodeid = item.nodeid  # type: ignore[attr-defined]
    seconds = measured()
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))
    if os.environ.get(UNDER_TEST) not in ALL_TESTS:
        until = accumulate(seconds.get(item.nodeid, 0.0) for item in items)
        del items[max(1, sum(so_far <= SECONDS for so_far in until)) :], items[TESTS:]


def _cap(test: object) -> None:
    # A mutant needs one failing example, not the smallest one: no shrinking, and no targeted search.
    own = getattr(test, "_hypothesis_internal_use_settings", None)
    if isinstance(own, settings):
        capped = settings(own, max_examples=min(EXAMPLES, own.max_examples), phases=(Phase.explicit, Phase.generate))
        function = getattr(test, "__func__", test)
        function._hypothesis_internal_use_settings = capped  # type: ignore[attr-defined]


def measured() -> dict[str, float]:
    """Test → seconds it took; empty in the run that measures."""
    try:
        durations = json.loads(STATS.read_text(encoding="utf-8"))["duration_by_test"]
    except FileNotFoundError:
        return {}
    return {str(test): float(seconds) for test, seconds in durations.items()}
