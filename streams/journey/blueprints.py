"""Reading a blueprint: YAML in, a checked and compiled blueprint out; all that is wrong with it, each with its place.

`include: [stated.yaml]` adds the lists of other files beside it (types, rules, …) to the blueprint's own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.blueprint import Blueprint
from schemas.complaints import Complaint, Partial, Refused, checked, complaints_of
from schemas.documents import Document, dotted, parse_document
from schemas.errors import ConfigurationError, shown
from streams.journey.checks import Problem, problems
from streams.journey.compiled import CompiledBlueprint

DEFAULT = Path(__file__).parents[2] / "infra" / "blueprints" / "default.yaml"
INCLUDE = "include"
Vendors = Collection[str] | None
"""The connectors that conditions may name; None: any."""


def load(path: str = "", vendors: Vendors = None) -> CompiledBlueprint:
    """The blueprint at `path`, or the one that ships with Touchline. Raises Refused with everything wrong in it."""
    file = Path(path) if path else DEFAULT
    return parse(_text(file), str(file), folder=file.parent, vendors=vendors)


def parse(
    text: str, name: str = "blueprint", *, folder: Path = DEFAULT.parent, vendors: Vendors = None
) -> CompiledBlueprint:
    """A blueprint's text, checked and compiled; `name` stands in complaints, included files lie in `folder`."""
    reading = read(text, name, folder=folder, vendors=vendors)
    if reading.compiled is None:
        raise Refused(reading.complaints)
    return reading.compiled


@dataclass(slots=True)
class Reading:
    """What reading came to: the compiled blueprint, or complaints. `document` knows the place of everything."""

    document: Document
    complaints: list[Complaint] = field(default_factory=list)
    compiled: CompiledBlueprint | None = None


def read_file(file: Path, vendors: Vendors = None) -> Reading:
    """As `read`. Raises ConfigurationError when the file itself cannot be read."""
    return read(_text(file), str(file), folder=file.parent, vendors=vendors)


def read(text: str, name: str, *, folder: Path, vendors: Vendors = None) -> Reading:
    """A blueprint's text and what is wrong with it; complaints do not raise."""
    try:
        reading = Reading(parse_document(text, name))
    except ConfigurationError as error:
        return Reading(Document(name), list(complaints_of(error)))
    _include(reading, folder)
    partial, refused = checked(reading.document, Blueprint)
    reading.complaints += refused
    if partial is not None:
        reading.complaints += _problems(reading, partial, vendors)
    if partial is not None and not reading.complaints:
        reading.compiled = CompiledBlueprint(partial.model, is_checked=True)
    reading.complaints.sort(key=lambda complaint: (complaint.position[0] != name, complaint.position))
    return reading


def _problems(reading: Reading, partial: Partial[Blueprint], vendors: Vendors) -> list[Complaint]:
    excused = None
    if reading.complaints:
        excused = frozenset(_id(reading.document.data, loc) for loc in partial.left_out)
    document = reading.document

    def complaint(problem: Problem) -> Complaint:
        loc = partial.written(problem.loc)
        message = problem.in_words(lambda other: document.origin(partial.written(other)))
        return Complaint(document.origin(loc), dotted(loc), message)

    return [complaint(problem) for problem in problems(partial.model, excused=excused, vendors=vendors)]


def _id(data: dict[str, Any], loc: tuple[str | int, ...]) -> str:
    entry = data[str(loc[0])]
    entry = entry[loc[1]] if len(loc) == 2 else entry
    return str(entry.get("id", "")) if isinstance(entry, dict) else ""


def _include(reading: Reading, folder: Path) -> None:
    """Take in the lists of the files that the document names."""
    names = reading.document.data.pop(INCLUDE, None) or []
    for index, name in enumerate(names if isinstance(names, list) else [names]):
        try:
            _add(reading, parse_document(_text(folder / str(name)), str(folder / str(name))))
        except ConfigurationError as error:
            found = complaints_of(error)
            if not found[0].origin:
                found = (Complaint(reading.document.origin((INCLUDE, index)), f"{INCLUDE}.{index}", found[0].message),)
            reading.complaints += found


def _add(reading: Reading, other: Document) -> None:
    for key, items in other.data.items():
        own = reading.document.data.get(key, [])
        if not isinstance(items, list) or not isinstance(own, list):
            what = f"an included file holds lists only (types, rules, …), got {shown(items)}"
            reading.complaints.append(Complaint(other.origin((key,)), key, what))
        else:
            reading.document.extend(other, key)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{file}: cannot be read: {why}") from error
