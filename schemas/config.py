"""What an operator writes in `touchline.yaml`. Secrets never stand in it: they come from a file or the environment."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_network
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from schemas.alerting import AlertsConfig
from schemas.base import Strict
from schemas.calendars import ZoneText
from schemas.ids import DIRECTORY_NAME
from schemas.keeping import RAW_HOURS, Keeping
from schemas.mapping import Mapping
from schemas.settings import BaseUrl, HostName, Origin
from schemas.settings import SecretRef as SecretRef
from schemas.topics import TopicName


class SourceConfig(Strict):
    """One sender of touchpoints."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="unique name; part of every event's identity")
    vendor: str = Field(description="name of the connector, see docs/reference/connectors.md")
    secrets: tuple[SecretRef, ...] = Field(
        min_length=1, description="write key(s) or signing secret(s); several while rotating"
    )
    public_base_url: BaseUrl = Field(
        "",
        description="scheme and host (and path, if any) the sender calls, where its signature covers the URL or its "
        "SDK is told; empty: this machine's own address",
    )
    sdk_folder: str = Field(
        "",
        description="folder with the files of the vendor's browser SDK, for pages that load it from the gateway by "
        "the vendor's `<script>` snippet; see the connector's page",
    )
    tenant: str = Field(
        "", max_length=200, description="your own account at the vendor, where its connector asks for it"
    )
    allow_query_key: bool = Field(True, description="accept the write key in the query string (beacons)")
    directory: str = Field(
        "",
        pattern=f"{DIRECTORY_NAME}|^$",
        description="whose records its ids are; sources that name one directory speak of the same records. "
        "Empty: its own; for `vendor: touchline` the only CRM's",
    )
    crm_directory: str = Field(
        "",
        pattern=f"{DIRECTORY_NAME}|^$",
        description="which CRM's records it means where it names some (a helpdesk's `external_id`, "
        "`crm_account_id` of a call); empty: the only CRM's",
    )
    late_after_s: float | None = Field(
        None,
        ge=60,
        description="silent for longer it is late, at any hour; empty: learned from its own rhythm, see `lateness`",
    )
    mapping: Mapping | None = Field(
        None,
        description="how its requests are read, where the connector must be told: a file beside this one, or here",
    )
    erases: bool = Field(
        False,
        description="deletions that it tells (Segment's `delete`, Intercom's `contact.deleted`) ask to erase people: "
        "only for a key that no page knows",
    )
    keep: Keeping = Field(
        Keeping(), description="`kept`, `masked` or `dropped` for each of `text`, `title`, `page` and `properties`"
    )


class KafkaConfig(Strict):
    """How to reach Kafka and how our topics are laid out."""

    bootstrap: tuple[str, ...] = Field(("127.0.0.1:9092",), description="HOST:PORT of one or more brokers")
    partitions: int = Field(2, ge=1, le=256, description="partitions of every keyed topic")
    replication: int = Field(1, ge=1, le=5, description="replicas of every topic")
    min_insync: int = Field(1, ge=1, le=5, description="replicas that must have a record before it is acked")
    topic_prefix: str = Field("", pattern=r"^[a-z0-9_.-]{0,40}$", description="put before every topic and group name")
    retention_hours: int = Field(168, ge=1, description="how long a record is kept")
    retention_bytes: int = Field(1 << 30, ge=1 << 20, description="how much a partition keeps")
    retention_hours_of: dict[TopicName, Annotated[int, Field(ge=1)]] = Field(
        {}, description="topics that keep their records for another time, e.g. `touchpoints.raw.v1: 48`"
    )
    compaction_hours: int = Field(
        24,
        ge=1,
        description="a compacted topic drops what was replaced or erased within this time; erased keys in twice it",
    )

    def hours_of(self, topic: TopicName) -> int:
        """How long a record of a topic is kept."""
        return self.retention_hours_of.get(topic, self.retention_hours)

    @model_validator(mode="after")
    def _insync_fits(self) -> KafkaConfig:
        if self.min_insync > self.replication:
            raise ValueError("`min_insync` must not exceed `replication`")
        return self


class ClickHouseConfig(Strict):
    """How to reach ClickHouse over HTTP."""

    url: str = Field("http://127.0.0.1:8123", description="http(s)://HOST:PORT, no credentials in it")
    user: str = Field("internal", description="user with rights on both databases")
    password: SecretRef | None = Field(None, description="that user's password")
    database: str = Field("touchline", pattern=r"^[a-z][a-z0-9_]{0,40}$", description="database of the tables")
    bi_database: str = Field("bi", pattern=r"^[a-z][a-z0-9_]{0,40}$", description="database of the BI views")
    cluster: str = Field("", pattern=r"^[a-zA-Z0-9_]{0,40}$", description="ClickHouse cluster name; empty: one server")


