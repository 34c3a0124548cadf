"""When the sink looks for days to roll up."""

from __future__ import annotations

from services.sink.days import AT_ONCE, FORGET_AFTER_S, LOOK_AT_ALL_EVERY_S, LOOK_EVERY_S, MAX_ASKED, RollUps

DAY_S = 86_400


class Asked:
    """A store that remembers what it was asked, and has so many days due."""

    def __init__(self) -> None:
        self.due = 0
        self.days: list[object] = []
        self.rolled: list[object] = []

    def rows(self, sql: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        self.days.append("all" if parameters["everything"] else parameters["days"])
        found, self.due = min(self.due, AT_ONCE), max(self.due - AT_ONCE, 0)
        return [{"name": f"2026-03-{n + 1:02}", "version": "now"} for n in range(found)]

    def command(self, sql: str, parameters: dict[str, object]) -> None:
        self.rolled.append(parameters["day"])


class Clock:
    now = 1e6

    def __call__(self) -> float:
        return self.now


def test_everything_at_first_then_what_was_touched_then_everything_again() -> None:
    store, clock = Asked(), Clock()
    days = RollUps(store, clock)
    assert days.due()
    days.run()
    assert not days.due()
    days.touched([DAY_S + 60, DAY_S + 120, 2 * DAY_S])
    clock.now += LOOK_EVERY_S
    assert days.due()
    days.run()
    clock.now += LOOK_AT_ALL_EVERY_S
    days.run()
    assert store.days == ["all", ["1970-01-02", "1970-01-03"], "all"]


def test_a_look_that_clickhouse_refused_is_put_off_and_not_repeated_after_each_batch() -> None:
    clock = Clock()
    days = RollUps(Asked(), clock)
    days.put_off()
    assert not days.due()
    clock.now += LOOK_EVERY_S
    assert days.due()


def test_goes_on_at_once_while_there_is_more() -> None:
    store, clock = Asked(), Clock()
    store.due = AT_ONCE + 1
    days = RollUps(store, clock)
    assert (len(days.run()), days.due()) == (AT_ONCE, True)
    assert (len(days.run()), days.due()) == (1, False)
    assert store.days == ["all", "all"]


def test_forgets_days_that_had_time_enough_and_asks_for_all_when_there_are_too_many() -> None:
    store, clock = Asked(), Clock()
    days = RollUps(store, clock)
    days.run()
    days.touched([0])
    clock.now += FORGET_AFTER_S
    days.run()
    clock.now += LOOK_EVERY_S
    days.run()
    days.touched(range(0, (MAX_ASKED + 1) * DAY_S, DAY_S))
    clock.now += LOOK_EVERY_S
    days.run()
    assert store.days == ["all", ["1970-01-01"], [], "all"]
