"""Paths into a message: `ticket.requester.email`, `items[0].name`, `tags[*]`, `fields[id=7].value`.

They know no functions, so that reading one costs a bounded number of steps. `$header.name`, `$query.name` and
`$envelope.path` look beside the message: at a header, a parameter, or what stands around a batch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator

from schemas.errors import did_you_mean, shown

MAX_CHARS = 200
MAX_STEPS = 16
_ROOTS = ("header", "query", "envelope")
_STEP = re.compile(
    r'(?:^|\.)(?:"(?P<quoted>[^"]{1,80})"|(?P<name>[^."\[\]{}$]{1,80}))'
    r"|\[(?P<index>\*|-?[0-9]{1,4})\]"
    r"|\[(?P<field>[^.=\[\]]{1,40})=(?P<value>[^\[\]]{1,80})\]"
)
_HOLE = re.compile(r"\{([^{}]*)\}")
_HOW = 'write `a.b`, `a[0].b`, `a[-1]` (the last), `a[*].b` (all), `a[id=7].b`, or `"a.b".c` for a name with a dot'


@dataclass(frozen=True, slots=True)
class Every:
    """All items of a list."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list; counted from the end when negative."""

    index: int


@dataclass(frozen=True, slots=True)
class Those:
    """The items of a list whose field holds this text."""

    field: str
    value: str


Step = str | Every | Item | Those


@dataclass(frozen=True, slots=True)
class Parsed:
    """Where a path begins, and its steps. Of a header and a parameter the one step is its name."""

    root: Literal["message", "header", "query", "envelope"]
    steps: tuple[Step, ...]


@lru_cache(maxsize=4096)
def parsed(text: str) -> Parsed:
    """A path as steps. Raises ValueError saying what would be one."""
    if not text or len(text) > MAX_CHARS:
        raise ValueError(f"a path has 1 to {MAX_CHARS} characters, got {shown(text)}")
    if not text.startswith("$"):
        return Parsed("message", _steps(text))
    root, _, rest = text[1:].partition(".")
    if root not in _ROOTS or not rest:
        raise ValueError(f"`${root}` is no place to look at{did_you_mean(root, _ROOTS)}; e.g. `$header.x-topic`")
    if root == "envelope":
        return Parsed("envelope", _steps(rest))
    return Parsed("header", (rest.lower(),)) if root == "header" else Parsed("query", (rest,))


def _steps(text: str) -> tuple[Step, ...]:
    found: list[Step] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or len(found) == MAX_STEPS:
            hint = "for a text with holes use `template`" if "{" in text else _HOW
            raise ValueError(f"no path, or one of more than {MAX_STEPS} steps: {shown(text)}; {hint}")
        found.append(_step(match))
        at = match.end()
    return tuple(found)


def _step(match: re.Match[str]) -> Step:
    if match["index"]:
        return Every() if match["index"] == "*" else Item(int(match["index"]))
    if match["field"]:
        return Those(match["field"].strip(), match["value"].strip())
    name: str = match["quoted"] or match["name"].strip()
    return Every() if match["quoted"] is None and name == "*" else name


@lru_cache(maxsize=4096)
def holes(template: str) -> tuple[str, ...]:
    """The paths in a text such as `ticket:{ticket.id}`. Raises ValueError for a brace that is no hole."""
    if "{" in _HOLE.sub("", template) or "}" in _HOLE.sub("", template):
        raise ValueError(f"a brace without its other half: {shown(template)}; write `ticket:{{ticket.id}}`")
    found = tuple(_HOLE.findall(template))
    for path in found:
        parsed(path)
    return found


def filled(template: str, values: tuple[str, ...]) -> str:
    """The text with its holes filled, in their order."""
    left = iter(values)
    return _HOLE.sub(lambda _: next(left), template)


def _path(text: str) -> str:
    parsed(text)
    return text


def _template(text: str) -> str:
    if len(text) > MAX_CHARS:
        raise ValueError(f"at most {MAX_CHARS} characters, got {shown(text)}")
    holes(text)
    return text


Path = Annotated[str, AfterValidator(_path)]
Template = Annotated[str, AfterValidator(_template)]
