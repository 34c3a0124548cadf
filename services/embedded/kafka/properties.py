"""Kafka's server.properties as a pure function of the settings."""

from __future__ import annotations

from pathlib import Path

from services.embedded.kafka.settings import MIB, BrokerSettings

NODE_ID = 1


def server_properties(settings: BrokerSettings, log_dir: Path, port: int, controller_port: int) -> str:
    """Return the text of server.properties for one node that is broker and controller.

    `log_dir` is where Kafka keeps its records; `port` is for clients, `controller_port` for the node itself.
    """
    groups = (
        _identity(log_dir, port, controller_port),
        _single_node(settings),
        _retention(settings),
        _footprint(),
    )
    pairs = (pair for group in groups for pair in group.items())
    return "".join(f"{key}={_escaped(str(value))}\n" for key, value in pairs)


def _identity(log_dir: Path, port: int, controller_port: int) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "listeners": f"BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"BROKER://127.0.0.1:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        # Static voters: unlike a voter set written into the log, they let the controller's port change.
        "controller.quorum.voters": f"{NODE_ID}@127.0.0.1:{controller_port}",
        "log.dirs": log_dir,
    }


def _single_node(settings: BrokerSettings) -> dict[str, object]:
    return {
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        # Few partitions: the first commit of the first group waits until all of them exist.
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        # After kill -9 the old registration must expire before the node may register again.
        "broker.session.timeout.ms": settings.session_timeout_ms,
        "broker.heartbeat.interval.ms": settings.session_timeout_ms // 5,
        # Records that say nothing, twice a second and each with a flush to disk, for followers there are none of.
        "metadata.max.idle.interval.ms": 0,
        # Topics come from the catalogue; a mistyped name must not create one.
        "auto.create.topics.enable": "false",
        "message.max.bytes": settings.message_max_bytes,
    }


def _retention(settings: BrokerSettings) -> dict[str, object]:
    return {
        "log.retention.bytes": settings.retention_bytes,
        "log.retention.ms": settings.retention_hours * 3_600_000,
        "log.retention.check.interval.ms": 60_000,
        "log.segment.bytes": settings.segment_bytes,
        "log.segment.delete.delay.ms": 5_000,
        # An open segment never expires, so a quiet partition must roll within its retention.
        "log.roll.ms": min(24, settings.retention_hours) * 3_600_000,
        # A stopped installation must find its offsets again after a long pause.
        "offsets.retention.minutes": 90 * 24 * 60,
        "offsets.topic.segment.bytes": 8 * MIB,
        "transaction.state.log.segment.bytes": 8 * MIB,
        "metadata.log.segment.bytes": 8 * MIB,
        "metadata.max.retention.bytes": 32 * MIB,
    }


def _footprint() -> dict[str, object]:
    return {
        # The default of 128 MiB sits in the heap from the start; 16 MiB clean 600,000 keys a pass.
        "log.cleaner.dedupe.buffer.size": 16 * MIB,
        # Index files are laid out at full length for every partition's open segment.
        "log.index.size.max.bytes": MIB,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 4,
        "group.coordinator.threads": 1,
    }


def _escaped(value: str) -> str:
    """Escape as java.util.Properties reads it: backslashes doubled, beyond ASCII as UTF-16 units."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)
