"""Controls that are made to be used again and again: who clicks `+` five times wants five.

Judged by what a page tells of the element: its words, tag, role and ARIA attributes, and the names in its selector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from schemas.touchpoints import CleanTouchpoint, Scalar

# fmt: off
#: What stands on them, in English, Dutch, German and French; without signs and numbers.
WORDS: Final = frozenset(
    {
        "next", "previous", "prev", "more", "load more", "show more", "see more", "view more", "read more",
        "show less", "plus", "minus", "increase", "decrease", "increment", "decrement", "add one", "remove one",
        "one more", "one less", "next page", "previous page", "next slide", "previous slide", "next image",
        "previous image", "next month", "previous month", "next week", "previous week", "next day", "previous day",
        "next year", "previous year", "increase quantity", "decrease quantity", "increase value", "decrease value",
        "zoom in", "zoom out", "undo", "redo", "scroll left", "scroll right", "scroll up", "scroll down", "move up",
        "move down", "volume up", "volume down", "skip forward", "skip back", "older", "newer", "load older",
        "load newer", "volgende", "vorige", "meer", "meer laden", "laad meer", "toon meer", "meer tonen",
        "meer weergeven", "bekijk meer", "minder", "toon minder", "verhogen", "verlagen", "aantal verhogen",
        "aantal verlagen", "volgende pagina", "vorige pagina", "volgende maand", "vorige maand", "volgende week",
        "vorige week", "inzoomen", "uitzoomen", "ongedaan maken", "omhoog", "omlaag", "weiter", "nächste",
        "vorherige", "mehr", "mehr laden", "mehr anzeigen", "weitere laden", "menge erhöhen", "menge verringern",
        "erhöhen", "verringern", "rückgängig", "suivant", "suivante", "précédent", "précédente", "plus de résultats",
        "voir plus", "afficher plus", "charger plus", "augmenter", "diminuer", "annuler la saisie",
    }
)
_SIGNS: Final = frozenset("+-−–—＋±<>‹›«»←→↑↓⟨⟩❮❯◀▶◄►▲▼△▽△▽˄˅⌃⌄…⏪⏩⏮⏭")
_MORE: Final = re.compile(r"(?:load|show|see|view|laad|toon|bekijk)\b.{0,20}\b(?:more|meer)\b.{0,20}")
_ROLES: Final = frozenset(
    {
        "checkbox", "switch", "radio", "slider", "spinbutton", "scrollbar", "menuitemcheckbox", "menuitemradio",
        "textbox", "searchbox", "combobox", "carousel", "slide",
    }
)
_TYPES: Final = frozenset(
    {
        "input", "textarea", "select", "option", "stepper", "video", "audio", "checkbox", "radio", "switch", "toggle",
        "slider", "range", "number", "color", "carousel", "contenteditable",
    }
)
#: Names in a selector that say so alone, and those that do when nothing else does.
_SURE: Final = frozenset(
    {
        "increment", "decrement", "stepper", "spinbutton", "spinner", "carousel", "slider", "swiper", "slick", "splide",
        "flickity", "glide", "pagination", "paginator", "paginate", "pager", "loadmore", "showmore", "checkbox",
        "contenteditable",
    }
)
_MOVING: Final = frozenset(
    {
        "next", "prev", "previous", "plus", "minus", "increase", "decrease", "more", "volgende", "vorige", "meer", "up",
        "down", "zoomin", "zoomout",
    }
)
_BESIDE: Final = frozenset(
    {
        "btn", "button", "link", "icon", "img", "svg", "span", "div", "a", "i", "page", "slide", "image", "photo",
        "month", "day", "week", "year", "qty", "quantity", "amount", "count", "number", "item", "row", "list", "go",
        "to", "js", "control", "controls", "nav", "arrow", "load", "show", "id", "class", "primary", "secondary",
        "left", "right",
    }
)
# fmt: on
LABELS: Final = ("text", "label", "aria-label", "aria_label", "ariaLabel", "element_text", "button_text", "el_text")
_KINDS: Final = ("element_type", "tag", "tag_name", "tagName", "type", "input_type")
#: `<input>` elements that are buttons.
_PUSHED: Final = frozenset({"button", "submit", "image", "reset"})
_PARTS: Final = ("role", "aria-role", "aria_role", "aria-roledescription", "aria_roledescription")
_STATES: Final = ("aria-checked", "aria_checked", "aria-valuenow", "aria_valuenow")
_EDITABLE: Final = (
    "contenteditable",
    "content_editable",
    "contentEditable",
    "is_content_editable",
    "isContentEditable",
)
_SELECTORS: Final = ("selector", "class", "classes", "class_name", "className", "id", "element_id", "css_selector")
_NO: Final = frozenset({"", "false", "none", "inherit"})
_ASKED: Final = frozenset({*LABELS, *_KINDS, *_PARTS, *_STATES, *_EDITABLE, *_SELECTORS})


def is_made_for_repetition(touchpoint: CleanTouchpoint) -> bool:
    """Whether the clicked element is one that people use many times in a row."""
    told = touchpoint.properties
    if told.keys().isdisjoint(_ASKED):  # most clicks say nothing but what was clicked
        return _says_so(touchpoint.title) or _says_so(touchpoint.element) or _names_say_so(touchpoint.element)
    if _is_such_a_kind(told):
        return True
    words = (touchpoint.title, touchpoint.element, *_texts(told, LABELS))
    return any(map(_says_so, words)) or any(map(_names_say_so, (touchpoint.element, *_texts(told, _SELECTORS))))


def _is_such_a_kind(told: Mapping[str, Scalar]) -> bool:
    """Whether the element is of a kind, or in a state, that only such elements are."""
    kinds = {_text(told, name) for name in _KINDS}
    if not _PUSHED.isdisjoint(kinds):
        kinds.discard("input")
    if not _TYPES.isdisjoint(kinds) or any(_text(told, name) in _ROLES for name in _PARTS):
        return True
    return any(name in told for name in _STATES) or any(_text(told, name) not in _NO for name in _EDITABLE)


def _texts(told: Mapping[str, Scalar], names: Iterable[str]) -> Iterable[str]:
    return (found for name in names if isinstance(found := told.get(name), str))


def _text(told: Mapping[str, Scalar], name: str) -> str:
    return str(told.get(name, "")).strip().lower()


@lru_cache(maxsize=8192)
def _says_so(words: str) -> bool:
    """`+`, `Next ›`, `Load 10 more`."""
    shown = words.strip().lower()[:60]
    letters = " ".join(re.findall(r"[^\W\d_]+", shown))
    if not letters:
        signs = re.sub(r"[\s\d()]", "", shown)
        return bool(signs) and _SIGNS.issuperset(signs)
    is_name = re.search(r"[#._\[\]=:/]", shown) is not None
    return not is_name and (letters in WORDS or _MORE.fullmatch(letters) is not None)


@lru_cache(maxsize=8192)
def _names_say_so(selector: str) -> bool:
    """`.swiper-button-next`, `#qtyPlus`; not `#save-and-next`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", selector[:200])
    names = {name.lower() for name in re.findall(r"[^\W\d_]+", apart)}
    if not _SURE.isdisjoint(names):
        return True
    moving = names & _MOVING
    return bool(moving) and names - moving <= _BESIDE
