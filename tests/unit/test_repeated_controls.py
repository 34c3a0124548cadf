"""Which clicked elements are made to be clicked again and again, as pages of many makes tell of them."""

from __future__ import annotations

from typing import Any

import pytest

from streams.friction.controls import is_made_for_repetition
from tests.journeys import touchpoint

REPEATED: dict[str, dict[str, Any]] = {
    "plus": {"title": "+"},
    "minus sign": {"properties": {"text": "−"}},
    "plus with a number": {"properties": {"text": "+ 10"}},
    "next": {"title": "Next"},
    "an arrow": {"properties": {"text": "›"}},
    "next with an arrow": {"properties": {"text": "Next ›"}},
    "load more": {"properties": {"text": "Load more"}},
    "load more with a number": {"properties": {"text": "Load 20 more results"}},
    "volgende": {"properties": {"text": "Volgende »"}},
    "meer laden": {"title": "Meer laden…"},
    "mehr anzeigen": {"title": "Mehr anzeigen"},
    "a label only": {"properties": {"aria-label": "Increase quantity", "tag": "button"}},
    "a checkbox": {"properties": {"tag": "input", "type": "checkbox", "element_type": "button"}},
    "a switch": {"properties": {"tag": "div", "role": "switch"}},
    "what says it is checked": {"properties": {"aria-checked": "true", "tag": "span"}},
    "a slider": {"properties": {"role": "slider"}},
    "a carousel": {"element": ".swiper-button-next", "title": ""},
    "a carousel by ARIA": {"properties": {"aria-roledescription": "carousel"}},
    "quantity": {"element": "#qtyPlus"},
    "pagination": {"element": "ul.pagination > li > a", "title": "2"},
    "contenteditable": {"properties": {"contenteditable": "true", "tag": "div"}},
    "contenteditable as a flag": {"properties": {"is_content_editable": True}},
    "a text field": {"properties": {"element_type": "textarea"}},
}
ONCE: dict[str, dict[str, Any]] = {
    "save": {"element": "#save", "title": "Save", "properties": {"tag": "button"}},
    "save and next": {"element": "#save-and-next", "title": "Save and next"},
    "submit": {"properties": {"tag": "button", "type": "submit", "text": "Send"}},
    "an input that is a button": {"properties": {"tag": "INPUT", "type": "submit", "element_type": "button"}},
    "buy more": {"title": "Buy more licences"},
    "pricing plus": {"element": "#plan-plus-buy", "title": "Choose Plus"},
    "a menu": {"element": "nav-menu", "title": "Menu"},
    "a link": {"element": "a.read", "title": "Terms"},
    "not editable": {"properties": {"contenteditable": "false", "tag": "div"}},
    "nothing told": {},
    "log in": {"properties": {"role": "button", "aria-label": "Log in"}},
    "a price": {"title": "€ 20"},
}


@pytest.mark.parametrize("name", REPEATED)
def test_made_for_repetition(name: str) -> None:
    assert is_made_for_repetition(touchpoint("e", 0, "click", **REPEATED[name]))


@pytest.mark.parametrize("name", ONCE)
def test_made_to_be_used_once(name: str) -> None:
    assert not is_made_for_repetition(touchpoint("e", 0, "click", **ONCE[name]))
