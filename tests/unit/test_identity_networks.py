"""Networks: listed ranges name an account, and the address itself goes nowhere."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from schemas.config import AttributionConfig
from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors.reading import is_network_address, is_sensitive
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.identity.knowledge import Knowledge
from streams.identity.networks import Networks
from tests.journeys import START, touchpoint


def listed(*networks: tuple[str, list[str]]) -> AttributionConfig:
    return AttributionConfig.model_validate({"networks": [{"account": a, "ranges": ranges} for a, ranges in networks]})


NETWORKS = Networks(
    listed(("crm:51", ["192.0.2.0/25", "2001:db8:51::/48"]), ("crm:52", ["192.0.2.128/25", "0.0.0.1/32", "::1/128"]))
)


@pytest.mark.parametrize(
    ("address", "account"),
    [
        ("192.0.2.0", "crm:51"),
        ("192.0.2.127", "crm:51"),
        ("192.0.2.128", "crm:52"),
        ("192.0.2.255", "crm:52"),
        ("192.0.3.0", ""),
        ("192.0.1.255", ""),
        ("::ffff:192.0.2.5", "crm:51"),
        ("2001:db8:51:ffff:ffff:ffff:ffff:ffff", "crm:51"),
        ("2001:db8:52::", ""),
        ("2001:db8:51::7%eth0", "crm:51"),
        ("::1", "crm:52"),
        ("0.0.0.1", "crm:52"),
        ("0.0.0.2", ""),
        ("", ""),
        ("not an address", ""),
        ("192.0.2.1, 10.0.0.1", ""),
    ],
)
def test_which_account_sits_there(address: str, account: str) -> None:
    assert NETWORKS.account_of(address) == account


def test_without_a_list_addresses_say_nothing() -> None:
    assert Networks(AttributionConfig()).account_of("192.0.2.1") == ""


def test_overlapping_ranges_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"192.0.2.0/24. of crm:1 and .192.0.2.128/25. of crm:2 overlap"):
        listed(("crm:1", ["192.0.2.0/24"]), ("crm:2", ["192.0.2.128/25"]))
    with pytest.raises(ValidationError, match="no address range"):
        listed(("crm:1", ["192.0.2.1/24"]))


def mapped(vendor: str, message: dict[str, Any]) -> CleanTouchpoint:
    body = orjson.dumps({"messageId": "m1", "timestamp": START.isoformat(), "anonymousId": "a1", **message}).decode()
    request = RawRequest(request_id="r", source="web", vendor=vendor, received_at=START, path="/v1/page", body=body)
    (result,) = CONNECTORS[vendor].read(request)
    assert isinstance(result, Mapped)
    return NETWORKS.located(result.touchpoint, result.address)


PLACES: list[dict[str, Any]] = [
    {"context": {"ip": "192.0.2.17"}},
    {"request_ip": "192.0.2.17"},
    {"context": {"ip": "192.0.2.17"}, "properties": {"ip": "192.0.2.17", "seen_from": "192.0.2.17", "path": "/x"}},
]


@pytest.mark.parametrize("vendor", ["segment", "rudderstack"])
@pytest.mark.parametrize("message", PLACES)
def test_the_address_names_the_account_and_is_not_kept(vendor: str, message: dict[str, Any]) -> None:
    found = mapped(vendor, message)
    assert found.network == "crm:51"
    assert b"192.0.2.17" not in found.encoded()
    attribution = Knowledge().attribute(found)
    assert (attribution.account_id, attribution.method, attribution.confidence) == ("crm:51", "network", 0.6)
    assert b"192.0.2" not in attribution.encoded()


@pytest.mark.parametrize(
    "key", ["ip", "IP", "client_ip", "ip_address", "ipAddress", "remote_addr", "X-Forwarded-For", "user.ip"]
)
def test_properties_that_hold_addresses_are_known_by_name(key: str) -> None:
    assert is_sensitive(key)


@pytest.mark.parametrize(
    "key", ["zip", "ship_to", "recipient", "tip", "description", "shipping", "equipment", "script"]
)
def test_others_are_kept(key: str) -> None:
    assert not is_sensitive(key)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.17", True), ("192.0.2.17:443", True), ("2001:db8::1", True), ("[2001:db8::1]", True), ("::1", True),
        ("10:42:07", False), ("1.2.3", False), ("v1.2.3.4", False), ("a:b", False), ("12:30", False), ("", False),
    ],
)  # fmt: skip
def test_and_by_what_they_look_like(value: str, expected: bool) -> None:
    assert is_network_address(value) is expected


def test_the_weaker_rules_come_after_a_network_and_the_stronger_before() -> None:
    event = touchpoint("e", 0, aliases=("email:ann@acme.com",), network="crm:51")
    assert Knowledge().attribute(event).method == "network"  # before a domain that is nobody's
