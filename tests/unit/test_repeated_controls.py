"""Which clicked elements are made to be clicked again and again, as pages of many makes tell of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.touchpoints import RawRequest
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.friction.controls import is_made_for_repetition
from tests.journeys import AS_OF, touchpoint

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


#: Labels alone, as they stand on controls or in their `aria-label`.
REPEATED_LABELS = [
    # one thing more
    "Add another row", "Add another contact", "Insert more lines", "Nog een regel toevoegen",
    "Voeg nog een regel toe", "Weitere Zeile hinzufügen",
    # one step on or back
    "Next slide (2 of 5)", "Show next image", "Go to next month", "Ga naar de volgende maand", "Nächste Seite",
    "Vorheriges Bild", "Siguiente", "Successivo", "Próximo", "Następny", "Nästa", "Næste", "Next question",
    "Volgende vraag", "Image suivante", "Next 20 results", "Go to page 3", "Pagina 3", "Go to slide 4",
    # the next part of a list
    "Ver más", "Cargar más", "Mostra altri", "Voir plus", "Meer producten laden", "Meer resultaten", "Nog 12 tonen",
    "Show 24 more products", "Weitere Produkte anzeigen", "Add another", "Regel toevoegen",
    # a number one up or down
    "Increase quantity of Ball valve DN25", "Decrease quantity by one", "Verhoog aantal", "Verlaag de hoeveelheid",
    "Hoeveelheid verhogen", "Augmenter la quantité", "Menge erhöhen", "Anzahl verringern", "Aumentar cantidad",
    "Increase number of adults", "Add one adult", "Eén meer", "Zwiększ ilość", "+ 1 jaar", "-5 min",
    # films and recordings
    "Forward 10 seconds", "10 seconden terug", "Rewind 10s", "Skip forward 15 seconds", "Seek slider",
    "10 Sekunden zurück",
    # keypads and calculators
    "7", "00", "12", "÷", "=", ".", "%", "⌫", "AC", "Backspace", "*", "#",
    # signs and icons written as words
    "➡️", "➕", "▶", "»»", "➔", "▴", "chevron_right", "keyboard_arrow_down", "navigate_next", "expand_more",
]  # fmt: skip
ONCE_LABELS = [
    "Add payment method", "Toevoegen aan winkelwagen", "Add row and save the order",
    "Next step: payment", "Volgende stap", "Add to cart", "Add one to cart", "In winkelwagen", "Learn more about us",
    "Request more information", "Get Plus", "Close", "×", "2024", "020 123 4567", "+31612345678", "€ 12,50",
    "7 days trial",
    "Buy 2", "Increase my credit limit", "Verhoog mijn limiet", "Verzenden", "Continue", "Doorgaan", "Back", "Terug",
    "Try again", "Compare plans", "Update quantity", "3 months", "shopping_cart", "OK", "Save",
    "Mehr erfahren über uns",
    "Place order for 3 rooms", "",
]  # fmt: skip
#: Selectors alone.
REPEATED_SELECTORS = [
    ".leaflet-control-zoom-in", "div.ytp-progress-bar", ".vjs-progress-holder", "input.plyr__progress", "#seekbar",
    ".video-scrubber", ".keypad-key", "#numpad-5", ".calculator__key--multiply", "i.fa-chevron-right",
    "i.fa.fa-angle-left", "i.fas.fa-plus", "svg.lucide.lucide-chevron-right", "button.qty-btn--plus", ".owl-next",
    "button[name=plus]", ".js-qty__adjust--plus", ".flatpickr-next-month", ".react-datepicker__day", ".quantity .plus",
]  # fmt: skip
ONCE_SELECTORS = [
    "#continue-next-btn", "#become-plus-member", "#update-quantity-submit", ".roi-calculator .calculate",
    "#upload-progress",
    "#zoom-meeting-join", ".more-info", "#checkout-next-step",
]  # fmt: skip
#: What other senders tell of the element, by their names of it.
REPEATED_TOLD: dict[str, dict[str, Any]] = {
    "a spinbutton": {"role": "spinbutton"},
    "PostHog's own names": {"attr__role": "spinbutton"},
    "PostHog's label": {"attr__aria-label": "Next slide"},
    "Amplitude's text": {"[Amplitude] Element Text": "Load more"},
    "Amplitude's label": {"[Amplitude] Element Aria Label": "Volgende"},
    "Tag Manager's text": {"click_text": "Meer laden"},
    "Tag Manager's classes": {"Click Classes": "slick-next slick-arrow"},
    "Heap's": {"target_text": "›"},
    "camel case": {"elementText": "Next"},
    "a slide by its data": {"data-bs-slide": "next"},
    "a toggle": {"aria-pressed": "false", "tag": "button", "text": "Bold"},
    "a sorted column": {"aria-sort": "ascending"},
    "a map": {"tag": "CANVAS"},
    "a label of a checkbox": {"tag": "label", "text": "I agree"},
    "a test id": {"data-testid": "NavigateNextIcon"},
    "a number": {"tag": "input", "type": "number"},
}
ONCE_TOLD: dict[str, dict[str, Any]] = {
    "an arrow in a button that says more": {"text": "Request a demo", "class": "arrow-right"},
    "a named button with an icon": {"aria-label": "Close", "class": "icon-chevron-down"},
    "what opens a menu": {"aria-haspopup": "true", "text": "Account"},
    "an entry of a menu": {"role": "menuitem", "text": "Delete"},
    "an icon without a direction": {"class": "icon-trash"},
}


@pytest.mark.parametrize("label", REPEATED_LABELS)
@pytest.mark.parametrize("field", ["text", "aria-label", "buttonText"])
def test_labels_of_what_is_used_again_and_again(label: str, field: str) -> None:
    assert is_made_for_repetition(touchpoint("e", 0, "click", properties={field: label, "tag": "button"}))


@pytest.mark.parametrize("label", ONCE_LABELS)
def test_labels_of_what_is_used_once(label: str) -> None:
    assert not is_made_for_repetition(touchpoint("e", 0, "click", title=label, properties={"aria-label": label}))


@pytest.mark.parametrize("selector", REPEATED_SELECTORS)
def test_selectors_of_what_is_used_again_and_again(selector: str) -> None:
    assert is_made_for_repetition(touchpoint("e", 0, "click", element=selector))
    assert is_made_for_repetition(touchpoint("e", 0, "click", properties={"selector": selector}))


@pytest.mark.parametrize("selector", ONCE_SELECTORS)
def test_selectors_of_what_is_used_once(selector: str) -> None:
    assert not is_made_for_repetition(touchpoint("e", 0, "click", element=selector))


@pytest.mark.parametrize("name", REPEATED_TOLD)
def test_by_the_names_of_many_senders(name: str) -> None:
    assert is_made_for_repetition(touchpoint("e", 0, "click", element="el", properties=REPEATED_TOLD[name]))


@pytest.mark.parametrize("name", ONCE_TOLD)
def test_what_is_written_goes_before_the_icon(name: str) -> None:
    assert not is_made_for_repetition(touchpoint("e", 0, "click", element="el", properties=ONCE_TOLD[name]))


@pytest.mark.parametrize(
    ("chain", "repeated"),
    [
        (
            'path:nth-child="1";svg.icon:nth-child="1";button:attr__aria-label="Next slide"nth-child="2"',
            True,
        ),
        ('i.fa:nth-child="1";button:attr__aria-label="Hoeveelheid verhogen"nth-child="1"', True),
        ('span:text="Dark"nth-child="1";div:attr__role="switch"nth-child="3"', True),
        ('input:attr__type="checkbox"attr__id="terms"nth-child="1";label:nth-child="1"', True),
        ('div.swiper-button-next:attr__class="swiper-button-next"nth-child="1"', True),
        ('svg:nth-child="1";button:attr__aria-label="Send message"nth-child="1"', False),
        ('span:text="Save"nth-child="1";button:attr__class="primary"nth-child="1"', False),
        ('input:attr__type="submit"attr__id="go"nth-child="1"', False),
    ],
)
def test_an_icon_in_a_button_is_the_button(chain: str, repeated: bool) -> None:
    """PostHog tells of the innermost element, with what it stands in."""
    told = {"$event_type": "click", "$elements_chain": chain, "$lib": "web", "$device_id": "d"}
    body = {"api_key": "k", "batch": [{"event": "$autocapture", "distinct_id": "d", "uuid": "u", "properties": told}]}
    request = RawRequest(
        request_id="r",
        source="hog",
        vendor="posthog",
        received_at=AS_OF,
        path="/batch",
        body=orjson.dumps(body).decode(),
    )
    (found,) = CONNECTORS["posthog"].read(request)
    assert isinstance(found, Mapped)
    assert is_made_for_repetition(found.touchpoint) is repeated


@pytest.mark.parametrize("name", REPEATED)
def test_made_for_repetition(name: str) -> None:
    assert is_made_for_repetition(touchpoint("e", 0, "click", **REPEATED[name]))


@pytest.mark.parametrize("name", ONCE)
def test_made_to_be_used_once(name: str) -> None:
    assert not is_made_for_repetition(touchpoint("e", 0, "click", **ONCE[name]))
