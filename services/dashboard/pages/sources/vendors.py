"""Who can send, and what to set at each: from the connectors themselves."""

from __future__ import annotations

from dataclasses import dataclass

from streams.connectors.registry import CONNECTORS
from streams.connectors.spec import Connector


@dataclass(frozen=True, slots=True)
class Vendor:
    """What to do at a vendor so that it sends; `GATEWAY` and `SOURCE` stand for the address and the name.

    `is_theirs`: the vendor makes the secret; else it is any text of ours that begins with `prefix`.
    """

    name: str
    title: str
    steps: tuple[str, ...]
    subscribe: str
    settings: str
    limits: str
    is_theirs: bool = False
    prefix: str = ""


_THEIRS = frozenset(("hubspot", "intercom", "zendesk"))
_PREFIXES = {"posthog": "phc_"}


def _vendor(connector: Connector) -> Vendor:
    docs = connector.docs
    steps = (docs.setup, docs.subscribe, docs.settings, docs.limits)
    return Vendor(connector.name, docs.title, *steps, connector.name in _THEIRS, _PREFIXES.get(connector.name, ""))


VENDORS: tuple[Vendor, ...] = tuple(_vendor(one) for _, one in sorted(CONNECTORS.items()))
BY_NAME = {one.name: one for one in VENDORS}
