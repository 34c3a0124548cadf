"""Everything that is kept says what it holds of people and how long; and the settings that follow from it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from msgspec.structs import fields
from pydantic import ValidationError

from schemas.base import EPOCH
from schemas.config import Config, KafkaConfig, RetentionConfig
from schemas.facts import SignalFact
from schemas.retention import TABLES_HELD, TOPICS_HELD, TTL_COLUMN, Holding
from schemas.topics import FORMER, TOPICS, TopicName
from schemas.touchpoints import CleanTouchpoint
from services.cli.commands.doctor.tables import RECORD
from services.cli.commands.retention import described
from services.sink.retention import days_of, kept_since, ttl_days
from streams.runtime.topics_admin import settings_of


def undeclared(topics: Mapping[TopicName, Holding], tables: Mapping[str, Holding]) -> set[str]:
    """Topics and tables that nothing is said of."""
    made = json.loads(RECORD.read_text(encoding="utf-8"))["objects"]
    there = {name.removeprefix("store.") for name, one in made.items() if not one["engine"].startswith("View")}
    return (set(TOPICS | FORMER) - topics.keys()) | (there - tables.keys())


def test_every_topic_and_table_is_declared() -> None:
    assert undeclared(TOPICS_HELD, TABLES_HELD) == set()


def test_one_that_is_not_declared_is_found() -> None:
    topics = dict(TOPICS_HELD)
    del topics["touchpoints.raw.v1"]
    tables = {name: held for name, held in TABLES_HELD.items() if name != "histories"}
    assert undeclared(topics, tables) == {"touchpoints.raw.v1", "histories"}


def test_personal_columns_are_columns() -> None:
    made = json.loads(RECORD.read_text(encoding="utf-8"))["objects"]
    for table, held in TABLES_HELD.items():
        assert set(held.personal) <= made[f"store.{table}"]["columns"].keys(), table


def test_personal_fields_of_a_touchpoint_are_fields() -> None:
    known = {field.name for kind in (CleanTouchpoint, SignalFact) for field in fields(kind)}
    assert set(TOPICS_HELD["touchpoints.recalled.v1"].personal) <= known


def test_cleanup_and_what_is_said_agree() -> None:
    for name, topic in TOPICS.items():
        assert (TOPICS_HELD[name].keeps == "latest") == (topic.cleanup == "compact"), name


def test_compacted_topics_have_a_longest_lag_and_the_others_roll() -> None:
    kafka = KafkaConfig(compaction_hours=6, retention_hours_of={"touchpoints.raw.v1": 2})
    links = settings_of(TOPICS["identity.links.v1"], kafka)
    assert links["max.compaction.lag.ms"] == links["delete.retention.ms"] == str(6 * 3_600_000)
    raw = settings_of(TOPICS["touchpoints.raw.v1"], kafka)
    assert raw["retention.ms"] == raw["segment.ms"] == str(2 * 3_600_000)
    assert settings_of(TOPICS["touchpoints.recalled.v1"], kafka)["segment.ms"] == str(24 * 3_600_000)


def test_a_topic_that_is_none_has_no_retention() -> None:
    with pytest.raises(ValidationError, match="retention_hours_of"):
        KafkaConfig.model_validate({"retention_hours_of": {"touchpoints.row.v1": 2}})


def test_days_of_a_table_are_the_configurations() -> None:
    config = Config(retention=RetentionConfig(journey_days=400))
    assert {days_of(table, config) for table in TTL_COLUMN} == {400, 31}
    assert days_of("links", config) == 0
    assert {table for table, held in TABLES_HELD.items() if held.keeps in ("journey", "ignored")} == TTL_COLUMN.keys()


@pytest.mark.parametrize(
    ("engine", "days"),
    [
        ("ReplacingMergeTree(v) ORDER BY a SETTINGS index_granularity = 8192", 0),
        ("ReplacingMergeTree(v) ORDER BY a TTL toDateTime(minute) + toIntervalDay(31) SETTINGS x = 1", 31),
        ("ReplacingMergeTree(v) ORDER BY a TTL minute + toIntervalMonth(2)", -1),
    ],
)
def test_the_ttl_of_an_engine(engine: str, days: int) -> None:
    assert ttl_days(engine) == days


def test_what_was_kept_for_ever_is_verified_from_the_beginning() -> None:
    assert kept_since(Config(), EPOCH) == EPOCH


def test_every_line_says_how_long() -> None:
    lines = list(described(Config()))
    assert len(lines) == len(TOPICS_HELD) + len(TABLES_HELD)
    raw = next(line for line in lines if line.get("topic") == "touchpoints.raw.v1")
    assert raw["gone_after_hours"] == 168 + 24
