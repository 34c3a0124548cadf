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
        # the rest of how people ask for attention, and what forms, phones and desks write by themselves
        "submission", "submissions", "submitted", "created", "received", "entry", "incident", "bug", "error",
        "could", "would", "should", "few", "good", "morning", "afternoon", "evening", "day", "sir", "madam", "or",
        "whom", "may", "concern", "greetings", "live", "visitor", "whatsapp", "messenger", "call", "calls", "missed",
        "inbound", "incoming", "outbound", "voicemail", "callback", "back", "attn", "sos", "ok", "okay", "yo",
        "regards",
        "kind", "document", "titel", "even", "gevraagd", "inzending", "ingezonden", "goede", "goedendag",
        "goeiedag", "goeiemorgen", "goeden", "morgen", "middag", "avond", "geachte", "heer", "mevrouw", "heren", "l",
        "t", "v", "bezoeker", "telefoongesprek", "oproep", "gemiste", "gemist", "inkomend", "terugbelverzoek",
        "terugbellen", "bel", "bellen", "mij", "terug", "kunt", "kun", "kan", "u", "helpen", "paar", "informatie",
        "informatieaanvraag", "infoaanvraag", "opvolging", "dank", "dankjewel", "groet", "groeten", "serviceverzoek",
        "klantvraag", "fout", "foutmelding", "aangemaakt", "ontvangen", "binnengekomen", "ter", "attentie",
        "sehr", "geehrte", "damen", "herren", "anliegen", "rückfrage", "rückruf", "anruf", "verpasster",
        "titre", "madame", "monsieur", "appel", "manqué", "rappel", "hola", "pregunta", "ayuda", "consulta", "sin",
        "asunto", "ciao", "domanda", "aiuto", "richiesta", "senza", "oggetto", "pergunta", "ajuda", "sem", "assunto",
        "fråga", "hej", "hjälp", "spørgsmål", "hjælp", "spørsmål", "hjelp", "pytanie", "pomoc", "temat", "brak",
    }
)
_PHRASES: Final = frozenset(
    {
        "phone call", "telephone call", "a phone call", "call", "sent from my iphone", "sent from my ipad",
        "sent from my phone", "sent from my samsung", "verzonden vanaf mijn iphone", "verstuurd vanaf mijn iphone",
        "verstuurd vanaf mijn ipad", "von meinem iphone gesendet", "envoyé de mon iphone", "automatic reply",
        "auto reply", "autoreply", "automatisch antwoord", "automatische antwort", "réponse automatique",
        "out of office", "afwezig", "afwezigheid", "automatisch afwezig", "abwesend", "does not work",
        "it does not work", "doesn t work", "it doesn t work", "not working", "it s not working", "broken",
        "it s broken", "something s wrong", "something is wrong", "something went wrong", "can t figure it out",
        "het werkt niet", "werkt niet", "doet het niet", "het doet het niet", "iets gaat mis", "er gaat iets mis",
        "er gaat iets fout", "er is iets mis", "het lukt niet", "lukt niet", "funktioniert nicht", "geht nicht",
        "es geht nicht", "ne marche pas", "ça ne marche pas", "cela ne fonctionne pas", "frage zum produkt",
    }
)
"""What names no matter although its words, beside others, would: "E-mail not working" is about e-mail."""
# fmt: on
_WHOSE: Final = re.compile(
    r"(?:new |nieuw |nieuwe )?(?:"
    r"(?:conversation|chat|call|gesprek|unterhaltung) (?:from|with|by|van|met|von|mit|avec|de)|"
    r"(?:e ?mail|message|voicemail|question|bericht|vraag|nachricht|anruf|frage|demande) (?:from|by|van|von|de)"
    r")(?: \w+){0,3}"
)
"""Who wrote, and not of what: "Conversation with Jan Jansen"."""


@lru_cache(maxsize=4096)
def words_of(title: str) -> str:
    """The words of a title without what marks a reply, lower case; empty when they name no matter."""
    words = [word for word in re.findall(r"[^\W\d_]+", title.lower()) if word not in _REPLIES]
    said = " ".join(words)
    return "" if _EMPTY.issuperset(words) or said in _PHRASES or _WHOSE.fullmatch(said) else said
