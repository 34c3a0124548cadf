"""The fault kit's own judgements: each must be able to say that a promise was broken."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.faults.kit import page
from tests.faults.kit.driver import Answer
from tests.faults.kit.faults import FAULTS, FREEZABLE
from tests.faults.kit.floods import MAX_GROWTH_MB, Noise, burst_promises, noise_promises, nonsense
from tests.faults.kit.oracle import decimals
from tests.faults.kit.report import COLUMNS, Report, markdown, read, text_line
from tests.faults.kit.scenario import crowd, scenario
from tests.faults.kit.system import System

WELL = Report("kill", "sink", 7, 100, 90, 0, 0, 0, (1.0, 3.0, 2.0))


def test_a_report_is_good_only_when_nothing_was_broken() -> None:
    assert WELL.good
    for change in ({"lost": 1}, {"doubled": 1}, {"wrong": 1}, {"broken": ("x",)}):
        assert not Report(**{**_fields(WELL), **change}).good  # type: ignore[arg-type]


def _fields(report: Report) -> dict[str, object]:
    return {name: getattr(report, name) for name in Report.__dataclass_fields__}


def test_a_report_is_read_as_it_was_written_and_shown_in_columns() -> None:
    again, about = read(WELL.as_json(commit="abc", load="1.0"))
    assert (again, about) == (WELL, {"commit": "abc", "load": "1.0"})
    assert len(WELL.cells) == len(COLUMNS) and WELL.cells[-3:] == ("2.0 s", "3.0 s", "7")
    assert text_line(WELL.cells).split()[:3] == ["kill", "sink", "3"]
    assert markdown([WELL.cells]).splitlines()[2].startswith("| kill | sink | 3 | 100 | 90 | 0 | 0 | 0 | 2.0 s |")


def test_a_mean_half_way_is_rounded_alike_in_every_order_of_summing() -> None:
    """-0.175 / 4 = -0.04375: half way between two results of four digits."""
    felt = (-0.5, 0.0, -0.1, 0.425)
    means = {sum(order) / 4 for order in permutations(felt)}
    assert len({round(mean, 4) for mean in means}) == 2, "known-bad: the order decides"
    assert {decimals(mean, 4) for mean in means} == {decimals(-0.04375, 4)}


def test_a_burst_must_put_somebody_off_say_until_when_and_stay_small() -> None:
    put_off, taken = Answer(0, 200, 0.0, 3, put_off=2), Answer(1, 200, 0.0, 1)
    assert burst_promises([put_off, taken], 10.0) == []
    assert burst_promises([taken], 10.0), "nobody was put off"
    assert burst_promises([Answer(0, 200, 0.0, 3, put_off=2, unadvised=1)], 10.0), "no Retry-After"
    assert burst_promises([put_off], MAX_GROWTH_MB + 1), "it grew"


def test_nonsense_must_be_refused_as_such_and_become_one_letter_each(tmp_path: Path) -> None:
    noise = Noise(System(tmp_path))
    assert noise_promises(noise, 0) == []
    assert noise_promises(noise, 1), "a letter of nobody's"
    noise.unexpected.append("500 instead of 400")
    assert noise_promises(noise, 0), "a wrong answer"
    assert {nonsense(number).status for number in range(6)} == {200, 400, 401, 413}


def test_a_crowd_is_unknown_and_has_its_size() -> None:
    load = crowd("c", 3, events=500)
    assert load.events == 500 and {call.source for call in load.calls} == {"web"}
    assert not any("identify" in call.body for call in load.calls)


def test_a_hot_account_is_half_of_all_people() -> None:
    bodies = "".join(call.body for call in scenario("hot", 3, people=400, companies=40, hot=True).calls)
    named = [bodies.count(f"hot-c{number}.nl") for number in range(40)]
    assert 0.35 < named[0] / sum(named) < 0.65
    even = "".join(call.body for call in scenario("hot", 3, people=400, companies=40).calls)
    assert even.count("hot-c0.nl") < named[0] / 5


def test_every_process_is_frozen() -> None:
    assert {"kafka", "clickhouse", "supervisor"} <= set(FREEZABLE) == set(FAULTS["sigstop"].components)


def test_the_page_is_what_was_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not page.differs(), "run `python -m tests.faults.kit --record`, or page.write()"
    copy = tmp_path / "page.md"
    copy.write_text(page.PAGE.read_text())
    monkeypatch.setattr(page, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(page, "PAGE", copy)
    page.keep(WELL, "abc")
    page.keep(WELL, "abc")
    assert len(page.KEPT.read_text().splitlines()) == 1, "a run is kept once"
    assert "| kill | sink | 3 |" in copy.read_text() and not page.differs()
    copy.write_text(copy.read_text().replace("| kill | sink | 3 |", "| kill | sink | 4 |"))
    assert page.differs(), "a figure that was changed by hand"
    with pytest.raises(AssertionError):
        page.rendered("no markers")
