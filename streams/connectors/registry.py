"""Every connector, by the name used in configuration, metrics, fixtures and file names."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.capabilities import Capability
from schemas.ids import FAMILY, Family
from streams.connectors.crm import hubspot
from streams.connectors.own import touchline
from streams.connectors.spec import Connector
from streams.connectors.support import intercom, zendesk
from streams.connectors.web import rudderstack, segment

CONNECTORS: dict[str, Connector] = {
    "segment": segment.CONNECTOR,
    "rudderstack": rudderstack.CONNECTOR,
    "hubspot": hubspot.CONNECTOR,
    "zendesk": zendesk.CONNECTOR,
    "intercom": intercom.CONNECTOR,
    "touchline": touchline.CONNECTOR,
}


def _system(connector: Connector) -> Family | None:
    """Whose records its sender numbers: of its first kind of account; who tells of several systems numbers none."""
    ids = connector.ids
    told = {FAMILY[kind] for kind in (*ids.people, *ids.records) if kind in FAMILY}
    return FAMILY.get(ids.accounts[0]) if ids.accounts and len(told) < 2 else None


#: Connector → the family of records that its sender numbers itself.
SYSTEMS: dict[str, Family] = {name: family for name, c in CONNECTORS.items() if (family := _system(c))}


def told(vendors: Iterable[str]) -> frozenset[Capability]:
    """What these connectors can tell, all together; an unknown one tells nothing."""
    return frozenset(word for name in vendors if name in CONNECTORS for word in CONNECTORS[name].feeds)


def tellers(capability: Capability) -> tuple[str, ...]:
    """The connectors that tell it, in the registry's order."""
    return tuple(name for name, connector in CONNECTORS.items() if capability in connector.feeds)
