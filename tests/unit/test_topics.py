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
    ],
)
def test_a_subject_with_one(title: str, words: str) -> None:
    assert words_of(title) == words
