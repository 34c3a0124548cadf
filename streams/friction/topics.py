"""What a ticket or a conversation is about, as far as its words say anything.

"Question" and "(no subject)" stand over everything: two tickets called so are not about one thing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# fmt: off
_REPLIES: Final = frozenset({"re", "fw", "fwd", "aw", "wg", "antw", "antwoord", "doorst", "sv", "tr", "rv"})
#: Words that name no matter, and those that stand between them: English, Dutch, German, French.
_EMPTY: Final = frozenset(
    {
        "question", "questions", "help", "hi", "hello", "hey", "dear", "problem", "problems", "issue", "issues",
        "request", "requests", "contact", "info", "information", "support", "ticket", "case", "mail", "email", "e",
        "message", "messages", "urgent", "asap", "important", "please", "test", "testing", "new", "subject", "no",
        "none", "untitled", "conversation", "chat", "inquiry", "enquiry", "query", "follow", "followup", "up",
        "other", "general", "misc", "miscellaneous", "unknown", "empty", "null", "undefined", "n", "a", "na", "form",
        "website", "web", "site", "another", "quick", "short", "small", "need", "needed", "assistance", "thanks",
        "thank", "feedback", "reply", "something", "some", "an", "the", "my", "our", "your", "i", "we", "you", "have",
        "has", "got", "is", "are", "for", "from", "with", "to", "of", "on", "in", "about", "and", "s", "me", "us",
        "it", "this", "there", "can", "customer", "client", "team", "service", "desk", "helpdesk", "default", "title",
        "topic", "via", "one", "more", "any", "vraag", "vragen", "vraagje", "hulp", "hallo", "hoi", "dag",
        "goedemorgen", "goedemiddag", "goedenavond", "beste", "probleem", "problemen", "verzoek", "aanvraag",
        "melding", "bericht", "spoed", "dringend", "belangrijk", "graag", "nieuw", "nieuwe", "onderwerp", "geen",
        "gesprek", "overig", "overige", "anders", "algemeen", "algemene", "contactformulier", "formulier", "nog",
        "een", "korte", "kleine", "nodig", "bedankt", "reactie", "de", "het", "mijn", "onze", "uw", "jullie", "ik",
        "wij", "je", "heb", "hebben", "voor", "van", "met", "aan", "over", "om", "op", "en", "klant",
        "klantenservice", "iets", "frage", "fragen", "hilfe", "anfrage", "probleme", "nachricht",
        "wichtig", "bitte", "neu", "neue", "betreff", "kein", "ohne", "sonstiges", "allgemein",
        "allgemeine", "kontakt", "kontaktformular", "eine", "der", "die", "das", "zu", "zum", "zur", "und", "ich",
        "wir", "habe", "haben", "guten", "tag", "danke", "ein", "aide", "bonjour", "demande", "problème", "besoin",
        "renseignement", "renseignements", "sans", "objet", "aucun", "autre", "divers", "général", "nouveau",
        "nouvelle", "merci", "une", "un", "le", "la", "les", "du", "des", "pour", "et", "nous", "d",
    }
)
# fmt: on


@lru_cache(maxsize=4096)
def words_of(title: str) -> str:
    """The words of a title without what marks a reply, lower case; empty when they name no matter."""
    words = [word for word in re.findall(r"[^\W\d_]+", title.lower()) if word not in _REPLIES]
    return "" if _EMPTY.issuperset(words) else " ".join(words)
