"""Requests to erase that senders sent: what the CRM tells of a contact who asked it to be forgotten.

A request is a touchpoint of that person. Erasing them up to its time takes it away, too; so what is found is what is
still to be done, whoever is killed when.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.touchpoints import AttributedTouchpoint
from services.cli.privacy.erase import Wish
from services.cli.privacy.subject import person_with
from services.common.linked import LinkSource
from streams.identity.aliases import is_person
from streams.identity.directories import Directories
from streams.runtime.clickhouse import query_rows

_ASKING: Final = """
SELECT payload FROM histories FINAL
WHERE is_deleted = 0 AND position(payload, '"privacy":true') > 0 ORDER BY occurred_at, event_id
"""


def requested(client: Client, source: LinkSource, directories: Directories) -> Iterator[Wish]:
    """What is asked for and not done, oldest first. Raises StoreUnavailable."""
    for row in query_rows(client, _ASKING):
        item = directories.attributed(AttributedTouchpoint.decoded(str(row["payload"])))
        if wish := wish_of(item, source, directories):
            yield wish


def wish_of(item: AttributedTouchpoint, source: LinkSource, directories: Directories) -> Wish | None:
    """What a stored touchpoint asks for; None for nearly all."""
    touchpoint = item.touchpoint
    people = [name for name in touchpoint.aliases if is_person(name)]
    if not people or touchpoint.properties.get("privacy") is not True:
        return None
    subject = person_with(source, people, directories)
    return Wish(subject, by=f"source {touchpoint.source}", at=touchpoint.ordered_at, erasure_id=touchpoint.event_id)
