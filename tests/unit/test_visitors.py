"""Which requests of browsers are answered, and that programs never notice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from schemas.config import DashboardConfig, SqlConfig
from services.common.visitors import Visitors

LOCAL = Visitors.of("sql", "127.0.0.1", ["journey.example.com"], ["https://bi.example.com"])
OPEN = Visitors.of("sql", "0.0.0.0", [], [])
LISTED = Visitors.of("sql", "0.0.0.0", ["clickhouse"], [])
FOREIGN = {"origin": "https://evil.example"}


def asked(visitors: Visitors, method: str = "POST", path: str = "/", host: str = "localhost:8123", **more: str) -> str:
    headers = {name.replace("_", "-").encode(): value.encode() for name, value in more.items()}
    found = visitors.refusal(method, path, {b"host": host.encode(), **headers})
    return found.kind if found else "answered"


@pytest.mark.parametrize(
    ("visitors", "host", "outcome"),
    [
        (LOCAL, "localhost:8123", "answered"),
        (LOCAL, "LOCALHOST", "answered"),
        (LOCAL, "127.0.0.1:8123", "answered"),
        (LOCAL, "[::1]:8123", "answered"),
        (LOCAL, "journey.example.com", "answered"),
        (LOCAL, "Journey.Example.com:443", "answered"),
        (LOCAL, "evil.example:8123", "unknown_host"),
        (LOCAL, "127.0.0.1.evil.example", "unknown_host"),
        (LOCAL, "localhost@evil.example", "unknown_host"),
        (LOCAL, "[", "unknown_host"),
        (LOCAL, "", "unknown_host"),
        (OPEN, "clickhouse:8123", "answered"),
        (OPEN, "10.0.0.7", "answered"),
        (LISTED, "clickhouse:8123", "answered"),
        (LISTED, "evil.example", "unknown_host"),
    ],
)
def test_the_name_it_is_called_by(visitors: Visitors, host: str, outcome: str) -> None:
    assert asked(visitors, host=host) == outcome


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({}, "answered"),  # clickhouse-connect, JDBC, curl, Prometheus
        ({"origin": "http://localhost:8123"}, "answered"),
        ({"origin": "https://bi.example.com"}, "answered"),
        ({"origin": "https://bi.example.com", "sec_fetch_site": "cross-site"}, "answered"),
        ({"origin": "https://BI.example.com"}, "answered"),
        ({"origin": "https://evil.example"}, "foreign_origin"),
        ({"origin": "null"}, "foreign_origin"),
        ({"origin": ""}, "foreign_origin"),
        ({"origin": "http://localhost:3000"}, "foreign_origin"),
        ({"origin": "https://bi.example.com.evil.example"}, "foreign_origin"),
        ({"sec_fetch_site": "none"}, "answered"),
        ({"sec_fetch_site": "same-origin"}, "answered"),
        ({"sec_fetch_site": "same-site"}, "foreign_origin"),
        ({"sec_fetch_site": "cross-site"}, "foreign_origin"),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, "foreign_origin"),
    ],
)
def test_the_page_it_comes_from(headers: dict[str, str], outcome: str) -> None:
    assert asked(LOCAL, **headers) == outcome
    assert asked(LOCAL, method="GET", **headers) == outcome  # a picture's address is a query, too


def test_people_may_follow_a_link_where_there_are_pages() -> None:
    page = replace(LOCAL, linked=True)
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert asked(page, method="GET", **followed) == "answered"
    assert asked(page, method="POST", **followed) == "foreign_origin"
    assert asked(page, method="GET", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == "foreign_origin"


def test_probes_are_answered_by_any_name() -> None:
    probed = replace(LOCAL, open_paths=frozenset(["/ping"]))
    assert asked(probed, method="GET", path="/ping", host="clickhouse:8123", **FOREIGN) == "answered"
    assert asked(probed, method="GET", path="/ping/", host="clickhouse:8123") == "unknown_host"


def test_an_allowed_page_may_read_its_answer() -> None:
    allowed = {b"origin": b"https://bi.example.com"}
    assert (b"access-control-allow-origin", b"https://bi.example.com") in LOCAL.cors(allowed)
    assert LOCAL.cors({b"origin": b"https://evil.example"}) == []
    asks = allowed | {b"access-control-request-method": b"POST", b"access-control-request-headers": b"x-a"}
    granted = LOCAL.preflight("OPTIONS", asks)
    assert granted is not None
    assert (b"access-control-allow-headers", b"x-a") in granted
    assert LOCAL.preflight("POST", asks) is None
    assert LOCAL.preflight("OPTIONS", asks | {b"origin": b"https://evil.example"}) is None


@pytest.mark.parametrize("wrong", ["https://x.example", "x.example:80", "x/y", "", "*", "a b"])
def test_a_host_is_a_name_alone(wrong: str) -> None:
    with pytest.raises(ValidationError, match="is no host name"):
        SqlConfig(allowed_hosts=(wrong,))


@pytest.mark.parametrize("wrong", ["x.example", "https://x.example/", "null", "*", "ftp://x", ""])
def test_an_origin_is_scheme_host_and_port(wrong: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        DashboardConfig(allowed_origins=(wrong,))


def test_readers_may_not_be_given_more_than_half() -> None:
    with pytest.raises(ValidationError, match="at most half"):
        SqlConfig(memory_bytes=1024 << 20, reader_memory_bytes=600 << 20)


def test_services_keep_some_memory_beside_readers_and_caches() -> None:
    assert SqlConfig().sure_bytes == 256 << 20
    with pytest.raises(ValidationError, match="leaves 0 MiB for services"):
        SqlConfig(memory_bytes=512 << 20, reader_memory_bytes=256 << 20)


@pytest.mark.parametrize("threads", [1, 3, 4, 64])
def test_readers_at_once_cannot_have_more_than_theirs(threads: int) -> None:
    config = SqlConfig(reader_threads=threads)
    assert config.one_reader_bytes * threads <= config.reader_memory_bytes