class RetentionConfig(Strict):
    """How long ClickHouse keeps what has a date. Kafka's part is `kafka.retention_hours`."""

    journey_days: int = Field(
        0, ge=0, description="touchpoints and all that is computed from them; 0: until they are erased"
    )
    ignored_days: int = Field(31, ge=1, description="which requests concerned no customer")


class LatenessConfig(Strict):
    """When a source is called late. How long it is silent as a rule is learned from its last four weeks."""

    least_s: float = Field(1_800.0, ge=60, description="no source is late sooner, however often it is heard")
    most_s: float = Field(1_209_600.0, ge=60, description="every source is late then, however seldom it is heard")
    unknown_s: float = Field(3_600.0, ge=60, description="for a source of which less than a week is known")
    holidays: tuple[date, ...] = Field(
        (), max_length=1000, description="days on which no more comes than on a Sunday, as `2026-12-25`"
    )
    zone: ZoneText = Field("UTC", description="time zone of these days, as `Europe/Amsterdam`")

    @model_validator(mode="after")
    def _limits_fit(self) -> LatenessConfig:
        if self.least_s > self.most_s:
            raise ValueError("`least_s` must not exceed `most_s`")
        return self


class PrivacyConfig(Strict):
    """Erasing people and accounts."""

    key: SecretRef | None = Field(
        None, description="key of the ledger of erasures, for `attribute`, the sink and the commands; never change it"
    )


class GatewayConfig(Strict):
    """The HTTP edge."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    max_body_bytes: int = Field(4_000 * 1024, ge=1024, description="largest body, before and after decompression")
    ack_timeout_s: float = Field(10.0, gt=0, le=60, description="longest wait for Kafka's ack before 503")
    retry_after_s: int = Field(2, ge=1, le=60, description="Retry-After of a 503")
    max_in_flight_bytes: int = Field(64 << 20, ge=1 << 20, description="bodies waiting for Kafka; above it, 503")


class DashboardConfig(Strict):
    """The API and the live page."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8090, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    token: SecretRef | None = Field(
        None, description="an operator's token; this or `access_file` is required when `host` is not loopback"
    )
    access_file: str = Field(
        "", description="file of the tokens that `touchline access add` gives out; only their hashes stand in it"
    )
    allowed_hosts: tuple[HostName, ...] = Field(
        (), description="names it is called by beside this machine's own; empty and not on loopback: any"
    )
    allowed_origins: tuple[Origin, ...] = Field((), description="web pages of others that may use the API")
    max_connections: int = Field(2000, ge=16, description="open connections; who waits longest gives way to a new one")
    gateway_url: str = Field(
        "", description="where answers to questions of who is who are sent; empty: `gateway.host` and its port here"
    )


# The embedded ClickHouse's caches at their largest (208 MiB, see its configuration), and what it counts late.
_CACHES_BYTES: Final = 256 << 20
_SERVICES_BYTES: Final = 128 << 20


class SqlConfig(Strict):
    """The SQL endpoint of the embedded ClickHouse: who may call, and how much readers get of it."""

    allowed_hosts: tuple[HostName, ...] = Field(
        (), description="names it is called by beside this machine's own, e.g. of a proxy before it"
    )
    allowed_origins: tuple[Origin, ...] = Field(
        (), description="web pages of others that may query, e.g. `https://bi.example.com`"
    )
    max_connections: int = Field(500, ge=16, description="open connections; who waits longest gives way to a new one")
    memory_bytes: int = Field(
        1 << 30, ge=512 << 20, description="memory all statements and caches together may use; the caches up to 256 MiB"
    )
    reader_memory_bytes: int = Field(
        512 << 20,
        ge=32 << 20,
        description="memory all queries of readers together may use, each an equal part; at most half of the whole",
    )
    reader_threads: int = Field(4, ge=1, le=64, description="queries of readers run at once, and share their memory")
    reader_queue: int = Field(64, ge=1, description="queries of readers that run or wait before new ones are refused")
    service_threads: int = Field(8, ge=1, le=64, description="statements of services run at once")
    service_queue: int = Field(256, ge=1, description="statements of services that run or wait")

    @model_validator(mode="after")
    def _services_keep_their_part(self) -> SqlConfig:
        if self.reader_memory_bytes > self.memory_bytes // 2:
            raise ValueError("`reader_memory_bytes` must be at most half of `memory_bytes`: services need the rest")
        if self.sure_bytes < _SERVICES_BYTES:
            raise ValueError(
                f"`memory_bytes` less `reader_memory_bytes` and 256 MiB of caches leaves {self.sure_bytes >> 20} MiB "
                f"for services, who need {_SERVICES_BYTES >> 20}: raise the first or lower the second"
            )
        return self

    @property
    def one_reader_bytes(self) -> int:
        """What one query of a reader may use: so much that all that run at once cannot have more than theirs."""
        return self.reader_memory_bytes // self.reader_threads

    @property
    def sure_bytes(self) -> int:
        """What services have, whatever readers do and however full the caches are."""
        return self.memory_bytes - self.reader_memory_bytes - _CACHES_BYTES


