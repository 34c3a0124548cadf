"""Who can send, and what to set at each: from the connectors themselves."""

from __future__ import annotations

from dataclasses import dataclass

from streams.connectors.registry import CONNECTORS
from streams.connectors.spec import Connector


@dataclass(frozen=True, slots=True)
class Vendor:
    """What to do at a vendor so that it sends; `GATEWAY` and `SOURCE` stand for the address and the name."""

    name: str
    title: str
    steps: tuple[str, ...]
    subscribe: str
    settings: str
    limits: str


def _vendor(connector: Connector) -> Vendor:
    docs = connector.docs
    return Vendor(connector.name, docs.title, docs.setup, docs.subscribe, docs.settings, docs.limits)


VENDORS: tuple[Vendor, ...] = tuple(_vendor(one) for _, one in sorted(CONNECTORS.items()))
