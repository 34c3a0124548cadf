"""Subjects that name a matter, and those that stand over everything."""

from __future__ import annotations

import pytest

from streams.friction.topics import words_of


@pytest.mark.parametrize(
    "title",
    [
        "Question", "RE: question", "(no subject)", "[no subject]", "Vraag", "vraagje", "Korte vraag",
        "Nog een vraag", "Geen onderwerp", "Help!", "Help needed", "URGENT", "I have a question for you",
        "Ticket #1234", "Hi", "Hallo", "Contact form", "Contactformulier website", "kein Betreff",
        "Allgemeine Anfrage", "(sans objet)", "", "???", "42", "Test", "Nieuw bericht", "FW: Re: Problem",
        # what forms, phones and desks write by themselves
        "New contact form submission", "Nieuwe inzending", "Submission", "Ticket created", "We received your request",
        "Conversation with Jan", "Gesprek met bezoeker", "Message from Jan de Vries", "Bericht van Jan", "Live chat",
        "Missed call", "Gemiste oproep", "Voicemail from +31201234567", "Call from +31 20 1234567", "Phone call",
        "Telefoongesprek", "WhatsApp", "Sent from my iPhone", "Verzonden vanaf mijn iPhone", "Automatic reply",
        "Automatisch antwoord: afwezig", "Out of office", "Terugbelverzoek", "Bel mij terug", "Callback request",
        # how people ask for attention
        "Good morning", "Goedendag", "Geachte heer/mevrouw", "Dear Sir or Madam", "L.S.", "T.a.v. support",
        "Kunt u mij helpen?", "Could you help", "A few questions", "Een paar vragen", "Hulp gevraagd", "Klantvraag",
        "Informatieaanvraag", "Geen titel", "Dank", "Hola", "Pregunta", "Domanda", "Fråga", "Spørgsmål",
        "It doesn't work", "Not working", "Het werkt niet", "Werkt niet", "Error", "Foutmelding", "Something's wrong",
    ],
)  # fmt: skip
def test_a_subject_without_a_matter(title: str) -> None:
    assert words_of(title) == ""


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Question about invoice 12", "question about invoice"),
        ("AW: SSO login fails", "sso login fails"),
        ("Vraag over de koppeling", "vraag over de koppeling"),
        ("Complaint", "complaint"),
        ("Invoice", "invoice"),
        ("パスワード", "パスワード"),
        ("E-mail not working", "e mail not working"),
        ("Chat werkt niet", "chat werkt niet"),
        ("Storing", "storing"),
        ("Conversation with Jan about the invoice of May", "conversation with jan about the invoice of may"),
        ("Missed call about order 12", "missed call about order"),
        ("Foutmelding bij inloggen", "foutmelding bij inloggen"),
        ("Terugbelverzoek offerte", "terugbelverzoek offerte"),
    ],
)
def test_a_subject_with_one(title: str, words: str) -> None:
    assert words_of(title) == words
