"""The mutants of the pages' statements: which tests judge them, and what the run before found."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tests.mutation.bench import WORK, Mutant, Tally, Which
from tests.mutation.groups import ROOT
from tests.mutation.judged import FILE, Judge

NAME = "statements"
JUDGES = (
    "statements.py",
    "questions.py",
    "store.py::test_times_are_measured_from_the_touchpoints",
    "store.py::test_answers_are_measured_from_what_was_asked",
    "store.py::test_a_request_read_twice_is_ignored_once",
)
"""Tests whose answers are literal or of few rows. Those that fill a store with thousands would take an hour."""
FOUND = WORK / f"{NAME}.json"


def run(most: int, which: Which) -> Tally:
    """Run the judges on at most `most` mutants of each method of the store."""
    before = _before()
    if which == "none":
        return before
    judge = Judge(most, set(before.survived) if which == "unnoticed" else None)
    tests = [f"tests/integration/test_dashboard_{name}" for name in JUDGES]
    # one process, so that the engine is started once
    code = pytest.main(["-q", "-n0", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *tests], plugins=[judge])
    if code:
        raise SystemExit(f"the judges of statements ended with {code}: they must pass before mutants are tried")
    found = _sum(judge.tallies)
    if which == "unnoticed":
        found = Tally(FILE, before.mutants, before.tried, before.tried - len(found.survived), found.survived, 0)
    FOUND.parent.mkdir(exist_ok=True)
    FOUND.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def _before() -> Tally:
    if not FOUND.exists():
        return _sum([])
    kept = json.loads(FOUND.read_text(encoding="utf-8"))
    return Tally(**kept | {"survived": tuple(Mutant(**one) for one in kept["survived"])})


def _sum(tallies: list[Tally]) -> Tally:
    survived = tuple(mutant for tally in tallies for mutant in tally.survived)
    mutants, tried, killed = (sum(getattr(tally, name) for tally in tallies) for name in ("mutants", "tried", "killed"))
    return Tally(FILE, mutants, tried, killed, survived, 0)