class JourneyConfig(Strict):
    """The stream processors."""

    blueprint: str = Field("", description="blueprint file; empty: the one that ships with Touchline")
    refold_debounce_s: float = Field(0.3, ge=0, le=30, description="wait this long for more before a refold")
    max_accounts_in_memory: int = Field(20_000, ge=100, description="account states a worker keeps")
    max_touchpoints_in_memory: int = Field(
        50_000,
        ge=1_000,
        description="touchpoints a worker keeps of them (2 to 3 KB each); as many again may wait to be judged anew",
    )


def _networks(ranges: tuple[str, ...]) -> tuple[str, ...]:
    for text in ranges:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValueError(f"`{text}` is no address range: {error}") from None
    return ranges


class NetworkConfig(Strict):
    """The address ranges of one account."""

    account: str = Field(pattern=r"^(crm|group|org):.+$", description="account whose people sit there, e.g. `crm:51`")
    ranges: tuple[str, ...] = Field(min_length=1, description="its networks, e.g. `192.0.2.0/24` or `2001:db8::/48`")

    _are_networks = field_validator("ranges")(_networks)


class AttributionConfig(Strict):
    """Whose touchpoint it is, where that is the operator's choice."""

    leading_directory: str = Field(
        "",
        pattern=f"{DIRECTORY_NAME}|^$",
        description="directory whose accounts others of the same domain follow; empty: the only CRM's",
    )
    networks: tuple[NetworkConfig, ...] = Field(
        (), description="accounts known by their address; empty: addresses say nothing. They are never stored"
    )
    own_networks: tuple[str, ...] = Field(
        (), description="address ranges of your own, e.g. `192.0.2.0/24`: what comes from there is internal"
    )

    _own_are_networks = field_validator("own_networks")(_networks)

    @model_validator(mode="after")
    def _do_not_overlap(self) -> AttributionConfig:
        listed = [(ip_network(text), text, network.account) for network in self.networks for text in network.ranges]
        listed.sort(key=lambda found: (found[0].version, int(found[0][0]), int(found[0][-1])))
        for (one, text, account), (other, next_text, next_account) in pairwise(listed):
            if one.version == other.version and int(other[0]) <= int(one[-1]):
                raise ValueError(f"`{text}` of {account} and `{next_text}` of {next_account} overlap")
        return self


RAW_TOPIC: Final[TopicName] = "touchpoints.raw.v1"


class Config(Strict):
    """The whole of `touchline.yaml`."""

    kafka: KafkaConfig = Field(KafkaConfig(), description="the broker")
    clickhouse: ClickHouseConfig = Field(ClickHouseConfig(), description="the store")
    retention: RetentionConfig = Field(RetentionConfig(), description="how long the store keeps what")
    lateness: LatenessConfig = Field(LatenessConfig(), description="when a source is called late")
    sql: SqlConfig = Field(SqlConfig(), description="the embedded store's SQL endpoint")
    privacy: PrivacyConfig = Field(PrivacyConfig(), description="erasing people and accounts")
    gateway: GatewayConfig = Field(GatewayConfig(), description="the HTTP edge")
    dashboard: DashboardConfig = Field(DashboardConfig(), description="API and page")
    journey: JourneyConfig = Field(JourneyConfig(), description="the processors")
    attribution: AttributionConfig = Field(AttributionConfig(), description="who is who, and where they work")
    alerts: AlertsConfig = Field(AlertsConfig(), description="who is told of what hurts")
    sources: tuple[SourceConfig, ...] = Field((), description="who may send")
    metrics_host: str = Field("127.0.0.1", description="address of every service's /metrics and /healthz")
    log_format: Literal["text", "json"] = Field("text", description="how log lines are written")

    @model_validator(mode="after")
    def _raw_is_kept_briefly(self) -> Config:
        """Where a source keeps less than all, so does the log of requests, which holds every source's."""
        hours = self.kafka.retention_hours_of
        if RAW_TOPIC not in hours and not all(source.keep.is_whole for source in self.sources):
            kept = min(RAW_HOURS, self.kafka.retention_hours)
            kafka = self.kafka.model_copy(update={"retention_hours_of": {**hours, RAW_TOPIC: kept}})
            object.__setattr__(self, "kafka", kafka)
        return self
