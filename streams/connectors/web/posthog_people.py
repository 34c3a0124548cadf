"""Who an event of PostHog is of: a browser's id or the sender's own, the addresses with it, the company it names."""

from __future__ import annotations

from uuid import UUID

from schemas.errors import UnmappableEvent
from schemas.touchpoints import Alias, Scalar
from streams.connectors.reading import ident, member, text
from streams.connectors.results import Message
from streams.connectors.web.posthog_events import MERGES
from streams.identity.aliases import alias
from streams.identity.placeholders import is_placeholder

#: Group types that mean the company; of others nobody is a member.
COMPANY_GROUPS = ("company", "organization", "organisation", "account")
#: Of visitors who must not be recognised: all of them have it.
OF_NOBODY = frozenset({"$posthog_cookieless", "distinct_id", "not_authenticated"})


def aliases_of(message: Message, properties: Message, library: str, *, by_server: bool) -> list[Alias]:
    """The ids of one person; none where the event is of nobody in particular."""
    stated = ident(message, "distinct_id") or ident(properties, "distinct_id")
    if not stated:
        raise UnmappableEvent("`distinct_id` is missing", "no_identity")
    if stated in OF_NOBODY or (by_server and _is_made_up(stated, message, properties)):
        return []
    found = _of_server(stated) if by_server else _of_device(stated, properties)
    found += [alias("anonymous", ident(properties, "$anon_distinct_id"))]
    if text(message.get("event")) in MERGES:
        found += [alias("anonymous", stated), *_other(properties)]
    return [one for one in found if one]


def _is_made_up(stated: str, message: Message, properties: Message) -> bool:
    """What an SDK of a server writes where it was told no person: for a company, or for an event of nobody."""
    version = _uuid_version(stated)
    if message.get("event") == "$groupidentify":
        of_group = f"${ident(properties, '$group_type')}_{ident(properties, '$group_key')}"
        return bool(version) or stated == of_group
    options = member(message, "options")
    is_nobody = False in (properties.get("$process_person_profile"), options.get("process_person_profile"))
    return bool(version) and is_nobody


def _of_server(stated: str) -> list[Alias | None]:
    if _uuid_version(stated) == 7:
        return [alias("anonymous", stated)]
    return [alias("user", stated), alias("email", stated) if "@" in stated else None]


def _of_device(stated: str, properties: Message) -> list[Alias | None]:
    """A user id once somebody is known; one that looks like a browser's is on servers taken for one, so it is both."""
    known = properties.get("$is_identified")
    if not isinstance(known, bool):
        known = ident(properties, "$user_id") == stated or properties.get("$device_id") not in (None, stated)
    if not known:
        return [alias("anonymous", stated)]
    return [*_of_server(stated), alias("user", stated)]


def _other(properties: Message) -> list[Alias | None]:
    """The other id of an alias call, whichever of the two it is."""
    other = ident(properties, "alias")
    if not other:
        raise UnmappableEvent("an alias call needs `properties.alias`", "missing_field")
    return [*_of_server(other), alias("anonymous", other)]


def given_up(message: Message, properties: Message, library: str) -> dict[str, Scalar]:
    """The user id that an alias call gives up: Python's SDK sends the former id as `distinct_id`, others as `alias`."""
    former = ident(message, "distinct_id") if library == "posthog-python" else ident(properties, "alias")
    found = alias("user", former) if _uuid_version(former) != 7 and "@" not in former else None
    return {"given_up": found} if found else {}


def _uuid_version(value: str) -> int:
    """Of a UUID as text; 0 for anything else."""
    try:
        return UUID(value).version or 0 if len(value) == 36 else 0
    except ValueError:
        return 0


def stated_addresses(name: str, said: Message, properties: Message, aliases: list[Alias]) -> list[Alias]:
    """The person's; of a visitor nobody knows, where none is told, what a form of the sender's own has."""
    found = _addresses(said)
    if found or name[:1] == "$" or any(not one.startswith("anonymous:") for one in aliases):
        return found
    return _addresses(properties)


def _addresses(said: Message) -> list[Alias]:
    """The person's own, as their traits tell them."""
    found = [alias(kind, value) for kind in ("email", "phone") if isinstance(value := said.get(kind), str)]
    return [one for one in found if one]


def account_refs(name: str, properties: Message) -> tuple[str, ...]:
    """The company that the event names: the CRM's id of it first."""
    groups = member(properties, "$groups")
    if name == "$groupidentify":
        groups = {ident(properties, "$group_type"): properties.get("$group_key")}
    of_crm = [ident(place, "crm_account_id") for place in (properties, member(properties, "$group_set"))]
    named = [("crm", value) for value in of_crm] + [("group", ident(groups, kind)) for kind in COMPANY_GROUPS]
    refs = tuple(dict.fromkeys(f"{kind}:{value}" for kind, value in named if not is_placeholder(value)))
    if name == "$groupidentify" and not refs:
        raise UnmappableEvent("`$groupidentify` needs `$group_key`", "missing_field")
    return refs
