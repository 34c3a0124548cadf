"""From a file's columns to a record's fields: known names of CRM exports, `--map`, values as people write them.

A value that can be read in two ways (`02/03/2026`, `1.234`) is refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from schemas.errors import did_you_mean
from schemas.records import RECORDS, AccountPart, PersonPart
from services.cli.console import UsageError
from services.cli.importing.files import Row
from services.cli.importing.findings import BadRow

DateOrder = Literal["iso", "dmy", "mdy"]
Path = tuple[str, ...]

#: What `--kind` says → the kind of record.
KINDS = {
    "accounts": "account",
    "contacts": "contact",
    "deals": "deal",
    "touchpoints": "touchpoint",
    "owners": "owner",
}

FIRST_NAME, LAST_NAME = "first name", "last name"
"""Not fields: the two halves of `name`."""

_COMMON = {"record_id": "id", "external_id": "id", "updated_at": "occurred_at", "last_modified_date": "occurred_at"}
_ACCOUNT = {
    "account_id": "account",
    "company_id": "account",
    "associated_company_id": "account",
    "crm_account_id": "account",
}
#: Column names of the usual exports, lower case, as fields.
KNOWN: dict[str, dict[str, str]] = {
    "account": _COMMON
    | {"account_id": "id", "company_id": "id", "company_name": "name", "account_name": "name", "company": "name"}
    | {"domain": "domains", "company_domain_name": "domains", "website": "domains", "website_url": "domains"}
    | {"number_of_employees": "employees", "lifecycle_stage": "lifecycle", "company_owner": "owner"}
    | {"is_deleted": "deleted", "master_record_id": "merged_into"},
    "contact": _COMMON
    | _ACCOUNT
    | {
        "contact_id": "id",
        "e_mail": "email",
        "email_address": "email",
        "phone_number": "phone",
        "mobile_phone": "phone",
    }
    | {"full_name": "name", "job_title": "title", "buying_role": "role", "since": "valid_from", "is_deleted": "deleted"}
    | {"first_name": FIRST_NAME, "last_name": LAST_NAME},
    "deal": _COMMON
    | _ACCOUNT
    | {"deal_id": "id", "opportunity_id": "id", "deal_name": "name", "opportunity_name": "name", "deal_stage": "stage"}
    | {
        "close_date": "closes_at",
        "deal_owner": "owner",
        "associated_contact_ids": "contacts",
        "contact_ids": "contacts",
    }
    | {"is_closed_won": "won", "is_won": "won", "iswon": "won", "is_closed_lost": "lost", "is_lost": "lost"}
    | {"is_closed": "closed", "isclosed": "closed", "is_deal_closed": "closed"},
    "touchpoint": {
        "external_id": "id",
        "type": "name",
        "touchpoint": "name",
        "date": "occurred_at",
        "time": "occurred_at",
    }
    | {"note": "text", "notes": "text", "subject_line": "title", "headline": "title"}
    | {name: f"person.{name}" for name in PersonPart.model_fields if name not in ("name", "title")}
    | {"e_mail": "person.email", "email_address": "person.email", "contact_id": "person.crm_contact"}
    | {"person": "person.name", "full_name": "person.name", "job_title": "person.title"}
    | {"account_id": "account.id", "company_id": "account.id", "account": "account.id", "crm_account_id": "account.id"}
    | {
        "domain": "account.domain",
        "company": "account.name",
        "account_name": "account.name",
        "company_name": "account.name",
    },
    "owner": {"owner_id": "id", "owner_name": "name", "full_name": "name", "team": "department"},
}
_TIMES = ("occurred_at", "valid_from", "valid_to", "closes_at")
_NUMBERS = ("amount", "score")
_LISTS = ("domains", "contacts")
_FLAGS = ("online", "deleted", "restored", "won", "lost", "closed")
_WORDS = {"true": True, "yes": True, "1": True, "ja": True, "false": False, "no": False, "0": False, "nee": False}
_NUMBER = re.compile(r"(?:[A-Z]{3}|[€$£¥])?\s*([+-]?[\d.,'\s\u00a0]+)\s*(?:[A-Z]{3}|[€$£¥])?")
_PARTS: dict[str, Any] = {"person": PersonPart, "account": AccountPart}


class _Unreadable(Exception):
    """A cell; (reason, fix)."""


@dataclass(slots=True)
class Columns:
    """How the columns of one file become a record of `kind`. `mapping` is what `--map` said: column → field."""

    kind: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    dates: DateOrder = "iso"
    untaken: set[str] = field(default_factory=set)
    _paths: dict[str, Path] = field(default_factory=dict, repr=False)

    def check(self, columns: tuple[str, ...]) -> None:
        """Raises UsageError for a mapped column that is not there, or a field given twice."""
        for name in self.mapping:
            if columns and name not in columns:
                raise UsageError(f"--map {name}=…: the file has no such column{did_you_mean(name, columns)}")
        taken: dict[Path, str] = {}
        for name in columns:
            path = self.path(name)
            if path and path in taken:
                raise UsageError(
                    f"columns `{taken[path]}` and `{name}` both mean `{'.'.join(path)}`: say which with "
                    f"--map '{name}={'.'.join(path)}', and --map '{taken[path]}=-' to leave the other out"
                )
            taken[path] = name

    def path(self, column: str) -> Path:
        """The field a column goes to; () when it goes nowhere."""
        if column not in self._paths:
            self._paths[column] = self._found(column)
            if not self._paths[column]:
                self.untaken.add(column)
        return self._paths[column]

    def column_of(self, path: Path) -> str:
        """The column a field came from, for messages; the field itself when it came from none."""
        return next((column for column, found in self._paths.items() if found == path), ".".join(path))

    def message(self, row: Row, as_of: datetime) -> dict[str, Any] | BadRow:
        """The row as a message of our dialect."""
        message: dict[str, Any] = {"kind": self.kind}
        for column, value in row.values.items():
            path = (column,) if isinstance(value, dict) and column in _PARTS else self.path(column)
            if not path or value in ("", None):
                continue
            try:
                _put(message, path, self._read(path, value) if isinstance(value, str) else value)
            except _Unreadable as error:
                return BadRow(row.line, column, value, *error.args)
        halves = (message.pop(FIRST_NAME, ""), message.pop(LAST_NAME, ""))
        if any(halves):
            message.setdefault("name", " ".join(filter(None, halves)))
        if "occurred_at" not in message and "at" not in message and self.kind != "touchpoint":
            message["occurred_at"] = as_of.isoformat()
        return message

    def _found(self, column: str) -> Path:
        if column in self.mapping:
            stated = self.mapping[column]
            return () if stated in ("", "-") else field_path(self.kind, stated)
        name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
        if name in ("kind", "at") or name in RECORDS[self.kind].model_fields and name not in KNOWN[self.kind]:
            return (name,)
        if name in KNOWN[self.kind]:
            return tuple(KNOWN[self.kind][name].split("."))
        if "." in column and column.partition(".")[0] in _PARTS:
            return field_path(self.kind, column)
        free = {"account": "traits", "touchpoint": "properties"}.get(self.kind)
        return (free, name) if free and name else ()

    def _read(self, path: Path, text: str) -> Any:
        text = text.strip()
        name = path[-1] if len(path) == 1 else ""
        if name in _TIMES:
            return time_of(text, self.dates)
        if name in _NUMBERS:
            return number_of(text)
        if name in _LISTS:
            return [part for part in re.split(r"[\s;,|]+", text) if part]
        if name in _FLAGS:
            return _WORDS.get(text.lower(), text)
        return text


def field_path(kind: str, text: str) -> Path:
    """The field `a.b` of a kind of record. Raises UsageError with what there is."""
    first, dot, rest = text.partition(".")
    model = RECORDS[kind]
    fields = list(model.model_fields)
    if first in ("traits", "properties") and first in fields and rest:
        return (first, rest)
    if dot and first in fields and first in _PARTS and kind == "touchpoint" and rest in _PARTS[first].model_fields:
        return (first, rest)
    if not dot and first in fields:
        return (first,)
    known = [name for name in fields if name != "kind"]
    known += [f"{part}.{name}" for part, of in _PARTS.items() if kind == "touchpoint" for name in of.model_fields]
    raise UsageError(f"`{text}` is no field of {kind} records{did_you_mean(text, known)}")


def _put(message: dict[str, Any], path: Path, value: Any) -> None:
    place = message
    for part in path[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise _Unreadable("is given beside its parts", "give either the whole or its parts")
    place[path[-1]] = value


def time_of(text: str, order: DateOrder) -> str:
    """ISO 8601 as it stands; `2-3-2026` only where the order of its parts was said."""
    parts = re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[T ,]+(.+))?", text)
    if parts is None:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}.*|\d{10}(\d{3})?", text):
            return text
        raise _Unreadable("is not a time", "write 2026-03-02 or 2026-03-02T09:00:00Z")
    if order == "iso":
        raise _Unreadable("can be read in two ways", "write 2026-03-02, or say --dates dmy (or mdy)")
    day, month = (parts[1], parts[2]) if order == "dmy" else (parts[2], parts[1])
    return f"{parts[3]}-{int(month):02}-{int(day):02}" + (f"T{parts[4]}" if parts[4] else "")


def number_of(text: str) -> float:
    """A number with at most one way to read it; a currency beside it and blanks in it do not count."""
    found = _NUMBER.fullmatch(text)
    bare = re.sub(r"[\s\u00a0']", "", found[1]) if found else ""
    marks = re.sub(r"[^.,]", "", bare)
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", bare):
        raise _Unreadable("can be read in two ways", "write it without a thousands separator")
    if len(set(marks)) == 2 and len(set(marks[:-1])) == 1 and marks[-1] != marks[0]:
        bare = bare.replace(marks[0], "").replace(",", ".")
    elif len(marks) > 1 and len(set(marks)) == 1:
        bare = bare.replace(marks[0], "")
    try:
        return float(bare.replace(",", "."))
    except ValueError:
        raise _Unreadable("is not a number", "write it with digits only") from None
