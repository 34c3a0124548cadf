"""YAML that remembers where everything stood, so that a complaint can point at it.

`read_document` gives plain data plus the line and column of every key and value; `check` turns it into a
model, and what the model refuses into one ConfigurationError whose lines read
`touchline.yaml:12:5: sources.0.vendr: unknown key; did you mean vendor?`
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from schemas.errors import ConfigurationError, shown

Loc = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

#: A value below such a key is never repeated in a message: it may be a secret in the wrong place.
_HIDDEN = re.compile(r"secret|password|token|key", re.IGNORECASE)


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
                raise ConfigurationError(f"{self.origin(loc)}: {_dotted(loc[:-1])}: expected a mapping")
        at[str(loc[-1])] = value
        self.origins[loc] = origin


def read_document(path: Path) -> Document:
    """Parse one YAML file. Raises ConfigurationError (unreadable, not YAML, duplicate key, not a mapping)."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; `touchline up` writes one with every setting") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """Parse YAML `text`; `name` is what complaints call it."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(name)
        document = Document(name, origins={(): f"{name}:1:1"})
        _locate(node, (), document)
        document.data = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigurationError(_syntax(error, name)) from None
    finally:
        loader.dispose()
    if not isinstance(document.data, dict):
        raise ConfigurationError(f"{name}:1:1: expected a mapping such as `kafka:`, got {shown(document.data)}")
    return document


def check(document: Document, model: type[Model]) -> Model:
    """The document as `model`. Raises ConfigurationError with one line per complaint."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise ConfigurationError("\n".join(complaints(document, model, error.errors(include_url=False)))) from None


def complaints(document: Document, model: type[BaseModel], errors: Iterable[Mapping[str, Any]]) -> list[str]:
    """What pydantic refused, as lines for people: place, field, what is wrong, what would be right."""
    return [f"{document.origin(e['loc'])}: {_dotted(e['loc'])}: {_explained(e, model)}" for e in errors]


def _explained(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    loc: Loc = error["loc"]
    if error["type"] == "extra_forbidden":
        return f"unknown key{did_you_mean(str(loc[-1]), _fields_at(model, loc[:-1]))}"
    if error["type"] == "missing":
        return f"is missing{_meaning(model, loc)}"
    message: str = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] == "value_error":
        return message
    value = "(value hidden)" if any(_HIDDEN.search(str(part)) for part in loc) else shown(error["input"])
    return f"{message}, got {value}{_meaning(model, loc)}"


def _meaning(model: type[BaseModel], loc: Loc) -> str:
    owner = _model_at(model, loc[:-1])
    info = owner.model_fields.get(str(loc[-1])) if owner and loc else None
    return f" ({info.description})" if info is not None and info.description else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean x?`, or the list of what there is when nothing is near (and the list is short)."""
    names = list(known)
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= 16 else ""


def _fields_at(model: type[BaseModel], loc: Loc) -> list[str]:
    owner = _model_at(model, loc)
    return list(owner.model_fields) if owner else []


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """The model that describes the mapping at `loc`, through optionals, tuples and dicts."""
    annotation: Any = model
    for part in loc:
        annotation = _step(annotation, part)
    arms = (annotation, *get_args(annotation))
    return next((arm for arm in arms if _is_model(arm)), None)


def _step(annotation: Any, part: str | int) -> Any:
    """The annotation one path element further down; None when it is unknown."""
    if _is_model(annotation):
        info = annotation.model_fields.get(str(part))
        return info.annotation if info else None
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (tuple, list, dict):
        return args[1] if origin is dict else args[0]
    return next((found for arm in args if (found := _step(arm, part)) is not None), None)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in loc) or "file"


def _mark(name: str, node: yaml.Node) -> str:
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _locate(node: yaml.Node, loc: Loc, document: Document) -> None:
    """Note the place of every key and item below `node`. Raises ConfigurationError on a key given twice."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*loc, str(key.value))
            if below in document.origins:
                first = document.origins[below]
                raise ConfigurationError(
                    f"{_mark(document.name, key)}: {_dotted(below)}: given twice, first at {first}"
                )
            document.origins[below] = _mark(document.name, key)
            _locate(value, below, document)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.origins[(*loc, index)] = _mark(document.name, item)
            _locate(item, (*loc, index), document)


def _syntax(error: yaml.YAMLError, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    return f"{place}: not valid YAML: {problem}; check the indentation and quotes of this line and the one above"
