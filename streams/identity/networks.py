"""Addresses of accounts' networks: which account a visitor sits at, where the operator listed its ranges.

The address is looked up where the message is mapped, and goes no further.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from schemas.config import AttributionConfig
from schemas.touchpoints import CleanTouchpoint

_Key = tuple[int, int]
"""(IP version, address as a number)."""


class Networks:
    """Listed ranges by their first address; they do not overlap, the configuration sees to that."""

    def __init__(self, config: AttributionConfig) -> None:
        ranges = sorted(
            ((network.version, int(network[0])), int(network[-1]), listed.account)
            for listed in config.networks
            for network in map(ip_network, listed.ranges)
        )
        self._starts = [start for start, _, _ in ranges]
        self._ends = [end for _, end, _ in ranges]
        self._accounts = [account for _, _, account in ranges]
        self._own = [(own.version, int(own[0]), int(own[-1])) for own in map(ip_network, config.own_networks)]

    def account_of(self, address: str) -> str:
        """The account in whose ranges an address lies; empty for none, and for what is no address."""
        key = _key(address) if self._starts and address else None
        if key is None:
            return ""
        at = bisect_right(self._starts, key) - 1
        inside = at >= 0 and self._starts[at][0] == key[0] and key[1] <= self._ends[at]
        return self._accounts[at] if inside else ""

    def located(self, touchpoint: CleanTouchpoint, address: str) -> CleanTouchpoint:
        """The touchpoint with the account of the network it came from, if one is listed."""
        account = self.account_of(address)
        found = touchpoint.changed(network=account) if account else touchpoint
        return found.changed(flags=(*found.flags, "own_network")) if self._is_own(address) else found

    def _is_own(self, address: str) -> bool:
        key = _key(address) if self._own and address else None
        return key is not None and any(v == key[0] and low <= key[1] <= high for v, low, high in self._own)


@lru_cache(maxsize=8_192)
def _key(address: str) -> _Key | None:
    try:
        found = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return None
    plain = (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
    return (plain.version, int(plain))
