"""The schema editors use says what the reader says: every blueprint fits it, and what is misspelt does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from services.cli.generate.command import GENERATED, ROOT, generate
from streams.journey.blueprints import DEFAULT

FILES = sorted(DEFAULT.parent.glob("*.yaml"))
SCHEMA = json.loads((ROOT / GENERATED["schema"][0]).read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def content(path: Path) -> Any:
    """As an editor sees it: keys are text."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))))


def test_what_is_committed_is_what_the_models_say() -> None:
    assert generate("schema", check=True) == [], "run `touchline generate schema`"
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_blueprint_file_fits(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(content(path))] == []
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=blueprint.schema.json\n")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("types", 0, "nmae"), "x"),
        (("types", 0, "importance"), 6),
        (("types", 0, "match", 0, "action"), "page_veiw"),
        (("types", 0, "match", 0, "vendor"), "segmnt"),
        (("types", 0, "owner"), "Marketing"),
        (("types", 0, "targets"), {"answer": 1}),
        (("types", 0, "started_by"), "nobody"),
    ],
)
def test_what_is_wrong_does_not_fit(place: tuple[str | int, ...], value: object) -> None:
    """Known bad: each is a blueprint with one thing wrong."""
    whole = content(DEFAULT.parent / "touchpoints.yaml")
    at = whole
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = value
    assert not VALIDATOR.is_valid(whole)


def test_a_whole_blueprint_needs_its_frame_and_a_part_does_not() -> None:
    whole = content(DEFAULT)
    del whole["phases"]
    assert not VALIDATOR.is_valid(whole)
    assert VALIDATOR.is_valid({"rules": []})


def test_every_field_is_described() -> None:
    fields = [(owner, *field) for owner, model in SCHEMA["$defs"].items() for field in model["properties"].items()]
    assert [f"{owner}.{name}" for owner, name, about in fields if "description" not in about] == []
