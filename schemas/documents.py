"""YAML that remembers where everything stood, so that a complaint can point at it.

`parse_document` gives plain data plus the line and column of every key and item. Anchors, aliases and merge
keys (`<<`) are resolved: what an alias repeats is placed where it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import ConfigurationError, shown

Loc = tuple[str | int, ...]

#: Aliases of aliases grow a short text exponentially; no honest document has this many keys and items.
MAX_PLACES = 200_000
#: The C parser is eight times as fast; it is there wherever PyYAML comes as a wheel.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"


def lists_in(file: Path) -> Any:
    """The plain data of a YAML file of ours, such as word lists: every process reads several at its start."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)


@dataclass(slots=True)
class Document:
    """Plain data and, for every path in it, where it came from (`file:line:column`, a flag, an environment name)."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Loc, str] = field(default_factory=dict)

    def origin(self, loc: Loc) -> str:
        """The place of `loc`, or of the nearest thing around it."""
        while loc and loc not in self.origins:
            loc = loc[:-1]
        return self.origins.get(loc, self.name)

    def put(self, loc: Loc, value: object, origin: str) -> None:
        """Overlay one value, e.g. from a flag. Raises ConfigurationError where the file has something odd there."""
        at = self.data
        for part in loc[:-1]:
            at = at.setdefault(str(part), {})
            if not isinstance(at, dict):
                raise ConfigurationError(f"{self.origin(loc)}: {dotted(loc[:-1])}: expected a mapping")
        at[str(loc[-1])] = value
        self.origins[loc] = origin

    def extend(self, other: Document, key: str) -> None:
        """Add the items of `other`'s list `key` to the own list, each with the place it has in `other`."""
        own = self.data.get(key, [])
        shift = len(own)
        self.data[key] = [*own, *other.data[key]]  # not in place: an alias may share the list
        self.origins.setdefault((key,), other.origin((key,)))
        for loc, origin in other.origins.items():
            if len(loc) > 1 and loc[0] == key and isinstance(loc[1], int):
                self.origins[(key, loc[1] + shift, *loc[2:])] = origin


def parse_document(text: str, name: str) -> Document:
    """Parse YAML `text`; `name` is what complaints call it.

    Raises ConfigurationError: not YAML, a key given twice, no mapping, or aliases that never end.
    """
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(name)
        places = _Places(name)
        places.locate(node, ())
        data = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigurationError(_syntax(error, name)) from None
    finally:
        loader.dispose()
    if places.twice:
        raise ConfigurationError("\n".join(places.twice))
    if not isinstance(data, dict):
        raise ConfigurationError(f"{name}:1:1: expected a mapping such as `kafka:`, got {shown(data)}")
    return Document(name, data, places.origins)


def dotted(loc: Loc) -> str:
    """`sources.0.vendor`; `file` for the whole."""
    return ".".join(str(part) for part in loc) or "file"


class _Places:
    """Walks the nodes of a document before it is constructed: construction folds merge keys away."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.origins: dict[Loc, str] = {(): f"{name}:1:1"}
        self.twice: list[str] = []
        self._around: list[yaml.Node] = []

    def locate(self, node: yaml.Node, loc: Loc) -> None:
        """Note the place of every key and item below `node`."""
        if any(node is outer for outer in self._around) or len(self.origins) > MAX_PLACES:
            raise ConfigurationError(f"{self._mark(node)}: {dotted(loc)}: aliases repeat themselves without end")
        self._around.append(node)
        if isinstance(node, yaml.MappingNode):
            self._keys(node, loc)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.origins[(*loc, index)] = self._mark(item)
                self.locate(item, (*loc, index))
        self._around.pop()

    def _keys(self, node: yaml.MappingNode, loc: Loc) -> None:
        seen: dict[str, str] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            name, below = str(key.value), (*loc, str(key.value))
            if name in seen:
                complaint = f"{self._mark(key)}: {dotted(below)}: given twice, first at {seen[name]}"
                if complaint not in self.twice:
                    self.twice.append(complaint)
                continue
            seen[name] = self._mark(key)
            if below not in self.origins:  # merged in: a key of the mapping's own stands before it
                self.origins[below] = seen[name]
                self.locate(value, below)
        for merged in _merged(node):
            self.locate(merged, loc)

    def _mark(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _merged(node: yaml.MappingNode) -> Iterator[yaml.Node]:
    """The mappings that `<<` brings in, the strongest first."""
    for key, value in node.value:
        if key.tag == _MERGE:
            yield from value.value if isinstance(value, yaml.SequenceNode) else (value,)


def _syntax(error: yaml.YAMLError, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    return f"{place}: not valid YAML: {problem}; check the indentation and quotes of this line and the one above"
