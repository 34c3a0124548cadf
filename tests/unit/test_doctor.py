"""Each check of the doctor against what is well and what is spoiled."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.base import EPOCH
from schemas.config import KafkaConfig
from schemas.parking import Backlog, ReadProgress, Standing
from schemas.processes import GROUPS
from schemas.topics import TOPICS
from schemas.touchpoints import DeadLetter
from services.cli.commands.doctor import seen as seen_module
from services.cli.commands.doctor.check import Check, Place
from services.cli.commands.doctor.clocks import clock, suspects
from services.cli.commands.doctor.configuration import permissions, secrets
from services.cli.commands.doctor.letters import letters_of
from services.cli.commands.doctor.machine import locked, packages_of, python_of
from services.cli.commands.doctor.processes import services
from services.cli.commands.doctor.refusals import refusals_of
from services.cli.commands.doctor.registry import CHECKS, FIXES, examine
from services.cli.commands.doctor.seen import GroupSeen, KafkaSeen, TopicSeen, partition_of
from services.cli.commands.doctor.sources import organisations_of, sources_of
from services.cli.commands.doctor.stalls import sink_of, stages_of
from services.cli.commands.doctor.tables import drift
from services.cli.commands.doctor.topics import topics_of
from services.cli.commands.doctor.versions import clickhouse_of, folder_of, kafka_of
from services.cli.context import Target
from services.common.first_config import write_fresh
from services.supervisor.folder import Run
from streams.runtime.refusal_counts import Tally
from streams.runtime.standings import Standings
from streams.runtime.topics_admin import partitions_of, settings_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KAFKA = KafkaConfig()


def states(checks: Iterable[Check]) -> list[str]:
    found = list(checks)
    assert all(check.fix and "\n" not in check.fix for check in found if check.state != "ok"), found
    return [check.state for check in found]


# -- this machine


def test_an_old_python() -> None:
    assert python_of((3, 11, 0)).state == "ok"
    assert python_of((3, 10, 14)).state == "problem"


def test_a_package_that_is_not_the_locked_one() -> None:
    lock = "[[package]]\nname='a'\nversion='1'\n[[package]]\nname='b'\nversion='2'\n[[package]]\nname='touchline'\n"
    lock += "[[package]]\nname='twice'\nversion='1'\n[[package]]\nname='twice'\nversion='2'\n"
    wanted = locked(lock)
    assert wanted == {"a": "1", "b": "2"}
    assert packages_of(wanted, {"a": "1", "b": "2"}.get).state == "ok"
    assert packages_of(wanted, {"a": "1"}.get).state == "ok", "what is not installed belongs to an extra"
    other = packages_of(wanted, {"a": "1", "b": "3"}.get)
    assert other.state == "warning" and "b 3 (2 is locked)" in other.detail


# -- the data folder


def fresh(tmp_path: Path) -> Place:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    write_fresh(data / "touchline.yaml", data)
    return Place(Target(data))


def test_what_other_users_may_read(tmp_path: Path) -> None:
    place = fresh(tmp_path)
    assert states(permissions(place)) == ["ok"]
    place.target.data.chmod(0o755)
    assert states(permissions(place)) == ["warning"]
    (place.target.data / "secrets" / "web").chmod(0o644)
    assert states(permissions(place)) == ["problem"]
    assert states(permissions(Place(Target(tmp_path / "none")))) == []


def test_a_secret_that_is_gone(tmp_path: Path) -> None:
    place = fresh(tmp_path)
    assert states(secrets(place)) == ["ok"]
    (place.target.data / "secrets" / "web").unlink()
    (found,) = secrets(place)
    assert found.state == "problem" and "secrets/web" in found.detail


def test_a_stopped_and_a_running_folder(tmp_path: Path) -> None:
    place = fresh(tmp_path)
    assert states(services(place)) == ["warning"] and not place.has_kafka and not place.has_store
    ours = Run(pid=os.getpid(), stopped=False, states={"sink": "ready", "journey": "restarting", "topics": "done"})
    (place.target.data / "run.json").write_text(json.dumps(_as_dict(ours)))
    running = Place(Target(place.target.data))
    assert states(services(running)) == ["ok", "problem", "ok"] and running.has_kafka


def _as_dict(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}


def test_a_stopped_folder_is_told_of_once_and_is_no_problem(tmp_path: Path) -> None:
    found = list(examine(fresh(tmp_path).target))
    assert {"Kafka", "ClickHouse"}.isdisjoint(check.name for check in found)
    assert [check.name for check in found if check.state == "problem"] == []


def test_a_configuration_that_is_refused_ends_what_needs_it(tmp_path: Path) -> None:
    target = fresh(tmp_path).target
    (target.data / "touchline.yaml").write_text("kafka: {partitions: 0}\n")
    found = {check.name: check for check in examine(target)}
    assert found["configuration"].state == "problem" and "kafka.partitions" in found["configuration"].detail
    assert {"Python", "disk"} <= found.keys() and {"secrets", "services"}.isdisjoint(found)


def test_fixes_are_of_checks_that_there_are() -> None:
    assert FIXES.keys() <= CHECKS.keys()


# -- Kafka


def seen(**changes: Any) -> KafkaSeen:
    """A cluster in which all is well: 10 records in each partition, all of them committed."""
    topics: dict[str, TopicSeen] = {
        name: TopicSeen(partitions_of(topic, KAFKA), 1, 1, settings_of(topic, KAFKA)) for name, topic in TOPICS.items()
    }
    ends = {(name, number): 10 for name, topic in topics.items() for number in range(topic.partitions)}
    done = {name: {at: 10 for at in ends if at[0] in stage.reads} for name, stage in GROUPS.items()}
    groups = {stage: GroupSeen(1, done[stage], done[stage]) for stage in GROUPS}
    well = KafkaSeen(1, {1: (4, 18)}, topics, groups, ends, dict.fromkeys(ends, 0), 0.0)
    return replace(well, **changes)


def group(stage: str, **changes: Any) -> dict[str, GroupSeen]:
    groups = seen().groups
    return {**groups, stage: replace(groups[stage], **changes)}


def worst(found: Iterable[Check]) -> list[tuple[str, str]]:
    return [(check.name, check.state) for check in found if check.state != "ok"]


def test_stages_that_keep_up_stand_still_move_or_have_nobody() -> None:
    at, half = ("touchpoints.raw.v1", 0), {("touchpoints.raw.v1", 0): 5, ("touchpoints.raw.v1", 1): 10}
    assert worst(stages_of(seen())) == []
    still = group("attribute", before=half, after=half)
    assert worst(stages_of(seen(groups=still))) == [("stage attribute", "problem")]
    moves = group("attribute", before={**half, at: 2}, after=half)
    assert worst(stages_of(seen(groups=moves))) == [("stage attribute", "warning")]
    idle = group("attribute", members=0)
    assert worst(stages_of(seen(groups=idle))) == [("stage attribute", "warning")]
    left = group("attribute", members=0, before=half, after=half)
    assert worst(stages_of(seen(groups=left))) == [("stage attribute", "problem")]


def test_a_log_that_lost_its_tail_is_seen_in_the_offsets() -> None:
    at = ("touchpoints.raw.v1", 0)
    short = seen(ends={**seen().ends, at: 7})
    assert worst(stages_of(short)) == [("stage attribute", "problem")]
    assert any("touchpoints.raw.v1-0" in check.detail for check in stages_of(short))


def test_what_retention_took_does_not_wait() -> None:
    at = ("touchpoints.attributed.v1", 0)
    gone = seen(begins={**seen().begins, at: 10}, groups=group("journey", before={}, after={}))
    assert gone.lag("journey") == 10, "the other partition"


def spoiled(name: str, **changes: Any) -> dict[str, TopicSeen]:
    topics = dict(seen().topics)
    return {**topics, name: replace(topics[name], **changes)}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"partitions": 4}, "problem"),
        ({"settings": {**settings_of(TOPICS["touchpoints.raw.v1"], KAFKA), "retention.ms": "1"}}, "problem"),
        ({"settings": {**settings_of(TOPICS["touchpoints.raw.v1"], KAFKA), "cleanup.policy": "compact"}}, "problem"),
        ({"replication": 0}, "problem"),
        ({"in_sync": 0}, "problem"),
        ({"replication": 2}, "warning"),
    ],
)
def test_a_topic_that_is_not_as_configured(changes: Mapping[str, Any], state: str) -> None:
    assert worst(topics_of(seen().topics, KAFKA)) == []
    assert worst(topics_of(spoiled("touchpoints.raw.v1", **changes), KAFKA)) == [("topics", state)]


def test_a_topic_that_is_missing() -> None:
    topics = {name: topic for name, topic in seen().topics.items() if name != "identity.links.v1"}
    (found,) = topics_of(topics, KAFKA)
    assert found.state == "problem" and "identity.links.v1" in found.detail


def test_an_old_broker_and_a_folder_from_the_future(tmp_path: Path) -> None:
    assert kafka_of({1: (4, 17)}).state == "ok"
    assert kafka_of({1: (0, 16)}).state == "warning"
    identity = tmp_path / "broker.json"
    assert states(folder_of(identity)) == []
    identity.write_text('{"kafka_version": "4.1.0"}')
    assert states(folder_of(identity)) == ["ok"]
    identity.write_text('{"kafka_version": "9.0.0"}')
    assert states(folder_of(identity)) == ["problem"]


def test_a_groups_partition_is_the_brokers() -> None:
    """Of `"…".hashCode()` the absolute value, of the least there is (the last one) zero; not the lower 31 bits."""
    hashes = {"": 0, "a": 97, "ab": 3105, "touchline-sink": 1_409_810_323, "polygenelubricants": 0}
    assert {text: partition_of(text, 2**31) for text in hashes} == hashes
    assert partition_of("touchline-sink", 50) == 23, "25 by the lower bits"


# -- clocks


def test_clocks_that_disagree() -> None:
    assert [clock("c", ahead).state for ahead in (0.0, 1.9, -1.9, None)] == ["ok"] * 4
    assert [clock("c", ahead).state for ahead in (2.5, -3600.0)] == ["problem"] * 2
    assert "behind" in clock("c", -3600.0).detail


def test_a_source_from_the_future() -> None:
    honest = {"source": "web", "all": 1000, "suspect": 1, "ahead_s": 400.0}
    ahead = {"source": "crm", "all": 1000, "suspect": 200, "ahead_s": 7200.0}
    assert states(suspects([honest])) == ["ok"]
    (found,) = suspects([honest, ahead])
    assert found.state == "warning" and "`crm`: 200 of 1000" in found.detail and "2.0 h" in found.detail


# -- letters, refusals, the sink


def letter(number: int, reason: str = "bad_time", source: str = "web", at: datetime = NOW) -> DeadLetter:
    return DeadLetter(
        letter_id=f"l{number}",
        stage="attribute",
        reason=reason,
        message="m",
        source=source,
        original="{}",
        origin_topic="touchpoints.raw.v1",
        origin_partition=0,
        origin_offset=number,
        origin_index=0,
        failed_at=at,
    )


def test_letters_by_stage_reason_and_source() -> None:
    assert states(letters_of([])) == ["ok"]
    later = NOW + timedelta(hours=1)
    found = list(letters_of([letter(1), letter(1), letter(2, at=later), letter(3, "wrong_type", "crm")]))
    assert states(found) == ["warning"] * 2
    assert "2 of `web` at attribute: bad_time since 2026-03-01T12:00" in found[0].detail
    assert "the newest at 2026-03-01T13:00:00+00:00: m" in found[0].detail
    (long,) = letters_of([letter(1).changed(message="`timestamp` is no time: 'jan@acme.example'" + "x" * 900)])
    assert "jan@acme" not in long.detail and len(long.detail) < 400, "masked and cut"
    many = [letter(number, f"reason_{number}") for number in range(20)]
    assert len(list(letters_of(many))) == 9


def test_a_source_that_is_set_aside_is_a_problem_once_half_of_the_retention_is_over() -> None:
    standings, week = Standings(), timedelta(days=7)
    assert states(sources_of(standings, week, NOW)) == ["ok"]
    backlog = Backlog(source="web", position=1, end=9, requests=7, oldest_at=NOW)
    standings.learn([Standing(source="web", state="parked", since=NOW, cause="500 of the last 500 items were refused")])
    standings.learn([ReadProgress(partition=0, looked=9, backlogs=(backlog,))])
    (found,) = sources_of(standings, week, NOW + timedelta(days=3.4))
    assert found.state == "warning" and "7 requests wait" in found.detail and "resume web" in found.fix
    assert states(sources_of(standings, week, NOW + timedelta(days=3.6))) == ["problem"]
    standings.learn([ReadProgress(partition=0, looked=9, backlogs=(backlog.changed(lost=3),))])
    assert states(sources_of(standings, week, NOW)) == ["problem"]
    standings.learn([Standing(source="web", state="flowing", since=NOW)])
    assert states(sources_of(standings, week, NOW)) == ["warning", "ok"]


def test_organisations_that_stand_for_strangers() -> None:
    claims = [
        {"account": "org:support:7", "value": "gmail.com"},
        {"account": "org:support:8", "value": "gmail.com"},
        {"account": "org:support:8", "value": "acme.example"},
    ]
    (found,) = organisations_of(claims)
    assert found.state == "warning" and "`org:support:7` claims gmail.com" in found.detail
    assert states(organisations_of(claims[1:])) == ["ok"]
    many = ({"account": f"org:support:{n}", "value": "gmail.com"} for n in range(20))
    assert len(list(organisations_of(many))) == 9


def test_refusals_by_source_and_reason_since_when() -> None:
    standings, tally = Standings(), Tally("gateway", lambda: NOW)
    assert states(refusals_of(standings.not_taken(EPOCH))) == ["ok"]
    for source, reason in (("web", "invalid_json"), ("web", "invalid_json"), ("", "invalid_key")):
        tally.note(source, reason, "why")
    letters = Tally("attribute", lambda: NOW)
    letters.note("web", "bad_time", "why")
    for _, _, item in (*tally.changed(), *letters.changed()):
        standings.learn_record(b"[" + item + b"]")
    found = list(refusals_of(standings.not_taken(EPOCH)))
    assert states(found) == ["warning"] * 2
    assert f"2 of `web`: invalid_json since {NOW.isoformat()}" in found[0].detail and found[0].detail.endswith("why")
    assert "1 of an unknown sender: invalid_key since 20" in found[1].detail


def test_how_far_the_sink_is() -> None:
    newest = (NOW - timedelta(minutes=5)).replace(tzinfo=None)
    assert sink_of({"n": 3, "newest": newest}, 0, NOW).state == "ok"
    assert sink_of({"n": 3, "newest": newest}, 7, NOW).state == "warning"
    assert sink_of({"n": 0, "newest": None}, 0, NOW).state == "ok"
    assert sink_of({"n": 0, "newest": None}, 7, NOW).state == "warning"


# -- tables


def table(**changes: Any) -> dict[str, Any]:
    columns = {"a": "String", "b": "UInt8"}
    well: dict[str, Any] = {
        "engine": "ReplacingMergeTree(b)",
        "partition key": "",
        "order key": "a",
        "comment": "",
        "query": "SELECT 1",
        "columns": columns,
        "indexes": {"i": "a bloom_filter"},
    }
    return well | changes


def record(version: str = "26.5", **objects: dict[str, Any]) -> dict[str, Any]:
    return {"version": version, "objects": {f"store.{name}": each for name, each in objects.items()}}


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "MergeTree()"},
        {"order key": "b"},
        {"partition key": "a"},
        {"comment": "words"},
        {"query": "SELECT 2"},
        {"columns": {"a": table()["columns"]["a"]}},
        {"columns": {**table()["columns"], "c": "String"}},
        {"columns": {**table()["columns"], "b": "UInt64"}},
        {"columns": {**table()["columns"], "b": "UInt8, 'words'"}},
        {"columns": dict(reversed(table()["columns"].items()))},
        {"indexes": {}},
    ],
)
def test_a_table_that_is_not_as_made(changes: Mapping[str, Any]) -> None:
    assert states(drift(record(t=table()), record(t=table()))) == ["ok"]
    assert states(drift(record(t=table()), record(t=table(**changes)))) == ["problem"]


def test_tables_that_are_missing_or_not_ours() -> None:
    assert states(drift(record(t=table()), record())) == ["problem"]
    assert states(drift(record(), record(t=table()))) == ["warning", "ok"]
    many = {"version": "26.5", "objects": {f"store.t{number}": table() for number in range(30)}}
    assert len(list(drift(many, record()))) == 11


def test_another_server_may_write_a_query_otherwise() -> None:
    assert states(drift(record(t=table()), record("25.8", t=table(query="SELECT (1)")))) == ["ok"]


def test_an_old_clickhouse() -> None:
    assert clickhouse_of("25.8.3.66").state == clickhouse_of("26.1.1.1").state == "ok"
    assert clickhouse_of("24.12.1").state == "problem"


async def test_a_topic_that_is_being_made_has_no_partitions_and_stops_no_look() -> None:
    class Admin:
        async def list_topics(self) -> list[str]:
            return ["identity.links.v1"]

        async def describe_configs(self, _: object) -> list[object]:
            return []

        async def describe_topics(self, _: object) -> list[dict[str, object]]:
            return [{"topic": "identity.links.v1", "partitions": []}]

    assert await seen_module._topics(Admin(), KafkaConfig()) == {"identity.links.v1": TopicSeen(0, 0, 0, {})}
