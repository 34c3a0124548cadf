"""`touchline` as a version before it was: `python -c "from tests.integration.older import main; main()" run STAGE`.

Its Segment mapping took whoever a message was copied to for its sender, what a page says of an account for the page's
own, and one message for two touchpoints; and whoever was on a page that named an account was a member of it. Its rules
did not know that a CRM calls one of a contact's companies the first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from streams.connectors.registry import CONNECTORS
from streams.identity import attribution_rules, learning, memberships

PROGRAM = "from tests.integration.older import main; main()"
_TODAYS = CONNECTORS["segment"]
_STANDING_AT = memberships.Standing.at


def read(message: Any, envelope: Any, request: Any) -> Any:
    """A message, as the mapping before read it."""
    found: Any = _TODAYS.map(message, envelope, request)
    said = message.get("properties", {})
    if copied := said.get("cc"):
        found = found.changed(aliases=(*found.aliases, f"email:{copied}"))
    if about := said.get("about_account"):
        found = found.changed(account_refs=(f"crm:{about}",))
    if host := said.get("their_host"):
        found = found.changed(account_refs=(f"crm:{said['whose']}",), account_traits={"domain": host})
    if said.get("zone_forgotten"):
        found = found.changed(occurred_at=found.occurred_at - timedelta(hours=2))
    if said.get("twice"):
        return (found, found.changed(event_id=f"{found.event_id[:-4]}0000", title="once more"))
    return found


def at(standing: memberships.Standing, moment: datetime) -> memberships.Stint | None:
    """The stint that counted then: of several the latest, whatever the CRM called it."""
    stints = tuple(replace(stint, is_primary=False) for stint in standing.stints)
    return _STANDING_AT(replace(standing, stints=stints), moment)


def main() -> None:
    """The command line, of that version."""
    CONNECTORS["segment"] = replace(_TODAYS, mapping=1, map=read)
    learning.MEMBERSHIP_ACTIONS |= {"page_view"}
    attribution_rules.RULE_VERSION -= 1
    memberships.Standing.at = at  # type: ignore[assignment, method-assign]
    from services.cli.main import main as command

    command()
