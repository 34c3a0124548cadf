"""Requests to erase that came as events: of a CRM, a helpdesk, a CDP, or of an operator through the API.

A request is a touchpoint of whom it is about. Erasing them up to its time takes it away, too; so what is found is what
is still to be done, whoever is killed when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import orjson
from clickhouse_connect.driver.client import Client

from schemas.touchpoints import AttributedTouchpoint
from services.cli.privacy.erase import Wish
from services.cli.privacy.subject import Subject, person_with, subject_of
from services.common.linked import LinkSource
from streams.connectors.own.touchline import ERASURE
from streams.identity.aliases import is_person
from streams.identity.directories import Directories
from streams.runtime.clickhouse import query_rows

_ASKING: Final = """
SELECT payload FROM histories FINAL
WHERE is_deleted = 0 AND multiSearchAny(payload, {types:Array(String)}) ORDER BY occurred_at, event_id
"""
Asking = Mapping[str, frozenset[str]]
"""By source that may ask, the vendor's names of the events that do (`registry.erasing`)."""


def requested(client: Client, source: LinkSource, directories: Directories, asking: Asking) -> Iterator[Wish]:
    """What is asked for and not done, oldest first. Raises StoreUnavailable."""
    types = sorted({f'"vendor_type":{orjson.dumps(name).decode()}' for names in asking.values() for name in names})
    for row in query_rows(client, _ASKING, {"types": types}) if types else ():
        item = directories.attributed(AttributedTouchpoint.decoded(str(row["payload"])))
        if item.touchpoint.vendor_type in asking.get(item.touchpoint.source, ()):
            yield wish_of(item, source, directories, lambda account: subject_of(client, source, account, directories))


def wish_of(
    item: AttributedTouchpoint, source: LinkSource, directories: Directories, account: Callable[[str], Subject]
) -> Wish:
    """What such an event asks for: its person, or, where it names nobody, its account."""
    touchpoint = item.touchpoint
    people = [name for name in touchpoint.aliases if is_person(name)]
    subject = person_with(source, people, directories) if people else account(item.account_id)
    asked = touchpoint.properties if touchpoint.vendor_type == ERASURE else {}
    by = str(asked.get("by") or f"source {touchpoint.source}")
    return Wish(
        subject, suppress=asked.get("suppress") is True, by=by, at=touchpoint.ordered_at, erasure_id=touchpoint.event_id
    )
