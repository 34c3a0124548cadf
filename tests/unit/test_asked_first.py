"""What hardly any event says is asked first, in one question. Without it the answers are the same."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from streams.connectors.web import visits
from streams.friction import views
from tests.journeys import touchpoint

Said = dict[str, Any]
ALWAYS = {"any": "thing"}
VALUES = ("https://shop.example/a?utm_source=x&page=2#top", "?page=2", "checkbox", "next", "true", "")


def view(said: Said) -> object:
    return views.view_of(touchpoint("e", 0, "click", page="/a", properties=said))


def visit(said: Said) -> object:
    return visits.of_page({}, said, {})


ASKED: dict[str, tuple[ModuleType, str, Callable[[Said], object]]] = {
    "view": (views, "ASKED", view),
    "visit": (visits, "_ASKED", visit),
}


@pytest.mark.parametrize("what", ASKED)
def test_what_is_asked_first_changes_no_answer(what: str) -> None:
    module, asked, answer = ASKED[what]
    answers = set()
    for said in [ALWAYS | {name: value} for name in sorted(getattr(module, asked)) for value in VALUES]:
        with patch.object(module, asked, frozenset(ALWAYS)):  # whatever is said, all of it is looked at
            closely = answer(said)
        assert answer(said) == closely, said
        answers.add(repr(closely))
    assert len(answers) > 1


@pytest.mark.parametrize("what", ASKED)
def test_a_name_that_is_not_asked_for_would_be_missed(what: str) -> None:
    """Known bad: nothing is asked."""
    module, asked, answer = ASKED[what]
    said = [{name: value} for name in sorted(getattr(module, asked)) for value in VALUES]
    known = [answer(one) for one in said]
    with patch.object(module, asked, frozenset()):
        assert [answer(one) for one in said] != known
