"""Two questions of Kafka's protocol that aiokafka does not ask: which topic is this, and where did an epoch end?

Both are KIP-320's and KIP-516's, as the Java client uses them; Kafka 4 answers these versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

ANY_EPOCH = -1


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _EpochEndsResponse(Response):  # type: ignore[misc]
    API_KEY = 23
    API_VERSION = 2
    _PARTITION = (("error_code", Int16), ("partition", Int32), ("leader_epoch", Int32), ("end_offset", Int64))
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("topics", Array(("topic", String("utf-8")), ("partitions", Array(*_PARTITION)))),
    )


class _EpochEndsStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 23
    API_VERSION = 2
    RESPONSE_TYPE = _EpochEndsResponse
    _PARTITION = (("partition", Int32), ("current_leader_epoch", Int32), ("leader_epoch", Int32))
    SCHEMA = Schema(("topics", Array(("topic", String("utf-8")), ("partitions", Array(*_PARTITION)))))


class _EpochEnds(Request[_EpochEndsStruct]):  # type: ignore[misc]
    API_KEY = 23

    def __init__(self, topics: list[tuple[str, list[tuple[int, int, int]]]]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_EpochEndsStruct]) -> _EpochEndsStruct:
        return request_struct_class(self._topics)


class _TopicsResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    _BROKER = (
        ("node_id", Int32),
        ("host", CompactString("utf-8")),
        ("port", Int32),
        ("rack", CompactString("utf-8")),
        ("tags", TaggedFields),
    )
    _PARTITION = (
        ("error_code", Int16),
        ("partition", Int32),
        ("leader", Int32),
        ("leader_epoch", Int32),
        ("replicas", CompactArray(Int32)),
        ("isr", CompactArray(Int32)),
        ("offline_replicas", CompactArray(Int32)),
        ("tags", TaggedFields),
    )
    _TOPIC = (
        ("error_code", Int16),
        ("topic", CompactString("utf-8")),
        ("topic_id", _Uuid),
        ("is_internal", Boolean),
        ("partitions", CompactArray(*_PARTITION)),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _TopicsStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _TopicsResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_operations", Boolean),
        ("include_topic_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Topics(Request[_TopicsStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_TopicsStruct]) -> _TopicsStruct:
        wanted: list[tuple[bytes, str, dict[int, bytes]]] = [(bytes(16), topic, {}) for topic in self._topics]
        return request_struct_class(wanted, False, False, False, {})


async def topic_ids(send: Any, node_id: int, topics: Sequence[str]) -> dict[str, str]:
    """Topic → its id, another one after it was deleted and made again. Raises KafkaError.

    `send` is `AIOKafkaClient.send`.
    """
    response = await send(node_id, _Topics(topics))
    found = {}
    for code, topic, topic_id, *_ in response.topics:
        if code:
            raise for_code(code)(topic)
        found[topic] = topic_id.hex()
    return found


async def epoch_end(send: Any, node_id: int, partition: TopicPartition, epoch: int) -> tuple[int, int]:
    """The latest leader epoch up to `epoch` that the log knows, and the offset after its last record.

    (-1, -1): the log knows of none, it is not the one that had this epoch. Raises KafkaError.
    """
    asked = [(partition.topic, [(partition.partition, ANY_EPOCH, epoch)])]
    response = await send(node_id, _EpochEnds(asked))
    ((_, ((code, _, known, end),)),) = response.topics
    if code:
        raise for_code(code)(str(partition))
    return known, end


def fetched(response: Any) -> Iterator[tuple[TopicPartition, int, bytes]]:
    """Of the answer to a fetch: each partition, its error code (0: none) and its records as they came."""
    for topic, partitions in response.topics:
        for number, code, *_, records in partitions:
            yield TopicPartition(topic, number), code, records or b""
