"""Why something counts as it does, in words: how an account is known, and what moved its phase."""

from __future__ import annotations

from services.dashboard.words import rule_words

_METHODS = {
    "explicit": "the event itself names the account",
    "crm_contact": "the CRM has this person as a contact of the account",
    "membership": "the person was known to belong to the account then",
    "email_domain": "only this account has the domain of the person's e-mail address",
    "declared_domain": "the person gave the domain of this account's company",
    "network": "the visitor came from a network of this account",
    "provisional_domain": "the e-mail address is of a company that no account claims yet",
    "unidentified": "nothing tells yet who it is",
}
_CAUSES = {"decisive": "because of", "indicative": "as a hint from"}


def method_words(method: str) -> str:
    """How the account of a touchpoint is known."""
    return _METHODS.get(method) or rule_words(method)


def cause_words(cause: str) -> str:
    """`decisive: deal won` → `because of “deal won”`; an event's name without its vendor's prefix."""
    kind, colon, what = cause.partition(": ")
    if not colon or kind not in _CAUSES:
        return cause
    name, _, reason = what.partition("; ")
    name, way, on = name.partition(" (")
    told = f"{_CAUSES[kind]} “{rule_words(name.rpartition(':')[2] or name)}”{way}{on}"
    return f"{told}: {reason}" if reason else told
