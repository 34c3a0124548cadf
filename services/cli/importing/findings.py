"""What an import has to say about a row: where, what, and what would be right."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from schemas.errors import shown

VALUE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """`refused`: the row was not sent. `unplaced`: it was, but its account is not certain; `reason` says why."""

    state: Literal["refused", "unplaced"]
    file: str
    line: int
    field: str
    value: str
    reason: str
    fix: str

    @property
    def place(self) -> str:
        """Where and what, without the fix."""
        value = f" {self.value}" if self.value else ""
        field = f"{self.field}{value}: " if self.field else ""
        return f"{self.file}:{self.line}: {field}{self.reason}"

    def __str__(self) -> str:
        return f"{self.place}; {self.fix}"

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row, or a cell of it, that cannot be read; the file's name is added later."""

    line: int
    field: str
    value: object
    reason: str
    fix: str

    def finding(self, file: str) -> Finding:
        value = "" if self.value is None else shown(self.value, VALUE_CHARS)
        return Finding("refused", file, self.line, self.field, value, self.reason, self.fix)
