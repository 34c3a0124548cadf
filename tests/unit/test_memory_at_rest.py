"""Memory is given back when a process has worked and rests, never while it works."""

from __future__ import annotations

from streams.runtime.at_rest import LOOK_EVERY_S, RESTS_BELOW, WORTH_S, AtRest

LITTLE_S = RESTS_BELOW * LOOK_EVERY_S / 2


def given(used: list[float]) -> list[int]:
    """At which looks memory is given back, where the process uses so many seconds before each."""
    total_s, number, looks = 0.0, 0, list[int]()
    rest = AtRest(lambda: looks.append(number), lambda: total_s)
    for each_s in used:
        total_s += each_s
        rest.look()
        number += 1
    return looks


def test_once_after_work() -> None:
    assert given([5.0, 5.0, LITTLE_S, 0.0, 0.0, 0.0]) == [2]


def test_never_while_there_is_work() -> None:
    assert given([1.0] * 20) == []


def test_again_after_more_work() -> None:
    assert given([5.0, 0.0, 0.0, 5.0, 0.0]) == [1, 4]


def test_what_a_process_does_at_rest_is_asked_for_seldom() -> None:
    each_s = LITTLE_S
    looks = given([5.0] + [each_s] * 50)
    assert looks[0] == 1 and 2 <= len(looks) <= 50 * each_s / WORTH_S + 2
