"""The JSON Schema of a blueprint file, for editors: completion, descriptions and checks while somebody types."""

from __future__ import annotations

import json
from typing import Any

from schemas.actions import ACTIONS
from schemas.blueprint import Blueprint
from streams.connectors.registry import CONNECTORS

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def rendered() -> str:
    """The schema as it is committed."""
    return json.dumps(blueprint_schema(), indent=2, ensure_ascii=False) + "\n"


def blueprint_schema() -> dict[str, Any]:
    """The model's schema, with what only the file has: `include`, and that a part needs no `version`."""
    schema = Blueprint.model_json_schema()
    required = [name for name in schema.pop("required") if name != "types"]  # they may come with `include`
    schema["properties"]["include"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "files beside this one whose lists (types, rules, …) are added to its own",
    }
    whole = {"if": {"required": ["version"]}, "then": {"required": required}}
    _words(schema["$defs"]["Match"], "action", ("", *ACTIONS))
    _words(schema["$defs"]["Match"], "vendor", ("", *CONNECTORS))
    return {"$schema": DRAFT, "title": "Touchline blueprint", **_plain(schema), **whole}


def _words(definition: dict[str, Any], field: str, words: tuple[str, ...]) -> None:
    definition["properties"][field]["enum"] = list(words)


def _plain(schema: Any) -> Any:
    """Without the titles pydantic makes of every field's name: editors show them before the description."""
    if isinstance(schema, dict):
        own = {key: _plain(value) for key, value in schema.items()}
        return {key: value for key, value in own.items() if key != "title" or not isinstance(value, str)}
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema
