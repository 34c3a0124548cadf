"""Ids that name nobody: what senders write where an id should be, and screens that everybody shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from services.cli.commands.doctor.check import Check, Place
from services.common.placeholder_ids import Placeholder, SharedId, placeholders, shared_ids

SHOWN = 5
LOOKS_BACK = timedelta(days=7)
NAME = "ids of nobody"


def nobodies(place: Place) -> Iterator[Check]:
    """Per source and literal, of the last week; nothing while tables are still to be made."""
    from services.common.secrets import clickhouse_password
    from services.sink.migrate import pending

    if not pending(place.config.clickhouse, clickhouse_password(place.config)):
        database, since = place.config.clickhouse.database, datetime.now(UTC) - LOOKS_BACK
        yield from nobodies_of(placeholders(place.store, database, since), shared_ids(place.store, database))


def nobodies_of(written: Sequence[Placeholder], shared: Sequence[SharedId]) -> Iterator[Check]:
    """One finding for each of the commonest; pure."""
    for one in written[:SHOWN]:
        detail = f"`{one.source}` wrote `{one.literal}` as an id in {one.messages} touchpoints of the last week"
        fix = "let the sender leave the id out, or fill it in; it is no alias, so nobody is known by it"
        yield Check(NAME, "warning", detail, fix)
    for other in shared[:SHOWN]:
        detail = f"`{other.name}` of `{other.source}` was seen with {other.people} people, so it links none of them"
        fix = "a word in the place of an id: let the sender make one for each visitor; a shared screen may stay"
        yield Check(NAME, "warning", detail, fix)
    if not written and not shared:
        yield Check(NAME, "ok", "none in the last week")
