"""The peers' job, who takes part, and that one contestant's failure costs no other's figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import orjson
import pytest

from benchmarks.core import requests
from benchmarks.figures import Figure
from benchmarks.guarded import PartFailed
from benchmarks.peer import (
    ABOUT_PER_CPU_S,
    FAUST,
    JOB,
    NAMES,
    QUIX,
    SHAPES,
    SINGLE,
    WRITTEN,
    Key,
    given,
    raced,
    warm_up,
)
from benchmarks.peers import environment
from benchmarks.peers.contestants import Side, told
from benchmarks.peers.environment import NotMade, python
from benchmarks.peers.job import counted, events
from benchmarks.peers.race import Seen, Speed, Void
from schemas.touchpoints import RAW

SPEEDS = {FAUST: 1_000.0, QUIX: 5_000.0, JOB: 10_000.0}


def race(speeds: Mapping[str, float], turns: int = 1, fails: tuple[str, str] = ("", "")) -> Iterator[Figure]:
    """Contestants as fast as said; one fails over one shape. Each turn is 10 % faster than the one before."""

    def maker(name: str) -> Callable[[str], Side]:
        return lambda topics: Side([[name, topics]], "", "", told)

    def measure(side: Side, key: Key) -> Speed:
        name, topics = side.commands[0]
        if key == fails:
            raise TimeoutError("1 of 4,000 events")
        speed = speeds[name] * 1.1 ** int(topics.rpartition("t")[2])
        return Speed(speed, speed / 2)

    return raced({name: maker(name) for name in speeds}, measure, turns, print)


def values(figures: Iterator[Figure]) -> dict[str, str]:
    return {figure.what: figure.value for figure in figures}


def test_every_contestant_has_a_figure_for_each_shape_and_ours_stand_beside_the_peers() -> None:
    found = {figure.what: (figure.value, figure.budget) for figure in race(SPEEDS)}
    for shape in SHAPES:
        assert found[f"{FAUST}, {shape}"] == ("1,000 events/CPU s (500/s by the clock)", "")
        assert found[f"{QUIX}, {shape}"] == ("5,000 events/CPU s (2,500/s by the clock)", "")
        assert found[f"{JOB}, {shape}"] == ("10,000 events/CPU s (5,000/s by the clock)", "")
    assert found[f"{JOB}, against {FAUST}, {WRITTEN}"] == ("10.0×", "5×")
    assert found[f"{JOB}, against {QUIX}, {WRITTEN}"] == ("2.0×", "1×")
    assert found[f"{JOB}, against {FAUST}, {SINGLE}"] == ("10.0×", "")
    assert len(found) == 10


def test_the_median_of_all_turns_stands_at_the_end() -> None:
    found = values(race(SPEEDS, turns=3))
    assert found[f"{FAUST}, {SINGLE}"] == "1,100 events/CPU s (550/s by the clock, median of 3)"


@pytest.mark.parametrize("failing", [(FAUST, SINGLE), (QUIX, WRITTEN), (JOB, SINGLE)])
def test_one_that_fails_loses_its_own_figures_alone(failing: tuple[str, str]) -> None:
    found: dict[str, str] = {}
    name, shape = failing
    with pytest.raises(PartFailed, match=f"^{name}, {shape}: TimeoutError: 1 of 4,000 events$"):
        found.update((figure.what, figure.value) for figure in race(SPEEDS, turns=2, fails=failing))
    # everything that does not speak of it over this shape
    whole = values(race(SPEEDS, turns=2))
    assert {what: whole[what] for what in found} == found
    assert {what for what in whole if what not in found} == {w for w in whole if w.endswith(shape) and name in w}


@pytest.mark.parametrize(("name", "shape", "a_record"), [(FAUST, SINGLE, 1), (QUIX, WRITTEN, 100)])
def test_an_input_holds_as_many_events_as_it_says_and_the_job_reads_all_of_them(
    name: str, shape: str, a_record: int
) -> None:
    for found in (warm_up(shape), given((name, shape), 0.1)):
        read = [events(record) for record in found.records]
        assert {len(each) for each in read} == {a_record}
        assert len({event["event_id"] for event in chain(*read)}) == found.events


def test_every_contestant_is_given_something_over_each_shape() -> None:
    assert set(ABOUT_PER_CPU_S) == {(name, shape) for name in NAMES for shape in SHAPES}


def test_the_job_is_to_know_the_account_and_to_count() -> None:
    (request,) = requests(20, batch=20, accounts=3)
    found = events(RAW.dump_json([request]))
    sent = orjson.loads(request.body)["batch"]
    assert [event["event_id"] for event in found] == [message["messageId"] for message in sent]
    assert all(
        event["account"] == f"bench{message['userId'].split('-')[2]}.com"
        for event, message in zip(found, sent, strict=True)
    )
    assert counted(found[0], 7) == {**found[0], "touchpoints": 7}
    assert set(found[0]) == {"event_id", "account", "type", "at"}


def test_an_output_tells_its_events_one_or_several_a_record() -> None:
    a, b = ({"event_id": name, "account": "x.com", "touchpoints": n} for name, n in (("a", 1), ("b", 2)))
    assert list(told(orjson.dumps(a))) == [("a", "x.com", 1)]
    assert list(told(orjson.dumps([a, b]))) == [("a", "x.com", 1), ("b", "x.com", 2)]


@pytest.mark.parametrize(
    ("counts", "is_right"), [((1, 2, 3), True), ((1, 1, 2), False), ((1, 2, 4), False), ((2, 1, 3), True)]
)
def test_who_miscounts_has_no_figure(counts: tuple[int, ...], is_right: bool) -> None:
    output = Seen()
    output.take([("a", "x.com", counts[0]), ("b", "x.com", counts[1]), ("c", "x.com", counts[2])])
    if is_right:
        output.check()
    else:
        with pytest.raises(Void, match="3 events were counted as"):
            output.check()


def test_an_environment_that_cannot_be_made_says_so_and_is_made_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / ".uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    calls = tmp_path / "calls"

    def becomes(then: str) -> None:
        uv.write_text(f'#!/bin/sh\necho "$1" >> {calls}\nmkdir -p "{tmp_path}/made/some==1"\n{then}\n')
        uv.chmod(0o755)

    becomes('[ "$1" = venv ] || { echo "no network" >&2; exit 2; }')
    with pytest.raises(NotMade, match="uv pip: no network"):
        python("some==1", folder=tmp_path / "made")
    becomes("exit 0")
    assert python("some==1", folder=tmp_path / "made") == str(tmp_path / "made" / "some==1" / "bin" / "python")
    made = calls.read_text()
    assert made.split() == ["venv", "pip", "venv", "pip"]
    python("some==1", folder=tmp_path / "made")
    assert calls.read_text() == made
