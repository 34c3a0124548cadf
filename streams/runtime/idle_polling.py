"""Consumers that ask seldom while nothing comes, and still hear at once of what does.

A fetch waits at the broker until there is something, so a long wait delays nothing that it asks for. It delays what it
leaves out: a partition of which records are at hand that nobody has taken, or one that is paused; and whatever else the
consumer asks on the same connection. So a fetch waits long only when it asks for everything of ours that this broker
leads, and only after others that found nothing: each of these doubles the wait.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest

from streams.runtime.log_requests import fetched

FIRST_WAIT_MS: Final = 100
GROUP_WAIT_MS: Final = 1_600
"""The longest wait of a member of a group: partitions that it is given stand behind the fetch that waits just then."""
ALONE_WAIT_MS: Final = 5_000
"""The longest wait of a consumer that keeps its partitions."""
REST_MS: Final = 10_000
"""For how long a follower waits once it has read all: records end the wait, and so does being cancelled."""
LOOK_S: Final = 1.0
"""So often a consumer looks for what nobody has told it of; of itself it does five times a second."""


class Patience:
    """Stands between one consumer and Kafka, and says how long each of its fetches may wait."""

    def __init__(self, consumer: AIOKafkaConsumer, longest_ms: int) -> None:
        self._consumer: Any = consumer
        self._longest_ms = longest_ms
        self._quiet_ms: dict[int, int] = {}
        self._send = self._consumer._client.send

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """`AIOKafkaClient.send`."""
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        asked: Any = request
        is_whole = self._is_whole(node_id, request)
        asked._max_wait_ms = self._quiet_ms.get(node_id, FIRST_WAIT_MS) if is_whole else FIRST_WAIT_MS
        response = await self._send(node_id, request, **options)
        if any(code or records for _, code, records in fetched(response)):
            self._quiet_ms[node_id] = FIRST_WAIT_MS
        elif is_whole:
            self._quiet_ms[node_id] = min(2 * asked._max_wait_ms, self._longest_ms)
        return response

    def _is_whole(self, node_id: int, request: FetchRequest) -> bool:
        """Whether it asks for every partition of ours that this broker leads."""
        asked = {TopicPartition(topic, number) for topic, parts in request.topics for number, *_ in parts}
        leader = self._consumer._client.cluster.leader_for_partition
        return all(place in asked for place in self._consumer.assignment() if leader(place) == node_id)


def patient(consumer: AIOKafkaConsumer, longest_ms: int) -> None:
    """Let the fetches of a consumer that is not started yet wait for up to `longest_ms` while nothing comes."""
    made: Any = consumer
    made._consumer_timeout = LOOK_S
    made._client.send = Patience(consumer, longest_ms).send
