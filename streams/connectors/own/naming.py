"""How people, accounts and addresses are written in our own dialect, and the refusal of a field that is wrong."""

from __future__ import annotations

from typing import cast

from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias
from streams.identity.aliases import OBJECT_KINDS, PERSON_KINDS, Kind, alias, is_email
from streams.identity.placeholders import is_placeholder

ACCOUNT = "account:"
ACCOUNT_NAMESPACES = ("crm", "group", "org", "domain")


class RefusedField(UnmappableEvent):
    """A record that cannot be taken, because of one field. `why` tells what would be right."""

    def __init__(self, field: str, value: object, why: str, reason: str = "wrong_value") -> None:
        super().__init__(f"`{field}` {why}, not {shown(value)}" if value is not None else f"`{field}` {why}", reason)
        self.field, self.value, self.why = field, value, why


def account_ref(text: str) -> str:
    """An account's id with its namespace, `crm:` when it has none; empty for a placeholder such as `n/a`."""
    namespace, colon, rest = text.partition(":")
    if colon and namespace in ACCOUNT_NAMESPACES and rest.strip():
        return text
    return "" if is_placeholder(text) else f"crm:{text}"


def alias_of(text: str) -> Alias | None:
    """The alias someone wrote: `kind:value`, or a bare e-mail address; None when it names nobody."""
    kind, colon, value = text.strip().partition(":")
    if colon and kind in (*PERSON_KINDS, *OBJECT_KINDS):
        return alias(cast(Kind, kind), value)
    return alias("email", text) if "@" in text else None


def address_of(field: str, text: str) -> Alias | None:
    """The alias of an address; None for none or a placeholder. What is no address is refused, not lost."""
    if text and not is_placeholder(text) and not is_email(text):
        raise RefusedField(field, text, "must be one e-mail address")
    return alias("email", text)


def required_alias(field: str, found: Alias | None, value: str) -> Alias:
    if found is None:
        raise RefusedField(field, value, "must name somebody: `kind:value`, or an e-mail address", "no_identity")
    return found


def required_account(field: str, value: str) -> str:
    found = account_ref(value)
    if not found:
        raise RefusedField(field, value, "must name an account", "no_identity")
    return found
