"""Every connector, by the name used in configuration, metrics, fixtures and file names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from schemas.capabilities import Capability
from schemas.config import Config, SourceConfig
from schemas.ids import FAMILY, Family
from streams.connectors.crm import hubspot, salesforce
from streams.connectors.generic import webhook
from streams.connectors.own import touchline
from streams.connectors.spec import Connector
from streams.connectors.support import intercom, zendesk
from streams.connectors.web import posthog, rudderstack, segment
from streams.identity.directories import Directories

T = TypeVar("T")

CONNECTORS: dict[str, Connector] = {
    "segment": segment.CONNECTOR,
    "rudderstack": rudderstack.CONNECTOR,
    "posthog": posthog.CONNECTOR,
    "hubspot": hubspot.CONNECTOR,
    "salesforce": salesforce.CONNECTOR,
    "zendesk": zendesk.CONNECTOR,
    "intercom": intercom.CONNECTOR,
    "touchline": touchline.CONNECTOR,
    "webhook": webhook.CONNECTOR,
}


def _system(connector: Connector) -> Family | None:
    """Whose records its sender numbers: of the people and cases it tells of, else of its first kind of account.

    Who tells of several systems numbers none. Nor is a system a CRM because its mapping names CRM accounts.
    """
    ids = connector.ids
    stated = {FAMILY[kind] for kind in (*ids.people, *ids.records) if kind in FAMILY}
    stated = stated or {FAMILY[kind] for kind in ids.accounts[:1] if kind in FAMILY}
    family = stated.pop() if len(stated) == 1 else None
    is_declared = connector.declared is not None or connector.key != connector.name
    return None if is_declared and family == "crm" else family


def connectors_of(sources: Iterable[SourceConfig]) -> dict[str, Connector]:
    """The connectors of a configuration, by their keys: where a source's mapping says what one is, it is that source's
    own. The gateway, the processors and whoever asks what is told use these. Raises ValueError for an impossible one.
    """
    found = {name: one for name, one in CONNECTORS.items() if one.declared is None}
    for source in sources:
        declared = CONNECTORS[source.vendor].declared if source.vendor in CONNECTORS else None
        if declared is not None and source.mapping is not None:
            own = declared.connector(source.name, source.mapping)
            found[own.key] = own
    return found


def mappings_of(sources: Iterable[SourceConfig]) -> dict[str, int]:
    """By source, the version of the mapping that reads it."""
    listed = tuple(sources)
    connectors = connectors_of(listed)
    found = {source.name: for_source(connectors, source.vendor, source.name) for source in listed}
    return {name: connector.mapping for name, connector in found.items() if connector is not None}


def systems_of(sources: Iterable[SourceConfig] = ()) -> dict[str, Family]:
    """By the connectors' keys, the family of records that their senders number themselves."""
    return {key: family for key, one in connectors_of(sources).items() if (family := _system(one))}


def directories_of(config: Config) -> Directories:
    """Whose records each source of a configuration speaks of."""
    return Directories(config.sources, config.attribution, systems=systems_of(config.sources))


def for_source(known: Mapping[str, T], vendor: str, source: str) -> T | None:
    """What stands under the connector's key of this source, else under the connector's name; None for nothing."""
    own = known.get(f"{vendor}/{source}")
    return known.get(vendor) if own is None else own


def missing_tenant(connector: Connector, source: SourceConfig) -> str:
    """What to set where a source does not say whose messages it takes; empty where it does, or need not."""
    tenant = connector.webhook.tenant if connector.webhook else None
    return f"set `tenant` to {tenant.what}" if tenant is not None and not source.tenant else ""


def feeds_of(sources: Iterable[SourceConfig]) -> dict[str, frozenset[Capability]]:
    """What each source can feed; one without a connector feeds nothing."""
    listed = tuple(sources)
    connectors = connectors_of(listed)
    return {source.name: fed_by((source.vendor, f"{source.vendor}/{source.name}"), connectors) for source in listed}


def all_feeds(sources: Iterable[SourceConfig]) -> frozenset[Capability]:
    """What these sources can feed, all together."""
    return frozenset(word for words in feeds_of(sources).values() for word in words)


def fed_by(names: Iterable[str], connectors: Mapping[str, Connector] = CONNECTORS) -> frozenset[Capability]:
    """What these connectors can tell, all together; an unknown one tells nothing."""
    return frozenset(word for name in names if name in connectors for word in connectors[name].feeds)


def erasing(sources: Iterable[SourceConfig]) -> dict[str, frozenset[str]]:
    """By source, the vendor's names of those of its events that ask to erase; only sources that may ask."""
    listed = tuple(sources)
    connectors = connectors_of(listed)
    found = {source: for_source(connectors, source.vendor, source.name) for source in listed}
    return {
        source.name: frozenset(one.erasures.types)
        for source, one in found.items()
        if one is not None and one.erasures and (source.erases or not one.erasures.doubt)
    }


def feeders(capability: Capability) -> tuple[str, ...]:
    """The connectors that tell it, in the registry's order."""
    return tuple(name for name, connector in CONNECTORS.items() if capability in connector.feeds)
