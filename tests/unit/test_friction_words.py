"""What a signal says in words."""

from __future__ import annotations

import pytest

from streams.friction.words import named


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("form:demo", "the form demo"),
        ("form:", "form:"),
        ("ticket:support:12", "ticket:12"),
        ("quote:Q-1", "quote:Q-1"),
        ("", ""),
    ],
)
def test_a_form_is_named_as_people_say_it_and_a_record_by_its_number(subject: str, said: str) -> None:
    assert named(subject) == said
