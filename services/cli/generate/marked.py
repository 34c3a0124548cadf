"""Parts of a file that are written by code, between two lines that say so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """The two lines, without their indentation."""

    begin: str
    end: str


def markdown(name: str) -> Marks:
    """Of a page: comments that are not shown."""
    return Marks(f"<!-- generated: {name} -->", "<!-- end of generated -->")


def yaml(name: str) -> Marks:
    """Of a YAML file."""
    return Marks(f"# generated: {name}", "# end of generated")


def put(text: str, marks: Marks, body: str) -> str:
    """`text` with `body`, which ends its last line, between the marks. Raises ValueError where it has none."""
    before, begin, rest = text.partition(f"{marks.begin}\n")
    _, _, after = rest.partition(f"{marks.end}\n")
    if not begin or marks.end not in rest:
        raise ValueError(f"the file needs the lines {marks.begin} and {marks.end}")
    indent = before.rpartition("\n")[2]
    return f"{before}{marks.begin}\n{body}{indent}{marks.end}\n{after}"
