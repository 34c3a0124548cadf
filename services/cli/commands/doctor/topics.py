"""Topics, as the catalogue and the configuration want them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.config import KafkaConfig
from schemas.topics import FORMER, TOPICS, Topic
from services.cli.commands.doctor.check import Check, Place
from services.cli.commands.doctor.seen import TopicSeen
from streams.runtime.topics_admin import partitions_of, settings_of

MAKE = "run `touchline run topics`; `touchline up` does at its start"


def topics(place: Place) -> Iterator[Check]:
    """Each is there, with its partitions, replicas and settings."""
    yield from topics_of(place.kafka.topics, place.config.kafka)


def topics_of(there: Mapping[str, TopicSeen], kafka: KafkaConfig) -> Iterator[Check]:
    """One finding for each topic that is not as it should be; pure."""
    found = False
    if missing := [name for name in TOPICS if name not in there]:
        found = True
        yield Check("topics", "problem", f"missing: {', '.join(missing)}", MAKE)
    for name, seen in there.items():
        for check in _differences((TOPICS | FORMER)[name], seen, kafka):  # type: ignore[index]
            found = True
            yield check
    if not found:
        yield Check("topics", "ok", f"{len(there)}, as configured")


def _differences(topic: Topic, seen: TopicSeen, kafka: KafkaConfig) -> Iterator[Check]:
    wanted = partitions_of(topic, kafka)
    if seen.partitions != wanted:
        fix = f"set `kafka.partitions: {seen.partitions}`, or use another `kafka.topic_prefix`: keys would move"
        yield _of(topic, "problem", f"{seen.partitions} partitions, the configuration says {wanted}", fix)
    if seen.replication < kafka.replication:
        detail = f"{seen.replication} replicas, the configuration says {kafka.replication}"
        yield _of(topic, "problem", detail, "add replicas with `kafka-reassign-partitions.sh`, or correct the setting")
    elif seen.in_sync < kafka.min_insync:
        detail = f"a partition has {seen.in_sync} replicas in sync, {kafka.min_insync} must be: nothing is acked"
        yield _of(topic, "problem", detail, "start the brokers that are down")
    elif seen.in_sync < seen.replication:
        detail = f"a partition has {seen.in_sync} of {seen.replication} replicas in sync"
        yield _of(topic, "warning", detail, "start the brokers that are down")
    for setting, value in settings_of(topic, kafka).items():
        if (is_now := seen.settings.get(setting)) != value:
            yield _of(topic, "problem", f"{setting} is {is_now}, it should be {value}", MAKE)


def _of(topic: Topic, state: str, detail: str, fix: str) -> Check:
    return Check("topics", "warning" if state == "warning" else "problem", f"{topic.name}: {detail}", fix)
