"""What a model refuses in a document, as lines for people: place, field, what is wrong, what would be right.

`touchline.yaml:12:5: sources.0.vendr: unknown key; did you mean `vendor`?`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schemas.documents import Document, Loc, dotted
from schemas.errors import ConfigurationError, did_you_mean, shown

Model = TypeVar("Model", bound=BaseModel)

#: A value below such a key is never repeated in a message: it may be a secret in the wrong place.
_HIDDEN = re.compile(r"secret|password|token|key", re.IGNORECASE)
_PLACE = re.compile(r"(?P<file>.+):(?P<line>\d+):(?P<column>\d+)")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong. `origin` is `file:line:column`, a flag or an environment name."""

    origin: str
    field: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.origin, self.field, self.message) if part)

    @property
    def position(self) -> tuple[str, int, int]:
        """(file, line, column); what is no place in a file comes as (origin, 0, 0)."""
        place = _PLACE.fullmatch(self.origin)
        return (place["file"], int(place["line"]), int(place["column"])) if place else (self.origin, 0, 0)

    def as_dict(self) -> dict[str, str | int]:
        """For `--json`: file, line and column apart where it has them."""
        file, line, column = self.position
        return {"file": file, "line": line, "column": column, "field": self.field, "message": self.message}


class Refused(ConfigurationError):
    """A document is refused: its message has one line per complaint."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(str(complaint) for complaint in self.complaints))


def complaints_of(error: ConfigurationError) -> tuple[Complaint, ...]:
    """The complaints of a refusal; one that came as text only is taken apart at its place."""
    if isinstance(error, Refused):
        return error.complaints
    return tuple(_from_line(line) for line in str(error).splitlines())


def check(document: Document, model: type[Model]) -> Model:
    """The document as `model`. Raises Refused with every complaint."""
    partial, complaints = checked(document, model)
    if partial is None or complaints:
        raise Refused(complaints)
    return partial.model


@dataclass(frozen=True, slots=True)
class Partial(Generic[Model]):
    """What of a document is sound. `left_out` are refused entries (`("types", 3)`), which `model` does not hold."""

    model: Model
    left_out: frozenset[Loc]

    def written(self, loc: Loc) -> Loc:
        """Where `loc` of the model stands in the document."""
        return _written(loc, self.left_out)


def checked(document: Document, model: type[Model]) -> tuple[Partial[Model] | None, list[Complaint]]:
    """The document as `model`, and what is wrong with it.

    Refused entries are left out, so that the rest can still be looked at; None where nothing is left to look at.
    """
    left_out: frozenset[Loc] = frozenset()
    complaints: list[Complaint] = []
    while True:
        try:
            return Partial(model.model_validate(_without(document.data, left_out)), left_out), complaints
        except ValidationError as error:
            errors = error.errors(include_url=False)
        if not left_out:  # later ones are consequences of what was left out
            complaints = _complaints(document, model, errors)
        refused = {_entry(document.data, _written(each["loc"], left_out)) for each in errors}
        if () in refused or refused <= left_out:
            return None, complaints
        left_out |= refused


def _entry(data: Mapping[str, Any], loc: Loc) -> Loc:
    """The entry of the document that `loc` belongs to: an item of a top-level list, else a top-level key."""
    if not loc or loc[0] not in data:
        return ()
    in_list = len(loc) > 1 and isinstance(loc[1], int) and isinstance(data[str(loc[0])], list)
    return loc[:2] if in_list else loc[:1]


def _without(data: Mapping[str, Any], left_out: frozenset[Loc]) -> dict[str, Any]:
    kept = {key: value for key, value in data.items() if (key,) not in left_out}
    for key in {loc[0] for loc in left_out if len(loc) == 2} & kept.keys():
        kept[str(key)] = [item for index, item in enumerate(data[str(key)]) if (key, index) not in left_out]
    return kept


def _written(loc: Loc, left_out: frozenset[Loc]) -> Loc:
    if len(loc) < 2 or not isinstance(loc[1], int):
        return loc
    index = loc[1]
    for gone in sorted(int(entry[1]) for entry in left_out if len(entry) == 2 and entry[0] == loc[0]):
        index += gone <= index
    return (loc[0], index, *loc[2:])


def _complaints(document: Document, model: type[BaseModel], errors: Iterable[Any]) -> list[Complaint]:
    """What pydantic refused, one per place: of a union it complains once per member."""
    found: dict[Loc, Complaint] = {}
    for error in errors:
        loc = _named(document, error)
        found.setdefault(loc, Complaint(document.origin(loc), dotted(loc), _explained(error, loc, model)))
    return list(found.values())


def _named(document: Document, error: Mapping[str, Any]) -> Loc:
    """The place of an error without what pydantic puts behind it (members of unions, `[key]`)."""
    loc: Loc = error["loc"]
    while error["type"] != "missing" and len(loc) > 1 and loc not in document.origins and loc[:-1] in document.origins:
        loc = loc[:-1]
    return loc


def _explained(error: Mapping[str, Any], loc: Loc, model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key{did_you_mean(str(loc[-1]), _fields_at(model, loc[:-1]))}"
    if error["type"] == "missing":
        return f"is missing{_meaning(model, loc)}"
    message: str = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] == "value_error":
        return " ".join(message.split())
    value = "(value hidden)" if any(_HIDDEN.search(str(part)) for part in loc) else shown(error["input"])
    return f"{message}, got {value}{_nearest(error)}{_meaning(model, loc)}"


def _nearest(error: Mapping[str, Any]) -> str:
    """Of a fixed set of words, the one that was probably meant."""
    if error["type"] != "literal_error" or not isinstance(error["input"], str):
        return ""
    return did_you_mean(error["input"], re.findall(r"'([^']*)'", error["ctx"]["expected"]), list_all=False)


def _meaning(model: type[BaseModel], loc: Loc) -> str:
    owner = _model_at(model, loc[:-1])
    info = owner.model_fields.get(str(loc[-1])) if owner and loc else None
    return f" ({info.description})" if info is not None and info.description else ""


def _fields_at(model: type[BaseModel], loc: Loc) -> list[str]:
    owner = _model_at(model, loc)
    return [info.alias or name for name, info in owner.model_fields.items()] if owner else []


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


def _from_line(line: str) -> Complaint:
    place = re.match(r"(.+?:\d+:\d+): (.*)", line)
    if place is None:
        return Complaint("", "", line)
    return Complaint(place[1], "", place[2])
