"""Controls that are made to be used again and again: who clicks `+` five times wants five.

Judged by what a page tells of the element: its words, tag, role and ARIA attributes, and the names in its selector.
What is written on it goes before how its icon is called: an arrow within *Request a demo* moves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal

from schemas.touchpoints import CleanTouchpoint, Scalar
from streams.friction.labels import is_repeated, says_anything

Told = Literal["", "label", "kind", "part", "state", "editable", "selector"]

# fmt: off
_ROLES: Final = frozenset(
    {
        "checkbox", "switch", "radio", "slider", "spinbutton", "scrollbar", "menuitemcheckbox", "menuitemradio",
        "textbox", "searchbox", "combobox", "carousel", "slide", "columnheader",
    }
)
_TYPES: Final = frozenset(
    {
        "input", "textarea", "select", "option", "stepper", "video", "audio", "checkbox", "radio", "switch", "toggle",
        "slider", "range", "number", "color", "carousel", "contenteditable", "canvas", "label",
    }
)
#: Names in a selector that say so alone, several that do together, and those that do when nothing else does.
_SURE: Final = frozenset(
    {
        "increment", "decrement", "stepper", "spinbutton", "spinner", "carousel", "slider", "swiper", "slick", "splide",
        "flickity", "glide", "owl", "pagination", "paginator", "paginate", "pager", "loadmore", "showmore", "checkbox",
        "contenteditable", "keypad", "numpad", "dialpad", "pinpad", "digit", "digits", "scrubber", "scrub", "seekbar",
        "playhead", "zoomin", "zoomout", "datepicker", "flatpickr", "qtyplus", "qtyminus",
    }
)
_TOGETHER: Final = (
    frozenset({"zoom", "in"}), frozenset({"zoom", "out"}), frozenset({"load", "more"}), frozenset({"show", "more"}),
    *(frozenset({"calculator", key}) for key in ("key", "keys", "digit", "number", "operator")),
    *(frozenset({player, "progress"}) for player in ("vjs", "ytp", "plyr", "jw", "mejs", "video", "audio", "player")),
    *(frozenset({"seek", part}) for part in ("bar", "slider", "video", "player")),
    *(frozenset({amount, way}) for amount in ("qty", "quantity", "aantal")
      for way in ("plus", "minus", "up", "down", "increase", "decrease", "add", "subtract", "inc", "dec")),
)
_MOVING: Final = frozenset(
    {
        "next", "prev", "previous", "plus", "minus", "increase", "decrease", "more", "volgende", "vorige", "meer", "up",
        "down", "chevron", "caret", "arrow", "angle", "navigate",
    }
)
_BESIDE: Final = frozenset(
    {
        "btn", "button", "link", "icon", "icons", "img", "svg", "span", "div", "a", "i", "page", "slide", "image",
        "photo", "month", "day", "week", "year", "qty", "quantity", "amount", "count", "number", "item", "row", "list",
        "go", "to", "js", "control", "controls", "nav", "arrow", "load", "show", "id", "class", "name", "primary",
        "secondary", "left", "right", "before", "forward", "back", "circle", "square", "solid", "outline", "lg", "sm",
        "fa", "fas", "far", "fal", "fab", "bi", "mdi", "lucide", "feather", "ti", "ri", "bx", "ion", "pi", "octicon",
        "glyphicon", "tabler", "material", "ios", "adjust", "keyboard", "expand", "double", "skip",
    }
)
_NAMES: Final[dict[Told, tuple[str, ...]]] = {
    "label": ("text", "label", "arialabel", "elementtext", "elementlabel", "elementarialabel", "buttontext",
              "buttonlabel", "linktext", "ctatext", "clicktext", "eltext", "targettext", "innertext", "alt"),
    "kind": ("elementtype", "elementtag", "tag", "tagname", "type", "inputtype", "targettagname"),
    "part": ("role", "ariarole", "ariaroledescription", "elementrole"),
    "state": ("ariachecked", "ariavaluenow", "ariapressed", "ariasort", "ariaselected", "databsslide", "dataslide",
              "dataslideto"),
    "editable": ("contenteditable", "iscontenteditable"),
    "selector": ("selector", "class", "classes", "classname", "id", "elementid", "cssselector", "elementclass",
                 "elementclasses", "elementselector", "clickclasses", "clickid", "clickelement", "targetclass",
                 "targetid", "datatestid", "hierarchy"),
}
# fmt: on
_TOLD_BY: Final[dict[str, Told]] = {name: known for known, names in _NAMES.items() for name in names}
_BEFORE: Final = ("amplitude", "attr", "el")
"""What some SDKs put before the name of an attribute: `[Amplitude] Element Text`, `attr__role`."""
#: `<input>` elements that are buttons.
_PUSHED: Final = frozenset({"button", "submit", "image", "reset"})
_NO: Final = frozenset({"", "false", "none", "inherit"})

_ICON: Final = re.compile(r"[a-z]+(?:_[a-z]+)+")
"""An icon as fonts have it, written as its name: `chevron_right`."""

Said = dict[Told, list[str]]


def is_made_for_repetition(touchpoint: CleanTouchpoint) -> bool:
    """Whether the clicked element is one that people use many times in a row."""
    said = _said(touchpoint.properties)
    if said and _is_such_a_kind(said):
        return True
    labels = said.get("label", [])
    if any(map(is_repeated, (touchpoint.title, touchpoint.element, *labels))):
        return True
    icons = [one for one in (touchpoint.title, *labels) if _ICON.fullmatch(one)]
    is_worded = any(says_anything(one) for one in labels if one not in icons)
    return any(_names_say_so(one, is_worded) for one in (touchpoint.element, *icons, *said.get("selector", ())))


def _said(properties: Mapping[str, Scalar]) -> Said:
    """What is told of the element, by the kind of it."""
    found: Said = {}
    for name, value in properties.items():
        if (known := _stated_by(name)) and value is not None:
            found.setdefault(known, []).append(str(value))
    return found


@lru_cache(maxsize=4096)
def _stated_by(name: str) -> Told:
    """What a property of this name tells: `aria-label`, `ariaLabel`, `attr__aria-label`, `Element Aria Label`."""
    bare = re.sub(r"[\W_]+", "", name.lower())
    for before in _BEFORE:
        if bare not in _TOLD_BY:
            bare = bare.removeprefix(before)
    return _TOLD_BY.get(bare, "")


def is_label(name: str) -> bool:
    """Whether a property of this name holds what is written on an element."""
    return _stated_by(name) == "label"


def _is_such_a_kind(said: Said) -> bool:
    """Whether the element is of a kind, or in a state, that only such elements are."""
    kinds = set(_plain(said.get("kind", ())))
    if not _PUSHED.isdisjoint(kinds):
        kinds.discard("input")
    if not _TYPES.isdisjoint(kinds) or not _ROLES.isdisjoint(_plain(said.get("part", ()))):
        return True
    return "state" in said or not _NO.issuperset(_plain(said.get("editable", ())))


def _plain(values: Iterable[str]) -> Iterable[str]:
    return (value.strip().lower() for value in values)


@lru_cache(maxsize=8192)
def _names_say_so(selector: str, is_worded: bool) -> bool:
    """`.swiper-button-next`, `#qtyPlus`; not `#save-and-next`. `is_worded`: its words say something else."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", selector[:200])
    names = {name.lower() for name in re.findall(r"[^\W\d_]+", apart)}
    if not _SURE.isdisjoint(names) or any(together <= names for together in _TOGETHER):
        return True
    moving = names & _MOVING
    return bool(moving) and not is_worded and names - moving <= _BESIDE
