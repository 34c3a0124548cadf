from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from services.cli.commands.doctor import logs
from services.cli.commands.doctor.check import Check, Place
from services.cli.context import Target
from streams.runtime.lineage import Mark, Return

PLACE = TopicPartition("touchpoints.recalled.v1", 3)


def _told(days_ago: float) -> Mark:
    at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
    return Mark(4, "id", Return(at, 100, 90))


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[TopicPartition, tuple[int, Mark]]]:
    found: dict[str, dict[TopicPartition, tuple[int, Mark]]] = {}

    class Progress:
        def __init__(self, _kafka: object, group: str) -> None:
            self._group = group

        async def marks(self) -> dict[TopicPartition, tuple[int, Mark]]:
            if "down" in found:
                raise KafkaConnectionError("away")
            return found.get(self._group, {PLACE: (7, Mark(1, "id"))})

        async def close(self) -> None:
            return None

    monkeypatch.setattr(logs, "GroupProgress", Progress)
    return found


def test_a_group_that_went_back_lately_is_named_with_the_way_out(commits: dict[str, Any]) -> None:
    commits["touchline-attribute"] = {PLACE: (95, _told(1))}
    (check,) = logs.logs(Place(Target()))
    assert check.state == "warning"
    assert (
        "attribute in touchpoints.recalled.v1/3: the log had lost its tail; read again from offset 90" in check.detail
    )
    assert "touchline replay --since" in check.fix and "touchline verify" in check.fix


@pytest.mark.parametrize("commit", [{}, {"touchline-sink": {PLACE: (95, _told(8))}}, {"down": {}}])
def test_what_is_in_order_long_past_or_not_to_be_asked_is_no_finding(commits: dict[str, Any], commit: Any) -> None:
    commits.update(commit)
    assert [*logs.logs(Place(Target()))] == [Check("Kafka's logs", "ok", "no stage had to go back in one")]
