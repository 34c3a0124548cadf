"""Failpoints do nothing unless asked, and exactly what is asked."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streams.runtime.failpoints import Failpoint, hit, parse

PASS_FOUR = "from streams.runtime.failpoints import hit\nfor i in range(4):\n    hit('here'); print(i, flush=True)"


def run(setting: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PASS_FOUR], env={"TOUCHLINE_FAILPOINT": setting}, capture_output=True, text=True
    )
    return done.returncode, done.stdout


def test_parse() -> None:
    assert parse("") == {}
    assert parse("a:kill, b:sleep:0.5:after=2") == {"a": Failpoint("a", "kill"), "b": Failpoint("b", "sleep", 0.5, 2)}


@pytest.mark.parametrize("text", ["a", "a:explode", ":kill", "a:kill:later=1", "a:kill:after=x"])
def test_a_setting_that_would_silently_do_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="TOUCHLINE_FAILPOINT"):
        parse(text)


def test_unset_it_does_nothing() -> None:
    hit("here")


def test_kill_kills_after_so_many_passings() -> None:
    assert run("here:kill:after=2") == (-9, "0\n1\n")
    assert run("elsewhere:kill") == (0, "0\n1\n2\n3\n")


def test_raise_raises() -> None:
    assert run("here:raise") == (1, "")
