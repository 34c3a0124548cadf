"""Why something counts as it does, in words: how an account is known, what moved its phase, what was corrected."""

from __future__ import annotations

from services.dashboard.words import correction_words, rule_words
from streams.sentences import ENGLISH, Language, rendered, unlisted

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


def _bare_event(name: str) -> str:
    return rule_words(name.rpartition(":")[2] or name)


_PAGE = Language(
    {
        **ENGLISH.sentences,
        "decisive": "because of “{event}”",
        "decisive_on_the_way": "because of “{event}” (on the way to {to})",
        "decisive_refused": "because of “{event}”: {reason}",
        "indicative": "as a hint from “{type}”",
        "judged": ("{count} touchpoint read differently", "{count} touchpoints read differently"),
        "signals_changed": ("{count} sign new or changed", "{count} signs new or changed"),
        "signals_withdrawn": ("{count} sign withdrawn", "{count} signs withdrawn"),
    },
    {**ENGLISH.texts, "event": _bare_event, "type": rule_words},
)
"""What pages say where the store's English has words of those who built it."""
_CAUSES = {"decisive": "because of", "indicative": "as a hint from"}


def method_words(method: str) -> str:
    """How the account of a touchpoint is known."""
    return _METHODS.get(method) or rule_words(method)


def moved_words(coded: str, cause: str) -> str:
    """What moved a phase; `cause` is what is stored in English, and all there is of before."""
    return rendered(coded, _PAGE) if coded else cause_words(cause)


def corrected_words(coded: str, text: str, between: str) -> str:
    """Why something was corrected, or what; `text` is what is stored in English, and all there is of before."""
    return between.join(rendered(each, _PAGE) for each in unlisted(coded)) or correction_words(text)


def cause_words(cause: str) -> str:
    """Of before: `decisive: deal won` → `because of “deal won”`; an event's name without its vendor's prefix."""
    kind, colon, what = cause.partition(": ")
    if not colon or kind not in _CAUSES:
        return cause
    name, _, reason = what.partition("; ")
    name, way, on = name.partition(" (")
    words = f"{_CAUSES[kind]} “{_bare_event(name)}”{way}{on}"
    return f"{words}: {reason}" if reason else words
