"""Our own dialect as documents: its JSON Schema, and its fields as a table."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import BaseModel, TypeAdapter

from schemas.records import RECORDS, AccountPart, AnyRecord, PersonPart
from services.cli.generate.marked import markdown, put

_PARTS: dict[str, type[BaseModel]] = {"person": PersonPart, "account": AccountPart}


def schema() -> str:
    """JSON Schema of one record, for validators and editors."""
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of POST /v1/touchline",
        **TypeAdapter(AnyRecord).json_schema(),
    }
    return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n"


def with_records(text: str) -> str:
    """A page with the fields of every kind between its markers. Raises ValueError where it has none."""
    tables = "\n".join("\n".join(_table(kind, model)) + "\n" for kind, model in RECORDS.items())
    return put(text, markdown("records"), tables)


def _table(kind: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"**`{kind}`**: {_first_line(model)}\n"
    yield "| field | what |"
    yield "|---|---|"
    for name, field in model.model_fields.items():
        part = _PARTS.get(name) if kind == "touchpoint" else None
        if part is not None:
            inner = ", ".join(f"`{inner}`" for inner in part.model_fields)
            yield f"| `{name}` | {field.description}: {inner} |"
        elif name != "kind":
            needed = " (required)" if field.is_required() else ""
            yield f"| `{name}`{needed} | {field.description} |"


def _first_line(model: type[BaseModel]) -> str:
    text = (model.__doc__ or "").strip()
    return text[:1].lower() + text[1:]
